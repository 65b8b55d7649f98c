//! A process that follows another one: what it hands its hub of a scripted stream and a log, with time paused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use columba::actors::arbiters::Placement;
use columba::actors::death::RootGuard;
use columba::actors::follower::{self, Missed, Ports, Positions};
use columba::billing::rules;
use columba::domain::event::{Change, StatusEvent};
use columba::domain::id::TenantId;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::time::WallTime;
use columba::ports::feed::{FeedLog, FeedSink, FeedStream, Heard};
use columba::ports::readiness::Readiness;
use columba::ports::store::StoreError;
use columba::storage::memory;
use proptest::prelude::*;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::support::clock::ManualClock;
use crate::support::events::EventLog;

fn tenant(number: u128) -> TenantId {
    uuid::Uuid::from_u128(number).into()
}

fn event(tenant: TenantId, seq: u64) -> StatusEvent {
    StatusEvent { tenant, seq, session: None, change: Change::Usage(80), at: WallTime(1_795_000_000_000) }
}

/// What was committed, by a process that this one does not hear.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<StatusEvent>>,
    away: Mutex<bool>,
}

impl Log {
    fn commit(&self, events: impl IntoIterator<Item = StatusEvent>) {
        self.events.lock().unwrap().extend(events);
    }

    fn is_away(&self, away: bool) {
        *self.away.lock().unwrap() = away;
    }

    fn read(&self) -> Result<Vec<StatusEvent>, StoreError> {
        match *self.away.lock().unwrap() {
            true => Err(StoreError::Unavailable("away".into())),
            false => Ok(self.events.lock().unwrap().clone()),
        }
    }
}

#[async_trait]
impl FeedLog for Log {
    fn epoch(&self) -> &str {
        "log"
    }

    async fn tail(&self, _: SystemScope, limit: u32) -> Result<Vec<StatusEvent>, StoreError> {
        let events = self.read()?;
        Ok(events[events.len().saturating_sub(limit as usize)..].to_vec())
    }

    async fn heads(&self, _: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError> {
        let heads: BTreeMap<TenantId, u64> =
            self.read()?.iter().map(|event| (event.tenant, event.seq)).collect();
        Ok(heads.into_iter().collect())
    }

    async fn range(&self, scope: TenantScope, first: u64, last: u64) -> Result<Vec<StatusEvent>, StoreError> {
        let mut events = self.read()?;
        events.retain(|event| event.tenant == scope.tenant() && (first..=last).contains(&event.seq));
        Ok(events)
    }
}

/// Says what the test makes it say.
struct Scripted(mpsc::UnboundedReceiver<Heard>);

#[async_trait]
impl FeedStream for Scripted {
    async fn next(&mut self) -> Heard {
        match self.0.recv().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<bool>>);

impl Readiness for Told {
    fn note(&self, part: &'static str, passes: bool) {
        assert_eq!(part, "store");
        let mut told = self.0.lock().unwrap();
        if told.last() != Some(&passes) {
            told.push(passes);
        }
    }

    fn note_spare(&self, part: &'static str, _: bool) {
        panic!("{part} is not for the follower to judge");
    }
}

/// Hands on, and says that there is something.
struct Hub {
    events: EventLog,
    rung: tokio::sync::Notify,
}

impl FeedSink for Hub {
    fn publish(&self, events: Vec<StatusEvent>) {
        self.events.publish(events);
        self.rung.notify_one();
    }
}

struct World {
    log: Arc<Log>,
    hub: Arc<Hub>,
    told: Arc<Told>,
    stream: mpsc::UnboundedSender<Heard>,
}

impl World {
    /// A follower that knows all that was committed before.
    fn start(events: impl IntoIterator<Item = StatusEvent>, streams: bool) -> Self {
        tokio::time::pause();
        let log = Arc::new(Log::default());
        log.commit(events);
        let heads = log.events.lock().unwrap().iter().map(|event| (event.tenant, event.seq)).collect();
        let hub = Arc::new(Hub { events: EventLog::default(), rung: tokio::sync::Notify::new() });
        let told = Arc::new(Told::default());
        let (stream, heard) = mpsc::unbounded_channel();
        let stores =
            memory::open(Arc::new(ManualClock::default()), rules(Tz::UTC), Arc::new(EventLog::default()));
        let ports = Ports {
            log: log.clone(),
            directory: stores.directory,
            readiness: told.clone(),
            hub: hub.clone(),
            stream: streams.then(|| Box::new(Scripted(heard)) as Box<dyn FeedStream>),
        };
        follower::launch(ports, heads, &Placement::here(), RootGuard::new("follower", Arc::default()));
        Self { log, hub, told, stream }
    }

    fn say(&self, heard: Heard) {
        self.stream.send(heard).unwrap();
    }

    /// What comes next, within a time.
    async fn within(&self, time: Duration) -> Vec<(TenantId, u64)> {
        let come = timeout(time, self.hub.rung.notified()).await;
        assert!(come.is_ok(), "nothing within {time:?}");
        self.hub.events.take().into_iter().map(|event| (event.tenant, event.seq)).collect()
    }

