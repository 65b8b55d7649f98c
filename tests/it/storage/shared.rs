//! One contract suite over what several processes share: in this process, in Redis, in a cluster of Redis.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use columba::domain::event::{Change, StatusEvent};
use columba::domain::id::{KeyId, SessionId, TenantId};
use columba::domain::message::MessageStatus;
use columba::domain::session::SessionStatus;
use columba::domain::time::{Moment, Reading, WallTime};
use columba::domain::window::SPAN;
use columba::ports::clock::Clock as _;
use columba::ports::edge::{EdgeBudget as _, Rate};
use columba::ports::feed::{FeedSink as _, FeedStream as _, Heard};
use columba::ports::limits::TenantWindows;
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::readiness::Readiness;
use columba::ports::tickets::{Grant, Holder, Tickets};
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::embedded::tickets::MemoryTickets;
use columba::storage::redis::Redis as Line;
use columba::storage::redis::edge::RedisEdge;
use columba::storage::redis::feed::{RedisFeed, Relay};
use columba::storage::redis::limits::RedisWindows;
use columba::storage::redis::nodes::{Nodes, Role};
use columba::storage::redis::tickets::RedisTickets;
use futures_util::future::join_all;
use rstest::rstest;
use tokio::time::{sleep, timeout};

use self::Kind::{Cluster, InProcess, Redis};
use super::contract::stage::{ANN, BOB, Stage};
use super::contract::{Backend, Fixture};
use crate::support::clock::ManualClock;
use crate::support::events::EventLog;
use crate::support::redis::{RedisServer, address, cluster, cluster_url};

/// Where it is kept.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    InProcess,
    Redis,
    Cluster,
}

/// Nobody asks.
pub struct Unheard;

impl Readiness for Unheard {
    fn note(&self, _: &'static str, _: bool) {}

    fn note_spare(&self, _: &'static str, _: bool) {}
}

/// A line to servers of its own, which live as long as they are held.
async fn line(kind: Kind) -> (Vec<RedisServer>, Option<Line>) {
    let (servers, url) = match kind {
        InProcess => return (vec![], None),
        Redis => {
            let server = RedisServer::start().await;
            let url = server.url();
            (vec![server], url)
        }
        Cluster => {
            let servers = cluster().await;
            let url = cluster_url(&servers);
            (servers, url)
        }
    };
    let line = Line::open(&address(&url), Arc::new(Unheard)).await.unwrap();
    assert!(line.stands());
    (servers, Some(line))
}

/// Lines of two processes on the same servers.
async fn lines(kind: Kind) -> (Vec<RedisServer>, String, Line, Line) {
    let servers = match kind {
        Cluster => cluster().await,
        _ => vec![RedisServer::start().await],
    };
    let url = if servers.len() > 1 { cluster_url(&servers) } else { servers[0].url() };
    let open = || async { Line::open(&address(&url), Arc::new(Unheard)).await.unwrap() };
    let (first, second) = (open().await, open().await);
    (servers, url, first, second)
}

/// Waits for a fact that has no event.
pub async fn until(what: &str, fact: impl Fn() -> bool) {
    let seen = async {
        while !fact() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), seen).await.unwrap_or_else(|_| panic!("not within 10 s: {what}"));
}

fn grant() -> Grant {
    let at = WallTime(1_795_000_000_000);
    let sessions = Some(vec![SessionId::mint(at), SessionId::mint(at)]);
    Grant { tenant: TenantId::mint(at), holder: Holder::Key(KeyId::mint(at)), sessions }
}

async fn tickets(kind: Kind) -> (Vec<RedisServer>, Arc<ManualClock>, Box<dyn Tickets>) {
    let clock = Arc::<ManualClock>::default();
    let (servers, line) = line(kind).await;
    let tickets: Box<dyn Tickets> = match line {
        None => Box::new(MemoryTickets::default()),
        Some(line) => Box::new(RedisTickets::new(line, clock.clone())),
    };
    (servers, clock, tickets)
}

#[rstest]
#[tokio::test]
async fn a_ticket_is_good_once_and_until_it_expires(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let (_servers, clock, tickets) = tickets(kind).await;
    let (first, second) = (grant(), grant());
    let expires = clock.now() + Duration::from_secs(30);
    let before = Moment(expires.0 - 1);
    tickets.issue("a".into(), first.clone(), expires).await.unwrap();
    tickets.issue("b".into(), second, expires).await.unwrap();
    assert_eq!(tickets.redeem("x", clock.now()).await, Ok(None));
    assert_eq!(tickets.redeem("a", before).await, Ok(Some(first)));
    assert_eq!(tickets.redeem("a", before).await, Ok(None), "used");
    assert_eq!(tickets.redeem("b", expires).await, Ok(None), "expired");
}

#[rstest]
#[tokio::test]
async fn a_ticket_issued_again_stands_for_the_newer_grant(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let (_servers, clock, tickets) = tickets(kind).await;
    let newer = grant();
    let at = |secs| clock.now() + Duration::from_secs(secs);
    tickets.issue("a".into(), grant(), at(10)).await.unwrap();
    tickets.issue("a".into(), newer.clone(), at(30)).await.unwrap();
    assert_eq!(tickets.redeem("x", at(20)).await, Ok(None), "the older one's end is passed");
    assert_eq!(tickets.redeem("a", at(20)).await, Ok(Some(newer)));
}

/// Windows over the attempts of a stage.
struct Gate {
    stage: Stage,
    windows: Box<dyn TenantWindows>,
    _servers: Vec<RedisServer>,
}

impl Gate {
    async fn new(kind: Kind) -> Self {
        let stage = Stage::on(Fixture::of(Backend::Memory).await).await;
        let (servers, line) = line(kind).await;
        let windows: Box<dyn TenantWindows> = match line {
            None => Box::new(MemoryWindows::new(stage.outbox.clone())),
            Some(line) => Box::new(RedisWindows::new(line, stage.outbox.clone())),
        };
        Self { stage, windows, _servers: servers }
    }

