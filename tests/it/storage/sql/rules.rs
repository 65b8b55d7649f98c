//! Rules that hang on how this store keeps things: the order of a chat, the lock on new chats, the log of attempts,
//! holds that outlive their message.

use std::time::Duration;

use columba::domain::event::Change;
use columba::domain::id::MessageId;
use columba::domain::message::{Letter, MessageReason, MessageStatus, ReceiptKind, WaId};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Restriction, RestrictionKind};
use columba::domain::time::{BootId, Moment, WallTime};
use columba::ports::clock::Clock as _;
use columba::ports::directory::TenantPatch;
use columba::ports::outbox::{Claimed, Inbound, Outcome, Receipt, Settlement, Stored};
use columba::ports::store::StoreError;

use super::{Desk, phone, plan, text};

fn inbound(desk: &Desk, chat: u32, wa_id: &str) -> Inbound {
    let at = desk.clock.wall();
    let letter = Letter::from_person(WaId(wa_id.into()), phone(chat), text("hi"));
    Inbound { id: MessageId::mint(at), letter, at }
}

#[tokio::test]
async fn an_earlier_message_of_the_chat_goes_first_unless_it_is_scheduled() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let outbox = &desk.stores().outbox;
    let mut scheduled = desk.acceptance(lease, 1, 100);
    scheduled.draft.send_at = Some(scheduled.at + Duration::from_secs(3600));
    let scheduled = desk.accept(scheduled).await.unwrap().into_inner();
    let (first, second) = (desk.accepted(lease, 1).await, desk.accepted(lease, 1).await);

    let early = outbox.claim(desk.claim(lease, second.id)).await.unwrap();
    assert!(matches!(early, Claimed::NotYet { .. }), "{early:?}");
    desk.claimed(lease, first.id).await;
    let answer = outbox.claim(desk.claim(lease, scheduled.id)).await.unwrap();
    assert_eq!(answer, Claimed::NotYet { until: scheduled.send_at.unwrap() });
}

#[tokio::test]
async fn a_chat_with_more_waiting_than_is_read_still_keeps_its_order() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let mut queue = vec![];
    for _ in 0..12 {
        queue.push(desk.accepted(lease, 1).await);
    }
    for message in queue.iter().skip(1) {
        let answer = desk.stores().outbox.claim(desk.claim(lease, message.id)).await.unwrap();
        assert!(matches!(answer, Claimed::NotYet { .. }), "{answer:?}");
    }
    desk.claimed(lease, queue[0].id).await;
}

#[tokio::test]
async fn what_has_expired_no_longer_stands_before_others() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    for _ in 0..12 {
        let mut brief = desk.acceptance(lease, 1, 100);
        brief.draft.expires_at = brief.at + Duration::from_secs(1);
        desk.accept(brief).await.unwrap();
    }
    let last = desk.accepted(lease, 1).await;
    desk.clock.pass(1_000);
    assert_eq!(desk.claimed(lease, last.id).await.message, last.id);
}

#[tokio::test]
async fn while_locked_out_of_new_chats_only_those_who_wrote_are_answered() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let outbox = &desk.stores().outbox;
    assert_eq!(outbox.inbound(lease, inbound(&desk, 1, "A")).await, Ok(Stored { new: true, freed: false }));
    assert_eq!(outbox.inbound(lease, inbound(&desk, 1, "A")).await, Ok(Stored::default()), "the same again");
    let (known, stranger) = (desk.accepted(lease, 1).await, desk.accepted(lease, 2).await);
    let until = desk.clock.wall() + Duration::from_secs(600);
    desk.sink.clear();
    let mut claim = desk.claim(lease, stranger.id);
    claim.lock = Some(Restriction { kind: RestrictionKind::Timelock, until });
    assert_eq!(outbox.claim(claim).await.unwrap(), Claimed::NotYet { until });
    assert_eq!(desk.sink.changes(), [Change::Message(stranger.id, MessageStatus::Held)]);
    let held = desk.message(&stranger).await;
    assert_eq!((held.status, held.reason), (MessageStatus::Held, Some(MessageReason::Timelock)));
    assert_eq!(held.attempts, 0);

    claim.message = known.id;
    assert!(matches!(outbox.claim(claim).await.unwrap(), Claimed::Work(_)));
    desk.clock.pass(600_000);
    assert_eq!(desk.claimed(lease, stranger.id).await.number, 1);
}

