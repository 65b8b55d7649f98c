//! What a new owner does with the attempts of older ones.

use columba::domain::event::Change;
use columba::domain::message::{Delivery, MessageReason, MessageStatus as Status};
use columba::ports::outbox::{Outcome, Recovered};

use super::Fixture;
use super::stage::{ANN, BOB, Stage};

contract!(
    what_was_under_way_is_sent_again_or_becomes_unknown,
    an_attempt_of_its_own_is_not_recovered,
    recovering_twice_changes_nothing,
);

async fn what_was_under_way_is_sent_again_or_becomes_unknown(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let mut begun = vec![];
    // What it may cost, when it expires after the attempt, how long ago that was, and what becomes of it.
    let (again, once) = (Delivery::AtLeastOnce, Delivery::AtMostOnce);
    let table = [
        (again, 3600, 599, Status::Queued),
        (again, 3600, 601, Status::Unknown),
        (once, 3600, 1, Status::Unknown),
        (again, 30, 31, Status::Unknown),
        (again, 3600, 1, Status::Queued),
    ];
    let mut by_age = table;
    by_age.sort_by_key(|(_, _, ago, _)| std::cmp::Reverse(*ago));
    let oldest = by_age[0].2;
    let mut waited = 0;
    for (at, (delivery, expires_in, ago, expected)) in by_age.into_iter().enumerate() {
        stage.wait_secs(oldest - ago - waited);
        waited = oldest - ago;
        let mut draft = stage.draft(&format!("+1555123100{at}"));
        draft.delivery = delivery;
        draft.expires_at = stage.in_secs(expires_in);
        let message = stage.accept_draft(draft).await;
        let work = stage.work(message.id).await;
        begun.push((work, expected));
    }
    stage.wait_secs(oldest - waited);
    stage.take_over().await;
    stage.told();

    let recovered = stage.outbox.recover(stage.lease, stage.now()).await;
    assert_eq!(recovered, Ok(Recovered { requeued: 2, unknown: 3 }));
    for (work, expected) in &begun {
        let now = stage.message(work.message).await;
        assert_eq!((now.status, now.attempts), (*expected, 1), "{now:?}");
        if *expected == Status::Unknown {
            assert_eq!(now.reason, Some(MessageReason::Interrupted));
        }
        assert!(!stage.settle(work, Outcome::Sent).await, "too late to settle");
    }
    assert_eq!(stage.usage().await, (0, 5), "every hold stays");
    let mut told: Vec<_> =
        begun.iter().map(|(work, status)| Change::Message(work.message, *status)).collect();
    told.sort_by_key(Change::message);
    let mut heard = stage.told();
    heard.sort_by_key(Change::message);
    assert_eq!(heard, told);

    let (first, _) = begun.iter().find(|(_, status)| *status == Status::Queued).unwrap();
    let second = stage.work(first.message).await;
    assert_eq!((second.number, &second.wa_id), (2, &first.wa_id), "the same id on the network");
}

async fn an_attempt_of_its_own_is_not_recovered(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let left = stage.accept(ANN).await;
    stage.work(left.id).await;
    stage.take_over().await;
    let own = stage.accept(BOB).await;
    let work = stage.work(own.id).await;
    let recovered = stage.outbox.recover(stage.lease, stage.now()).await;
    assert_eq!(recovered, Ok(Recovered { requeued: 1, unknown: 0 }));
    assert_eq!(stage.status(own.id).await, Status::Sending);
    assert!(stage.settle(&work, Outcome::Sent).await);
}

async fn recovering_twice_changes_nothing(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    stage.work(message.id).await;
    stage.take_over().await;
    stage.outbox.recover(stage.lease, stage.now()).await.unwrap();
    stage.told();
    assert_eq!(stage.outbox.recover(stage.lease, stage.now()).await, Ok(Recovered::default()));
    assert_eq!(stage.told(), []);
}
