//! Stops 3 to 5: who is refused, in which order, and what an acceptance leaves behind.

use std::time::Duration;

use columba::domain::event::Change;
use columba::domain::id::SessionId;
use columba::domain::message::{Message, MessageStatus};
use columba::domain::plan::{Allowance, Quota};
use columba::domain::refusal::Code;
use columba::domain::scope::SystemScope;
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::store::Created;
use futures_util::future::join_all;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, code, idempotency, refusal};

contract!(
    an_accepted_message_waits_holds_its_place_and_is_told,
    a_foreign_a_deleted_and_an_absent_session_look_the_same,
    a_stored_answer_comes_before_every_later_refusal,
    refusals_come_in_their_order,
    a_replay_shows_the_message_as_it_was_accepted,
    a_key_is_one_tenants_and_is_forgotten_after_a_day,
    of_two_requests_with_one_key_at_once_one_is_a_replay,
    a_hard_quota_is_never_passed_however_many_ask_at_once,
    a_queue_takes_no_more_than_it_may_however_many_ask_at_once,
    what_is_not_metered_neither_counts_nor_is_refused,
    a_soft_quota_refuses_nothing,
    a_months_allowance_is_the_one_of_its_first_use,
);

async fn an_accepted_message_waits_holds_its_place_and_is_told(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut draft = stage.draft(ANN);
    draft.client_ref = Some("order 7".into());
    draft.send_at = Some(stage.in_secs(60));
    let asked = stage.asked(draft.clone());
    let expected =
        Message::accepted(asked.id, stage.tenant, stage.session, asked.wa_id.clone(), &draft, stage.now());

    assert_eq!(stage.outbox.accept(asked).await, Ok(Created::New(expected.clone())));
    assert_eq!(stage.message(expected.id).await, expected);
    assert_eq!(stage.usage().await, (0, 1));
    assert_eq!(stage.told(), [Change::Message(expected.id, MessageStatus::Queued)]);
    assert_eq!(stage.record().await.counters.queued, 1);
}

async fn a_foreign_a_deleted_and_an_absent_session_look_the_same(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (foreign, deleted) = (stage.stranger().await.session, stage.sibling().await.session);
    stage.sessions.delete(stage.scope(), deleted, stage.now()).await.unwrap();
    let absent = SessionId::mint(stage.now());
    let mut answers = vec![];
    for session in [foreign, deleted, absent] {
        let asked = Acceptance { session, idempotency: idempotency("k", 1), ..stage.asked(stage.draft(ANN)) };
        let foreseen = stage.outbox.foresee(stage.tenant, session, idempotency("k", 1), stage.now()).await;
        answers.push(refusal(foreseen));
        answers.push(refusal(stage.outbox.accept(asked).await));
    }
    assert_eq!(answers[0].code, Code::NotFound);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let first = Acceptance { idempotency: idempotency("k", 2), ..stage.asked(stage.draft(ANN)) };
    assert!(stage.outbox.accept(first).await.is_ok(), "a refusal uses up no key");
}

async fn a_stored_answer_comes_before_every_later_refusal(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let asked = Acceptance { idempotency: idempotency("k", 1), ..stage.asked(stage.draft(ANN)) };
    let first = stage.outbox.accept(asked.clone()).await.unwrap().into_inner();
    stage.settle(&stage.work(first.id).await, Outcome::Sent).await;
    stage.sessions.set_paired(stage.lease, false, stage.now()).await.unwrap();
    let mut again = Acceptance { id: stage.asked(stage.draft(ANN)).id, ..asked };
    again.terms.allowance.limit = 1;
    again.terms.caps.queue_max = 0;

    let foreseen = stage.outbox.foresee(stage.tenant, stage.session, idempotency("k", 1), stage.now()).await;
    assert_eq!(foreseen, Ok(Some(first.clone())));
    assert_eq!(stage.outbox.accept(again.clone()).await, Ok(Created::Replayed(first)));

    again.idempotency = idempotency("k", 2);
    let foreseen = stage.outbox.foresee(stage.tenant, stage.session, idempotency("k", 2), stage.now()).await;
    assert_eq!(code(foreseen), Code::IdempotencyMismatch);
    assert_eq!(code(stage.outbox.accept(again).await), Code::IdempotencyMismatch, "before session_not_ready");
}

