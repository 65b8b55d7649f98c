//! What Redis does for several processes, done in one.

use std::num::NonZeroU32;
use std::time::Duration;

use columba::domain::id::{KeyId, TenantId};
use columba::domain::time::{Moment, Reading, WallTime};
use columba::domain::window::SPAN;
use columba::ports::clock::Clock as _;
use columba::ports::limits::TenantWindows as _;
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::tickets::{Grant, Tickets as _};
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::embedded::tickets::{KEPT, MemoryTickets};
use futures_util::future::join_all;

use super::contract::stage::{ANN, BOB, Stage};
use super::contract::{Backend, Fixture};

fn grant() -> Grant {
    let at = WallTime(1_795_000_000_000);
    Grant { tenant: TenantId::mint(at), key: KeyId::mint(at), sessions: None }
}

#[tokio::test]
async fn a_ticket_is_good_once_and_until_it_expires() {
    let tickets = MemoryTickets::default();
    let (first, second) = (grant(), grant());
    tickets.issue("a".into(), first.clone(), Moment(30)).await.unwrap();
    tickets.issue("b".into(), second, Moment(30)).await.unwrap();
    assert_eq!(tickets.redeem("x", Moment(0)).await, Ok(None));
    assert_eq!(tickets.redeem("a", Moment(29)).await, Ok(Some(first)));
    assert_eq!(tickets.redeem("a", Moment(29)).await, Ok(None), "used");
    assert_eq!(tickets.redeem("b", Moment(30)).await, Ok(None), "expired");
}

#[tokio::test]
async fn a_ticket_issued_again_stands_for_the_newer_grant() {
    let tickets = MemoryTickets::default();
    let newer = grant();
    tickets.issue("a".into(), grant(), Moment(10)).await.unwrap();
    tickets.issue("a".into(), newer.clone(), Moment(30)).await.unwrap();
    assert_eq!(tickets.redeem("x", Moment(20)).await, Ok(None), "the older one's end is passed");
    assert_eq!(tickets.redeem("a", Moment(20)).await, Ok(Some(newer)));
}

#[tokio::test]
async fn a_flood_of_tickets_costs_the_oldest_and_not_the_memory() {
    let tickets = MemoryTickets::default();
    let kept = grant();
    for at in 0..KEPT as u64 + 2 {
        tickets.issue(at.to_string(), kept.clone(), Moment(1_000 + at)).await.unwrap();
    }
    for (ticket, expected) in [(0, false), (1, false), (2, true), (KEPT + 1, true)] {
        let answer = tickets.redeem(&ticket.to_string(), Moment(0)).await.unwrap();
        assert_eq!(answer.is_some(), expected, "{ticket}");
    }
}

/// Windows over the attempts of a stage.
struct Gate {
    stage: Stage,
    windows: MemoryWindows,
}

impl Gate {
    async fn new() -> Self {
        let stage = Stage::on(Fixture::of(Backend::Memory).await).await;
        let windows = MemoryWindows::new(stage.outbox.clone());
        Self { stage, windows }
    }

    fn reading(&self) -> Reading {
        self.stage.fixture.clock.read()
    }

    async fn take_at(&self, cap: u32, at: Reading) -> Result<(), Moment> {
        self.windows.take(self.stage.tenant, NonZeroU32::new(cap).unwrap(), at).await.unwrap()
    }

    async fn take(&self, cap: u32) -> Result<(), Moment> {
        self.take_at(cap, self.reading()).await
    }

    /// An attempt nobody asked the window for, as under a plan without a sum.
    async fn attempt(&self, to: &str) {
        self.stage.attempt(to, Outcome::Sent).await;
    }
}

#[tokio::test]
async fn a_tenant_takes_as_many_slots_of_a_span_as_the_cap_says() {
    let gate = Gate::new().await;
    let start = gate.reading().now;
    let takes = join_all((0..5).map(|_| gate.take(3))).await;
    assert_eq!(takes.iter().filter(|take| take.is_ok()).count(), 3, "however many ask at first");
    gate.stage.wait_secs(60);
    assert_eq!(gate.take(3).await, Err(start + SPAN));
    gate.stage.wait_secs(1);
    assert_eq!(gate.take(3).await, Ok(()));
}

