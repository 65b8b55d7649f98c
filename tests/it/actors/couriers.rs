//! Couriers over a memory store on simulated time: six days of endpoints that fail, dawdle, redirect, or are dead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use columba::actors::arbiters::Placement;
use columba::actors::couriers::bell::{Bell, Rung};
use columba::actors::couriers::{CouriersHandle, Ports, launch};
use columba::billing::rules;
use columba::domain::id::{TenantId, WebhookId};
use columba::domain::page::Page;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Lease, SessionStatus};
use columba::domain::time::{Jitter, WallTime};
use columba::domain::webhook::{DeliveryStatus, EventFilter, WebhookReason, WebhookStatus};
use columba::http::render::RECORDS;
use columba::ports::Stores;
use columba::ports::clock::Clock as _;
use columba::ports::egress::EgressError;
use columba::ports::sessions::StatusChange;
use columba::storage::memory;
use columba::webhooks::confidential::Confidential;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::storage::contract::stage::{plan, session, tenant};
use crate::support::events::EventLog;
use crate::support::tokio_clock::TokioClock;
use crate::support::webhooks::{Endpoints, Manner, OpenSealer, sealed};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Between two events of a tenant.
const PACE: Duration = Duration::from_secs(40 * 60);

fn draw() -> Jitter {
    Jitter::from_bits(rand::random())
}

struct Town {
    clock: Arc<TokioClock>,
    stores: Stores,
    endpoints: Arc<Endpoints>,
    couriers: CouriersHandle,
}

/// One tenant with one endpoint.
struct Resident {
    tenant: TenantId,
    lease: Lease,
    webhook: WebhookId,
    url: String,
    secrets: Confidential,
}

impl Town {
    fn new(places: usize) -> Self {
        let clock = Arc::new(TokioClock::default());
        let bell = Bell::default();
        let sink = Arc::new(Rung { feed: EventLog::default(), bell: bell.clone() });
        let stores = memory::open(clock.clone(), rules(Tz::UTC), sink);
        let endpoints = Arc::<Endpoints>::default();
        let ports = Ports {
            clock: clock.clone(),
            webhooks: stores.webhooks.clone(),
            egress: endpoints.clone(),
            sealer: Arc::new(OpenSealer),
            records: RECORDS,
            in_flight: Semaphore::new(places),
            draw,
        };
        let couriers = launch(ports, bell, &Placement::here());
        Self { clock, stores, endpoints, couriers }
    }

    async fn resident(&self, name: &str, manner: Manner) -> Resident {
        let at = self.clock.wall();
        if self.stores.directory.snapshot().plans.is_empty() {
            self.stores.directory.create_plan(plan("basic"), None, at).await.unwrap();
        }
        let tenant = tenant("basic", at);
        self.stores.directory.create_tenant(tenant.clone(), None).await.unwrap();
        let scope = TenantScope::authenticated(tenant.id);
        let session = session(tenant.id, at);
        self.stores.sessions.create(scope, session.clone(), plan("basic").caps(), None).await.unwrap();
        let lease = self.stores.outbox.recall(session.id, self.clock.read()).await.unwrap().lease;
        let url = format!("https://{name}.example.com/hook");
        let (mut webhook, secrets) = sealed(tenant.id, &url, at).await;
        webhook.events = EventFilter(vec!["session.*".into()]);
        let id = webhook.id;
        self.stores.webhooks.create(scope, webhook, 8, None).await.unwrap();
        self.endpoints.behave(&url, manner);
        Resident { tenant: tenant.id, lease, webhook: id, url, secrets }
    }

    /// Something that the resident's endpoint is to be told.
    async fn happens(&self, resident: &Resident) {
        let since = self.clock.wall();
        let change = StatusChange { status: SessionStatus::Connected, reason: None, code: None, since };
        self.stores.sessions.announce(resident.lease, change).await.unwrap();
    }

