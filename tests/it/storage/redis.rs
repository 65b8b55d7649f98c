//! Redis may die: what its adapters do meanwhile and afterwards, on servers that are killed, flushed and replaced.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use columba::config::redis::RedisOptions;
use columba::domain::id::{KeyId, TenantId};
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::Moment;
use columba::ports::clock::Clock as _;
use columba::ports::edge::{EdgeBudget as _, Rate};
use columba::ports::feed::{FeedSink as _, FeedStream as _, Heard};
use columba::ports::limits::TenantWindows as _;
use columba::ports::outbox::Outcome;
use columba::ports::readiness::Readiness;
use columba::ports::store::StoreError;
use columba::ports::tickets::{Grant, Holder, Tickets as _};
use columba::storage::redis::edge::RedisEdge;
use columba::storage::redis::feed::{RedisFeed, Relay};
use columba::storage::redis::limits::RedisWindows;
use columba::storage::redis::nodes::{Nodes, Role};
use columba::storage::redis::tickets::RedisTickets;
use columba::storage::redis::{OpenError, Redis};
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::time::timeout;

use super::contract::stage::{ANN, Stage};
use super::contract::{Backend, Fixture};
use super::shared::{heard, status, until};
use crate::support::clock::ManualClock;
use crate::support::redis::{RedisServer, WATCHED, address, cluster, cluster_url, pair};

/// What is promised for the time after an outage.
const RECOVERED: Duration = Duration::from_secs(10);

/// Is told whether Redis is there.
struct Told(watch::Sender<bool>);

impl Readiness for Told {
    fn note(&self, part: &'static str, _: bool) {
        panic!("without {part} a node is ready");
    }

    fn note_spare(&self, part: &'static str, is_there: bool) {
        assert_eq!(part, "redis");
        self.0.send_replace(is_there);
    }
}

/// A line that a test watches.
struct Line {
    redis: Redis,
    heard: watch::Receiver<bool>,
}

impl Line {
    async fn to(server: &RedisServer) -> Self {
        Self::at(&server.url()).await
    }

    async fn at(url: &str) -> Self {
        let (sender, heard) = watch::channel(false);
        let redis = Redis::open(&address(url), Arc::new(Told(sender))).await.unwrap();
        Self { redis, heard }
    }

    /// Waits until it has noticed how Redis is.
    async fn notices(&mut self, is_there: bool) {
        let noticed = self.heard.wait_for(|heard| *heard == is_there);
        timeout(RECOVERED, noticed).await.expect("in time").unwrap();
    }
}

/// A tenant whose sum is kept in Redis.
struct Sum {
    stage: Stage,
    windows: RedisWindows,
    line: Line,
}

impl Sum {
    async fn on(server: &RedisServer) -> Self {
        Self::at(&server.url()).await
    }

    async fn at(url: &str) -> Self {
        let stage = Stage::on(Fixture::of(Backend::Memory).await).await;
        let line = Line::at(url).await;
        let windows = RedisWindows::new(line.redis.clone(), stage.outbox.clone());
        Self { stage, windows, line }
    }

    /// Another process on the same store and the same Redis.
    async fn restart(&mut self, server: &RedisServer) {
        self.line = Line::to(server).await;
        self.windows = RedisWindows::new(self.line.redis.clone(), self.stage.outbox.clone());
    }

    async fn take_as(&self, lease: Lease, cap: u32) -> Result<Result<(), Moment>, StoreError> {
        let at = self.stage.fixture.clock.read();
        self.windows.take(lease, NonZeroU32::new(cap).unwrap(), at).await
    }

    /// Whether there was a slot.
    async fn take(&self, cap: u32) -> bool {
        self.take_as(self.stage.lease, cap).await.unwrap().is_ok()
    }

    /// A slot and the attempt it is for.
    async fn send(&self, cap: u32) -> bool {
        let taken = self.take(cap).await;
        if taken {
            self.stage.attempt(ANN, Outcome::Sent).await;
        }
        taken
    }

