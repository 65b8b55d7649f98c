//! One server with one tenant, and a way to ask it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service, read_body, try_call_service};
use actix_web::web::Bytes;
use actix_web::{App, web};
use chrono_tz::Tz;
use columba::actors::arbiters::Placement;
use columba::actors::death::RootGuard;
use columba::actors::hub::HubActor;
use columba::actors::hub::inbox::Inbox;
use columba::actors::subscriber::Setup;
use columba::billing::plan::Proposal;
use columba::billing::rules;
use columba::http::render::paper::Fonts;

use columba::config::http::HttpOptions;
use columba::domain::id::{KeyId, SessionId, TenantId};
use columba::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{ApiKey, KeyScope, Tenant, TenantStanding, TenantStatus};
use columba::http::gate::Gate;
use columba::http::state::FeedState;
use columba::http::{HttpPorts, HttpState, routes};
use columba::media;
use columba::meters::Exposition;
use columba::ports::Stores;
use columba::storage::embedded::edge::Alone;
use columba::storage::embedded::key_use::MemoryKeyUse;
use columba::storage::embedded::tickets::MemoryTickets;
use columba::storage::media::MediaFolder;
use columba::storage::memory;
use columba::tenancy::keys::KeyText;
use columba::tenancy::operator::OperatorToken;
use serde_json::{Value, json};

use super::fakes::{Fakes, NOW};
use crate::support::billing::issuer;
use crate::support::events::EventLog;
use crate::support::webhooks::{Endpoints, OpenSealer};

pub struct World {
    pub fakes: Arc<Fakes>,
    pub state: HttpState,
    pub tenant: TenantId,
    /// A key with every scope.
    pub key: String,
    /// A paired session.
    pub session: SessionId,
    /// Where webhooks are kept.
    stores: Stores,
    /// Where files are.
    pub data: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub bytes: Bytes,
}

