//! What operators look at: sessions and messages of all tenants, narrowed and sorted, and how a session stood.

use std::collections::BTreeSet;
use std::time::Duration;

use columba::domain::id::{MessageId, SessionId};
use columba::domain::message::{Direction, MessageReason, MessageStatus, WaId};
use columba::domain::page::{Order, Page};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Engine, Reason, Session, SessionStatus as Status, Standing};
use columba::domain::time::WallTime;
use columba::ports::messages::{LogFilter, MessageFilter, Queue};
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::sessions::{FleetFilter, FleetPage, FleetSort, Sought, StatusChange};
use strum::IntoEnumIterator as _;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, chat, plan, session, tenant};

contract!(
    the_past_of_a_session_is_told_newest_first_page_by_page,
    a_past_is_forgotten_after_ninety_days_and_the_present_stays,
    every_sort_of_the_fleet_runs_both_ways_and_its_pages_hold_each_session_once,
    the_fleet_is_narrowed_by_each_filter,
    the_newest_message_of_a_session_says_when_it_was_last_active,
    a_queue_is_counted_and_its_head_says_what_it_waits_for,
    attempts_are_told_by_the_wall_oldest_first,
    the_log_holds_the_messages_of_all_tenants_and_narrows_by_each_filter,
    the_log_s_pages_hold_each_message_once,
);

async fn stand(stage: &Stage, status: Status, reason: Option<Reason>) -> WallTime {
    let since = stage.now();
    let change = StatusChange { status, reason, code: reason.and_then(Reason::code), since };
    stage.sessions.announce(stage.lease, change).await.unwrap();
    since
}

async fn the_past_of_a_session_is_told_newest_first_page_by_page(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let made = stage.now();
    let mut told = vec![(Status::Stopped, None, made)];
    for (status, reason) in [
        (Status::Starting, None),
        (Status::Pairing, None),
        (Status::Connected, None),
        (Status::Reconnecting, Some(Reason::Throttled)),
        (Status::Reconnecting, Some(Reason::TransportLost)),
        (Status::Connected, None),
    ] {
        stage.wait_secs(1);
        told.push((status, reason, stand(&stage, status, reason).await));
    }
    told.reverse();
    let until = |at: usize| at.checked_sub(1).map(|newer: usize| told[newer].2);
    for limit in [1, 2, 3, 7, 200] {
        let (mut seen, mut beyond) = (vec![], None);
        loop {
            let slice =
                stage.sessions.spells(stage.scope(), stage.session, beyond, limit).await.unwrap().unwrap();
            assert!(slice.rows.len() <= limit as usize);
            beyond = slice.rows.last().map(|spell| spell.place);
            seen.extend(slice.rows);
            if !slice.has_more {
                break;
            }
        }
        let found: Vec<_> = seen.iter().map(|spell| (spell.status, spell.reason, spell.since)).collect();
        assert_eq!(found, told, "in pages of {limit}");
        for (at, spell) in seen.iter().enumerate() {
            assert_eq!(
                (spell.until, spell.code),
                (until(at), spell.reason.and_then(Reason::code)),
                "{limit} {at}"
            );
        }
    }
    let stranger = TenantScope::authenticated(stage.stranger().await.tenant);
    assert_eq!(stage.sessions.spells(stranger, stage.session, None, 10).await, Ok(None));
    stage.sessions.delete(stage.scope(), stage.session, stage.now()).await.unwrap();
    assert_eq!(stage.sessions.spells(stage.scope(), stage.session, None, 10).await, Ok(None));
}

async fn a_past_is_forgotten_after_ninety_days_and_the_present_stays(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.wait_secs(60);
    stand(&stage, Status::Connected, None).await;
    stage.fixture.clock.advance(Duration::from_secs(90 * 24 * 3600));
    let read = async || {
        let slice = stage.sessions.spells(stage.scope(), stage.session, None, 10).await.unwrap().unwrap();
        slice.rows.into_iter().map(|spell| (spell.status, spell.until)).collect::<Vec<_>>()
    };
    assert_eq!(read().await.len(), 2);
    stage.sweep.forget(SystemScope, stage.now(), 100).await.unwrap();
    assert_eq!(
        read().await,
        [(Status::Connected, None)],
        "what began a minute later is kept a minute longer"
    );
    stage.wait_secs(61);
    stage.sweep.forget(SystemScope, stage.now(), 100).await.unwrap();
    assert_eq!(read().await, [(Status::Connected, None)], "the row itself still says how it stands");
}

