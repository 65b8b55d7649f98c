//! Reading messages and taking them back.

use columba::domain::event::Change;
use columba::domain::id::{MessageId, SessionId};
use columba::domain::message::{Direction, MessageReason, MessageStatus as Status};
use columba::domain::page::Page;
use columba::domain::refusal::Code;
use columba::domain::scope::TenantScope;
use columba::domain::time::{Period, WallTime};
use columba::ports::messages::MessageFilter;
use columba::ports::outbox::{Acceptance, Outcome, Terms};

use super::Fixture;
use super::stage::{ANN, BOB, Stage, chat, code};

contract!(
    a_foreign_message_is_absent_from_every_answer,
    pages_run_from_the_newest_and_hold_every_message_once,
    every_filter_narrows_and_they_narrow_together,
    a_message_is_taken_back_while_it_waits_and_not_after,
    taking_back_a_queue_leaves_what_is_under_way_and_what_is_anothers,
    what_each_session_did_is_counted_by_day,
);

async fn a_foreign_message_is_absent_from_every_answer(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let message = stage.accept(ANN).await;
    let other = TenantScope::authenticated(stage.stranger().await.tenant);
    let everything = Page { limit: 200, before: None };
    assert_eq!(stage.messages.get(other, message.id).await, Ok(None));
    let list = stage.messages.list(other, MessageFilter::default(), everything).await.unwrap();
    assert_eq!((list.rows, list.has_more), (vec![], false));
    let by_session = MessageFilter { session: Some(stage.session), ..Default::default() };
    assert_eq!(stage.messages.list(other, by_session, everything).await.unwrap().rows, []);
    assert_eq!(code(stage.messages.cancel(other, message.id, stage.now()).await), Code::NotFound);
    assert_eq!(code(stage.messages.cancel_all(other, stage.session, stage.now()).await), Code::NotFound);
    assert_eq!(stage.messages.usage(other, stage.terms().period).await, Ok(None));
    assert_eq!(stage.status(message.id).await, Status::Queued);
}

async fn pages_run_from_the_newest_and_hold_every_message_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let mut expected = vec![];
    for at in 0..9 {
        let session = if at % 2 == 0 { stage.session } else { sibling.session };
        let asked = Acceptance { session, ..stage.asked(stage.draft(ANN)) };
        expected.push(stage.outbox.accept(asked).await.unwrap().into_inner());
    }
    expected.reverse();
    for limit in [1, 2, 4, 8, 9, 10, 200] {
        let (mut seen, mut before) = (vec![], None);
        loop {
            let page = Page { limit, before };
            let slice = stage.messages.list(stage.scope(), MessageFilter::default(), page).await.unwrap();
            assert!(slice.rows.len() <= limit as usize);
            before = slice.rows.last().map(|message| message.id.uuid());
            seen.extend(slice.rows);
            if !slice.has_more {
                break;
            }
        }
        assert_eq!(seen, expected, "in pages of {limit}");
    }
}