    fn reading(&self) -> Reading {
        self.stage.fixture.clock.read()
    }

    async fn take_at(&self, cap: u32, at: Reading) -> Result<(), Moment> {
        self.windows.take(self.stage.lease, NonZeroU32::new(cap).unwrap(), at).await.unwrap()
    }

    async fn take(&self, cap: u32) -> Result<(), Moment> {
        self.take_at(cap, self.reading()).await
    }

    /// An attempt nobody asked the window for, as under a plan without a sum.
    async fn attempt(&self, to: &str) {
        self.stage.attempt(to, Outcome::Sent).await;
    }
}

#[rstest]
#[tokio::test]
async fn a_tenant_takes_as_many_slots_of_a_span_as_the_cap_says(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let gate = Gate::new(kind).await;
    let start = gate.reading().now;
    let takes = join_all((0..5).map(|_| gate.take(3))).await;
    assert_eq!(takes.iter().filter(|take| take.is_ok()).count(), 3, "however many ask at first");
    gate.stage.wait_secs(60);
    assert_eq!(gate.take(3).await, Err(start + SPAN));
    gate.stage.wait_secs(1);
    assert_eq!(gate.take(3).await, Ok(()));
}

#[rstest]
#[tokio::test]
async fn the_first_use_counts_what_all_sessions_attempted_before(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let mut gate = Gate::new(kind).await;
    gate.attempt(ANN).await;
    let sibling = gate.stage.sibling().await;
    let own = (gate.stage.session, gate.stage.lease);
    (gate.stage.session, gate.stage.lease) = (sibling.session, sibling);
    gate.stage.wait_secs(10);
    gate.attempt(ANN).await;
    (gate.stage.session, gate.stage.lease) = own;
    gate.stage.wait_secs(10);

    let start = gate.reading().now;
    assert_eq!(gate.take(2).await, Err(Moment(start.0 - 20_000) + SPAN));
    assert_eq!(gate.take(3).await, Ok(()));
    assert!(gate.take(3).await.is_err());
    gate.stage.wait_secs(41);
    assert_eq!(gate.take(3).await, Ok(()), "the first has left the span");
}

#[rstest]
#[tokio::test]
async fn a_past_on_another_boot_counts_as_full(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let gate = Gate::new(kind).await;
    gate.attempt(ANN).await;
    gate.stage.fixture.clock.reboot(Duration::from_secs(5));
    assert_eq!(gate.take(1_000).await, Err(Moment(0) + SPAN));
    gate.stage.wait_secs(61);
    assert_eq!(gate.take(1_000).await, Ok(()));
}

#[rstest]
#[tokio::test]
async fn a_clock_that_went_back_makes_the_window_full(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let gate = Gate::new(kind).await;
    assert_eq!(gate.take(10).await, Ok(()));
    let at = gate.reading();
    let back = Reading { now: Moment(at.now.0 - 2_001), ..at };
    assert_eq!(gate.take_at(10, back).await, Err(back.now + SPAN));
}

#[rstest]
#[tokio::test]
async fn sessions_that_ask_in_another_order_than_they_read_the_clock_share_the_cap_and_are_not_shut_out(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let gate = Gate::new(kind).await;
    let at = gate.reading();
    for earlier in [0, 1, 2_000, 1] {
        let read = Reading { now: Moment(at.now.0 - earlier), ..at };
        assert_eq!(gate.take_at(4, read).await, Ok(()), "{earlier} ms earlier");
    }
    assert_eq!(gate.take_at(4, at).await, Err(at.now + SPAN), "four in any span, and not one more");
}

#[rstest]
#[tokio::test]
async fn a_changed_cap_binds_at_once_and_keeps_the_past(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let gate = Gate::new(kind).await;
    for _ in 0..3 {
        assert_eq!(gate.take(3).await, Ok(()));
    }
    assert!(gate.take(2).await.is_err());
    assert_eq!(gate.take(4).await, Ok(()), "raised by one, so one more");
    assert!(gate.take(4).await.is_err());
    assert!(gate.take(1).await.is_err());
}

#[rstest]
#[tokio::test]
async fn what_was_attempted_while_nobody_asked_counts_and_what_was_asked_counts_once(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let gate = Gate::new(kind).await;
    assert_eq!(gate.take(4).await, Ok(()));
    gate.attempt(ANN).await;
    gate.stage.wait_secs(10);
    gate.attempt(BOB).await;
    gate.attempt(BOB).await;
    gate.stage.wait_secs(10);
    assert_eq!(gate.take(4).await, Ok(()), "one asked for and used, two not asked for");
    assert!(gate.take(4).await.is_err());
    gate.stage.wait_secs(10);
    assert!(gate.take(4).await.is_err(), "nothing is entered twice, and nothing is lost");
    assert_eq!(gate.take(5).await, Ok(()));
}

#[rstest]
#[tokio::test]
async fn what_was_attempted_right_after_the_last_question_and_without_one_counts(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let gate = Gate::new(kind).await;
    assert_eq!(gate.take(3).await, Ok(()));
    gate.attempt(ANN).await;
    // The sum is taken away, and another message goes within the same second.
    gate.stage.wait_secs(1);
    gate.attempt(BOB).await;
    gate.stage.wait_secs(10);
    assert_eq!(gate.take(3).await, Ok(()));
    assert!(gate.take(3).await.is_err(), "three are in the span");
}

#[rstest]
#[tokio::test]
async fn a_pause_does_not_make_an_unknown_past_known_or_a_clock_that_went_back_right(
    #[values(InProcess, Redis, Cluster)] kind: Kind,
) {
    let gate = Gate::new(kind).await;
    gate.attempt(ANN).await;
    assert_eq!(gate.take(9).await, Ok(()));
    let at = gate.reading();
    let back = Reading { now: Moment(at.now.0 - 5_000), ..at };
    assert!(gate.take_at(9, back).await.is_err());
    let later = Reading { now: Moment(at.now.0 - 1_000), ..at };
    assert_eq!(gate.take_at(9, later).await, Err(later.now + SPAN), "what is logged still lies ahead");
}

#[rstest]
#[tokio::test]
async fn one_tenants_slots_are_no_others(#[values(InProcess, Redis, Cluster)] kind: Kind) {
    let gate = Gate::new(kind).await;
    let theirs = gate.stage.stranger().await;
    let asked = Acceptance {
        tenant: theirs.tenant,
        session: theirs.session,
        ..gate.stage.asked(gate.stage.draft(ANN))
    };
    gate.stage.outbox.accept(asked).await.unwrap();
    let cap = NonZeroU32::MIN;
    assert_eq!(gate.windows.take(theirs, cap, gate.reading()).await, Ok(Ok(())));
    assert_eq!(gate.take(1).await, Ok(()));
    assert!(gate.windows.take(theirs, cap, gate.reading()).await.unwrap().is_err());
}

#[rstest]
#[tokio::test]
async fn processes_of_one_store_see_each_other_come_and_go_and_no_other_stores(
    #[values(Redis, Cluster)] kind: Kind,
) {
    let (_servers, _, first, second) = lines(kind).await;
    let writer = Nodes::join(first.clone(), "epoch", Role::All);
    let stranger = Nodes::join(first, "another", Role::All);
    let feed = Nodes::join(second, "epoch", Role::Feed);
    until("both are seen", || writer.count() == 2 && feed.count() == 2).await;
    assert!(writer.is_followed() && !feed.is_followed());
    feed.leave().await;
    drop(feed);
    until("it is gone", || writer.count() == 1 && !writer.is_followed()).await;
    assert_eq!((stranger.count(), stranger.is_followed()), (1, false));
}

pub fn status(tenant: TenantId, seq: u64) -> StatusEvent {
    let at = WallTime(1_795_000_000_000 + seq as i64);
    let change = match seq % 5 {
        0 => Change::Usage(80),
        1 => Change::Message(uuid::Uuid::from_u128(seq.into()).into(), MessageStatus::Delivered),
        2 => Change::Received(uuid::Uuid::from_u128(seq.into()).into()),
        3 => Change::Session(SessionStatus::Connected),
        _ => Change::Webhook(uuid::Uuid::from_u128(seq.into()).into()),
    };
    StatusEvent {
        tenant,
        seq,
        session: seq.is_multiple_of(2).then(|| uuid::Uuid::from_u128(9).into()),
        change,
        at,
    }
}

pub async fn heard(stream: &mut RedisFeed) -> Vec<StatusEvent> {
    loop {
        match stream.next().await {
            Heard::Events(events) if events.is_empty() => {}
            Heard::Events(events) => return events,
            other => panic!("{other:?} while it stands"),
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_is_committed_is_heard_by_who_follows_in_order_and_costs_nothing_while_nobody_does(
    #[values(Redis, Cluster)] kind: Kind,
) {
    let (servers, url, first, second) = lines(kind).await;
    let nodes = Nodes::join(first.clone(), "epoch", Role::All);
    let own = Arc::new(EventLog::default());
    let relay = Relay::before(own.clone());
    relay.attach(first, "epoch", Arc::clone(&nodes));
    let tenant = TenantId::mint(WallTime(1));
    relay.publish(vec![status(tenant, 1)]);
    let mut stream = RedisFeed::new(&address(&url), "epoch").unwrap();
    assert_eq!(stream.next().await, Heard::Anew);
    let kept = async || {
        let mut kept = 0;
        for server in &servers {
            kept += server.ask::<Vec<String>>("KEYS columba:*:feed").await.len();
        }
        kept
    };
    assert_eq!(kept().await, 0, "nobody follows");

    let follower = Nodes::join(second, "epoch", Role::Feed);
    until("it is followed", || nodes.is_followed()).await;
    let all: Vec<StatusEvent> = (2..=200).map(|seq| status(tenant, seq)).collect();
    all.chunks(7).for_each(|commit| relay.publish(commit.to_vec()));
    let mut got = vec![];
    while got.len() < all.len() {
        got.extend(heard(&mut stream).await);
    }
    assert_eq!(got, all, "every kind of event as it was, in order");
    assert_eq!(own.take().len(), 200, "its own hub heard all of it");
    assert_eq!(kept().await, 1);

    // Another store on the same servers says nothing to this one.
    let mut other = RedisFeed::new(&address(&url), "another").unwrap();
    assert_eq!((other.next().await, other.next().await), (Heard::Anew, Heard::Events(vec![])));
    drop(follower);
}

#[tokio::test]
async fn a_stream_of_which_redis_was_emptied_goes_on_and_one_whose_redis_died_says_so_and_begins_anew() {
    let (mut servers, url, first, second) = lines(Redis).await;
    let nodes = Nodes::join(first.clone(), "epoch", Role::All);
    let _follower = Nodes::join(second, "epoch", Role::Feed);
    let relay = Relay::before(Arc::new(EventLog::default()));
    relay.attach(first, "epoch", Arc::clone(&nodes));
    let mut stream = RedisFeed::new(&address(&url), "epoch").unwrap();
    assert_eq!(stream.next().await, Heard::Anew);
    until("it is followed", || nodes.is_followed()).await;
    let tenant = TenantId::mint(WallTime(1));
    relay.publish(vec![status(tenant, 1)]);
    assert_eq!(heard(&mut stream).await, [status(tenant, 1)]);
    servers[0].ask::<String>("FLUSHALL").await;
    until("it is followed again", || nodes.is_followed()).await;
    relay.publish(vec![status(tenant, 5)]);
    assert_eq!(heard(&mut stream).await, vec![status(tenant, 5)]);
    // What is no entry of ours is missed, and the next one is heard.
    let feed: Vec<String> = servers[0].ask("KEYS columba:*:feed").await;
    servers[0].ask::<String>(&format!("XADD {} * v rubbish", feed[0])).await;
    relay.publish(vec![status(tenant, 10)]);
    assert_eq!(heard(&mut stream).await, vec![status(tenant, 10)]);

    servers[0].kill().await;
    assert_eq!(stream.next().await, Heard::Away);
    assert_eq!(stream.next().await, Heard::Away);
    until("nobody is seen", || nodes.count() == 1 && !nodes.is_followed()).await;
    servers[0].revive().await;
    let again = async { while stream.next().await != Heard::Anew {} };
    timeout(Duration::from_secs(10), again).await.expect("begun anew in time");
    until("it is followed again", || nodes.is_followed()).await;
    relay.publish(vec![status(tenant, 15)]);
    assert_eq!(heard(&mut stream).await, vec![status(tenant, 15)]);
}

#[rstest]
#[tokio::test]
async fn two_processes_grant_a_caller_one_budget_and_each_caller_its_own(
    #[values(Redis, Cluster)] kind: Kind,
) {
    let (_servers, _, first, second) = lines(kind).await;
    let clock = Arc::<ManualClock>::default();
    let nodes =
        [Nodes::join(first.clone(), "epoch", Role::All), Nodes::join(second.clone(), "epoch", Role::Feed)];
    let edges = [first, second].into_iter().zip(&nodes);
    let edges: Vec<RedisEdge> =
        edges.map(|(line, nodes)| RedisEdge::new(line, Arc::clone(nodes), clock.clone())).collect();
    until("both are seen", || nodes.iter().all(|nodes| nodes.count() == 2)).await;
    // One comes back in a minute: what is counted is what was there at first.
    let rate = Rate { every: Duration::from_secs(60), burst: 320 };
    let asked = (0..1_000).map(|number| edges[number % 2].take("key_a", rate));
    let granted = join_all(asked).await.into_iter().filter(Result::is_ok).count();
    assert!((300..=320).contains(&granted), "{granted}: a process may hold a share that it does not spend");
    let wait = edges[0].take("key_a", rate).await.or(edges[1].take("key_a", rate).await);
    let wait = wait.expect_err("all is spent");
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(edges[1].take("key_b", rate).await, Ok(()));
    let once = Rate { every: Duration::from_secs(60), burst: 1 };
    assert_eq!(edges[0].take("once", once).await, Ok(()));
    assert!(edges[1].take("once", once).await.is_err());
    // A share that lay for a second is let go.
    clock.advance(Duration::from_secs(2));
    assert!(edges[0].take("once", once).await.is_err());
}

#[tokio::test]
async fn a_process_that_is_alone_or_without_redis_keeps_nobody_waiting() {
    let (mut servers, _, first, second) = lines(Redis).await;
    let clock = Arc::<ManualClock>::default();
    let nodes = Nodes::join(first.clone(), "epoch", Role::All);
    let edge = RedisEdge::new(first, Arc::clone(&nodes), clock);
    let once = Rate { every: Duration::from_secs(60), burst: 1 };
    for _ in 0..3 {
        assert_eq!(edge.take("key", once).await, Ok(()), "its own limit is enough");
    }
    let _other = Nodes::join(second, "epoch", Role::Feed);
    until("it is seen", || nodes.count() == 2).await;
    assert_eq!(edge.take("key", once).await, Ok(()));
    assert!(edge.take("key", once).await.is_err());
    servers[0].kill().await;
    until("redis is away", || nodes.count() == 1).await;
    assert_eq!(edge.take("key", once).await, Ok(()));
}