/// Five sessions of two tenants that differ in everything that can be sorted by.
async fn fleet(stage: &Stage) -> Vec<SessionId> {
    let other = tenant("basic", stage.now());
    stage.directory.create_tenant(other.clone(), None).await.unwrap();
    let mut all = vec![stage.session];
    for (owner, label, status) in [
        (stage.tenant, "b 100%", Status::Parked),
        (other.id, "B_side", Status::Connected),
        (other.id, "a\\z", Status::Parked),
    ] {
        stage.wait_secs(1);
        let new = Session { label: label.into(), ..session(owner, stage.now()) };
        let scope = TenantScope::authenticated(owner);
        stage.sessions.create(scope, new.clone(), plan("basic").caps(), None).await.unwrap();
        stage.wait_secs(1);
        let since = stage.now();
        let change = StatusChange { status, reason: Some(Reason::Requested), code: None, since };
        stage.sessions.pronounce(SystemScope, new.id, change).await.unwrap();
        all.push(new.id);
    }
    for _ in 0..2 {
        stage.accept(ANN).await;
    }
    all
}

async fn every_sort_of_the_fleet_runs_both_ways_and_its_pages_hold_each_session_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let all = fleet(&stage).await;
    for sort in FleetSort::iter() {
        for order in [Order::Ascending, Order::Descending] {
            let mut expected = vec![];
            for &id in &all {
                let session = stage.sessions.find(SystemScope, id).await.unwrap().unwrap();
                expected.push((sort.key(&session), id));
            }
            expected.sort();
            if order == Order::Descending {
                expected.reverse();
            }
            for limit in [1, 2, 3, 200] {
                let mut page = FleetPage { limit, sort, order, beyond: None };
                let mut seen = vec![];
                loop {
                    let slice = stage
                        .sessions
                        .fleet(SystemScope, FleetFilter::default(), page.clone())
                        .await
                        .unwrap();
                    assert!(slice.rows.len() <= limit as usize);
                    seen.extend(slice.rows.iter().map(|session| (sort.key(session), session.id)));
                    match slice.rows.last().filter(|_| slice.has_more) {
                        Some(last) => page = page.after(last),
                        None => break,
                    }
                }
                assert_eq!(seen, expected, "{sort} {order:?} in pages of {limit}");
            }
        }
    }
}

async fn the_fleet_is_narrowed_by_each_filter(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let all = fleet(&stage).await;
    let standing = Standing { timelock_until: Some(stage.in_secs(60)), ..Standing::default() };
    stage.sessions.remember(stage.lease, standing).await.unwrap();
    let (any, at) = (FleetFilter::default, stage.now());
    let sought = |label: &str| Some(Sought { label: label.into(), ..Sought::default() });
    let other = stage.sessions.find(SystemScope, all[2]).await.unwrap().unwrap().tenant;
    for (filter, expected) in [
        (any(), vec![0, 1, 2, 3]),
        (FleetFilter { tenant: Some(other), ..any() }, vec![2, 3]),
        (FleetFilter { status: Some(Status::Parked), ..any() }, vec![1, 3]),
        (FleetFilter { status: Some(Status::Parked), tenant: Some(other), ..any() }, vec![3]),
        (FleetFilter { reason: Some(Reason::Requested), ..any() }, vec![1, 2, 3]),
        (FleetFilter { engine: Some(Engine::Sandbox), ..any() }, vec![0, 1, 2, 3]),
        (FleetFilter { engine: Some(Engine::Native), ..any() }, vec![]),
        (FleetFilter { sought: sought("B"), ..any() }, vec![1, 2]),
        (FleetFilter { sought: sought("%"), ..any() }, vec![1]),
        (FleetFilter { sought: sought("b_"), ..any() }, vec![2]),
        (FleetFilter { sought: sought("\\"), ..any() }, vec![3]),
        (
            FleetFilter {
                sought: Some(Sought {
                    label: "nobody".into(),
                    id: Some(all[3]),
                    tenants: vec![stage.tenant],
                }),
                ..any()
            },
            vec![0, 1, 3],
        ),
        (FleetFilter { restricted: Some((true, at)), ..any() }, vec![0]),
        (FleetFilter { restricted: Some((false, at)), ..any() }, vec![1, 2, 3]),
        (FleetFilter { restricted: Some((true, stage.in_secs(61))), ..any() }, vec![]),
        (FleetFilter { restricted: Some((false, stage.in_secs(61))), ..any() }, vec![0, 1, 2, 3]),
    ] {
        let found = stage.sessions.fleet(SystemScope, filter.clone(), FleetPage::newest(200)).await.unwrap();
        let found: BTreeSet<_> = found.rows.iter().map(|session| session.id).collect();
        let expected: BTreeSet<_> = expected.into_iter().map(|at: usize| all[at]).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn the_newest_message_of_a_session_says_when_it_was_last_active(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let silent = stage.sibling().await.session;
    stage.accept(ANN).await;
    let newest = stage.heard(BOB, "IN1");
    stage.hear(newest.clone()).await;
    let found = stage.sessions.activity(SystemScope, &[silent, stage.session]).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(stage.session, newest.id.minted_at())]);
}