    async fn silent(&self, time: Duration) {
        assert!(timeout(time, self.hub.rung.notified()).await.is_err(), "{:?}", self.hub.events.take());
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[actix::test]
async fn without_a_stream_the_log_is_read_every_second_and_nothing_is_told_twice() {
    let (a, b) = (tenant(1), tenant(2));
    let world = World::start([event(a, 1)], false);
    world.silent(5 * SECOND).await;
    world.log.commit([event(a, 2), event(b, 1)]);
    assert_eq!(world.within(SECOND * 11 / 10).await, [(a, 2), (b, 1)]);
    world.silent(5 * SECOND).await;
}

#[actix::test]
async fn what_a_stream_says_is_told_at_once_and_what_it_lost_is_found_within_three_seconds() {
    let (a, b) = (tenant(1), tenant(2));
    let world = World::start([], true);
    world.say(Heard::Anew);
    world.log.commit([event(a, 1)]);
    world.say(Heard::Events(vec![event(a, 1)]));
    assert_eq!(world.within(Duration::from_millis(1)).await, [(a, 1)]);
    world.log.commit([event(b, 1)]);
    assert_eq!(world.within(SECOND * 31 / 10).await, [(b, 1)], "the stream lost it");
    world.say(Heard::Events(vec![event(b, 1)]));
    world.silent(5 * SECOND).await;
}

#[actix::test]
async fn a_stream_that_begins_anew_has_the_log_read_at_once_and_while_it_is_away_every_second() {
    let a = tenant(1);
    let world = World::start([], true);
    world.say(Heard::Anew);
    sleep(SECOND / 2).await;
    world.log.commit([event(a, 1)]);
    world.say(Heard::Anew);
    assert_eq!(world.within(Duration::from_millis(1)).await, [(a, 1)]);
    world.say(Heard::Away);
    for seq in 2..5 {
        world.log.commit([event(a, seq)]);
        assert_eq!(world.within(SECOND * 11 / 10).await, [(a, seq)]);
    }
}

#[actix::test]
async fn an_event_that_was_lost_long_before_the_newest_ones_is_found_by_its_tenant() {
    let (a, busy) = (tenant(1), tenant(2));
    let world = World::start([], true);
    world.say(Heard::Anew);
    sleep(SECOND / 2).await;
    let crowd = 1..=5_000;
    world.log.commit([event(a, 1)]);
    world.log.commit(crowd.clone().map(|seq| event(busy, seq)));
    world.say(Heard::Events(crowd.map(|seq| event(busy, seq)).collect()));
    assert_eq!(world.within(Duration::from_millis(1)).await.len(), 5_000);
    assert_eq!(world.within(SECOND * 31 / 10).await, [(a, 1)]);
}

#[actix::test]
async fn of_a_stretch_that_is_too_long_the_last_event_tells_the_hub_of_the_hole() {
    let (a, busy) = (tenant(1), tenant(2));
    let world = World::start([], false);
    world.log.commit((1..=20_000).map(|seq| event(a, seq)));
    world.log.commit((1..=60_000).map(|seq| event(busy, seq)));
    let told = world.within(SECOND * 11 / 10).await;
    assert_eq!(told.first(), Some(&(busy, 10_001)), "the newest there are");
    assert_eq!((told.last(), told.len()), (Some(&(a, 20_000)), 50_001));
}

#[actix::test]
async fn while_the_store_is_away_it_is_not_ready_and_afterwards_tells_what_was_missed() {
    let a = tenant(1);
    let world = World::start([], false);
    sleep(SECOND * 11 / 10).await;
    world.log.is_away(true);
    world.log.commit([event(a, 1)]);
    world.silent(10 * SECOND).await;
    world.log.is_away(false);
    assert_eq!(world.within(SECOND * 11 / 10).await, [(a, 1)]);
    assert_eq!(*world.told.0.lock().unwrap(), [true, false, true]);
}

proptest! {
    /// Whatever a stream loses, repeats or mixes up, what is missed is exactly what lies beyond the newest of each tenant.
    #[test]
    fn missed_is_what_lies_beyond_the_newest_that_was_told(
        passed in prop::collection::vec((0_u128..4, 1_u64..50), 0..60),
        heads in prop::collection::btree_map(0_u128..4, 1_u64..60, 0..4),
    ) {
        let mut positions = Positions::default();
        let mut newest: BTreeMap<u128, u64> = BTreeMap::new();
        for &(number, seq) in &passed {
            let known = newest.entry(number).or_default();
            prop_assert_eq!(positions.pass(&event(tenant(number), seq)), seq > *known);
            *known = seq.max(*known);
        }
        let asked: Vec<_> = heads.iter().map(|(&number, &head)| (tenant(number), head)).collect();
        let missed = positions.missed(&asked);
        for (&number, &head) in &heads {
            let known = newest.get(&number).copied().unwrap_or_default();
            let expected = (head > known).then_some(Missed { tenant: tenant(number), first: known + 1, last: head });
            let found = missed.iter().find(|missed| missed.tenant == tenant(number)).copied();
            prop_assert_eq!(found, expected);
        }
    }
}
