//! An operator with one tenant on a real store, asked over HTTP, at a time that a test sets.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, web};
use columba::actors::standing::keep_books;
use columba::config::http::HttpOptions;
use columba::http::gate::Gate;
use columba::http::render::paper::Fonts;
use columba::http::{HttpPorts, HttpState, routes};
use columba::media;
use columba::meters::Exposition;
use columba::payments::manual::Manual;
use columba::ports::ledger::Ledger;
use columba::ports::outbox::Outcome;
use columba::ports::payments::PaymentProvider;
use columba::storage::embedded::edge::Alone;
use columba::storage::embedded::key_use::MemoryKeyUse;
use columba::storage::media::MediaFolder;
use columba::tenancy::operator::OperatorToken;
use serde_json::{Value, json};
use std::time::Duration;

use super::fakes::Fakes;
use super::world::{Reply, hello, request};
use crate::storage::contract::stage::Stage;
use crate::storage::contract::{Backend, Fixture};
use crate::support::billing::{by_the_clock, issuer};
use crate::support::webhooks::{Endpoints, OpenSealer};

/// Its tenant's plan costs EUR 30.00 a month with two messages in it; each beyond is EUR 0.10.
pub struct Firm {
    pub stage: Stage,
    pub state: HttpState,
    /// A key of the tenant's with every scope.
    pub key: String,
}

impl Firm {
    pub async fn open() -> Self {
        Self::with(Arc::new(Manual)).await
    }

    pub async fn with(payments: Arc<dyn PaymentProvider>) -> Self {
        let stage = Stage::on(Fixture::of(Backend::Sqlite).await).await;
        let fakes = Fakes::new();
        let data = tempfile::tempdir().unwrap();
        let media = media::Ports {
            records: stage.fixture.stores.media.clone(),
            files: Arc::new(MediaFolder::open(data.path()).unwrap()),
            directory: stage.directory.clone(),
            clock: stage.fixture.clock.clone(),
        };
        let ports = HttpPorts {
            media,
            exposition: Exposition::install().unwrap(),
            log_level: fakes.clone(),
            engines: vec![columba::domain::session::Engine::Sandbox],
            directory: stage.directory.clone(),
            audit: stage.audit.clone(),
            people: stage.people.clone(),
            key_use: Arc::new(MemoryKeyUse::default()),
            edge_budget: Arc::new(Alone),
            sessions: stage.sessions.clone(),
            outbox: stage.outbox.clone(),
            contacts: stage.contacts.clone(),
            messages: stage.messages.clone(),
            sandbox: fakes.clone(),
            supervisor: fakes.clone(),
            signals: fakes.clone(),
            abilities: fakes.clone(),
            webhooks: stage.webhooks.clone(),
            egress: Arc::new(Endpoints::default()),
            sealer: Arc::new(OpenSealer),
            clock: stage.fixture.clock.clone(),
            ledger: stage.ledger.clone(),
            issuer: Arc::new(issuer()),
            fonts: Fonts::with(vec![]).unwrap(),
            payments,
            lookout: stage.lookout.clone(),
            // Its own: what one test refuses is no incident of another.
            lately: Box::leak(Box::default()),
            installation: fakes,
        };
        let gate = Arc::new(Gate::default());
        gate.open();
        let state =
            HttpState::new(ports, OperatorToken::mint(&mut rand::rng()), gate, &HttpOptions::default());
        let mut firm = Self { stage, state, key: String::new() };
        firm.put_plan("basic", json!({})).await;
        let keys = firm.of_tenant("keys");
        let scopes = json!({"name": "shop", "scopes": ["read", "send", "session"]});
        let made = firm.rule(Method::POST, &keys, Some(scopes)).await.json();
        firm.key = made["key"].as_str().unwrap().to_owned();
        firm
    }

    /// Makes or replaces a plan that costs EUR 30.00, has two messages a month and asks EUR 0.10 for each beyond.
    pub async fn put_plan(&self, code: &str, changes: Value) {
        let mut plan = json!({
            "name": code, "price_minor": 3_000, "currency": "EUR", "interval": "month",
            "messages_per_minute": 20, "messages_per_month": 2, "quota": "soft", "overage_minor": 10,
            "sessions_max": 2, "retention_days": 30,
        });
        plan.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let replaced = self.rule(Method::PUT, &format!("/v1/admin/plans/{code}"), Some(plan.clone())).await;
        if replaced.status == 404 {
            plan["code"] = json!(code);
            let made = self.rule(Method::POST, "/v1/admin/plans", Some(plan)).await;
            assert_eq!(made.status, 201, "{}", made.text);
        }
    }

    /// `/v1/admin/tenants/{id}/…`.
    pub fn of_tenant(&self, what: &str) -> String {
        format!("/v1/admin/tenants/{}/{what}", self.stage.tenant)
    }

    /// So many days pass, and the clock does what is due.
    pub async fn wait_days(&self, days: u32) {
        self.stage.fixture.clock.advance(Duration::from_secs(24 * 3600) * days);
        self.tick().await;
    }

    /// The clock does what is due.
    pub async fn tick(&self) {
        while keep_books(&*self.stage.ledger, &by_the_clock(), self.stage.now()).await.unwrap() > 0 {}
    }

    /// Asks with the operator's token.
    pub async fn rule(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(request(method, path, self.state.operator.expose(), body)).await
    }

    /// Asks with the tenant's key.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send(request(method, path, &self.key, body)).await
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: TestRequest) -> Reply {
        let app = App::new().app_data(web::Data::new(self.state.clone())).configure(routes);
        let service = init_service(app).await;
        match try_call_service(&service, request.to_request()).await {
            Ok(response) => Reply::of(response).await,
            Err(error) => panic!("a middleware failed: {error}"),
        }
    }

    /// Accepts a message over HTTP and lets it reach the server; what the accept answered.
    pub async fn message(&self) -> Reply {
        let path = format!("/v1/sessions/{}/messages", self.stage.session);
        let accepted = self.ask(Method::POST, &path, Some(hello())).await;
        if accepted.status == 202 {
            let id = accepted.json()["id"].as_str().unwrap().parse().unwrap();
            assert!(self.stage.settle(&self.stage.work(id).await, Outcome::Sent).await);
            self.stage.wait_secs(10);
        }
        accepted
    }

    /// The tenant's invoices, newest first.
    pub async fn invoices(&self) -> Vec<Value> {
        let list = self.rule(Method::GET, &self.of_tenant("invoices?limit=200"), None).await.json();
        list["data"].as_array().unwrap().clone()
    }

    /// The newest of them.
    pub async fn newest(&self) -> Value {
        self.invoices().await.swap_remove(0)
    }

    /// How the subscription stands.
    pub async fn status(&self) -> String {
        let found = self.ask(Method::GET, "/v1/subscription", None).await.json();
        found["status"].as_str().unwrap_or_default().to_owned()
    }

    /// What the tenant owes in euros.
    pub async fn owes(&self) -> i64 {
        let balances = self.stage.ledger.balances(self.stage.tenant).await.unwrap();
        balances.iter().map(|(_, minor)| minor).sum()
    }

    /// The same firm with another ledger behind it.
    pub fn over(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.state.ledger = ledger;
        self
    }
}
