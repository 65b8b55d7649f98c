//! What the store costs on SQLite (WAL, synchronous FULL), in CPU time of the whole process: a durable accept, and the way of
//! a message from its claim over an attempt to its settlement. 64 at once over 50 tenants, each waiting for its commit.

#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use columba::app::clock::SystemClock;
use columba::billing::{period::month_of, rules};
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::event::StatusEvent;
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Category, Delivery, Draft, WaId};
use columba::domain::phone::Phone;
use columba::domain::plan::{Allowance, Interval, Pacing, Plan, Quota, SuspendedInbound};
use columba::domain::proxy::Proxy;
use columba::domain::scope::TenantScope;
use columba::domain::session::{
    Desired, Engine, Lease, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::domain::time::Jitter;
use columba::outbound::attempt::{self, End, attempt};
use columba::ports::Stores;
use columba::ports::clock::Clock;
use columba::ports::feed::FeedSink;
use columba::ports::outbox::{Acceptance, Claim, Claimed, Terms, Work};
use columba::ports::transport::{
    DeliveryId, LinkEvent, PairingCode, Probe, SendError, Transport, TransportError,
};
use columba::ports::vault::Vault;
use columba::storage::sql::{Place, open};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use rustix::time::{ClockId, clock_gettime};

const CALLERS: u64 = 64;
const TENANTS: usize = 50;

/// CPU time of this process, all threads together: what waiting for the disk takes is not in it.
struct ProcessCpu;

impl ProcessCpu {
    fn used() -> Duration {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

impl Measurement for ProcessCpu {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::used()
    }

    fn end(&self, start: Duration) -> Duration {
        Self::used() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

struct Nobody;

impl FeedSink for Nobody {
    fn publish(&self, _: Vec<StatusEvent>) {}
}

/// A network that acks at once.
struct Yes;

#[async_trait]
impl Probe for Yes {
    async fn ping(&self, _: Lease) -> Result<Duration, TransportError> {
        Ok(Duration::ZERO)
    }
}

#[async_trait]
impl Transport for Yes {
    fn open(&self, _: Lease, _: Arc<dyn Vault>, _: Option<Proxy>) -> BoxStream<'static, LinkEvent> {
        Box::pin(futures_util::stream::pending())
    }

    async fn send(&self, _: &Work) -> Result<(), SendError> {
        Ok(())
    }

    async fn confirm(&self, _: Lease, _: &DeliveryId) -> Result<(), TransportError> {
        Ok(())
    }

    async fn has_account(&self, _: Lease, _: &Phone) -> Result<bool, TransportError> {
        Ok(true)
    }

    async fn pairing_code(&self, _: Lease, _: &Phone) -> Result<PairingCode, TransportError> {
        Err(TransportError::NoLink)
    }

    async fn log_out(&self, _: Lease) -> Result<(), TransportError> {
        Ok(())
    }
}

fn plan() -> Plan {
    Plan {
        code: "bench".to_owned(),
        name: "bench".to_owned(),
        price_minor: 0,
        currency: "EUR".to_owned(),
        interval: Interval::Month,
        messages_per_minute: NonZeroU32::MIN,
        messages_per_minute_tenant: None,
        messages_per_month: 1_000_000_000,
        quota: Quota::Hard,
        queue_max: 1_000_000,
        sessions_max: 1,
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
        retention_days: 1,
        plugins: vec![],
    }
}

async fn tenants(stores: &Stores, clock: &dyn Clock) -> Vec<Lease> {
    let at = clock.wall();
    stores.directory.create_plan(plan(), None, at).await.expect("a plan");
    let mut made = vec![];
    for _ in 0..TENANTS {
        let id = TenantId::mint(at);
        let (name, plan_code) = ("bench".to_owned(), "bench".to_owned());
        let tenant = Tenant {
            id,
            name,
            plan: plan_code,
            status: TenantStatus::Active,
            standing: TenantStanding::Active,
            created_at: at,
        };
        stores.directory.create_tenant(tenant, None).await.expect("a tenant");
        let session = Session {
            id: SessionId::mint(at),
            tenant: id,
            label: "bench".to_owned(),
            engine: Engine::Sandbox,
            metadata: serde_json::Map::new(),
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
        };
        let session_id = session.id;
        let scope = TenantScope::authenticated(id);
        stores.sessions.create(scope, session, plan().caps(), None).await.expect("a session");
        let memory = stores.outbox.recall(session_id, clock.read()).await.expect("an epoch");
        stores.sessions.set_paired(memory.lease, true, at).await.expect("paired");
        made.push(memory.lease);
    }
    made
}

fn acceptance(clock: &dyn Clock, of: Lease, number: u32, metered: bool) -> Acceptance {
    let at = clock.wall();
    let allowance = Allowance { limit: 1_000_000_000, quota: Quota::Hard };
    Acceptance {
        tenant: of.tenant,
        session: of.session,
        id: MessageId::mint(at),
        wa_id: WaId::mint(at, number),
        draft: Draft {
            to: Chat::stored(format!("+1555{number:07}")),
            content: Content::Text(Text { body: "hello, this is about two hundred bytes of text".repeat(4) }),
            reply_to: None,
            category: Category::Service,
            send_at: None,
            expires_at: at + std::time::Duration::from_secs(86_400),
            delivery: Delivery::AtLeastOnce,
            client_ref: None,
        },
        terms: Terms {
            period: month_of(at, Tz::UTC),
            allowance,
            caps: plan().caps(),
            metered,
            strict: false,
        },
        idempotency: None,
        at,
    }
}

/// A store with its tenants, and everything a call needs.
struct Stage {
    stores: Stores,
    clock: Arc<dyn Clock>,
    leases: Vec<Lease>,
    next: AtomicU32,
    ports: attempt::Ports,
}

impl Stage {
    async fn set(dir: &std::path::Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let options = Place::File(dir.join("bench.db"));
        let sql = open(options, Arc::clone(&clock), rules(Tz::UTC), Arc::new(Nobody)).await.expect("opens");
        let leases = tenants(&sql.stores, &*clock).await;
        let ports = attempt::Ports {
            outbox: Arc::clone(&sql.stores.outbox),
            transport: Arc::new(Yes),
            clock: Arc::clone(&clock),
        };
        Self { stores: sql.stores, clock, leases, next: AtomicU32::new(0), ports }
    }

    async fn accept(&self, metered: bool) -> (Lease, MessageId) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let lease = self.leases[number as usize % TENANTS];
        let accepted = self.stores.outbox.accept(acceptance(&*self.clock, lease, number, metered)).await;
        (lease, accepted.expect("accepted").into_inner().id)
    }

    async fn accept_many(&self, metered: bool) -> Vec<(Lease, MessageId)> {
        join_all((0..CALLERS).map(|_| self.accept(metered))).await
    }

    async fn send(&self, (lease, message): (Lease, MessageId)) {
        let claim = Claim { lease, message, at: self.clock.read(), lock: None, approach: None };
        let Claimed::Work(work) = self.stores.outbox.claim(claim).await.expect("a store") else {
            panic!("{message} is not due")
        };
        assert_eq!(attempt(self.ports.clone(), work, Jitter::NONE).await, End::Settled);
    }
}

fn store(criterion: &mut Criterion<ProcessCpu>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let stage = runtime.block_on(Stage::set(dir.path()));
    // What is accepted there is never claimed, and what waits is not what is measured here.
    let other = tempfile::tempdir().expect("a folder");
    let sending = runtime.block_on(Stage::set(other.path()));

    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(CALLERS));
    group.sample_size(20);
    // What a message pays for being counted is the difference.
    for (metered, suffix) in [(true, ""), (false, "_unmetered")] {
        group.bench_function(format!("accept{suffix}"), |bench| {
            bench.to_async(&runtime).iter(|| stage.accept_many(metered));
        });
        group.bench_function(format!("claim_attempt_settle{suffix}"), |bench| {
            bench.iter_custom(|rounds| {
                let mut used = Duration::ZERO;
                for _ in 0..rounds {
                    let accepted = runtime.block_on(sending.accept_many(metered));
                    let began = ProcessCpu::used();
                    runtime.block_on(join_all(accepted.into_iter().map(|one| sending.send(one))));
                    used += ProcessCpu::used() - began;
                }
                used
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessCpu);
    targets = store
}
criterion_main!(benches);