#[tokio::test]
async fn attempts_of_this_boot_are_found_whatever_the_wall_clock_did() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let message = desk.accepted(lease, 1).await;
    desk.claimed(lease, message.id).await;
    let made = desk.clock.now();
    let outbox = &desk.stores().outbox;
    for jump in [0, 7_200_000, -14_400_000] {
        desk.clock.set(|reading| reading.wall.0 += jump);
        desk.stores().sweep.forget(SystemScope, desk.clock.wall(), 100).await.unwrap();
        let memory = outbox.recall(lease.session, desk.clock.read()).await.unwrap();
        assert_eq!(memory.attempts, Some(vec![made]), "after a jump of {jump} ms");
        let sum = outbox.tenant_attempts(lease.tenant, desk.clock.read()).await.unwrap();
        assert_eq!(sum, Some(vec![made]));
    }
    desk.clock.pass(61_001);
    let memory = outbox.recall(lease.session, desk.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, Some(vec![]));
}

#[tokio::test]
async fn recent_attempts_of_another_boot_cannot_be_compared() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let message = desk.accepted(lease, 1).await;
    desk.claimed(lease, message.id).await;
    desk.clock.set(|reading| (reading.boot, reading.now) = (BootId(8), Moment(100_000)));
    let outbox = &desk.stores().outbox;
    assert_eq!(outbox.recall(lease.session, desk.clock.read()).await.unwrap().attempts, None);
    assert_eq!(outbox.tenant_attempts(lease.tenant, desk.clock.read()).await.unwrap(), None);
    desk.clock.set(|reading| reading.wall.0 -= 3_600_000);
    let memory = outbox.recall(lease.session, desk.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, None, "an attempt that lies in the future may be recent");
    desk.clock.set(|reading| reading.wall.0 += 3_600_000 + 61_001);
    let memory = outbox.recall(lease.session, desk.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, Some(vec![]));
    desk.clock.set(|reading| reading.now = Moment(60_999));
    let memory = outbox.recall(lease.session, desk.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, None, "the wall may have been set while the machine was down");
}

#[tokio::test]
async fn a_new_owner_fences_the_old_one_but_not_what_it_sent() {
    let desk = Desk::new().await;
    let old = desk.session(desk.tenant(100).await).await;
    let (first, second) = (desk.accepted(old, 1).await, desk.accepted(old, 2).await);
    let work = desk.claimed(old, first.id).await;
    let new = desk.recall(old.session).await;
    let outbox = &desk.stores().outbox;
    assert_eq!(outbox.claim(desk.claim(old, second.id)).await, Err(StoreError::Fenced));
    assert_eq!(outbox.give_back(old, first.id, work.number).await, Err(StoreError::Fenced));
    let settlement = Settlement {
        tenant: old.tenant,
        message: first.id,
        number: work.number,
        outcome: Outcome::Sent,
        at: desk.clock.wall(),
    };
    assert_eq!(outbox.settle(settlement).await, Ok(true));
    desk.claimed(new, second.id).await;
    let recovered = outbox.recover(new, desk.clock.wall()).await.unwrap();
    assert_eq!((recovered.requeued, recovered.unknown), (0, 0), "its own attempt is no leftover");
}

