//! Stop 7: which message may leave, when, and as whose.

use std::collections::HashMap;
use std::time::Duration;

use columba::domain::event::Change;
use columba::domain::id::MessageId;
use columba::domain::message::{MessageReason, MessageStatus, ReceiptKind};
use columba::domain::session::{Restriction, RestrictionKind, SessionStatus, Standing};
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Claim, Claimed, Outcome, Pending, Position, Work};
use columba::ports::sessions::StatusChange;
use columba::ports::store::StoreError;
use futures_util::future::join_all;

use super::Fixture;
use super::stage::{ANN, BOB, Stage};

contract!(
    a_claim_begins_an_attempt_and_hands_over_what_to_send,
    an_older_owner_is_fenced_from_everything_that_is_an_owners,
    what_no_longer_waits_is_gone_and_costs_no_attempt,
    what_is_not_due_is_not_claimed_before,
    a_chat_has_one_message_under_way,
    a_chat_keeps_the_order_of_acceptance,
    of_claims_at_once_one_gets_the_work,
    a_timelock_holds_new_chats_and_lets_replies_go,
    what_waits_is_listed_in_the_order_of_acceptance_and_in_pages,
    the_log_of_attempts_looks_back_a_span_and_not_past_a_boot,
    attempts_are_counted_per_session_and_summed_per_tenant,
);

async fn a_claim_begins_an_attempt_and_hands_over_what_to_send(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    stage.told();
    stage.wait_secs(1);
    let expected = Work {
        lease: stage.lease,
        message: message.id,
        number: 1,
        wa_id: message.wa_id.clone(),
        to: message.chat.clone(),
        content: message.content.clone(),
        reply_to: None,
        referred: None,
        delivery: message.delivery,
        claimed_at: stage.fixture.clock.now(),
    };
    assert_eq!(stage.claim(message.id).await, Claimed::Work(expected));
    let now = stage.message(message.id).await;
    assert_eq!((now.status, now.attempts), (MessageStatus::Sending, 1));
    assert_eq!(now.times.get("sending"), Some(&stage.now()));
    assert_eq!(now.times.get("queued"), message.times.get("queued"));
    assert_eq!(stage.told(), [Change::Message(message.id, MessageStatus::Sending)]);
    assert_eq!(stage.usage().await, (0, 1), "an attempt is no charge");
}

async fn an_older_owner_is_fenced_from_everything_that_is_an_owners(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let (waits, leaves) = (stage.accept(ANN).await, stage.accept(BOB).await);
    stage.work(leaves.id).await;
    let (at, old) = (stage.fixture.clock.read(), stage.take_over().await);
    assert!(stage.lease.epoch > old.epoch);
    stage.told();

    let fenced = StoreError::Fenced;
    let claim = Claim { lease: old, message: waits.id, at, lock: None, approach: None };
    assert_eq!(stage.outbox.claim(claim).await, Err(fenced.clone()));
    assert_eq!(stage.outbox.give_back(old, leaves.id, 1).await, Err(fenced.clone()));
    assert_eq!(stage.outbox.recover(old, at.wall).await, Err(fenced.clone()));
    let change = StatusChange { status: SessionStatus::Connected, reason: None, code: None, since: at.wall };
    assert_eq!(stage.sessions.announce(old, change).await, Err(fenced.clone()));
    assert_eq!(stage.sessions.set_paired(old, false, at.wall).await, Err(fenced.clone()));
    assert_eq!(stage.sessions.remember(old, Standing::default()).await, Err(fenced.clone()));
    assert_eq!(stage.sessions.count_reconnect(old).await, Err(fenced));

    assert_eq!(stage.status(waits.id).await, MessageStatus::Queued);
    assert_eq!(stage.status(leaves.id).await, MessageStatus::Sending);
    let record = stage.record().await;
    assert_eq!((record.paired, record.status, record.counters.reconnects), (true, SessionStatus::Stopped, 0));
    assert_eq!(stage.told(), []);
    assert_eq!(stage.work(waits.id).await.lease, stage.lease, "the new owner may");
}

async fn what_no_longer_waits_is_gone_and_costs_no_attempt(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut draft = stage.draft(ANN);
    draft.expires_at = stage.in_secs(60);
    let expired = stage.accept_draft(draft).await;
    let canceled = stage.accept(ANN).await;
    stage.messages.cancel(stage.scope(), canceled.id, stage.now()).await.unwrap();
    let arrived = stage.accept(ANN).await;
    stage.receipt(&arrived, ReceiptKind::Delivered).await;
    let absent = MessageId::mint(stage.now());
    stage.wait_secs(60);
    for id in [expired.id, canceled.id, arrived.id, absent] {
        assert_eq!(stage.claim(id).await, Claimed::Gone);
    }
    let memory = stage.outbox.recall(stage.session, stage.fixture.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, Some(vec![]));
    assert_eq!(stage.message(canceled.id).await.attempts, 0);
    assert_ne!(stage.status(expired.id).await, MessageStatus::Sending);
}