    /// A little later, so that no two attempts are made at the same moment.
    fn later(&self) {
        self.stage.fixture.clock.advance(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn an_outage_costs_no_slot_and_lends_none() {
    let mut server = RedisServer::start().await;
    let mut sum = Sum::on(&server).await;
    assert!(sum.send(4).await && sum.take(4).await, "one sent, one taken and not in the log yet");
    server.kill().await;
    sum.later();
    assert!(sum.send(4).await && sum.send(4).await, "it goes on without");
    assert!(!sum.send(4).await, "and counts what was taken before");
    sum.line.notices(false).await;
    assert!(!sum.send(4).await);
    server.revive().await;
    sum.line.notices(true).await;
    sum.later();
    assert!(!sum.send(4).await, "what came back is empty, and is told");
    assert!(sum.send(5).await && !sum.send(5).await);
    assert!(server.ask::<u64>("DBSIZE").await >= 2, "it keeps the window again");
}

#[tokio::test]
async fn a_flush_is_noticed_and_the_window_is_rebuilt_before_anything_is_sent() {
    let server = RedisServer::start().await;
    let sum = Sum::on(&server).await;
    for _ in 0..3 {
        assert!(sum.send(3).await);
        sum.later();
    }
    server.ask::<String>("FLUSHALL").await;
    assert!(!sum.send(3).await);
    // A list that something else has cut short is not believed either.
    let key: Vec<String> = server.ask("KEYS *attempts").await;
    server.ask::<String>(&format!("LPOP {}", key[0])).await;
    assert!(!sum.send(3).await);
    server.ask::<u64>(&format!("DEL {}", key[0])).await;
    assert!(!sum.send(3).await);
    assert!(sum.send(4).await);
}

#[tokio::test]
async fn what_a_lagging_replica_brings_back_is_not_believed() {
    let (mut first, second) = pair().await;
    let mut sum = Sum::on(&first).await;
    assert!(sum.send(3).await);
    sum.later();
    second.until("KEYS *attempts", |keys: &Vec<String>| keys.len() == 1).await;
    second.ask::<String>("REPLICAOF NO ONE").await;
    assert!(sum.send(3).await && sum.send(3).await, "which the replica has not");
    first.kill().await;
    sum.line.notices(false).await;
    // At the address there is now a server with the replica's data.
    first.follow(&second);
    first.revive().await;
    first.linked().await;
    first.ask::<String>("REPLICAOF NO ONE").await;
    sum.line.notices(true).await;
    let key: Vec<String> = first.ask("KEYS *attempts").await;
    assert_eq!(first.ask::<u64>(&format!("LLEN {}", key[0])).await, 1, "it lacks two");
    assert!(!sum.send(3).await);
    assert_eq!(first.ask::<u64>(&format!("LLEN {}", key[0])).await, 3, "and was told");
}

#[tokio::test]
async fn where_sentinels_promote_a_replica_it_is_followed_within_ten_seconds() {
    let (mut first, second) = pair().await;
    let sentinel = RedisServer::sentinel_of(&first).await;
    let mut sum = Sum::at(&format!("sentinel://{}/{WATCHED}", sentinel.host())).await;
    assert!(sum.line.redis.stands() && sum.send(4).await);
    sum.later();
    assert!(sum.send(4).await);
    first.kill().await;
    sum.later();
    assert!(sum.send(4).await, "meanwhile without");
    sum.line.notices(false).await;
    sum.line.notices(true).await;
    sum.later();
    assert!(sum.send(4).await && !sum.send(4).await, "however much the replica had");
    let key: Vec<String> = second.ask("KEYS *attempts").await;
    assert_eq!(second.ask::<u64>(&format!("LLEN {}", key[0])).await, 4, "the window is there now");
}

#[tokio::test]
async fn sentinels_that_ask_for_a_password_are_told_it() {
    let (first, _second) = pair().await;
    let sentinel = RedisServer::sentinel_of(&first).await;
    sentinel.ask::<()>("ACL SETUSER default on resetpass >gu@rd").await;
    let url = format!("sentinel://{}/{WATCHED}", sentinel.host());
    for (password, stands) in [("", false), ("gu@rd", true)] {
        let options = RedisOptions { url: url.clone(), sentinel_password: password.to_owned() };
        let address = options.address().unwrap().unwrap();
        let line = Redis::open(&address, Arc::new(Told(watch::channel(false).0))).await.unwrap();
        assert_eq!(line.stands(), stands, "`{password}`");
    }
}

#[tokio::test]
async fn a_server_that_is_full_or_hangs_is_done_without_until_it_takes_writes_again() {
    let server = RedisServer::start().await;
    let mut sum = Sum::on(&server).await;
    assert!(sum.send(4).await);
    for trouble in ["full", "hung"] {
        match trouble {
            "full" => server.ask::<()>("CONFIG SET maxmemory 1").await,
            _ => server.signal(Signal::STOP),
        }
        sum.later();
        assert!(sum.send(4).await, "{trouble}: it goes on without");
        sum.line.notices(false).await;
        match trouble {
            "full" => server.ask::<()>("CONFIG SET maxmemory 0").await,
            _ => server.signal(Signal::CONT),
        }
        sum.line.notices(true).await;
    }
    sum.later();
    assert!(sum.send(4).await && !sum.send(4).await, "four in all");
}

async fn server_keys(server: &RedisServer) -> usize {
    server.ask::<Vec<String>>("KEYS *attempts").await.len()
}

#[tokio::test]
async fn a_cluster_that_loses_a_node_is_done_without_until_it_is_whole() {
    let mut servers = cluster().await;
    let mut sum = Sum::at(&cluster_url(&servers)).await;
    assert!(sum.send(3).await);
    let mut holder = 0;
    while server_keys(&servers[holder]).await == 0 {
        holder += 1;
    }
    // It has no follower: its slots are away with it.
    servers[holder].kill().await;
    sum.later();
    assert!(sum.send(3).await);
    sum.line.notices(false).await;
    sum.later();
    assert!(!sum.line.redis.stands(), "two of three answer, and that is not enough");
    servers[holder].revive().await;
    sum.line.notices(true).await;
    assert!(sum.send(3).await && !sum.send(3).await);
}

#[tokio::test]
async fn a_process_that_starts_anew_believes_the_log_before_it_believes_redis() {
    let server = RedisServer::start().await;
    let mut sum = Sum::on(&server).await;
    assert!(sum.send(2).await);
    // Sent while the process before could not reach Redis.
    sum.later();
    sum.stage.attempt(ANN, Outcome::Sent).await;
    sum.restart(&server).await;
    assert!(!sum.take(2).await);
    assert!(sum.take(3).await && !sum.take(3).await);
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left_until_it_takes_writes_again() {
    let server = RedisServer::start().await;
    let mut sum = Sum::on(&server).await;
    assert!(sum.send(3).await);
    server.ask::<String>("REPLICAOF 127.0.0.1 1").await;
    sum.later();
    assert!(sum.send(3).await, "READONLY is no answer");
    sum.line.notices(false).await;
    server.ask::<String>("REPLICAOF NO ONE").await;
    sum.line.notices(true).await;
    sum.later();
    assert!(sum.send(3).await && !sum.send(3).await);
}

#[tokio::test]
async fn an_owner_that_a_newer_one_has_asked_after_is_refused() {
    let server = RedisServer::start().await;
    let sum = Sum::on(&server).await;
    let old = sum.stage.lease;
    let new = Lease { epoch: Epoch(old.epoch.0 + 1), ..old };
    assert_eq!(sum.take_as(old, 9).await, Ok(Ok(())));
    assert_eq!(sum.take_as(new, 9).await, Ok(Ok(())));
    assert_eq!(sum.take_as(old, 9).await, Err(StoreError::Fenced));
    assert_eq!(sum.take_as(new, 9).await, Ok(Ok(())));
    let sibling = sum.stage.sibling().await;
    assert_eq!(sum.take_as(sibling, 9).await, Ok(Ok(())), "each session has epochs of its own");
}

#[tokio::test]
async fn tickets_outlive_an_outage_and_stay_good_once() {
    let mut server = RedisServer::start().await;
    let mut line = Line::to(&server).await;
    let clock = Arc::<ManualClock>::default();
    let tickets = RedisTickets::new(line.redis.clone(), clock.clone());
    let other = RedisTickets::new(line.redis.clone(), clock.clone());
    let at = clock.wall();
    let grant = || Grant { tenant: TenantId::mint(at), holder: Holder::Key(KeyId::mint(at)), sessions: None };
    let (expires, now) = (clock.now() + Duration::from_secs(30), clock.now());
    let issue = async |name: &str| tickets.issue(name.into(), grant(), expires).await.unwrap();
    let redeemed = async |name: &str| tickets.redeem(name, now).await.unwrap().is_some();

    issue("shared").await;
    assert!(other.redeem("shared", now).await.unwrap().is_some(), "any process may redeem it");
    assert!(!redeemed("shared").await, "once");

    issue("flushed").await;
    server.ask::<String>("FLUSHALL").await;
    assert!(redeemed("flushed").await && !redeemed("flushed").await);

    issue("before").await;
    server.ask::<String>("REPLICAOF 127.0.0.1 1").await;
    assert!(redeemed("before").await, "while Redis, which has it too, cannot be told");
    line.notices(false).await;
    issue("meanwhile").await;
    server.ask::<String>("REPLICAOF NO ONE").await;
    line.notices(true).await;
    assert!(!redeemed("before").await, "Redis has it still");
    assert!(redeemed("meanwhile").await && !redeemed("meanwhile").await);

    issue("last").await;
    server.kill().await;
    assert!(redeemed("last").await && !redeemed("last").await);
}

#[tokio::test]
async fn a_server_that_would_drop_keys_is_refused_by_name_of_what_to_set() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]).await;
    let (sender, _) = watch::channel(false);
    let opened = Redis::open(&address(&server.url()), Arc::new(Told(sender))).await;
    let Err(OpenError::Unfit(why)) = opened else { panic!("it was taken") };
    assert!(why.contains("allkeys-lru") && why.contains("noeviction"), "{why}");
}

#[tokio::test]
async fn users_of_an_access_list_are_let_in_and_a_wrong_password_counts_as_away_and_is_not_told() {
    let server = RedisServer::start().await;
    let rules = "ACL SETUSER columba on >s3cret resetkeys ~columba:* -@all +@read +@write +@scripting +@connection +info +time";
    server.ask::<String>(rules).await;
    for (password, stands) in [("s3cret", true), ("wr0ng", false)] {
        let url = format!("redis://columba:{password}@{}", server.host());
        let (sender, _) = watch::channel(false);
        let line = Redis::open(&address(&url), Arc::new(Told(sender))).await.unwrap();
        assert_eq!(line.stands(), stands, "{password}");
        if stands {
            let stage = Stage::on(Fixture::of(Backend::Memory).await).await;
            let windows = RedisWindows::new(line.clone(), stage.outbox.clone());
            let at = stage.fixture.clock.read();
            assert_eq!(windows.take(stage.lease, NonZeroU32::MIN, at).await, Ok(Ok(())));
            let nodes = [Role::All, Role::Feed].map(|role| Nodes::join(line.clone(), "epoch", role));
            until("both are seen", || nodes.iter().all(|nodes| nodes.count() == 2)).await;
            let edge = RedisEdge::new(line.clone(), Arc::clone(&nodes[0]), stage.fixture.clock.clone());
            let once = Rate { every: RECOVERED, burst: 1 };
            assert_eq!(edge.take("key", once).await, Ok(()));
            assert!(edge.take("key", once).await.is_err(), "it was asked");
            let relay = Relay::before(stage.fixture.events.clone());
            relay.attach(line.clone(), "epoch", Arc::clone(&nodes[0]));
            let mut stream = RedisFeed::new(&address(&url), "epoch").unwrap();
            assert_eq!(stream.next().await, Heard::Anew);
            let event = status(stage.tenant, 1);
            relay.publish(vec![event]);
            assert_eq!(heard(&mut stream).await, [event]);
            assert!(line.stands(), "it may do all it has to");
        }
    }
}