async fn a_queue_is_counted_and_its_head_says_what_it_waits_for(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let queue = || stage.messages.queue(stage.scope(), stage.session, stage.now());
    assert_eq!(queue().await, Ok(Queue::default()));
    let until = stage.in_secs(60);
    let held = stage.attempt(ANN, Outcome::Held { until, reason: MessageReason::Timelock }).await;
    stage.wait_secs(1);
    let under_way = stage.accept(BOB).await.id;
    stage.work(under_way).await;
    stage.accept(ANN).await;
    let found = queue().await.unwrap();
    assert_eq!((found.queued, found.held, found.sending), (1, 1, 1));
    let head = found.head.unwrap();
    assert_eq!(
        (head.id, head.status, head.reason),
        (held.id, MessageStatus::Held, Some(MessageReason::Timelock))
    );
    assert_eq!(head.until, Some(until));
    stage.messages.cancel(stage.scope(), held.id, stage.now()).await.unwrap();
    let head = queue().await.unwrap().head.unwrap();
    assert_eq!((head.status, head.reason, head.until), (MessageStatus::Queued, None, None));
    let stranger = TenantScope::authenticated(stage.stranger().await.tenant);
    assert_eq!(stage.messages.queue(stranger, stage.session, stage.now()).await, Ok(Queue::default()));
}

async fn attempts_are_told_by_the_wall_oldest_first(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut made = vec![];
    for _ in 0..4 {
        made.push(stage.now());
        stage.attempt(ANN, Outcome::Sent).await;
        stage.wait_secs(10);
    }
    let read = async |scope, since, limit| {
        stage.messages.attempts_of(scope, stage.session, since, limit).await.unwrap()
    };
    assert_eq!(read(stage.scope(), WallTime(0), 10).await, made);
    assert_eq!(read(stage.scope(), made[1], 10).await, made[2..]);
    assert_eq!(read(stage.scope(), WallTime(0), 3).await, made[1..]);
    let stranger = TenantScope::authenticated(stage.stranger().await.tenant);
    assert_eq!(read(stranger, WallTime(0), 10).await, []);
}

/// A message in each state of interest, oldest first: failed, held, sent, come in, queued; then one of another tenant.
async fn messages(stage: &Stage) -> Vec<MessageId> {
    let mut all = vec![];
    let outcomes = [
        Outcome::Failed(MessageReason::Refused),
        Outcome::Held { until: stage.in_secs(600), reason: MessageReason::Timelock },
        Outcome::Sent,
    ];
    for (outcome, to) in outcomes.into_iter().zip([ANN, BOB, ANN]) {
        all.push(stage.attempt(to, outcome).await.id);
        stage.wait_secs(1);
    }
    let heard = stage.heard(ANN, "IN1");
    stage.hear(heard.clone()).await;
    all.push(heard.id);
    stage.wait_secs(1);
    let mut draft = stage.draft(ANN);
    draft.client_ref = Some("r1".into());
    all.push(stage.accept_draft(draft).await.id);
    stage.wait_secs(1);
    let theirs = stage.stranger().await;
    let asked =
        Acceptance { tenant: theirs.tenant, session: theirs.session, ..stage.asked(stage.draft(ANN)) };
    all.push(stage.outbox.accept(asked).await.unwrap().into_inner().id);
    all
}

