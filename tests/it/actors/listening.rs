//! From a commit to those who listen: inbox, hub and outlet, on one thread with time paused. The events are those of a
//! memory store, and some of them can be lost on the way to the hub.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use columba::actors::arbiters::Placement;
use columba::actors::death::RootGuard;
use columba::actors::hub::inbox::Inbox;
use columba::actors::hub::messages::{Filter, Resume, Subscribed, SubscriberId};
use columba::actors::hub::{HubActor, HubHandle};
use columba::actors::subscriber::framed::Framed;
use columba::actors::subscriber::outlet::{Left, Outlet};
use columba::actors::subscriber::queue::ROOM;
use columba::billing::rules;
use columba::domain::event::{EventKind, StatusEvent};
use columba::domain::id::{SessionId, TenantId};
use columba::domain::plan::Plan;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::domain::time::WallTime;
use columba::ports::Stores;
use columba::ports::clock::Clock as _;
use columba::ports::feed::{FeedLog, FeedSink};
use columba::ports::sessions::StatusChange;
use columba::ports::store::StoreError;
use columba::storage::memory;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::fleet::{plan, within_an_hour};
use crate::support::tokio_clock::TokioClock;

const EVERYTHING: Filter = Filter { sessions: None, kinds: None };

/// Hands events over, or loses them.
struct Leak {
    inbox: Inbox,
    open: AtomicBool,
}

impl FeedSink for Leak {
    fn publish(&self, events: Vec<StatusEvent>) {
        if !self.open.load(Ordering::SeqCst) {
            self.inbox.publish(events);
        }
    }
}

/// The log of committed events, which can be away or slow, and notes what it was asked for.
struct FlakyLog {
    inner: Arc<dyn FeedLog>,
    away: AtomicBool,
    asked: Mutex<Vec<(u64, u64)>>,
}

#[async_trait]
impl FeedLog for FlakyLog {
    fn epoch(&self) -> &str {
        self.inner.epoch()
    }

    async fn tail(&self, scope: SystemScope, limit: u32) -> Result<Vec<StatusEvent>, StoreError> {
        self.inner.tail(scope, limit).await
    }

    async fn heads(&self, scope: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError> {
        self.inner.heads(scope).await
    }

    async fn range(&self, scope: TenantScope, first: u64, last: u64) -> Result<Vec<StatusEvent>, StoreError> {
        self.asked.lock().unwrap().push((first, last));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test says so".to_owned()));
        }
        self.inner.range(scope, first, last).await
    }
}

/// One client of the feed.
struct Client {
    id: SubscriberId,
    tenant: TenantId,
    answer: Subscribed,
    outlet: Outlet,
    heard: UnboundedReceiver<Left>,
    frames: Vec<Framed>,
}

impl Client {
    /// The next batch that was left for it.
    async fn left(&mut self) -> Left {
        within_an_hour(self.heard.recv()).await.expect("nothing came for an hour")
    }

    /// Positions of the next `count` frames.
    async fn positions(&mut self, count: usize) -> Vec<u64> {
        while self.frames.len() < count {
            let left = self.left().await;
            assert_eq!((left.batch.missed, left.resync, left.going_away), (0, false, false));
            self.frames.extend(left.batch.frames);
        }
        self.frames.drain(..count).map(|frame| position(&frame)).collect()
    }

    /// Whether nothing comes for an hour.
    async fn is_idle(&mut self) -> bool {
        self.frames.is_empty() && within_an_hour(self.heard.recv()).await.is_none()
    }
}

/// Stands where a subscriber's socket would be: takes what is left for it at once.
async fn read(outlet: Outlet, heard: UnboundedSender<Left>) {
    while heard.send(poll_fn(|context| outlet.poll_left(context)).await).is_ok() {}
}

fn position(frame: &Framed) -> u64 {
    let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
    frame["q"].as_u64().unwrap()
}