async fn what_is_not_due_is_not_claimed_before(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut draft = stage.draft(ANN);
    let send_at = stage.in_secs(60);
    draft.send_at = Some(send_at);
    let later = stage.accept_draft(draft).await;
    assert_eq!(stage.claim(later.id).await, Claimed::NotYet { until: send_at });
    stage.wait_secs(60);
    let work = stage.work(later.id).await;
    let not_before = stage.in_secs(5);
    stage.settle(&work, Outcome::Retry { not_before, reason: MessageReason::Throttled }).await;
    assert_eq!(stage.claim(later.id).await, Claimed::NotYet { until: not_before });
    stage.wait_secs(5);
    assert_eq!(stage.work(later.id).await.number, 2);
}

async fn a_chat_has_one_message_under_way(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (first, second, other) = (stage.accept(ANN).await, stage.accept(ANN).await, stage.accept(BOB).await);
    let work = stage.work(first.id).await;
    assert!(matches!(stage.claim(second.id).await, Claimed::NotYet { until } if until > stage.now()));
    stage.work(other.id).await;
    stage.settle(&work, Outcome::Sent).await;
    stage.wait_secs(1);
    assert_eq!(stage.work(second.id).await.number, 1, "the attempt that was refused does not count");
}

async fn a_chat_keeps_the_order_of_acceptance(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut draft = stage.draft(ANN);
    draft.send_at = Some(stage.in_secs(3600));
    stage.accept_draft(draft).await;
    let mut draft = stage.draft(ANN);
    draft.expires_at = stage.in_secs(1);
    stage.accept_draft(draft).await;
    stage.wait_secs(1);
    let (first, second) = (stage.accept(ANN).await, stage.accept(ANN).await);
    assert!(matches!(stage.claim(second.id).await, Claimed::NotYet { .. }), "the first waits");
    let work = stage.work(first.id).await; // neither the scheduled nor the expired one stands before it
    let not_before = stage.in_secs(30);
    stage.settle(&work, Outcome::Retry { not_before, reason: MessageReason::Throttled }).await;
    stage.wait_secs(1);
    assert!(matches!(stage.claim(second.id).await, Claimed::NotYet { .. }), "the first rests");
    stage.wait_secs(29);
    let work = stage.work(first.id).await;
    stage.settle(&work, Outcome::Failed(MessageReason::Refused)).await;
    stage.wait_secs(1);
    stage.work(second.id).await;
}

async fn of_claims_at_once_one_gets_the_work(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (first, second) = (stage.accept(ANN).await, stage.accept(ANN).await);
    let claims = [first.id, second.id, first.id, second.id].map(|id| stage.claim(id));
    let answers = join_all(claims).await;
    let working = answers.iter().filter(|answer| matches!(answer, Claimed::Work(_)));
    assert_eq!(working.count(), 1, "{answers:?}");
    assert_eq!(stage.status(first.id).await, MessageStatus::Sending);
    assert_eq!(stage.message(second.id).await.attempts, 0);
}

async fn a_timelock_holds_new_chats_and_lets_replies_go(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.outbox.inbound(stage.lease, stage.heard(BOB, "IN1")).await.unwrap();
    let (cold, reply) = (stage.accept(ANN).await, stage.accept(BOB).await);
    stage.told();
    let until = stage.in_secs(60);
    let claim = |message, until: Option<WallTime>| {
        let at = stage.fixture.clock.read();
        let lock = until.map(|until| Restriction { kind: RestrictionKind::Timelock, until });
        stage.outbox.claim(Claim { lease: stage.lease, message, at, lock, approach: None })
    };
    assert!(matches!(claim(reply.id, Some(until)).await, Ok(Claimed::Work(_))));
    assert_eq!(claim(cold.id, Some(until)).await, Ok(Claimed::NotYet { until }));
    let held = stage.message(cold.id).await;
    assert_eq!((held.status, held.reason), (MessageStatus::Held, Some(MessageReason::Timelock)));
    assert_eq!(held.attempts, 0);
    assert_eq!(stage.usage().await, (0, 2), "it keeps its place in the month");
    assert_eq!(
        stage.told(),
        [Change::Message(reply.id, MessageStatus::Sending), Change::Message(cold.id, MessageStatus::Held),]
    );
    assert_eq!(claim(cold.id, None).await, Ok(Claimed::NotYet { until }), "it is not due");
    stage.wait_secs(60);
    assert!(matches!(claim(cold.id, Some(until)).await, Ok(Claimed::Work(_))), "the lock has ended");
    assert_eq!(stage.message(cold.id).await.reason, None);
}

