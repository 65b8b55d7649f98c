//! Stop 9: what becomes of an attempt, and what receipts prove.

use columba::domain::event::Change;
use columba::domain::message::{Message, MessageReason, MessageStatus as Status, ReceiptKind, WaId};
use columba::domain::scope::SystemScope;
use columba::ports::outbox::{Outcome, Receipt, Settlement};
use strum::IntoEnumIterator as _;

use super::stage::{ANN, BOB, Stage};
use super::{BACKENDS, Fixture};

contract!(
    every_outcome_writes_its_status_moves_the_hold_and_is_told,
    an_attempt_is_settled_once_and_by_its_own_number,
    whoever_sent_may_settle_even_when_fenced,
    what_is_tried_again_is_another_attempt,
    what_was_given_back_waits_again_and_has_used_its_slot,
    a_receipt_overtakes_the_settlement,
    a_receipt_of_somebody_elses_message_changes_nothing,
    a_late_receipt_charges_what_was_released,
);

async fn every_outcome_writes_its_status_moves_the_hold_and_is_told(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let later = stage.in_secs(60);
    let throttled = Outcome::Retry { not_before: later, reason: MessageReason::Throttled };
    let locked = Outcome::Held { until: later, reason: MessageReason::Timelock };
    let table = [
        (Outcome::Sent, Status::Sent, None, (1, 0)),
        (
            Outcome::Failed(MessageReason::NotOnWhatsapp),
            Status::Failed,
            Some(MessageReason::NotOnWhatsapp),
            (0, 0),
        ),
        (throttled, Status::Queued, Some(MessageReason::Throttled), (0, 1)),
        (locked, Status::Held, Some(MessageReason::Timelock), (0, 1)),
        (Outcome::Dead, Status::Dead, Some(MessageReason::AttemptsExhausted), (0, 0)),
        (Outcome::Unknown(MessageReason::NoAck), Status::Unknown, Some(MessageReason::NoAck), (0, 1)),
    ];
    for (at, (outcome, status, reason, (used, held))) in table.into_iter().enumerate() {
        let before = stage.usage().await;
        let message = stage.accept(&format!("+1555123100{at}")).await;
        let work = stage.work(message.id).await;
        stage.wait_secs(1);
        stage.told();
        assert!(stage.settle(&work, outcome).await, "{outcome:?}");
        let now = stage.message(message.id).await;
        assert_eq!((now.status, now.reason, now.attempts), (status, reason, 1), "{outcome:?}");
        let reached = if status == Status::Queued { message.times["queued"] } else { stage.now() };
        assert_eq!(now.times.get(<&str>::from(status)), Some(&reached), "first time, {outcome:?}");
        assert_eq!(stage.usage().await, (before.0 + used, before.1 + held), "{outcome:?}");
        assert_eq!(stage.told(), [Change::Message(message.id, status)], "{outcome:?}");
    }
    let counters = stage.record().await.counters;
    assert_eq!((counters.queued, counters.sent, counters.failed), (2, 1, 2));
}

async fn an_attempt_is_settled_once_and_by_its_own_number(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let (tenant, message, at) = (stage.tenant, message.id, stage.now());
    let sent = Settlement { tenant, message, number: 1, outcome: Outcome::Sent, at };
    assert_eq!(stage.outbox.settle(sent).await, Ok(false), "nothing was attempted");
    stage.work(message).await;
    stage.told();
    let stranger = stage.stranger().await;
    stage.told();
    for wrong in [
        Settlement { number: 2, ..sent },
        Settlement { number: 0, ..sent },
        Settlement { tenant: stranger.tenant, ..sent },
    ] {
        assert_eq!(stage.outbox.settle(wrong).await, Ok(false), "{wrong:?}");
        assert_eq!(stage.status(message).await, Status::Sending);
    }
    assert_eq!(stage.outbox.settle(sent).await, Ok(true));
    for outcome in [Outcome::Sent, Outcome::Dead, Outcome::Unknown(MessageReason::NoAck)] {
        assert_eq!(stage.outbox.settle(Settlement { outcome, ..sent }).await, Ok(false), "{outcome:?}");
    }
    assert_eq!((stage.status(message).await, stage.usage().await), (Status::Sent, (1, 0)));
    assert_eq!(stage.told(), [Change::Message(message, Status::Sent)]);
}