impl Reply {
    pub async fn of(response: ServiceResponse) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = read_body(response).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { status, headers, text, bytes }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code, and the first pointer, once all that every problem has is there.
    pub fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(body["status"], self.status, "{body}");
        assert_eq!(word("type"), format!("/docs/errors#{}", word("code")), "{body}");
        assert_eq!(word("request_id"), self.header("x-request-id"), "{body}");
        assert!(!word("request_id").is_empty() && !word("title").is_empty() && !word("detail").is_empty());
        assert!(body["retryable"].is_boolean(), "{body}");
        let pointer = body["errors"][0]["pointer"].as_str().unwrap_or_default();
        (self.status, word("code"), pointer.to_owned())
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(&HttpOptions::default())
    }

    pub fn with(options: &HttpOptions) -> Self {
        let fakes = Fakes::new();
        // What is asked about webhooks; its tenants are added as they are elsewhere.
        let stores = memory::open(fakes.clone(), rules(Tz::UTC), Arc::new(EventLog::default()));
        let data = tempfile::tempdir().unwrap();
        let media = media::Ports {
            records: stores.media.clone(),
            files: Arc::new(MediaFolder::open(data.path()).unwrap()),
            directory: fakes.clone(),
            clock: fakes.clone(),
        };
        let ports = HttpPorts {
            media,
            exposition: Exposition::install().unwrap(),
            log_level: fakes.clone(),
            engines: vec![columba::domain::session::Engine::Sandbox],
            directory: fakes.clone(),
            audit: Arc::clone(&stores.audit),
            people: Arc::clone(&stores.people),
            key_use: Arc::new(MemoryKeyUse::default()),
            edge_budget: Arc::new(Alone),
            sessions: fakes.clone(),
            outbox: fakes.clone(),
            contacts: stores.contacts.clone(),
            messages: fakes.clone(),
            sandbox: fakes.clone(),
            supervisor: fakes.clone(),
            signals: fakes.clone(),
            abilities: fakes.clone(),
            webhooks: stores.webhooks.clone(),
            egress: Arc::new(Endpoints::default()),
            sealer: Arc::new(OpenSealer),
            clock: fakes.clone(),
            ledger: stores.ledger.clone(),
            issuer: Arc::new(issuer()),
            fonts: Fonts::with(vec![]).unwrap(),
            payments: Arc::new(columba::payments::manual::Manual),
            lookout: stores.lookout.clone(),
            lately: columba::meters::lately(),
            installation: fakes.clone(),
        };
        let gate = Arc::new(Gate::default());
        gate.open();
        let state = HttpState::new(ports, OperatorToken::mint(&mut rand::rng()), gate, options);
        let plan: Proposal = serde_json::from_value(plan("starter")).unwrap();
        let plan = plan.check("starter".into()).unwrap();
        fakes.inner().snapshot.plans.insert(plan.code.clone(), plan);
        let mut world = Self {
            fakes,
            state,
            tenant: TenantId::mint(NOW),
            key: String::new(),
            session: SessionId::mint(NOW),
            stores,
            data,
        };
        world.tenant = world.add_tenant("Acme");
        world.key = world.add_key(world.tenant, |_| ());
        world.session = world.add_session(world.tenant, true);
        world
    }

    /// A feed that nothing comes through.
    pub async fn feed(&self) -> FeedState {
        let disarmed = Arc::new(AtomicBool::new(false));
        let (placement, root) = (Placement::here(), RootGuard::new("hub", disarmed));
        let hub = HubActor::launch(Inbox::default(), self.fakes.clone(), &placement, root).await.unwrap();
        let (clock, directory) = (self.fakes.clone(), self.fakes.clone());
        let tickets: Arc<MemoryTickets> = Arc::default();
        FeedState { tickets, subscribers: Setup { hub, clock, directory }, allowed_origins: vec![] }
    }

    /// Lets the tenant have webhooks.
    pub async fn in_store(&self) {
        let (plan, tenant) = {
            let inner = self.fakes.inner();
            let tenant = inner.snapshot.tenants[&self.tenant].clone();
            (inner.snapshot.plans[&tenant.plan].clone(), tenant)
        };
        self.stores.directory.create_plan(plan, None, NOW).await.unwrap();
        self.stores.directory.create_tenant(tenant, None).await.unwrap();
    }

    pub fn add_tenant(&self, name: &str) -> TenantId {
        let tenant = Tenant {
            id: TenantId::mint(NOW),
            name: name.into(),
            plan: "starter".into(),
            status: TenantStatus::Active,
            standing: TenantStanding::Active,
            created_at: NOW,
        };
        let id = tenant.id;
        self.fakes.inner().snapshot.tenants.insert(id, tenant);
        id
    }

    /// A key with every scope, changed; its text.
    pub fn add_key(&self, tenant: TenantId, change: impl FnOnce(&mut ApiKey)) -> String {
        let text = KeyText::mint(false, &mut rand::rng());
        let mut key = ApiKey {
            id: KeyId::mint(NOW),
            tenant,
            name: "ci".into(),
            hash: text.hash(),
            last4: text.last4(),
            scopes: vec![KeyScope::Read, KeyScope::Send, KeyScope::Session],
            test: false,
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
            allowed_addresses: vec![],
            replaced_by: None,
            last_used_at: None,
        };
        change(&mut key);
        self.fakes.inner().snapshot.keys.insert(key.hash, key);
        text.expose().to_owned()
    }

    pub fn add_session(&self, tenant: TenantId, paired: bool) -> SessionId {
        let session = Session {
            id: SessionId::mint(NOW),
            tenant,
            label: "shop".into(),
            engine: Engine::Sandbox,
            metadata: serde_json::Map::new(),
            desired: Desired::Stopped,
            status: SessionStatus::Stopped,
            reason: None,
            reason_code: None,
            since: NOW,
            paired,
            standing: Standing::default(),
            proxy: false,
            supervision: Supervision::default(),
            counters: SessionCounters::default(),
            created_at: NOW,
        };
        let id = session.id;
        self.fakes.inner().sessions.insert(id, session);
        id
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: TestRequest) -> Reply {
        let app = App::new().app_data(web::Data::new(self.state.clone())).configure(routes);
        let service = init_service(app).await;
        match try_call_service(&service, request.to_request()).await {
            Ok(response) => Reply::of(response).await,
            // What the server itself does with an error that no middleware made a response of.
            Err(error) => {
                let request = TestRequest::default().to_http_request();
                Reply::of(ServiceResponse::new(request, error.error_response())).await
            }
        }
    }

    /// What actix has registered, as it shows it to a debugger.
    pub async fn resources(&self) -> String {
        let app = App::new().app_data(web::Data::new(self.state.clone())).configure(routes);
        let service = init_service(app).await;
        let response = try_call_service(&service, TestRequest::get().uri("/livez").to_request()).await;
        format!("{:#?}", response.unwrap().request().resource_map())
    }

    /// Asks with the tenant's key.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(request(method, path, &self.key, body)).await
    }

    /// Asks with the operator's token.
    pub async fn rule(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(request(method, path, self.state.operator.expose(), body)).await
    }

    pub fn messages_path(&self) -> String {
        format!("/v1/sessions/{}/messages", self.session)
    }
}

pub fn request(method: Method, path: &str, token: &str, body: Option<Value>) -> TestRequest {
    let request = TestRequest::with_uri(path)
        .method(method)
        .peer_addr("192.0.2.1:1000".parse().unwrap())
        .insert_header(("authorization", format!("Bearer {token}")));
    match body {
        Some(body) => request.set_json(body),
        None => request,
    }
}

/// A message that is fine.
pub fn hello() -> Value {
    json!({"to": "+15551230001", "type": "text", "text": {"body": "hello"}})
}

/// A plan that is fine.
pub fn plan(code: &str) -> Value {
    json!({
        "code": code, "name": "Starter", "price_minor": 1900, "currency": "EUR", "interval": "month",
        "messages_per_minute": 20, "messages_per_month": 10_000, "sessions_max": 2, "retention_days": 30,
        "media_bytes_max": 1024 * 1024, "media_bytes_total": 4 * 1024 * 1024,
    })
}
