//! What happens by the clock.

use std::collections::BTreeSet;

use chrono_tz::Tz;
use columba::billing::period::month_of;
use columba::domain::event::Change;
use columba::domain::id::MessageId;
use columba::domain::message::{Draft, MessageReason, MessageStatus as Status, WaId};
use columba::domain::page::Page;
use columba::domain::plan::Plan;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::webhook::Subject;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Acceptance, Inbound, Outcome, Stored};

use super::Fixture;
use super::stage::{ANN, BOB, Stage, plan};
use crate::support::webhooks::webhook;

contract!(
    what_waits_past_its_time_expires_in_batches,
    what_ends_first_expires_first_whatever_the_order_of_acceptance,
    what_is_under_way_does_not_expire,
    a_session_is_due_when_one_of_its_messages_is,
    what_was_left_under_way_for_a_quarter_of_an_hour_becomes_unknown,
    a_doubtful_message_gives_its_place_back_after_a_day,
    old_rows_are_forgotten_in_batches_and_positions_go_on,
    what_a_plan_keeps_no_longer_is_erased_and_what_waits_or_is_in_doubt_stays,
);

async fn what_waits_past_its_time_expires_in_batches(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut over = vec![];
    for _ in 0..3 {
        let mut draft = stage.draft(ANN);
        draft.expires_at = stage.in_secs(60);
        over.push(stage.accept_draft(draft).await.id);
    }
    let mut draft = stage.draft(BOB);
    draft.expires_at = stage.in_secs(60);
    let held = stage.accept_draft(draft).await.id;
    let locked = Outcome::Held { until: stage.in_secs(600), reason: MessageReason::Timelock };
    stage.settle(&stage.work(held).await, locked).await;
    over.push(held);
    let stays = stage.accept(BOB).await.id;
    stage.told();

    stage.wait_secs(59);
    assert_eq!(stage.sweep.expire(SystemScope, stage.now(), 10).await, Ok(0));
    stage.wait_secs(1);
    for expected in [3, 1, 0] {
        assert_eq!(stage.sweep.expire(SystemScope, stage.now(), 3).await, Ok(expected));
    }
    for &id in &over {
        let message = stage.message(id).await;
        assert_eq!((message.status, message.reason), (Status::Expired, Some(MessageReason::Expired)));
        assert_eq!(message.times.get("expired"), Some(&stage.now()));
    }
    assert_eq!((stage.status(stays).await, stage.usage().await), (Status::Queued, (0, 1)));
    let told = stage.told();
    assert!(told.len() == 4 && over.iter().all(|&id| told.contains(&Change::Message(id, Status::Expired))));
}

async fn what_ends_first_expires_first_whatever_the_order_of_acceptance(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut accepted = vec![];
    for secs in [30, 10, 20, 10] {
        let mut draft = stage.draft(ANN);
        draft.expires_at = stage.in_secs(secs);
        accepted.push(stage.accept_draft(draft).await.id);
    }
    stage.told();
    stage.wait_secs(60);
    for _ in 0..2 {
        assert_eq!(stage.sweep.expire(SystemScope, stage.now(), 2).await, Ok(2));
    }
    let expected = [1, 3, 2, 0].map(|at: usize| Change::Message(accepted[at], Status::Expired));
    assert_eq!(stage.told(), expected);
}

async fn what_is_under_way_does_not_expire(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut draft = stage.draft(ANN);
    draft.expires_at = stage.in_secs(60);
    let message = stage.accept_draft(draft).await.id;
    let work = stage.work(message).await;
    stage.wait_secs(61);
    assert_eq!(stage.sweep.expire(SystemScope, stage.now(), 10).await, Ok(0));
    assert!(stage.settle(&work, Outcome::Sent).await);
}

async fn a_session_is_due_when_one_of_its_messages_is(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let due = || async { stage.sweep.due(SystemScope, stage.now()).await.unwrap() };
    assert_eq!(due().await, []);
    stage.accept(ANN).await;
    let second = stage.accept(BOB).await.id;
    assert_eq!(due().await, [stage.session], "once, whatever waits");
    let mut draft = stage.draft(ANN);
    draft.send_at = Some(stage.in_secs(60));
    let asked = Acceptance { session: sibling.session, ..stage.asked(draft) };
    stage.outbox.accept(asked).await.unwrap();
    assert_eq!(due().await, [stage.session]);

    stage.messages.cancel_all(stage.scope(), stage.session, stage.now()).await.unwrap();
    assert_eq!(stage.status(second).await, Status::Canceled);
    assert_eq!(due().await, []);
    let not_before = stage.in_secs(120);
    stage.attempt(ANN, Outcome::Retry { not_before, reason: MessageReason::Throttled }).await;
    assert_eq!(due().await, []);
    stage.wait_secs(60);
    assert_eq!(due().await, [sibling.session]);
    stage.wait_secs(60);
    let mut both = due().await;
    both.sort();
    assert_eq!(both, [stage.session.min(sibling.session), stage.session.max(sibling.session)]);
}