async fn whoever_sent_may_settle_even_when_fenced(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let work = stage.work(message.id).await;
    stage.take_over().await;
    assert!(stage.settle(&work, Outcome::Sent).await);
    assert_eq!(stage.status(message.id).await, Status::Sent);
}

async fn what_is_tried_again_is_another_attempt(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let first = stage.work(message.id).await;
    let again = Outcome::Retry { not_before: stage.now(), reason: MessageReason::ServerUnavailable };
    stage.settle(&first, again).await;
    let second = stage.work(message.id).await;
    assert_eq!((second.number, &second.wa_id), (2, &first.wa_id), "the id on the network stays");
    assert!(!stage.settle(&first, Outcome::Dead).await, "the first is settled");
    assert!(stage.settle(&second, Outcome::Sent).await);
    let now = stage.message(message.id).await;
    assert_eq!((now.status, now.reason, now.attempts), (Status::Sent, None, 2));
    assert_eq!(stage.usage().await, (1, 0), "a message is charged once");
}

async fn what_was_given_back_waits_again_and_has_used_its_slot(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let work = stage.work(message.id).await;
    stage.told();
    for _ in 0..2 {
        assert_eq!(stage.outbox.give_back(stage.lease, message.id, work.number).await, Ok(()));
        assert_eq!(stage.status(message.id).await, Status::Queued);
    }
    assert_eq!(stage.told(), [Change::Message(message.id, Status::Queued)]);
    assert!(!stage.settle(&work, Outcome::Sent).await, "there is no attempt any more");
    let again = stage.work(message.id).await;
    assert_eq!(stage.outbox.give_back(stage.lease, message.id, work.number).await, Ok(()));
    assert_eq!(stage.status(message.id).await, Status::Sending, "the second attempt is another");
    assert!(stage.settle(&again, Outcome::Sent).await);
    assert_eq!(stage.outbox.give_back(stage.lease, message.id, again.number).await, Ok(()));
    assert_eq!(stage.status(message.id).await, Status::Sent, "what was settled stays");
    stage.take_over().await;
    let at = columba::ports::clock::Clock::read(&*stage.fixture.clock);
    assert_eq!(stage.outbox.tenant_attempts(stage.tenant, at).await.unwrap().unwrap().len(), 2);
}

/// A message that has come to `status` in the way it would.
async fn brought_to(stage: &Stage, status: Status) -> Message {
    let again = |not_before| Outcome::Retry { not_before, reason: MessageReason::Throttled };
    let locked = |until| Outcome::Held { until, reason: MessageReason::Timelock };
    let later = stage.in_secs(600);
    match status {
        Status::Queued => stage.attempt(ANN, again(later)).await,
        Status::Held => stage.attempt(ANN, locked(later)).await,
        Status::Sending => {
            let message = stage.accept(ANN).await;
            stage.work(message.id).await;
            stage.message(message.id).await
        }
        Status::Sent => stage.attempt(ANN, Outcome::Sent).await,
        Status::Delivered | Status::Read => {
            let message = stage.attempt(ANN, Outcome::Sent).await;
            let kind = if status == Status::Read { ReceiptKind::Read } else { ReceiptKind::Delivered };
            assert!(stage.receipt(&message, kind).await);
            stage.message(message.id).await
        }
        Status::Failed => stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await,
        Status::Unknown => stage.attempt(ANN, Outcome::Unknown(MessageReason::NoAck)).await,
        Status::Dead => stage.attempt(ANN, Outcome::Dead).await,
        Status::Canceled => {
            let message = stage.attempt(ANN, again(later)).await;
            stage.messages.cancel(stage.scope(), message.id, stage.now()).await.unwrap()
        }
        Status::Expired => {
            let message = stage.attempt(ANN, again(later)).await;
            let end = message.expires_at.unwrap();
            assert_eq!(stage.sweep.expire(SystemScope, end, 10).await, Ok(1));
            stage.message(message.id).await
        }
        Status::Received => unreachable!("it came in"),
    }
}