    /// How many deliveries stand how.
    async fn tally(&self, of: &Resident) -> BTreeMap<DeliveryStatus, usize> {
        let scope = TenantScope::authenticated(of.tenant);
        let (mut tally, mut page) = (BTreeMap::new(), Page { limit: 200, before: None });
        loop {
            let slice =
                self.stores.webhooks.deliveries(scope, of.webhook, None, page).await.unwrap().unwrap();
            page.before = slice.rows.last().map(|one| one.id.uuid());
            for one in &slice.rows {
                *tally.entry(one.status).or_default() += 1;
            }
            if !slice.has_more {
                return tally;
            }
        }
    }

    /// From the event to the taking of it, in milliseconds; 99 of 100 took no longer.
    fn p99(&self, of: &Resident) -> u64 {
        let origin = self.clock.wall();
        let now = tokio::time::Instant::now();
        let taken = self.endpoints.got(&of.url).into_iter().filter(|got| got.taken);
        let mut waits: Vec<u64> = taken
            .map(|got| {
                let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
                let at: WallTime = serde_json::from_value(body["timestamp"].clone()).unwrap();
                let arrived = WallTime(origin.0 - (now - got.at).as_millis() as i64);
                arrived.since(at).as_millis() as u64
            })
            .collect();
        waits.sort_unstable();
        waits[waits.len() * 99 / 100]
    }
}

fn always(wait: Duration, answer: Result<u16, EgressError>) -> Manner {
    Box::new(move |_| (wait, answer))
}

/// Runs six days, with a burst each day, and two more for the last retries.
async fn six_days(town: &Town, residents: &[&Resident]) {
    let steps = 6 * DAY.as_secs() / PACE.as_secs();
    for step in 0..steps {
        let burst = if step % (DAY.as_secs() / PACE.as_secs()) == 10 { 30 } else { 1 };
        for _ in 0..burst {
            for resident in residents {
                town.happens(resident).await;
            }
        }
        sleep(PACE).await;
    }
    sleep(2 * DAY + HOUR).await;
}

#[actix::test]
async fn six_days_of_trouble_leave_nothing_undelivered_but_what_is_dead_and_nobody_else_slower() {
    tokio::time::pause();
    let quick = Duration::from_millis(40);
    let alone = Town::new(64);
    let calm = alone.resident("calm", always(quick, Ok(200))).await;
    six_days(&alone, &[&calm]).await;
    let undisturbed = alone.p99(&calm);

    let town = Town::new(64);
    let calm = town.resident("calm", always(quick, Ok(200))).await;
    let mut dice = SmallRng::seed_from_u64(7);
    let flaky = town
        .resident(
            "flaky",
            Box::new(move |_| (Duration::from_millis(90), Ok(if dice.random() { 200 } else { 500 }))),
        )
        .await;
    let slow = town.resident("slow", always(Duration::from_secs(14), Ok(200))).await;
    let redirects = town.resident("redirects", always(quick, Ok(302))).await;
    let dead = town.resident("dead", always(Duration::from_secs(15), Err(EgressError::Timeout))).await;
    let all = [&calm, &flaky, &slow, &redirects, &dead];
    let begun = town.clock.wall();
    six_days(&town, &all).await;

    let events = town.tally(&calm).await[&DeliveryStatus::Delivered];
    for resident in all {
        let tally = town.tally(resident).await;
        assert_eq!(tally.get(&DeliveryStatus::Pending), None, "{}: {tally:?}", resident.url);
        assert_eq!(tally.values().sum::<usize>(), events, "{}: {tally:?}", resident.url);
        let mut bodies = BTreeMap::new();
        for got in town.endpoints.got(&resident.url) {
            let seconds: i64 = got.headers["webhook-timestamp"].parse().unwrap();
            let signed =
                resident.secrets.sign(got.id().parse().unwrap(), WallTime(seconds * 1_000), &got.body);
            assert_eq!(got.headers["webhook-signature"], signed);
            let first = bodies.entry(got.id().to_owned()).or_insert_with(|| got.body.clone());
            assert_eq!(*first, got.body, "an id names one body");
        }
    }
    for resident in [&calm, &slow] {
        assert_eq!(town.tally(resident).await[&DeliveryStatus::Delivered], events, "{}", resident.url);
    }
    // Eight tries at even odds: one in 256 may die of it.
    let flaky = town.tally(&flaky).await;
    assert!(flaky[&DeliveryStatus::Delivered] * 50 >= events * 49, "{flaky:?}");

    for resident in [&redirects, &dead] {
        let scope = TenantScope::authenticated(resident.tenant);
        let webhook = town.stores.webhooks.get(scope, resident.webhook).await.unwrap().unwrap();
        assert_eq!((webhook.status, webhook.reason), (WebhookStatus::Disabled, Some(WebhookReason::Failing)));
        let after = webhook.since.since(begun);
        assert!(after >= 5 * DAY && after < 5 * DAY + 12 * HOUR, "{}: after {after:?}", resident.url);
        let tally = town.tally(resident).await;
        assert_eq!(tally.get(&DeliveryStatus::Delivered), None);
        assert!(tally[&DeliveryStatus::Dead] > 0 && tally[&DeliveryStatus::Skipped] > 0, "{tally:?}");
        // The breaker spares both sides: without it there would be eight requests an event.
        let requests = town.endpoints.got(&resident.url).len();
        assert!(requests < 2 * events, "{}: {requests} requests for {events} events", resident.url);
    }
    let disturbed = town.p99(&calm);
    assert!(disturbed * 10 <= undisturbed * 11, "p99 {disturbed} ms among trouble, {undisturbed} ms alone");
    town.couriers.drain().await;
    alone.couriers.drain().await;
}