/// A hub over a memory store with one session for each of two tenants.
pub(super) struct Feed {
    pub(super) stores: Stores,
    leak: Arc<Leak>,
    log: Arc<FlakyLog>,
    pub(super) hub: HubHandle,
    pub(super) ours: (TenantId, SessionId),
    pub(super) theirs: (TenantId, SessionId),
}

impl Feed {
    pub(super) async fn start() -> Self {
        Self::after(0).await
    }

    /// A hub that starts when `events` of ours have been committed.
    async fn after(events: u64) -> Self {
        tokio::time::pause();
        let clock = Arc::new(TokioClock::default());
        let inbox = Inbox::default();
        let leak = Arc::new(Leak { inbox: inbox.clone(), open: AtomicBool::new(true) });
        let stores = memory::open(clock.clone(), rules(Tz::UTC), leak.clone());
        let plan = plan(10);
        stores.directory.create_plan(plan.clone(), None, clock.wall()).await.unwrap();
        let ours = member(&stores, &plan, clock.wall()).await;
        let theirs = member(&stores, &plan, clock.wall()).await;
        for _ in 0..events {
            commit(&stores, ours.1).await;
        }
        leak.open.store(false, Ordering::SeqCst);
        let log = Arc::new(FlakyLog {
            inner: Arc::clone(&stores.feed_log),
            away: AtomicBool::new(false),
            asked: Mutex::default(),
        });
        let root = RootGuard::new("hub", Arc::default());
        let hub = HubActor::launch(inbox, log.clone(), &Placement::here(), root).await.unwrap();
        Self { stores, leak, log, hub, ours, theirs }
    }

    /// Commits `count` events of ours.
    pub(super) async fn commit(&self, count: u64) {
        for _ in 0..count {
            commit(&self.stores, self.ours.1).await;
        }
    }

    /// Commits `count` events of ours that do not reach the hub.
    async fn lose(&self, count: u64) {
        self.leak.open.store(true, Ordering::SeqCst);
        self.commit(count).await;
        self.leak.open.store(false, Ordering::SeqCst);
    }

    async fn subscribe(&self, filter: Filter, resume: Option<Resume>) -> Client {
        self.subscribe_as(true, filter, resume).await
    }

    async fn subscribe_as(&self, reads: bool, filter: Filter, resume: Option<Resume>) -> Client {
        let (sender, heard) = mpsc::unbounded_channel();
        let outlet = Outlet::default();
        if reads {
            actix::spawn(read(outlet.clone(), sender));
        }
        let (id, tenant) = (self.hub.name(), self.ours.0);
        let answer = self.hub.subscribe(id, tenant, filter, resume, outlet.clone()).await.unwrap();
        Client { id, tenant, answer, outlet, heard, frames: vec![] }
    }

    fn resume(&self, seq: u64) -> Option<Resume> {
        Some(Resume { epoch: self.log.epoch().to_owned(), seq })
    }
}