async fn refusals_come_in_their_order(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut asked = stage.asked(stage.draft(ANN));
    asked.terms.allowance.limit = 0;
    asked.terms.caps.queue_max = 0;
    asked.idempotency = idempotency("k", 1);
    let foresee = || stage.outbox.foresee(stage.tenant, stage.session, idempotency("k", 1), stage.now());

    stage.sessions.set_paired(stage.lease, false, stage.now()).await.unwrap();
    assert_eq!(code(foresee().await), Code::SessionNotReady);
    assert_eq!(code(stage.outbox.accept(asked.clone()).await), Code::SessionNotReady);
    stage.sessions.set_paired(stage.lease, true, stage.now()).await.unwrap();
    assert_eq!(foresee().await, Ok(None), "what the judge says is not foreseen");
    assert_eq!(code(stage.outbox.accept(asked.clone()).await), Code::QuotaExceeded);
    asked.terms.allowance.limit = 10;
    assert_eq!(code(stage.outbox.accept(asked.clone()).await), Code::QueueFull);
    asked.terms.caps.queue_max = 1;
    assert_eq!((stage.usage().await, stage.told()), ((0, 0), vec![]), "a refusal leaves nothing");
    assert!(!stage.outbox.accept(asked).await.unwrap().is_replayed());
}

async fn a_replay_shows_the_message_as_it_was_accepted(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let asked = Acceptance { idempotency: idempotency("k", 1), ..stage.asked(stage.draft(ANN)) };
    let first = stage.outbox.accept(asked.clone()).await.unwrap().into_inner();
    stage.wait_secs(1);
    stage.settle(&stage.work(first.id).await, Outcome::Sent).await;
    stage.wait_secs(1);
    let before = (stage.message(first.id).await, stage.usage().await, stage.told().len());

    let again = Acceptance { id: stage.asked(stage.draft(ANN)).id, at: stage.now(), ..asked };
    assert_eq!(stage.outbox.accept(again).await, Ok(Created::Replayed(first.clone())));
    assert_eq!((stage.message(first.id).await, stage.usage().await, 3), before);
    assert_eq!(stage.told(), [], "nothing happened");
}

async fn a_key_is_one_tenants_and_is_forgotten_after_a_day(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let asked = Acceptance { idempotency: idempotency("k", 1), ..stage.asked(stage.draft(ANN)) };
    stage.outbox.accept(asked).await.unwrap();
    let theirs = stage.stranger().await;
    let asked = Acceptance {
        tenant: theirs.tenant,
        session: theirs.session,
        idempotency: idempotency("k", 2),
        ..stage.asked(stage.draft(ANN))
    };
    assert!(!stage.outbox.accept(asked).await.unwrap().is_replayed(), "another tenant's key is another key");

    let again = |fingerprint| {
        let draft = stage.draft(BOB);
        Acceptance { idempotency: idempotency("k", fingerprint), ..stage.asked(draft) }
    };
    stage.wait_secs(24 * 3600 - 1);
    while stage.sweep.forget(SystemScope, stage.now(), 100).await.unwrap() > 0 {}
    assert_eq!(code(stage.outbox.accept(again(2)).await), Code::IdempotencyMismatch);
    stage.wait_secs(2);
    while stage.sweep.forget(SystemScope, stage.now(), 100).await.unwrap() > 0 {}
    assert!(!stage.outbox.accept(again(2)).await.unwrap().is_replayed());
    assert!(stage.outbox.accept(again(2)).await.unwrap().is_replayed(), "and remembered anew");
}