#[actix::test]
async fn a_slow_endpoint_has_eight_requests_under_way_and_its_neighbour_is_not_kept_waiting() {
    tokio::time::pause();
    let town = Town::new(64);
    let slow = town.resident("slow", always(Duration::from_secs(10), Ok(200))).await;
    let quick = town.resident("quick", always(Duration::from_millis(20), Ok(200))).await;
    for _ in 0..40 {
        town.happens(&slow).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(town.endpoints.got(&slow.url).len(), 8);
    town.happens(&quick).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(town.tally(&quick).await[&DeliveryStatus::Delivered], 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(town.tally(&slow).await, BTreeMap::from([(DeliveryStatus::Delivered, 40)]));
}

#[actix::test]
async fn a_courier_that_dies_begins_anew_and_loses_nothing() {
    tokio::time::pause();
    let town = Town::new(64);
    let died = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&died);
    let manner: Manner = Box::new(move |_| {
        if !noted.swap(true, Ordering::SeqCst) {
            panic!("the test asked for this panic");
        }
        (Duration::ZERO, Ok(200))
    });
    let shaky = town.resident("shaky", manner).await;
    town.happens(&shaky).await;
    sleep(Duration::from_secs(5)).await;
    assert!(died.load(Ordering::SeqCst));
    assert_eq!(town.tally(&shaky).await, BTreeMap::from([(DeliveryStatus::Delivered, 1)]));
}

#[actix::test]
async fn what_waits_at_a_start_is_found_without_a_ring_and_a_drain_waits_for_what_is_under_way() {
    tokio::time::pause();
    let town = Town::new(64);
    let slow = town.resident("slow", always(Duration::from_secs(3), Ok(200))).await;
    town.happens(&slow).await;
    sleep(Duration::from_secs(1)).await;
    town.happens(&slow).await;
    let drained = tokio::time::Instant::now();
    town.couriers.drain().await;
    assert!(drained.elapsed() >= Duration::from_secs(1), "it waited for an answer");
    town.happens(&slow).await;
    sleep(Duration::from_secs(60)).await;
    let tally = town.tally(&slow).await;
    assert!(tally[&DeliveryStatus::Pending] >= 1, "nothing new is begun: {tally:?}");

    // The next process: nobody rings, the rows say it.
    let ports = Ports {
        clock: town.clock.clone(),
        webhooks: town.stores.webhooks.clone(),
        egress: town.endpoints.clone(),
        sealer: Arc::new(OpenSealer),
        records: RECORDS,
        in_flight: Semaphore::new(64),
        draw,
    };
    let next = launch(ports, Bell::default(), &Placement::here());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(town.tally(&slow).await, BTreeMap::from([(DeliveryStatus::Delivered, 3)]));
    assert_eq!(town.stores.webhooks.waiting(SystemScope).await.unwrap(), []);
    next.drain().await;
}