async fn what_was_left_under_way_for_a_quarter_of_an_hour_becomes_unknown(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let left = [stage.accept(ANN).await.id, stage.accept(BOB).await.id];
    let works = [stage.work(left[0]).await, stage.work(left[1]).await];
    stage.told();
    stage.wait_secs(15 * 60 - 1);
    assert_eq!(stage.sweep.abandon(SystemScope, stage.now(), 10).await, Ok(0));
    stage.wait_secs(2);
    for expected in [1, 1, 0] {
        assert_eq!(stage.sweep.abandon(SystemScope, stage.now(), 1).await, Ok(expected));
    }
    for work in &works {
        let message = stage.message(work.message).await;
        assert_eq!((message.status, message.reason), (Status::Unknown, Some(MessageReason::Interrupted)));
        assert!(!stage.settle(work, Outcome::Sent).await);
    }
    assert_eq!((stage.usage().await, stage.told().len()), ((0, 2), 2));
}

async fn a_doubtful_message_gives_its_place_back_after_a_day(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.attempt(ANN, Outcome::Unknown(MessageReason::NoAck)).await;
    let second = stage.attempt(BOB, Outcome::Unknown(MessageReason::NoAck)).await;
    stage.told();
    stage.wait_secs(24 * 3600 - 1);
    assert_eq!(stage.sweep.release(SystemScope, stage.now(), 10).await, Ok(0));
    stage.wait_secs(2);
    for expected in [1, 1, 0] {
        assert_eq!(stage.sweep.release(SystemScope, stage.now(), 1).await, Ok(expected));
    }
    assert_eq!(stage.usage().await, (0, 0));
    assert_eq!((stage.status(second.id).await, stage.told()), (Status::Unknown, vec![]), "its status stays");
}

async fn old_rows_are_forgotten_in_batches_and_positions_go_on(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let first = stage.fixture.clock.read();
    stage.attempt(ANN, Outcome::Sent).await;
    let count = || async {
        let counts = stage.messages.attempts_since(stage.scope(), first.wall).await.unwrap();
        counts.into_iter().map(|(_, count)| count).sum::<u64>()
    };
    let head = || async {
        let heads = stage.feed_log.heads(SystemScope).await.unwrap();
        heads.into_iter().find(|(tenant, _)| *tenant == stage.tenant).unwrap().1
    };
    // The wall clock was set forward, and the window still needs it.
    assert_eq!(stage.sweep.forget(SystemScope, stage.in_secs(7_200), 100).await, Ok(0));
    let memory = stage.outbox.recall(stage.session, stage.fixture.clock.read()).await.unwrap();
    assert_eq!(memory.attempts, Some(vec![first.now]));

    stage.wait_secs(3599);
    assert_eq!(stage.sweep.forget(SystemScope, stage.now(), 100).await, Ok(0));
    assert_eq!(count().await, 1);
    stage.wait_secs(2);
    assert_eq!(stage.sweep.forget(SystemScope, stage.now(), 100).await, Ok(1));
    assert_eq!(count().await, 0);

    let last = head().await;
    assert_eq!(last, 3, "queued, sending, sent");
    stage.wait_secs(7 * 24 * 3600);
    let mut gone = 0;
    loop {
        let batch = stage.sweep.forget(SystemScope, stage.now(), 2).await.unwrap();
        gone += batch;
        if batch == 0 {
            break;
        }
    }
    assert_eq!(gone, last);
    assert_eq!(stage.feed_log.range(stage.scope(), 1, last).await, Ok(vec![]));
    stage.accept(BOB).await;
    assert_eq!(head().await, last + 1, "no position is used twice");
}

const DAY: u64 = 24 * 3600;

/// An id dated now. Ids that are minted never go back, and other tests of this process live in other times.
fn dated(stage: &Stage, number: u128) -> MessageId {
    uuid::Uuid::from_u128(MessageId::below(stage.now()).uuid().as_u128() | (7 << 76) | (2 << 62) | number)
        .into()
}

pub async fn accepted(stage: &Stage, number: u128, draft: Draft) -> MessageId {
    let id = dated(stage, number);
    let wa_id = WaId(format!("3EB0{number:020}"));
    stage.outbox.accept(Acceptance { id, wa_id, ..stage.asked(draft) }).await.unwrap().into_inner().id
}