async fn what_waits_is_listed_in_the_order_of_acceptance_and_in_pages(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let mut scheduled = stage.draft(BOB);
    scheduled.send_at = Some(stage.in_secs(600));
    let scheduled = stage.accept_draft(scheduled).await;
    let (left, waits) = (stage.accept(ANN).await, stage.accept(BOB).await);
    let canceled = stage.accept(BOB).await;
    stage.messages.cancel(stage.scope(), canceled.id, stage.now()).await.unwrap();
    stage.work(left.id).await;
    stage.take_over().await;

    let all = stage.outbox.pending(stage.lease, Position::default(), 10).await.unwrap();
    let shape = |row: &Pending| (row.message, row.status, row.attempts, row.scheduled);
    assert_eq!(
        all.iter().map(shape).collect::<Vec<_>>(),
        [
            (scheduled.id, MessageStatus::Queued, 0, true),
            (left.id, MessageStatus::Sending, 1, false),
            (waits.id, MessageStatus::Queued, 0, false),
        ]
    );
    assert_eq!(all[0].not_before, scheduled.send_at.unwrap());
    assert!(all[2].not_before <= stage.now());
    assert_eq!(all[1].chat, left.chat);

    let (mut paged, mut after) = (vec![], Position::default());
    while let [row] = &stage.outbox.pending(stage.lease, after, 1).await.unwrap()[..] {
        assert!(row.position > after);
        after = row.position;
        paged.push(row.clone());
    }
    assert_eq!(paged, all);
    stage.wait_secs(600);
    let due = stage.outbox.pending(stage.lease, Position::default(), 1).await.unwrap();
    assert!(!due[0].scheduled, "its time has come");
}

async fn the_log_of_attempts_looks_back_a_span_and_not_past_a_boot(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let clock = &stage.fixture.clock;
    let attempts = || async { stage.outbox.recall(stage.session, clock.read()).await.unwrap().attempts };
    let work = stage.attempt(ANN, Outcome::Sent).await;
    let first = clock.now();
    assert_eq!(work.attempts, 1);
    assert_eq!(attempts().await, Some(vec![first]));
    clock.advance(Duration::from_secs(60));
    assert_eq!(attempts().await, Some(vec![first]));
    clock.advance(Duration::from_secs(2));
    assert_eq!(attempts().await, Some(vec![]));

    // Every owner before this one is fenced, so the next attempt is made by a new one.
    let lease = stage.outbox.recall(stage.session, clock.read()).await.unwrap().lease;
    let message = stage.accept(BOB).await;
    let claim = Claim { lease, message: message.id, at: clock.read(), lock: None, approach: None };
    assert!(matches!(stage.outbox.claim(claim).await, Ok(Claimed::Work(_))));
    clock.reboot(Duration::from_secs(10));
    assert_eq!(attempts().await, None, "how long ago it was cannot be told");
    assert_eq!(stage.outbox.tenant_attempts(stage.tenant, clock.read()).await, Ok(None));
    clock.advance(Duration::from_secs(62));
    assert_eq!(attempts().await, Some(vec![]), "longer ago than this boot");
}

async fn attempts_are_counted_per_session_and_summed_per_tenant(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let clock = stage.fixture.clock.clone();
    let since = stage.now();
    stage.attempt(ANN, Outcome::Sent).await;
    let first = clock.now();
    stage.wait_secs(10);
    stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await;
    let (mine, sibling, stranger) = (stage.lease, stage.sibling().await, stage.stranger().await);
    for lease in [sibling, stranger] {
        (stage.tenant, stage.session, stage.lease) = (lease.tenant, lease.session, lease);
        stage.attempt(ANN, Outcome::Sent).await;
    }
    (stage.tenant, stage.session, stage.lease) = (mine.tenant, mine.session, mine);

    let mut sum = stage.outbox.tenant_attempts(stage.tenant, clock.read()).await.unwrap().unwrap();
    sum.sort();
    assert_eq!(sum, [first, clock.now(), clock.now()]);
    for (since, expected) in [(since, [2, 1]), (since + Duration::from_secs(5), [1, 1])] {
        let counts = stage.messages.attempts_since(stage.scope(), since).await.unwrap();
        let counts: HashMap<_, _> = counts.into_iter().collect();
        let own = [mine, sibling].map(|lease| counts.get(&lease.session).copied().unwrap_or(0));
        assert_eq!((own, counts.get(&stranger.session)), (expected, None));
    }
}