#[rstest::rstest]
#[tokio::test]
async fn a_receipt_raises_and_proves_sent_and_never_revives(
    #[values(ReceiptKind::Server, ReceiptKind::Delivered, ReceiptKind::Read)] kind: ReceiptKind,
) {
    for backend in BACKENDS {
        for status in Status::iter().filter(|status| *status != Status::Received) {
            let stage = Stage::on(Fixture::of(backend).await).await;
            let message = brought_to(&stage, status).await;
            assert_eq!(message.status, status);
            let before = (stage.usage().await, stage.record().await.counters);
            stage.wait_secs(1);
            stage.told();
            let expected = status.after_receipt(kind);
            let case = format!("{status} after {kind:?} on {backend:?}");

            assert_eq!(stage.receipt(&message, kind).await, expected.is_some(), "{case}");
            let now = stage.message(message.id).await;
            let Some(expected) = expected else {
                assert_eq!(now, message, "{case}");
                assert_eq!((stage.usage().await, stage.record().await.counters), before, "{case}");
                assert_eq!(stage.told(), [], "{case}");
                continue;
            };
            assert_eq!((now.status, now.reason), (expected, None), "{case}");
            assert_eq!(now.times.get(<&str>::from(expected)), Some(&stage.now()), "{case}");
            assert!(now.times.contains_key("sent"), "who has it got it from the server: {case}");
            assert_eq!(stage.usage().await, (1, 0), "{case}");
            assert_eq!(stage.told(), [Change::Message(message.id, expected)], "{case}");
            let counters = stage.record().await.counters;
            assert_eq!((counters.queued, counters.sent), (0, 1), "{case}");
            assert!(!stage.receipt(&message, kind).await, "twice is once: {case}");
        }
    }
}

async fn a_receipt_overtakes_the_settlement(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let work = stage.work(message.id).await;
    assert!(stage.receipt(&message, ReceiptKind::Read).await);
    for outcome in [Outcome::Unknown(MessageReason::NoAck), Outcome::Sent] {
        assert!(!stage.settle(&work, outcome).await, "{outcome:?}");
    }
    assert_eq!((stage.status(message.id).await, stage.usage().await), (Status::Read, (1, 0)));
}

async fn a_receipt_of_somebody_elses_message_changes_nothing(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.attempt(ANN, Outcome::Sent).await;
    stage.outbox.inbound(stage.lease, stage.heard(BOB, "IN1")).await.unwrap();
    let (sibling, stranger) = (stage.sibling().await, stage.stranger().await);
    let read = |wa_id: &WaId| Receipt { wa_id: wa_id.clone(), kind: ReceiptKind::Read, at: stage.now() };
    for (lease, wa_id) in [
        (sibling, message.wa_id.clone()),
        (stranger, message.wa_id.clone()),
        (stage.lease, WaId("nobody's".into())),
        (stage.lease, WaId("IN1".into())),
    ] {
        assert_eq!(stage.outbox.receipt(lease, read(&wa_id)).await, Ok(false), "{wa_id:?}");
    }
    assert_eq!(stage.status(message.id).await, Status::Sent);
}

async fn a_late_receipt_charges_what_was_released(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let message = stage.attempt(ANN, Outcome::Unknown(MessageReason::NoAck)).await;
    let first_month = stage.terms().period;
    stage.wait_secs(24 * 3600 + 1);
    assert_eq!(stage.sweep.release(SystemScope, stage.now(), 10).await, Ok(1));
    assert_eq!(stage.usage().await, (0, 0));
    let old = stage.take_over().await;
    stage.wait_secs(30 * 24 * 3600);
    assert_ne!(stage.terms().period, first_month);

    let receipt = Receipt { wa_id: message.wa_id.clone(), kind: ReceiptKind::Delivered, at: stage.now() };
    assert_eq!(stage.outbox.receipt(old, receipt).await, Ok(true), "true whoever reports it");
    assert_eq!(stage.usage().await, (0, 0), "not this month's");
    let usage = stage.messages.usage(stage.scope(), first_month).await.unwrap().unwrap();
    assert_eq!((usage.used, usage.held), (1, 0), "it counts to the month it was accepted in");
}
