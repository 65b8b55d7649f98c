//! A tenant with a paired session, and the steps of a message's way as one-liners.

use std::time::Duration;

use chrono_tz::Tz;
use columba::billing::period::month_of;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::event::{Change, EventKind, StatusEvent};
use columba::domain::id::{KeyId, MessageId, SessionId, TenantId};
use columba::domain::idempotency::Idempotency;
use columba::domain::message::{
    Category, Delivery, Draft, Letter, Message, MessageStatus, ReceiptKind, WaId,
};
use columba::domain::phone::Phone;
use columba::domain::plan::{Allowance, Interval, Pacing, Plan, Quota, SuspendedInbound};
use columba::domain::refusal::{Code, Refusal};
use columba::domain::scope::TenantScope;
use columba::domain::session::{
    Desired, Engine, Lease, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{ApiKey, KeyHash, KeyScope, Minted, Tenant, TenantStanding, TenantStatus};
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{
    Acceptance, Claim, Claimed, Inbound, Outcome, Receipt, Settlement, Stored, Terms, Work,
};
use columba::ports::store::WriteError;

use super::Fixture;

pub const ANN: &str = "+15551230001";
pub const BOB: &str = "+15551230002";

/// A tenant with a paired session, on a store of its own.
pub struct Stage {
    pub fixture: Fixture,
    pub tenant: TenantId,
    pub session: SessionId,
    /// Of the session's newest owner.
    pub lease: Lease,
}

impl std::ops::Deref for Stage {
    type Target = columba::ports::Stores;

    fn deref(&self) -> &Self::Target {
        &self.fixture.stores
    }
}

/// Ten messages a month, hard; five may wait; two sessions.
pub fn plan(code: &str) -> Plan {
    Plan {
        code: code.into(),
        name: code.to_uppercase(),
        price_minor: 900,
        currency: "EUR".into(),
        interval: Interval::Month,
        messages_per_minute: 20.try_into().unwrap(),
        messages_per_minute_tenant: None,
        messages_per_month: 10,
        quota: Quota::Hard,
        queue_max: 5,
        sessions_max: 2,
        webhooks_max: 8,
        seats_max: None,
        pacing: Pacing::Human,
        first_contacts_per_day: None,
        media_bytes_max: 1024 * 1024,
        media_bytes_total: 4 * 1024 * 1024,
        overage_minor: None,
        overage_tiers: vec![],
        trial_days: 0,
        suspended_inbound: SuspendedInbound::Park,
        retention_days: 30,
        plugins: vec![],
    }
}

pub fn tenant(plan: &str, at: WallTime) -> Tenant {
    Tenant {
        id: TenantId::mint(at),
        name: "Acme".into(),
        plan: plan.into(),
        status: TenantStatus::Active,
        standing: TenantStanding::Active,
        created_at: at,
    }
}

pub fn session(tenant: TenantId, at: WallTime) -> Session {
    let mut metadata = serde_json::Map::new();
    metadata.insert("desk".into(), "front".into());
    Session {
        id: SessionId::mint(at),
        tenant,
        label: "front desk".into(),
        engine: Engine::Sandbox,
        metadata,
        desired: Desired::Stopped,
        status: SessionStatus::Stopped,
        reason: None,
        reason_code: None,
        since: at,
        paired: false,
        standing: Standing::default(),
        proxy: false,
        supervision: Supervision::default(),
        counters: SessionCounters::default(),
        created_at: at,
    }
}

pub fn api_key(tenant: TenantId, at: WallTime) -> ApiKey {
    let id = KeyId::mint(at);
    let mut hash = [7; 32];
    hash[..16].copy_from_slice(id.uuid().as_bytes());
    ApiKey {
        id,
        tenant,
        name: "ci".into(),
        hash: KeyHash(hash),
        last4: "wxyz".into(),
        scopes: vec![KeyScope::Read, KeyScope::Send],
        test: false,
        created_at: at,
        expires_at: Some(at + Duration::from_secs(60)),
        revoked_at: None,
        allowed_addresses: vec![],
        replaced_by: None,
        last_used_at: None,
    }
}

/// What a key that takes another's place gets.
pub fn minted(at: WallTime) -> Minted {
    let id = KeyId::mint(at);
    let mut hash = [8; 32];
    hash[..16].copy_from_slice(id.uuid().as_bytes());
    Minted { id, hash: KeyHash(hash), last4: "abcd".into(), at }
}

pub fn chat(text: &str) -> Chat {
    Chat::parse(text).unwrap()
}

pub fn phone(text: &str) -> Phone {
    Phone::parse(text).unwrap()
}

pub fn text(body: &str) -> Content {
    Content::Text(Text { body: body.into() })
}

pub fn idempotency(key: &str, fingerprint: u8) -> Option<Idempotency> {
    Some(Idempotency { key: key.into(), fingerprint: [fingerprint; 32] })
}

/// The refusal in an answer that has to be one.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, WriteError>) -> Refusal {
    match answer {
        Err(WriteError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, WriteError>) -> Code {
    refusal(answer).code
}

impl Stage {
    pub async fn on(fixture: Fixture) -> Self {
        let at = fixture.clock.wall();
        let tenant = tenant("basic", at);
        let stores = &fixture.stores;
        stores.directory.create_plan(plan("basic"), None, at).await.unwrap();
        stores.directory.create_tenant(tenant.clone(), None).await.unwrap();
        let (session, lease) = paired_session(&fixture, tenant.id).await;
        Self { tenant: tenant.id, session, lease, fixture }
    }

    /// Another session of the tenant, paired; with its lease.
    pub async fn sibling(&self) -> Lease {
        paired_session(&self.fixture, self.tenant).await.1
    }

    /// A session of another tenant, paired; with its lease.
    pub async fn stranger(&self) -> Lease {
        let tenant = tenant("basic", self.now());
        self.directory.create_tenant(tenant.clone(), None).await.unwrap();
        paired_session(&self.fixture, tenant.id).await.1
    }

    pub fn scope(&self) -> TenantScope {
        TenantScope::authenticated(self.tenant)
    }

    pub fn now(&self) -> WallTime {
        self.fixture.clock.wall()
    }

    pub fn in_secs(&self, secs: u64) -> WallTime {
        self.now() + Duration::from_secs(secs)
    }

    pub fn wait_secs(&self, secs: u64) {
        self.fixture.clock.advance(Duration::from_secs(secs));
    }

    pub fn terms(&self) -> Terms {
        let allowance = Allowance { limit: 10, quota: Quota::Hard };
        Terms {
            period: month_of(self.now(), Tz::UTC),
            allowance,
            caps: plan("basic").caps(),
            metered: true,
            strict: false,
        }
    }

    pub fn draft(&self, to: &str) -> Draft {
        Draft {
            to: chat(to),
            content: text("hello"),
            reply_to: None,
            category: Category::Service,
            send_at: None,
            expires_at: self.in_secs(24 * 3600),
            delivery: Delivery::AtLeastOnce,
            client_ref: None,
        }
    }

    pub fn asked(&self, draft: Draft) -> Acceptance {
        let id = MessageId::mint(self.now());
        Acceptance {
            tenant: self.tenant,
            session: self.session,
            id,
            wa_id: WaId(format!("3EB0{}", id.uuid().simple())),
            draft,
            terms: self.terms(),
            idempotency: None,
            at: self.now(),
        }
    }

    pub async fn accept_draft(&self, draft: Draft) -> Message {
        self.outbox.accept(self.asked(draft)).await.unwrap().into_inner()
    }

    pub async fn accept(&self, to: &str) -> Message {
        self.accept_draft(self.draft(to)).await
    }

    pub async fn claim(&self, message: MessageId) -> Claimed {
        let at = self.fixture.clock.read();
        self.outbox.claim(Claim { lease: self.lease, message, at, lock: None, approach: None }).await.unwrap()
    }

    /// Claims what has to be free to be claimed.
    pub async fn work(&self, message: MessageId) -> Work {
        match self.claim(message).await {
            Claimed::Work(work) => work,
            other => panic!("expected work, got {other:?}"),
        }
    }

    pub async fn settle(&self, work: &Work, outcome: Outcome) -> bool {
        let (message, number) = (work.message, work.number);
        let settlement = Settlement { tenant: self.tenant, message, number, outcome, at: self.now() };
        self.outbox.settle(settlement).await.unwrap()
    }

    /// Accepts, claims and settles one message.
    pub async fn attempt(&self, to: &str, outcome: Outcome) -> Message {
        let message = self.accept(to).await;
        assert!(self.settle(&self.work(message.id).await, outcome).await);
        self.message(message.id).await
    }

    pub async fn receipt(&self, message: &Message, kind: ReceiptKind) -> bool {
        let receipt = Receipt { wa_id: message.wa_id.clone(), kind, at: self.now() };
        self.outbox.receipt(self.lease, receipt).await.unwrap()
    }

    pub fn heard(&self, from: &str, wa_id: &str) -> Inbound {
        let id = MessageId::mint(self.now());
        let letter = Letter::from_person(WaId(wa_id.into()), chat(from), text("hi"));
        Inbound { id, letter, at: self.now() }
    }

    pub async fn hear(&self, inbound: Inbound) -> Stored {
        self.outbox.inbound(self.lease, inbound).await.unwrap()
    }

    pub async fn message(&self, id: MessageId) -> Message {
        self.messages.get(self.scope(), id).await.unwrap().unwrap()
    }

    pub async fn status(&self, id: MessageId) -> MessageStatus {
        self.message(id).await.status
    }

    pub async fn record(&self) -> Session {
        self.sessions.get(self.scope(), self.session).await.unwrap().unwrap()
    }

    /// Messages charged and held in this month.
    pub async fn usage(&self) -> (u64, u64) {
        let usage = self.messages.usage(self.scope(), month_of(self.now(), Tz::UTC)).await.unwrap();
        usage.map_or((0, 0), |usage| (usage.used, usage.held))
    }

    /// A new owner takes the session over.
    pub async fn take_over(&mut self) -> Lease {
        let memory = self.outbox.recall(self.session, self.fixture.clock.read()).await.unwrap();
        std::mem::replace(&mut self.lease, memory.lease)
    }

    /// The tenant's events since the last look, but for thresholds of usage.
    pub fn told(&self) -> Vec<Change> {
        let mine =
            |event: &StatusEvent| event.tenant == self.tenant && event.change.kind() != EventKind::Usage;
        self.fixture.events.take().into_iter().filter(mine).map(|event| event.change).collect()
    }
}

async fn paired_session(fixture: &Fixture, tenant: TenantId) -> (SessionId, Lease) {
    let (stores, at) = (&fixture.stores, fixture.clock.wall());
    let session = session(tenant, at);
    let scope = TenantScope::authenticated(tenant);
    stores.sessions.create(scope, session.clone(), plan("basic").caps(), None).await.unwrap();
    let lease = stores.outbox.recall(session.id, fixture.clock.read()).await.unwrap().lease;
    stores.sessions.set_paired(lease, true, at).await.unwrap();
    fixture.events.take();
    (session.id, lease)
}