async fn every_filter_narrows_and_they_narrow_together(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let mut draft = stage.draft(ANN);
    draft.client_ref = Some("r1".into());
    let asked = Acceptance { session: sibling.session, ..stage.asked(draft) };
    let elsewhere = stage.outbox.accept(asked).await.unwrap().into_inner().id;
    let sent = stage.attempt(ANN, Outcome::Sent).await.id;
    let waits = stage.accept(BOB).await.id;
    let heard = stage.heard(ANN, "IN1");
    stage.outbox.inbound(stage.lease, heard.clone()).await.unwrap();

    let any = MessageFilter::default;
    let here = MessageFilter { session: Some(stage.session), ..any() };
    for (filter, mut expected) in [
        (any(), vec![elsewhere, sent, waits, heard.id]),
        (here.clone(), vec![sent, waits, heard.id]),
        (MessageFilter { chat: Some(chat(ANN)), ..any() }, vec![elsewhere, sent, heard.id]),
        (MessageFilter { status: Some(Status::Queued), ..any() }, vec![elsewhere, waits]),
        (MessageFilter { status: Some(Status::Received), ..any() }, vec![heard.id]),
        (MessageFilter { direction: Some(Direction::Out), ..any() }, vec![elsewhere, sent, waits]),
        (MessageFilter { direction: Some(Direction::In), ..any() }, vec![heard.id]),
        (MessageFilter { client_ref: Some("r1".into()), ..any() }, vec![elsewhere]),
        (MessageFilter { client_ref: Some("r1".into()), ..here.clone() }, vec![]),
        (MessageFilter { chat: Some(chat(ANN)), direction: Some(Direction::Out), ..here }, vec![sent]),
    ] {
        let page = Page { limit: 200, before: None };
        let found = stage.messages.list(stage.scope(), filter.clone(), page).await.unwrap();
        expected.sort_by(|a, b| b.cmp(a));
        let found: Vec<_> = found.rows.iter().map(|message| message.id).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn a_message_is_taken_back_while_it_waits_and_not_after(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let cancel = |id| stage.messages.cancel(stage.scope(), id, stage.now());
    let queued = stage.accept(ANN).await.id;
    let locked = Outcome::Held { until: stage.in_secs(60), reason: MessageReason::Timelock };
    let held = stage.attempt(BOB, locked).await.id;
    stage.wait_secs(1);
    for id in [queued, held] {
        stage.told();
        let canceled = cancel(id).await.unwrap();
        assert_eq!((canceled.status, canceled.reason), (Status::Canceled, Some(MessageReason::Requested)));
        assert_eq!(canceled.times.get("canceled"), Some(&stage.now()));
        assert_eq!(stage.message(id).await, canceled);
        assert_eq!(cancel(id).await, Ok(canceled), "once more is the same");
        assert_eq!(stage.told(), [Change::Message(id, Status::Canceled)]);
    }
    assert_eq!(stage.usage().await, (0, 0));
    assert_eq!(stage.record().await.counters.queued, 0);

    let sending = stage.accept(ANN).await.id;
    let work = stage.work(sending).await;
    assert_eq!(code(cancel(sending).await), Code::Conflict);
    stage.settle(&work, Outcome::Sent).await;
    assert_eq!(code(cancel(sending).await), Code::Conflict);
    let heard = stage.heard(ANN, "IN1");
    stage.outbox.inbound(stage.lease, heard.clone()).await.unwrap();
    assert_eq!(code(cancel(heard.id).await), Code::Conflict);
    assert_eq!(code(cancel(MessageId::mint(stage.now())).await), Code::NotFound);
    assert_eq!(stage.usage().await, (1, 0));
}

async fn taking_back_a_queue_leaves_what_is_under_way_and_what_is_anothers(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let asked = Acceptance { session: sibling.session, ..stage.asked(stage.draft(ANN)) };
    let elsewhere = stage.outbox.accept(asked).await.unwrap().into_inner().id;
    let under_way = stage.accept(ANN).await.id;
    stage.work(under_way).await;
    let waiting = [stage.accept(BOB).await.id, stage.accept(BOB).await.id];
    stage.told();

    assert_eq!(stage.messages.cancel_all(stage.scope(), stage.session, stage.now()).await, Ok(2));
    for (id, status) in [
        (waiting[0], Status::Canceled),
        (waiting[1], Status::Canceled),
        (under_way, Status::Sending),
        (elsewhere, Status::Queued),
    ] {
        assert_eq!(stage.status(id).await, status);
    }
    assert_eq!(stage.told().len(), 2);
    assert_eq!(stage.usage().await, (0, 2));
    assert_eq!(stage.messages.cancel_all(stage.scope(), stage.session, stage.now()).await, Ok(0));
    let absent = SessionId::mint(stage.now());
    assert_eq!(code(stage.messages.cancel_all(stage.scope(), absent, stage.now()).await), Code::NotFound);
}

async fn what_each_session_did_is_counted_by_day(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let stranger = TenantScope::authenticated(stage.stranger().await.tenant);
    // November 18 to 20. A message counts to the day it was sent on, not to the one it was accepted on.
    let first = WallTime(stage.now().0 - stage.now().0 % DAY);
    let day = |number: i64| WallTime(first.0 + number * DAY);
    for _ in 0..2 {
        stage.attempt(ANN, Outcome::Sent).await;
    }
    stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await;
    let overnight = stage.accept(BOB).await;
    // It does not count to usage: a test key's.
    let terms = Terms { metered: false, ..stage.terms() };
    let test = stage
        .outbox
        .accept(Acceptance { terms, ..stage.asked(stage.draft(ANN)) })
        .await
        .unwrap()
        .into_inner();
    stage.settle(&stage.work(test.id).await, Outcome::Sent).await;
    stage.wait_secs(24 * 3600 - 1);
    let work = stage.work(overnight.id).await;
    stage.settle(&work, Outcome::Sent).await;
    stage.outbox.inbound(stage.lease, stage.heard(ANN, "IN1")).await.unwrap();
    stage.wait_secs(24 * 3600);
    stage.outbox.inbound(stage.lease, stage.heard(ANN, "IN2")).await.unwrap();

    let ever = Period { start: WallTime(0), end: WallTime(i64::MAX) };
    let read = async |period, after, limit| {
        let days = stage.messages.days(stage.scope(), period, after, limit).await.unwrap();
        assert!(days.iter().all(|one| one.session == stage.session));
        days.into_iter().map(|one| (one.day, one.sent, one.failed, one.received)).collect::<Vec<_>>()
    };
    let all = [(day(0), 2, 1, 0), (day(1), 1, 0, 1), (day(2), 0, 0, 1)];
    assert_eq!(read(ever, None, 10).await, all);
    assert_eq!(read(ever, None, 2).await, all[..2]);
    assert_eq!(read(ever, Some((day(0), stage.session)), 10).await, all[1..]);
    assert_eq!(read(Period { start: day(1), end: day(2) }, None, 10).await, all[1..2]);
    assert_eq!(stage.messages.days(stranger, ever, None, 10).await, Ok(vec![]));
}

/// In milliseconds; the stage's clocks are on UTC.
const DAY: i64 = 24 * 3600 * 1000;