#[tokio::test]
async fn a_hold_given_back_in_doubt_is_charged_by_a_late_receipt() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let message = desk.accepted(lease, 1).await;
    desk.claimed(lease, message.id).await;
    desk.clock.pass(15 * 60_000 + 1);
    let sweep = &desk.stores().sweep;
    assert_eq!(sweep.abandon(SystemScope, desk.clock.wall(), 10).await, Ok(1));
    assert_eq!(sweep.release(SystemScope, desk.clock.wall(), 10).await, Ok(0));
    assert_eq!(desk.usage(lease.tenant).await, (0, 1));
    desk.clock.pass(24 * 3_600_000 + 1);
    assert_eq!(sweep.release(SystemScope, desk.clock.wall(), 10).await, Ok(1));
    assert_eq!(desk.usage(lease.tenant).await, (0, 0));

    let at = desk.clock.wall();
    let receipt = Receipt { wa_id: message.wa_id.clone(), kind: ReceiptKind::Read, at };
    assert_eq!(desk.stores().outbox.receipt(lease, receipt.clone()).await, Ok(true));
    assert_eq!(desk.stores().outbox.receipt(lease, receipt).await, Ok(false));
    assert_eq!(desk.usage(lease.tenant).await, (1, 0));
    let read = desk.message(&message).await;
    assert_eq!(read.status, MessageStatus::Read);
    assert_eq!(read.times["sent"], at);
    assert_eq!(read.times["delivered"], at);
}

#[tokio::test]
async fn another_plan_binds_the_month_that_runs_and_keeps_what_was_used() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(2).await).await;
    for chat in 0..2 {
        desk.accept(desk.acceptance(lease, chat, 2)).await.unwrap();
    }
    assert!(desk.accept(desk.acceptance(lease, 3, 2)).await.is_err());
    let directory = &desk.stores().directory;
    directory.create_plan(plan(3), None, desk.clock.wall()).await.unwrap();
    let patch = TenantPatch { plan: Some("plan-3".into()), ..TenantPatch::default() };
    directory.patch_tenant(lease.tenant, patch, desk.clock.wall()).await.unwrap();
    assert_eq!(directory.snapshot().plan_of(lease.tenant).unwrap().messages_per_month, 3);
    desk.accept(desk.acceptance(lease, 4, 3)).await.unwrap();
    assert!(desk.accept(desk.acceptance(lease, 5, 3)).await.is_err());
    assert_eq!(desk.usage(lease.tenant).await, (0, 3));
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let mut asked = desk.acceptance(lease, 1, 100);
    asked.idempotency = super::key("daily", 1);
    let first = desk.accept(asked.clone()).await.unwrap().into_inner();
    desk.clock.pass(24 * 3_600_000);
    let mut again = desk.acceptance(lease, 1, 100);
    again.idempotency = super::key("daily", 2);
    let second = desk.accept(again.clone()).await.unwrap();
    assert!(!second.is_replayed());
    assert_ne!(second.into_inner().id, first.id);
    again.id = MessageId::mint(again.at);
    assert!(desk.accept(again).await.unwrap().is_replayed(), "the new request is remembered in its place");
}

#[tokio::test]
async fn deleting_a_tenant_takes_everything_along_that_waits() {
    let desk = Desk::new().await;
    let tenant = desk.tenant(100).await;
    let lease = desk.session(tenant).await;
    let waiting = desk.accepted(lease, 1).await;
    let under_way = desk.accepted(lease, 2).await;
    desk.claimed(lease, under_way.id).await;
    desk.stores().directory.delete_tenant(tenant, desk.clock.wall()).await.unwrap();
    assert!(!desk.stores().directory.snapshot().tenants.contains_key(&tenant));
    let scope = TenantScope::authenticated(tenant);
    assert_eq!(desk.stores().sessions.count(scope).await, Ok(0));
    let canceled = desk.message(&waiting).await;
    assert_eq!(
        (canceled.status, canceled.reason),
        (MessageStatus::Canceled, Some(MessageReason::SessionGone))
    );
    assert_eq!(desk.message(&under_way).await.status, MessageStatus::Sending);
    assert_eq!(desk.usage(tenant).await, (0, 1));
    assert_eq!(desk.stores().sweep.due(SystemScope, WallTime(i64::MAX)).await, Ok(vec![]));
}