async fn the_log_holds_the_messages_of_all_tenants_and_narrows_by_each_filter(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let all = messages(&stage).await;
    let sent = stage.message(all[2]).await;
    let any = LogFilter::default;
    let narrowed = |narrowed: MessageFilter| LogFilter { narrowed, ..any() };
    let none = MessageFilter::default;
    let status = |status| narrowed(MessageFilter { status: Some(status), ..none() });
    let mine = |filter: LogFilter| LogFilter { tenant: Some(stage.tenant), ..filter };
    let theirs = stage.messages.find(SystemScope, all[5]).await.unwrap().unwrap();
    for (filter, expected) in [
        (any(), vec![5, 4, 3, 2, 1, 0]),
        (mine(any()), vec![4, 3, 2, 1, 0]),
        (LogFilter { tenant: Some(theirs.tenant), ..any() }, vec![5]),
        (narrowed(MessageFilter { session: Some(stage.session), ..none() }), vec![4, 3, 2, 1, 0]),
        (status(MessageStatus::Failed), vec![0]),
        (mine(status(MessageStatus::Failed)), vec![0]),
        (status(MessageStatus::Held), vec![1]),
        (status(MessageStatus::Queued), vec![5, 4]),
        (mine(status(MessageStatus::Queued)), vec![4]),
        (status(MessageStatus::Sent), vec![2]),
        (status(MessageStatus::Dead), vec![]),
        (status(MessageStatus::Received), vec![3]),
        (narrowed(MessageFilter { direction: Some(Direction::In), ..none() }), vec![3]),
        (narrowed(MessageFilter { chat: Some(chat(BOB)), ..none() }), vec![1]),
        (narrowed(MessageFilter { client_ref: Some("r1".into()), ..none() }), vec![4]),
        (LogFilter { id: Some(all[3]), ..any() }, vec![3]),
        (LogFilter { id: Some(all[5]), tenant: Some(stage.tenant), ..any() }, vec![]),
        (LogFilter { wa_id: Some(sent.wa_id.clone()), ..any() }, vec![2]),
        (LogFilter { wa_id: Some(WaId("IN1".into())), ..any() }, vec![]),
        (
            LogFilter {
                wa_id: Some(WaId("IN1".into())),
                ..narrowed(MessageFilter { session: Some(stage.session), ..none() })
            },
            vec![3],
        ),
    ] {
        let page = Page { limit: 200, before: None };
        let found = stage.messages.log(SystemScope, filter.clone(), page).await.unwrap();
        let ids: Vec<_> = found.rows.iter().map(|message| message.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|at: usize| all[at]).collect();
        assert_eq!((ids, found.beyond), (expected, None), "{filter:?}");
    }
    // Ids of one process are never older than those before, so those of a test may all be of one moment.
    let dated = |at: usize| all[at].minted_at();
    for (from, until) in [
        (Some(dated(2)), None),
        (None, Some(dated(2))),
        (Some(dated(1)), Some(WallTime(dated(3).0 + 1))),
        (Some(WallTime(dated(5).0 + 1)), None),
        (None, Some(dated(0))),
    ] {
        let filter = LogFilter { from, until, ..any() };
        let is_within = |id: &MessageId| {
            from.is_none_or(|from| id.minted_at() >= from) && until.is_none_or(|until| id.minted_at() < until)
        };
        let expected: Vec<_> = all.iter().rev().copied().filter(is_within).collect();
        let page = Page { limit: 200, before: None };
        let found = stage.messages.log(SystemScope, filter.clone(), page).await.unwrap();
        let ids: Vec<_> = found.rows.iter().map(|message| message.id).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    assert_eq!(stage.messages.find(SystemScope, MessageId::mint(stage.now())).await, Ok(None));
}

async fn the_log_s_pages_hold_each_message_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut all = messages(&stage).await;
    all.reverse();
    for filter in [
        LogFilter::default(),
        LogFilter { tenant: Some(stage.tenant), ..LogFilter::default() },
        LogFilter {
            narrowed: MessageFilter { status: Some(MessageStatus::Queued), ..MessageFilter::default() },
            ..LogFilter::default()
        },
    ] {
        let page = Page { limit: 200, before: None };
        let whole = stage.messages.log(SystemScope, filter.clone(), page).await.unwrap().rows;
        assert!(whole.len() > 1 && whole.iter().all(|message| all.contains(&message.id)));
        for limit in [1, 2, 3] {
            let (mut seen, mut before) = (vec![], None);
            loop {
                let page = Page { limit, before };
                let found = stage.messages.log(SystemScope, filter.clone(), page).await.unwrap();
                assert!(found.rows.len() <= limit as usize);
                seen.extend(found.rows);
                match found.beyond {
                    Some(last) => before = Some(last.uuid()),
                    None => break,
                }
            }
            assert_eq!(seen, whole, "in pages of {limit}");
        }
    }
}
