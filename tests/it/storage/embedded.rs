//! What only the adapters in memory promise: that they stay small. The rest is `shared`.

use std::num::NonZeroU32;

use columba::domain::id::{KeyId, SessionId, TenantId};
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::{Moment, WallTime};
use columba::ports::clock::Clock as _;
use columba::ports::limits::TenantWindows as _;
use columba::ports::tickets::{Grant, Holder, Tickets as _};
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::embedded::tickets::{KEPT, MemoryTickets};

use super::contract::stage::Stage;
use super::contract::{Backend, Fixture};

fn grant() -> Grant {
    let at = WallTime(1_795_000_000_000);
    Grant { tenant: TenantId::mint(at), holder: Holder::Key(KeyId::mint(at)), sessions: None }
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

#[tokio::test]
async fn tenants_that_send_nothing_leave_the_memory_and_busy_ones_stay() {
    let stage = Stage::on(Fixture::of(Backend::Memory).await).await;
    let windows = MemoryWindows::new(stage.outbox.clone());
    let take = async |lease: Lease| {
        let at = stage.fixture.clock.read();
        windows.take(lease, NonZeroU32::MIN, at).await.unwrap()
    };
    let newcomer = async || {
        let (tenant, session) = (TenantId::mint(stage.now()), SessionId::mint(stage.now()));
        assert_eq!(take(Lease { tenant, session, epoch: Epoch(1) }).await, Ok(()));
    };
    for _ in 0..2_000 {
        newcomer().await;
    }
    assert_eq!(windows.len(), 2_000, "all are busy");
    stage.wait_secs(61);
    assert_eq!(take(stage.lease).await, Ok(()));
    for _ in 0..100 {
        newcomer().await;
    }
    assert!(windows.len() < 200, "{} windows: the idle ones go when room is short", windows.len());
    assert!(take(stage.lease).await.is_err(), "its slot is still taken");
}
