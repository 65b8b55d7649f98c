//! One contract suite over what several processes share: in this process, in Redis, in a cluster of Redis.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use columba::domain::id::{KeyId, SessionId, TenantId};
use columba::domain::time::{Moment, Reading, WallTime};
use columba::domain::window::SPAN;
use columba::ports::clock::Clock as _;
use columba::ports::limits::TenantWindows;
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::readiness::Readiness;
use columba::ports::tickets::{Grant, Tickets};
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::embedded::tickets::MemoryTickets;
use columba::storage::redis::Redis as Line;
use columba::storage::redis::limits::RedisWindows;
use columba::storage::redis::tickets::RedisTickets;
use futures_util::future::join_all;
use rstest::rstest;

use self::Kind::{Cluster, InProcess, Redis};
use super::contract::stage::{ANN, BOB, Stage};
use super::contract::{Backend, Fixture};
use crate::support::clock::ManualClock;
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

fn grant() -> Grant {
    let at = WallTime(1_795_000_000_000);
    let sessions = Some(vec![SessionId::mint(at), SessionId::mint(at)]);
    Grant { tenant: TenantId::mint(at), key: KeyId::mint(at), sessions }
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