async fn what_a_plan_keeps_no_longer_is_erased_and_what_waits_or_is_in_doubt_stays(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let begun = stage.now();
    let endpoint = webhook(stage.tenant, "https://example.com/hook", begun);
    let endpoint = stage.webhooks.create(stage.scope(), endpoint, 8, None).await.unwrap().into_inner().id;
    // Somebody else, whose plan keeps twice as long.
    let other = stage.stranger().await;
    let kept = Plan { retention_days: 60, ..plan("basic") };
    stage.directory.create_plan(Plan { code: "longer".into(), ..kept }, None, begun).await.unwrap();
    let patch = columba::ports::directory::TenantPatch { plan: Some("longer".into()), ..Default::default() };
    stage.directory.patch_tenant(other.tenant, patch, begun).await.unwrap();
    let theirs = Acceptance {
        tenant: other.tenant,
        session: other.session,
        id: dated(&stage, 1),
        ..stage.asked(stage.draft(ANN))
    };
    let theirs = stage.outbox.accept(theirs).await.unwrap().into_inner().id;
    let scope = TenantScope::authenticated(other.tenant);
    stage.messages.cancel(scope, theirs, begun).await.unwrap();

    let sent = accepted(&stage, 2, stage.draft(ANN)).await;
    assert!(stage.settle(&stage.work(sent).await, Outcome::Sent).await);
    let heard = Inbound { id: dated(&stage, 3), ..stage.heard(BOB, "IN1") };
    assert_eq!(stage.hear(heard.clone()).await, Stored { new: true, freed: false });
    let doubtful = accepted(&stage, 4, stage.draft(BOB)).await;
    assert!(stage.settle(&stage.work(doubtful).await, Outcome::Unknown(MessageReason::NoAck)).await);
    let mut draft = stage.draft(ANN);
    draft.expires_at = stage.in_secs(90 * DAY);
    let waiting = accepted(&stage, 5, draft.clone()).await;
    draft.send_at = Some(stage.in_secs(20 * DAY));
    let scheduled = accepted(&stage, 6, draft).await;
    stage.messages.cancel(stage.scope(), scheduled, stage.now()).await.unwrap();
    let used = stage.messages.usage(stage.scope(), month_of(begun, Tz::UTC)).await.unwrap();

    let erase = async |limit: u32| stage.sweep.erase(SystemScope, stage.now(), limit).await;
    let there = async || {
        let mut there = BTreeSet::new();
        for id in [sent, heard.id, doubtful, waiting, scheduled] {
            if stage.messages.get(stage.scope(), id).await.unwrap().is_some() {
                there.insert(id);
            }
        }
        there
    };
    // Of which messages webhooks tell.
    let told = async || {
        let page = Page { before: None, limit: 100 };
        let deliveries =
            stage.webhooks.deliveries(stage.scope(), endpoint, None, page).await.unwrap().unwrap();
        let mut told = BTreeSet::<MessageId>::new();
        for delivery in deliveries.rows {
            let logged = stage.webhooks.delivery(stage.scope(), delivery.id).await.unwrap().unwrap();
            match logged.event.subject {
                Subject::Message(message) => drop(told.insert(message.id)),
                other => assert!(matches!(other, Subject::Usage(_)), "{other:?}"),
            }
        }
        told
    };
    let all = BTreeSet::from([sent, heard.id, doubtful, waiting, scheduled]);
    assert_eq!((there().await, told().await), (all.clone(), all));

    stage.wait_secs(30 * DAY);
    assert_eq!(erase(10).await, Ok(0), "to the millisecond");
    stage.wait_secs(1);
    for expected in [1, 1, 0] {
        assert_eq!(erase(1).await, Ok(expected));
    }
    let left = BTreeSet::from([doubtful, waiting, scheduled]);
    assert_eq!((there().await, told().await), (left.clone(), left));
    let listed =
        stage.messages.list(stage.scope(), Default::default(), Page { before: None, limit: 9 }).await;
    assert_eq!(listed.unwrap().rows.len(), 3);
    let now = stage.messages.usage(stage.scope(), month_of(begun, Tz::UTC)).await.unwrap();
    assert_eq!(now, used, "what was used stays used");

    // In doubt until its place was given back; scheduled until its plan has kept it from then on.
    assert_eq!(stage.sweep.release(SystemScope, stage.now(), 10).await, Ok(1));
    assert_eq!(erase(10).await, Ok(1));
    stage.wait_secs(20 * DAY);
    assert_eq!(erase(10).await, Ok(1));
    assert_eq!(there().await, BTreeSet::from([waiting]));
    assert!(stage.messages.get(scope, theirs).await.unwrap().is_some());
    stage.wait_secs(10 * DAY);
    assert_eq!(erase(10).await, Ok(1), "the other plan's time is over too");
    assert_eq!(stage.messages.get(scope, theirs).await, Ok(None));
    assert_eq!(there().await, BTreeSet::from([waiting]), "and what waits, waits");
}