async fn of_two_requests_with_one_key_at_once_one_is_a_replay(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let asked = || Acceptance { idempotency: idempotency("k", 1), ..stage.asked(stage.draft(ANN)) };
    let answers = join_all((0..4).map(|_| stage.outbox.accept(asked()))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.is_replayed()).count(), 1);
    let ids: Vec<_> = answers.into_iter().map(|answer| answer.into_inner().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(stage.usage().await, (0, 1));
}

async fn a_hard_quota_is_never_passed_however_many_ask_at_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.attempt(BOB, Outcome::Sent).await;
    let asked = || {
        let mut asked = stage.asked(stage.draft(ANN));
        asked.terms.caps.queue_max = 100;
        asked
    };
    let answers = join_all((0..20).map(|_| stage.outbox.accept(asked()))).await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((yes.len(), stage.usage().await), (9, (1, 9)), "ten, of which one was used");
    assert!(no.into_iter().all(|answer| code(answer) == Code::QuotaExceeded));
}

async fn a_queue_takes_no_more_than_it_may_however_many_ask_at_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let answers = join_all((0..8).map(|_| stage.outbox.accept(stage.asked(stage.draft(ANN))))).await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(yes.len(), 5);
    assert!(no.into_iter().all(|answer| code(answer) == Code::QueueFull));
    let sibling = stage.sibling().await;
    let asked = Acceptance { session: sibling.session, ..stage.asked(stage.draft(ANN)) };
    assert!(stage.outbox.accept(asked).await.is_ok(), "the queue is a session's");

    let first = yes.into_iter().next().unwrap().unwrap().into_inner().id;
    let work = stage.work(first).await;
    assert_eq!(code(stage.outbox.accept(stage.asked(stage.draft(ANN))).await), Code::QueueFull, "on its way");
    stage.settle(&work, Outcome::Sent).await;
    assert!(stage.outbox.accept(stage.asked(stage.draft(ANN))).await.is_ok(), "a place is free");
}

async fn what_is_not_metered_neither_counts_nor_is_refused(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut asked = stage.asked(stage.draft(ANN));
    asked.terms.metered = false;
    asked.terms.allowance.limit = 0;
    let message = stage.outbox.accept(asked).await.unwrap().into_inner();
    assert_eq!(stage.usage().await, (0, 0));
    stage.settle(&stage.work(message.id).await, Outcome::Sent).await;
    assert_eq!(stage.usage().await, (0, 0));
    assert_eq!(stage.record().await.counters.sent, 1, "it was sent all the same");
}

async fn a_soft_quota_refuses_nothing(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for _ in 0..3 {
        let mut asked = stage.asked(stage.draft(ANN));
        asked.terms.allowance = Allowance { limit: 1, quota: Quota::Soft };
        stage.outbox.accept(asked).await.unwrap();
    }
    assert_eq!(stage.usage().await, (0, 3));
}

async fn a_months_allowance_is_the_one_of_its_first_use(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.accept(ANN).await;
    let with_limit = |limit| {
        let mut asked = stage.asked(stage.draft(ANN));
        asked.terms.allowance.limit = limit;
        stage.outbox.accept(asked)
    };
    assert!(with_limit(1).await.is_ok(), "a new version of the plan waits for the next month");
    let usage = stage.messages.usage(stage.scope(), stage.terms().period).await.unwrap().unwrap();
    assert_eq!((usage.allowance.limit, usage.held, usage.queued), (10, 2, 2));

    let next_month = stage.terms().period.end.since(stage.now());
    stage.fixture.clock.advance(next_month + Duration::from_millis(1));
    assert_eq!(stage.messages.usage(stage.scope(), stage.terms().period).await, Ok(None));
    assert!(with_limit(1).await.is_ok());
    assert_eq!(code(with_limit(10).await), Code::QuotaExceeded);
}