#[tokio::test]
async fn the_first_use_counts_what_all_sessions_attempted_before() {
    let mut gate = Gate::new().await;
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

#[tokio::test]
async fn a_past_on_another_boot_counts_as_full() {
    let gate = Gate::new().await;
    gate.attempt(ANN).await;
    gate.stage.fixture.clock.reboot(Duration::from_secs(5));
    assert_eq!(gate.take(1_000).await, Err(Moment(0) + SPAN));
    gate.stage.wait_secs(61);
    assert_eq!(gate.take(1_000).await, Ok(()));
}

#[tokio::test]
async fn a_clock_that_went_back_makes_the_window_full() {
    let gate = Gate::new().await;
    assert_eq!(gate.take(10).await, Ok(()));
    let at = gate.reading();
    let back = Reading { now: Moment(at.now.0 - 2_001), ..at };
    assert_eq!(gate.take_at(10, back).await, Err(back.now + SPAN));
}

#[tokio::test]
async fn sessions_that_ask_in_another_order_than_they_read_the_clock_share_the_cap_and_are_not_shut_out() {
    let gate = Gate::new().await;
    let at = gate.reading();
    for earlier in [0, 1, 2_000, 1] {
        let read = Reading { now: Moment(at.now.0 - earlier), ..at };
        assert_eq!(gate.take_at(4, read).await, Ok(()), "{earlier} ms earlier");
    }
    assert_eq!(gate.take_at(4, at).await, Err(at.now + SPAN), "four in any span, and not one more");
}

#[tokio::test]
async fn a_changed_cap_binds_at_once_and_keeps_the_past() {
    let gate = Gate::new().await;
    for _ in 0..3 {
        assert_eq!(gate.take(3).await, Ok(()));
    }
    assert!(gate.take(2).await.is_err());
    assert_eq!(gate.take(4).await, Ok(()), "raised by one, so one more");
    assert!(gate.take(4).await.is_err());
    assert!(gate.take(1).await.is_err());
}

#[tokio::test]
async fn what_was_attempted_while_nobody_asked_counts_and_what_was_asked_counts_once() {
    let gate = Gate::new().await;
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

#[tokio::test]
async fn what_was_attempted_right_after_the_last_question_and_without_one_counts() {
    let gate = Gate::new().await;
    assert_eq!(gate.take(3).await, Ok(()));
    gate.attempt(ANN).await;
    // The sum is taken away, and another message goes within the same second.
    gate.stage.wait_secs(1);
    gate.attempt(BOB).await;
    gate.stage.wait_secs(10);
    assert_eq!(gate.take(3).await, Ok(()));
    assert!(gate.take(3).await.is_err(), "three are in the span");
}

#[tokio::test]
async fn a_pause_does_not_make_an_unknown_past_known_or_a_clock_that_went_back_right() {
    let gate = Gate::new().await;
    gate.attempt(ANN).await;
    assert_eq!(gate.take(9).await, Ok(()));
    let at = gate.reading();
    let back = Reading { now: Moment(at.now.0 - 5_000), ..at };
    assert!(gate.take_at(9, back).await.is_err());
    let later = Reading { now: Moment(at.now.0 - 1_000), ..at };
    assert_eq!(gate.take_at(9, later).await, Err(later.now + SPAN), "what is logged still lies ahead");
}

#[tokio::test]
async fn one_tenants_slots_are_no_others() {
    let gate = Gate::new().await;
    let theirs = gate.stage.stranger().await;
    let asked = Acceptance {
        tenant: theirs.tenant,
        session: theirs.session,
        ..gate.stage.asked(gate.stage.draft(ANN))
    };
    gate.stage.outbox.accept(asked).await.unwrap();
    let cap = NonZeroU32::MIN;
    assert_eq!(gate.windows.take(theirs.tenant, cap, gate.reading()).await, Ok(Ok(())));
    assert_eq!(gate.take(1).await, Ok(()));
    assert!(gate.windows.take(theirs.tenant, cap, gate.reading()).await.unwrap().is_err());
}

#[tokio::test]
async fn tenants_that_send_nothing_leave_the_memory_and_busy_ones_stay() {
    let gate = Gate::new().await;
    let newcomer = async || {
        let (tenant, at) = (TenantId::mint(gate.stage.now()), gate.reading());
        assert_eq!(gate.windows.take(tenant, NonZeroU32::MIN, at).await, Ok(Ok(())));
    };
    for _ in 0..2_000 {
        newcomer().await;
    }
    assert_eq!(gate.windows.len(), 2_000, "all are busy");
    gate.stage.wait_secs(61);
    assert_eq!(gate.take(1).await, Ok(()));
    for _ in 0..100 {
        newcomer().await;
    }
    assert!(gate.windows.len() < 200, "{} windows: the idle ones go when room is short", gate.windows.len());
    assert!(gate.take(1).await.is_err(), "its slot is still taken");
}
