//! Durable accept on SQLite (WAL, synchronous FULL): 64 callers at once over 50 tenants, each waiting for its commit.

#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use columba::app::clock::SystemClock;
use columba::billing::{period::month_of, quota};
use columba::domain::event::StatusEvent;
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Category, Content, Delivery, Draft, Text, WaId};
use columba::domain::phone::Phone;
use columba::domain::plan::{Allowance, Interval, Pacing, Plan, Quota};
use columba::domain::scope::TenantScope;
use columba::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStatus};
use columba::ports::Stores;
use columba::ports::clock::Clock;
use columba::ports::feed::FeedSink;
use columba::ports::outbox::{Acceptance, Terms};
use columba::storage::sql::{SqlOptions, open};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;

const CALLERS: u64 = 64;
const TENANTS: usize = 50;

struct Nobody;

impl FeedSink for Nobody {
    fn publish(&self, _: Vec<StatusEvent>) {}
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
        pacing: Pacing::None,
        overage_minor: None,
        retention_days: 1,
        plugins: vec![],
    }
}

async fn tenants(stores: &Stores, clock: &dyn Clock) -> Vec<(TenantId, SessionId)> {
    let at = clock.wall();
    stores.directory.create_plan(plan(), None, at).await.expect("a plan");
    let mut made = vec![];
    for _ in 0..TENANTS {
        let id = TenantId::mint(at);
        let (name, plan_code) = ("bench".to_owned(), "bench".to_owned());
        let tenant = Tenant { id, name, plan: plan_code, status: TenantStatus::Active, created_at: at };
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
            supervision: Supervision::default(),
            counters: SessionCounters::default(),
            created_at: at,
        };
        let session_id = session.id;
        let scope = TenantScope::authenticated(id);
        stores.sessions.create(scope, session, plan().caps(), None).await.expect("a session");
        let memory = stores.outbox.recall(session_id, clock.read()).await.expect("an epoch");
        stores.sessions.set_paired(memory.lease, true, at).await.expect("paired");
        made.push((id, session_id));
    }
    made
}

fn acceptance(clock: &dyn Clock, (tenant, session): (TenantId, SessionId), number: u32) -> Acceptance {
    let at = clock.wall();
    let allowance = Allowance { limit: 1_000_000_000, quota: Quota::Hard };
    Acceptance {
        tenant,
        session,
        id: MessageId::mint(at),
        wa_id: WaId::mint(at, number),
        draft: Draft {
            to: Phone::stored(format!("+1555{number:07}")),
            content: Content::Text(Text { body: "hello, this is about two hundred bytes of text".repeat(4) }),
            reply_to: None,
            category: Category::Service,
            send_at: None,
            expires_at: at + std::time::Duration::from_secs(86_400),
            delivery: Delivery::AtLeastOnce,
            client_ref: None,
        },
        terms: Terms { period: month_of(at), allowance, caps: plan().caps(), metered: true },
        idempotency: None,
        at,
    }
}

fn accept(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = SqlOptions { path: dir.path().join("bench.db") };
    let sql =
        runtime.block_on(open(options, Arc::clone(&clock), quota::decide, Arc::new(Nobody))).expect("opens");
    let made = runtime.block_on(tenants(&sql.stores, &*clock));
    let next = AtomicU32::new(0);

    let mut group = criterion.benchmark_group("accept");
    group.throughput(Throughput::Elements(CALLERS));
    group.sample_size(20);
    group.bench_function("sqlite_full_64_callers", |bench| {
        bench.to_async(&runtime).iter(|| {
            let calls = (0..CALLERS).map(|_| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                sql.stores.outbox.accept(acceptance(&*clock, made[number as usize % TENANTS], number))
            });
            async move { join_all(calls).await.into_iter().for_each(|answer| drop(answer.expect("accepted"))) }
        });
    });
    group.finish();
}

criterion_group!(benches, accept);
criterion_main!(benches);
