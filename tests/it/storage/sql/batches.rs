//! Calls that are made together share a commit, and still behave as if each came alone.

use std::collections::HashSet;

use columba::domain::message::MessageStatus;
use columba::domain::refusal::Code;
use columba::ports::outbox::{Claimed, Outcome, Settlement};
use columba::ports::store::{Created, StoreError, WriteError};
use futures_util::future::join_all;

use super::{Desk, key};

fn refused_with(answer: &Result<impl Sized, WriteError>) -> Option<Code> {
    match answer {
        Err(WriteError::Refused(refusal)) => Some(refusal.code),
        _ => None,
    }
}

#[tokio::test]
async fn a_quota_that_ends_inside_a_batch_is_not_passed() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(10).await).await;
    desk.sink.clear();
    let answers = join_all((0..30).map(|chat| desk.accept(desk.acceptance(lease, chat, 10)))).await;

    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers.iter().filter(|answer| refused_with(answer) == Some(Code::QuotaExceeded)).count();
    assert_eq!((accepted, refused), (10, 20));
    assert_eq!(desk.usage(lease.tenant).await, (0, 10));
    assert_eq!(desk.sink.commits().len(), 1, "one commit carried them all");
}

#[tokio::test]
async fn a_queue_that_fills_inside_a_batch_is_not_passed() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(1_000).await).await;
    let answers = join_all((0..9).map(|chat| {
        let mut acceptance = desk.acceptance(lease, chat, 1_000);
        acceptance.terms.caps.queue_max = 5;
        desk.accept(acceptance)
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    assert_eq!(answers.iter().filter(|answer| refused_with(answer) == Some(Code::QueueFull)).count(), 4);
}

#[tokio::test]
async fn the_second_request_of_a_batch_with_the_same_key_is_a_replay() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(10).await).await;
    desk.sink.clear();
    let asked = |fingerprint| {
        let mut acceptance = desk.acceptance(lease, 1, 10);
        acceptance.idempotency = key("same", fingerprint);
        acceptance
    };
    let mut answers = join_all([asked(1), asked(1), asked(2)].map(|one| desk.accept(one))).await;
    assert_eq!(desk.sink.commits().len(), 1, "one commit carried them all");
    assert_eq!(refused_with(&answers.pop().unwrap()), Some(Code::IdempotencyMismatch));
    let (second, first) = (answers.pop().unwrap().unwrap(), answers.pop().unwrap().unwrap());
    assert!(matches!(first, Created::New(_)) && second.is_replayed());
    assert_eq!(first.into_inner(), second.into_inner());
    assert_eq!(desk.usage(lease.tenant).await, (0, 1));
}

#[tokio::test]
async fn of_two_claims_in_one_chat_only_the_first_is_granted() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let (first, second) = (desk.accepted(lease, 1).await, desk.accepted(lease, 1).await);
    let elsewhere = desk.accepted(lease, 2).await;
    let claims = [&first, &second, &first, &elsewhere].map(|message| desk.claim(lease, message.id));
    let answers = join_all(claims.map(|claim| desk.stores().outbox.claim(claim))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(matches!(&answers[0], Claimed::Work(work) if work.message == first.id && work.number == 1));
    assert!(matches!(answers[1], Claimed::NotYet { .. }), "{:?}", answers[1]);
    assert_eq!(answers[2], Claimed::Gone, "it is under way already");
    assert!(matches!(&answers[3], Claimed::Work(work) if work.message == elsewhere.id));
}

#[tokio::test]
async fn a_settlement_opens_its_chat_for_a_claim_of_the_same_batch() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let (first, second) = (desk.accepted(lease, 1).await, desk.accepted(lease, 1).await);
    let work = desk.claimed(lease, first.id).await;
    let settlement = Settlement {
        tenant: lease.tenant,
        message: first.id,
        number: work.number,
        outcome: Outcome::Sent,
        at: work_time(&desk),
    };
    let outbox = &desk.stores().outbox;
    let (settled, claimed) =
        futures_util::join!(outbox.settle(settlement), outbox.claim(desk.claim(lease, second.id)));
    assert_eq!(settled, Ok(true));
    assert!(matches!(claimed, Ok(Claimed::Work(_))), "{claimed:?}");
    assert_eq!(outbox.settle(settlement).await, Ok(false), "a second time changes nothing");
}

fn work_time(desk: &Desk) -> columba::domain::time::WallTime {
    use columba::ports::clock::Clock as _;
    desk.clock.wall()
}

#[tokio::test]
async fn a_poisoned_row_fails_alone() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let stored = desk.accepted(lease, 1).await;
    let mut acceptances: Vec<_> = (0..21).map(|chat| desk.acceptance(lease, chat, 100)).collect();
    acceptances[13].id = stored.id;
    desk.sink.clear();
    let answers = join_all(acceptances.iter().cloned().map(|one| desk.accept(one))).await;
    for (place, answer) in answers.iter().enumerate() {
        match answer {
            Err(WriteError::Store(StoreError::Poisoned(_))) => assert_eq!(place, 13),
            answer => assert!(answer.is_ok() && place != 13, "{place}: {answer:?}"),
        }
    }
    assert_eq!(desk.usage(lease.tenant).await, (0, 21), "the one before, and twenty of these");
    let seqs: Vec<_> = desk.sink.events().iter().map(|event| event.seq).collect();
    assert!(seqs.is_sorted() && seqs.len() == 20 && seqs[19] - seqs[0] == 19, "no gap: {seqs:?}");
}

#[tokio::test]
async fn one_id_given_twice_in_a_batch_names_the_first() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let first = desk.acceptance(lease, 1, 100);
    let mut second = desk.acceptance(lease, 2, 100);
    second.id = first.id;
    let answers = join_all([first, second].map(|one| desk.accept(one))).await;
    assert!(answers[0].is_ok());
    assert!(matches!(answers[1], Err(WriteError::Store(StoreError::Poisoned(_)))), "{:?}", answers[1]);
    assert_eq!(desk.usage(lease.tenant).await, (0, 1));
}

#[tokio::test]
async fn whoever_leaves_before_the_answer_has_still_written() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let acceptance = desk.acceptance(lease, 1, 100);
    let mut leaving = Box::pin(desk.accept(acceptance));
    assert!(futures_util::poll!(&mut leaving).is_pending());
    drop(leaving);
    let after = desk.accepted(lease, 2).await;
    assert_eq!(desk.usage(lease.tenant).await, (0, 2));
    assert_eq!(after.status, MessageStatus::Queued);
}

#[tokio::test]
async fn many_batches_of_many_sessions_accept_every_message_once() {
    let desk = Desk::new().await;
    let mut leases = vec![];
    for _ in 0..20 {
        leases.push(desk.session(desk.tenant(1_000).await).await);
    }
    let asked = (0..1_000).map(|turn| desk.accept(desk.acceptance(leases[turn % 20], turn as u32, 1_000)));
    let ids: HashSet<_> = join_all(asked).await.into_iter().map(|one| one.unwrap().into_inner().id).collect();
    assert_eq!(ids.len(), 1_000);
    for lease in leases {
        assert_eq!(desk.usage(lease.tenant).await, (0, 50));
    }
}
