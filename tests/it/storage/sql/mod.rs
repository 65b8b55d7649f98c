//! What is particular to the SQL store: batches, the order of commits, files. What every store promises is in the
//! contract suite.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod backup;
mod batches;
mod copy;
mod counters;
mod feed;
mod files;
mod kept;
mod ledger;
mod postgres;
mod rules;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono_tz::Tz;
use columba::billing::{period::month_of, rules};
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::event::{Change, StatusEvent};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::idempotency::Idempotency;
use columba::domain::message::{Category, Delivery, Draft, Message, WaId};
use columba::domain::plan::{Interval, Pacing, Plan, Quota, SuspendedInbound};
use columba::domain::scope::TenantScope;
use columba::domain::session::{
    Desired, Engine, Lease, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::domain::time::{BootId, Moment, Reading, WallTime};
use columba::ports::Stores;
use columba::ports::clock::Clock;
use columba::ports::feed::FeedSink;
use columba::ports::outbox::{Acceptance, Claim, Claimed, Terms, Work};
use columba::ports::store::{Created, WriteError};
use columba::storage::sql::{Place, Sql, open};

pub struct TestClock(Mutex<Reading>);

impl TestClock {
    fn new() -> Self {
        let start = Reading { now: Moment(1_000_000), wall: WallTime(1_795_000_000_000), boot: BootId(7) };
        Self(Mutex::new(start))
    }

    pub fn set(&self, change: impl FnOnce(&mut Reading)) {
        change(&mut self.0.lock().unwrap());
    }

    pub fn pass(&self, millis: u64) {
        self.set(|reading| {
            reading.now.0 += millis;
            reading.wall.0 += millis as i64;
        });
    }
}

impl Clock for TestClock {
    fn now(&self) -> Moment {
        self.0.lock().unwrap().now
    }

    fn wall(&self) -> WallTime {
        self.0.lock().unwrap().wall
    }

    fn boot(&self) -> BootId {
        self.0.lock().unwrap().boot
    }
}

/// Keeps the events of each commit apart.
#[derive(Default)]
pub struct Recorder(Mutex<Vec<Vec<StatusEvent>>>);

impl Recorder {
    pub fn commits(&self) -> Vec<Vec<StatusEvent>> {
        self.0.lock().unwrap().clone()
    }

    pub fn events(&self) -> Vec<StatusEvent> {
        self.commits().into_iter().flatten().collect()
    }

    pub fn changes(&self) -> Vec<Change> {
        self.events().into_iter().map(|event| event.change).collect()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl FeedSink for Recorder {
    fn publish(&self, events: Vec<StatusEvent>) {
        self.0.lock().unwrap().push(events);
    }
}

/// An open store with a plan, and short ways to what the tests need.
pub struct Desk {
    pub sql: Sql,
    pub clock: Arc<TestClock>,
    pub sink: Arc<Recorder>,
    pub dir: Arc<tempfile::TempDir>,
}

pub fn plan(limit: u64) -> Plan {
    Plan {
        code: format!("plan-{limit}"),
        name: "A plan".into(),
        price_minor: 0,
        currency: "EUR".into(),
        interval: Interval::Month,
        messages_per_minute: NonZeroU32::new(20).unwrap(),
        messages_per_minute_tenant: None,
        messages_per_month: limit,
        quota: Quota::Hard,
        queue_max: 10_000,
        sessions_max: 100,
        webhooks_max: 8,
        seats_max: None,
        pacing: Pacing::None,
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

pub fn text(body: &str) -> Content {
    Content::Text(Text { body: body.into() })
}

pub fn phone(number: u32) -> Chat {
    Chat::stored(format!("+1555{number:07}"))
}

pub fn key(name: &str, fingerprint: u8) -> Option<Idempotency> {
    Some(Idempotency { key: name.into(), fingerprint: [fingerprint; 32] })
}

impl Desk {
    pub async fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::open(dir, Arc::new(TestClock::new())).await
    }

    pub async fn open(dir: Arc<tempfile::TempDir>, clock: Arc<TestClock>) -> Self {
        let sink = Arc::new(Recorder::default());
        let options = Place::File(dir.path().join("columba.db"));
        let sql = open(options, clock.clone(), rules(Tz::UTC), sink.clone()).await.unwrap();
        Self { sql, clock, sink, dir }
    }

    pub async fn reopen(self) -> Self {
        self.sql.close().await;
        Self::open(self.dir, self.clock).await
    }

    pub fn stores(&self) -> &Stores {
        &self.sql.stores
    }

    pub fn path(&self) -> std::path::PathBuf {
        Path::new(self.dir.path()).join("columba.db")
    }

    /// A tenant with `limit` messages a month.
    pub async fn tenant(&self, limit: u64) -> TenantId {
        let (now, plan) = (self.clock.wall(), plan(limit));
        let code = plan.code.clone();
        // The plan may exist already.
        let _ = self.stores().directory.create_plan(plan, None, now).await;
        let tenant = Tenant {
            id: TenantId::mint(now),
            name: "A tenant".into(),
            plan: code,
            status: TenantStatus::Active,
            standing: TenantStanding::Active,
            created_at: now,
        };
        self.stores().directory.create_tenant(tenant, None).await.unwrap().into_inner().id
    }

    /// A session that holds credentials.
    pub async fn session(&self, tenant: TenantId) -> Lease {
        let now = self.clock.wall();
        let session = Session {
            id: SessionId::mint(now),
            tenant,
            label: "A session".into(),
            engine: Engine::Sandbox,
            metadata: serde_json::Map::new(),
            desired: Desired::Running,
            status: SessionStatus::Stopped,
            reason: None,
            reason_code: None,
            since: now,
            paired: false,
            standing: Standing::default(),
            proxy: false,
            supervision: Supervision::default(),
            counters: SessionCounters::default(),
            created_at: now,
        };
        let id = session.id;
        let sessions = &self.stores().sessions;
        sessions.create(TenantScope::authenticated(tenant), session, plan(1).caps(), None).await.unwrap();
        let lease = self.recall(id).await;
        sessions.set_paired(lease, true, now).await.unwrap();
        lease
    }

    pub async fn recall(&self, session: SessionId) -> Lease {
        self.stores().outbox.recall(session, self.clock.read()).await.unwrap().lease
    }

    pub fn acceptance(&self, lease: Lease, chat: u32, limit: u64) -> Acceptance {
        let at = self.clock.wall();
        let plan = plan(limit);
        let allowance = columba::domain::plan::Allowance { limit, quota: Quota::Hard };
        Acceptance {
            tenant: lease.tenant,
            session: lease.session,
            id: MessageId::mint(at),
            wa_id: WaId::mint(at, rand::random()),
            draft: Draft {
                to: phone(chat),
                content: text("hello"),
                reply_to: None,
                category: Category::Service,
                send_at: None,
                expires_at: at + std::time::Duration::from_secs(24 * 3600),
                delivery: Delivery::AtLeastOnce,
                client_ref: None,
            },
            terms: Terms {
                period: month_of(at, Tz::UTC),
                allowance,
                caps: plan.caps(),
                metered: true,
                strict: false,
            },
            idempotency: None,
            at,
        }
    }

    pub async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError> {
        self.stores().outbox.accept(acceptance).await
    }

    pub async fn accepted(&self, lease: Lease, chat: u32) -> Message {
        self.accept(self.acceptance(lease, chat, 1_000)).await.unwrap().into_inner()
    }

    pub fn claim(&self, lease: Lease, message: MessageId) -> Claim {
        Claim { lease, message, at: self.clock.read(), lock: None, approach: None }
    }

    pub async fn claimed(&self, lease: Lease, message: MessageId) -> Work {
        match self.stores().outbox.claim(self.claim(lease, message)).await.unwrap() {
            Claimed::Work(work) => work,
            other => panic!("not claimed: {other:?}"),
        }
    }

    pub async fn message(&self, message: &Message) -> Message {
        let scope = TenantScope::authenticated(message.tenant);
        self.stores().messages.get(scope, message.id).await.unwrap().unwrap()
    }

    pub async fn usage(&self, tenant: TenantId) -> (u64, u64) {
        let scope = TenantScope::authenticated(tenant);
        let month = month_of(self.clock.wall(), Tz::UTC);
        let usage = self.stores().messages.usage(scope, month).await.unwrap();
        usage.map_or((0, 0), |usage| (usage.used, usage.held))
    }
}