/// A new tenant and a session of theirs.
async fn member(stores: &Stores, plan: &Plan, at: WallTime) -> (TenantId, SessionId) {
    let tenant = Tenant {
        id: TenantId::mint(at),
        name: "Acme".to_owned(),
        plan: plan.code.clone(),
        status: TenantStatus::Active,
        standing: TenantStanding::Active,
        created_at: at,
    };
    stores.directory.create_tenant(tenant.clone(), None).await.unwrap();
    let session = Session {
        id: SessionId::mint(at),
        tenant: tenant.id,
        label: "sales".to_owned(),
        engine: Engine::Sandbox,
        metadata: Default::default(),
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
    let scope = TenantScope::authenticated(tenant.id);
    stores.sessions.create(scope, session.clone(), plan.caps(), None).await.unwrap();
    (tenant.id, session.id)
}

/// One event, written as the supervisor would.
pub(super) async fn commit(stores: &Stores, session: SessionId) {
    let change = StatusChange {
        status: SessionStatus::Reconnecting,
        reason: None,
        code: None,
        since: WallTime::default(),
    };
    stores.sessions.pronounce(SystemScope, session, change).await.unwrap();
}

fn numbers(events: &[StatusEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[actix::test]
async fn events_fan_out_in_order_each_encoded_once_and_to_its_tenant_alone() {
    let feed = Feed::start().await;
    let mut first = feed.subscribe(EVERYTHING, None).await;
    let mut second = feed.subscribe(EVERYTHING, None).await;
    commit(&feed.stores, feed.theirs.1).await;
    feed.commit(50).await;
    let (mut one, mut two) = (vec![], vec![]);
    while one.len() < 50 {
        one.extend(first.left().await.batch.frames);
    }
    while two.len() < 50 {
        two.extend(second.left().await.batch.frames);
    }
    assert_eq!(one.iter().map(position).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    for (mine, yours) in one.iter().zip(&two) {
        assert_eq!(mine.as_ptr(), yours.as_ptr(), "the very same bytes");
        assert!(mine.contains(&feed.ours.1.to_string()));
    }
    assert_eq!(two.len(), 50);
    assert!(first.is_idle().await);
}

#[actix::test]
async fn a_filter_lets_through_what_it_names() {
    let feed = Feed::start().await;
    let by_session = |session| Filter { sessions: Some(vec![session]), kinds: None };
    let by_kind = |kind| Filter { sessions: None, kinds: Some(vec![kind]) };
    let mut wanted = feed.subscribe(by_session(feed.ours.1), None).await;
    let mut other_session = feed.subscribe(by_session(feed.theirs.1), None).await;
    let mut of_kind = feed.subscribe(by_kind(EventKind::Session), None).await;
    let mut other_kind = feed.subscribe(by_kind(EventKind::Msg), None).await;
    feed.commit(2).await;
    assert_eq!(wanted.positions(2).await, [1, 2]);
    assert_eq!(of_kind.positions(2).await, [1, 2]);
    assert!(other_session.is_idle().await && other_kind.is_idle().await);
}

#[actix::test]
async fn a_client_goes_on_where_it_was_or_hears_that_it_cannot() {
    let feed = Feed::after(5).await; // what was committed before the hub began is known to it
    let client = feed.subscribe(EVERYTHING, feed.resume(2)).await;
    assert_eq!((client.answer.seq, client.answer.epoch.as_str()), (5, feed.log.epoch()));
    assert_eq!(numbers(client.answer.missed.as_deref().unwrap()), [3, 4, 5]);

    let filter = Filter { sessions: Some(vec![feed.theirs.1]), kinds: None };
    let narrow = feed.subscribe(filter, feed.resume(2)).await;
    assert_eq!(narrow.answer.missed, Some(vec![]), "what it missed passes the filter as well");

    for (resume, why) in [
        (None, "did not ask"),
        (feed.resume(6), "a position that was never reached"),
        (Some(Resume { epoch: "another".to_owned(), seq: 2 }), "a log that is no more"),
    ] {
        let client = feed.subscribe(EVERYTHING, resume).await;
        assert_eq!((client.answer.seq, client.answer.missed), (5, None), "{why}");
    }

    feed.commit(1_000).await;
    let mut late = feed.subscribe(EVERYTHING, feed.resume(4)).await;
    assert_eq!(late.answer.missed, None, "too long ago");
    feed.commit(1).await;
    assert_eq!(late.positions(1).await, [1_006], "it listens all the same");
}

#[actix::test]
async fn a_hole_is_filled_from_the_log_before_what_came_after_it() {
    let feed = Feed::start().await;
    let mut client = feed.subscribe(EVERYTHING, None).await;
    feed.commit(2).await;
    assert_eq!(client.positions(2).await, [1, 2]);
    feed.lose(3).await;
    feed.commit(1).await; // the hub notices at this one, and reads for a second
    tokio::time::sleep(Duration::from_millis(500)).await;
    feed.commit(2).await; // these wait for their turn
    let newcomer = feed.subscribe(EVERYTHING, feed.resume(2)).await;
    assert_eq!((newcomer.answer.seq, newcomer.answer.missed), (2, Some(vec![])), "no further than it knows");
    assert_eq!(client.positions(6).await, [3, 4, 5, 6, 7, 8]);
    assert_eq!(*feed.log.asked.lock().unwrap(), [(3, 5)], "asked once");
    assert!(client.is_idle().await, "nothing twice");
}

#[actix::test]
async fn a_hole_that_cannot_be_filled_is_announced_and_the_feed_goes_on() {
    let feed = Feed::start().await;
    let mut client = feed.subscribe(EVERYTHING, None).await;
    feed.log.away.store(true, Ordering::SeqCst);
    feed.lose(3).await;
    feed.commit(1).await;
    let left = client.left().await;
    assert!(left.resync, "what is lost is said to be lost");
    client.frames.extend(left.batch.frames);
    feed.commit(1).await;
    assert_eq!(client.positions(2).await, [4, 5]);
}

#[actix::test]
async fn a_hole_that_is_too_long_is_announced_without_reading() {
    let feed = Feed::start().await;
    let mut client = feed.subscribe(EVERYTHING, None).await;
    feed.lose(10_001).await;
    feed.commit(1).await;
    let left = client.left().await;
    assert!(left.resync);
    assert!(feed.log.asked.lock().unwrap().is_empty());
    client.frames.extend(left.batch.frames);
    assert_eq!(client.positions(1).await, [10_002]);
}

#[actix::test]
async fn a_slow_client_misses_what_was_superseded_and_is_told_how_much() {
    let feed = Feed::start().await;
    let slow = feed.subscribe_as(false, EVERYTHING, None).await;
    let mut quick = feed.subscribe(EVERYTHING, None).await;
    let beyond = 76;
    for first in (1..ROOM as u64 + beyond).step_by(100) {
        feed.commit(100).await;
        let got = quick.positions(100).await;
        assert_eq!(got, (first..first + 100).collect::<Vec<_>>(), "its neighbour misses nothing");
    }

    let left = slow.outlet.take();
    assert_eq!((left.batch.missed, left.batch.frames.len()), (beyond, ROOM));
    let kept: Vec<u64> = left.batch.frames.iter().map(position).collect();
    assert_eq!(kept, (beyond + 1..=beyond + ROOM as u64).collect::<Vec<_>>(), "the newest, in order");
    assert_eq!(slow.outlet.take().batch.missed, 0, "said once");
}

#[actix::test]
async fn who_has_gone_gets_nothing_more_and_nobody_else_notices() {
    let feed = Feed::start().await;
    let mut gone = feed.subscribe(EVERYTHING, None).await;
    let mut stays = feed.subscribe(EVERYTHING, None).await;
    feed.commit(1).await;
    assert_eq!((gone.positions(1).await, stays.positions(1).await), (vec![1], vec![1]));
    feed.hub.unsubscribe(gone.id, gone.tenant);
    feed.hub.unsubscribe(gone.id, gone.tenant); // twice is once
    feed.commit(1).await;
    assert_eq!(stays.positions(1).await, [2]);
    assert!(gone.is_idle().await);
}

#[actix::test]
async fn a_second_subscription_of_the_same_client_replaces_the_first() {
    let feed = Feed::start().await;
    let mut client = feed.subscribe(EVERYTHING, None).await;
    let narrow = Filter { sessions: None, kinds: Some(vec![EventKind::Msg]) };
    feed.hub.subscribe(client.id, client.tenant, narrow, None, client.outlet.clone()).await.unwrap();
    feed.commit(1).await;
    assert!(client.is_idle().await);
}

#[actix::test]
async fn a_process_that_goes_away_tells_every_client() {
    let feed = Feed::start().await;
    let mut clients = [feed.subscribe(EVERYTHING, None).await, feed.subscribe(EVERYTHING, None).await];
    feed.hub.go_away().await;
    for client in &mut clients {
        assert!(client.left().await.going_away);
    }
}
