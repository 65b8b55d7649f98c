//! Endpoints, and what they are to be told: written with the change, exactly for those who want it.

use std::time::Duration;

use columba::domain::id::{DeliveryId, WebhookId};
use columba::domain::message::{MessageStatus, ReceiptKind};
use columba::domain::page::Page;
use columba::domain::refusal::Code;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Reason, SessionStatus};
use columba::domain::webhook::{
    Attempt, Delivery, DeliveryReason, DeliveryStatus, EventFilter, Health, KEPT, Subject, Webhook,
    WebhookReason, WebhookStatus,
};
use columba::ports::outbox::Outcome;
use columba::ports::sessions::StatusChange;
use columba::ports::webhooks::{Range, Settled, Work};

use super::Fixture;
use super::stage::{ANN, Stage, code, idempotency};
use crate::support::webhooks::webhook;

contract![
    an_event_is_posted_in_its_own_transaction_with_the_record_as_it_stood,
    only_what_an_endpoint_wants_is_posted,
    what_no_endpoint_wants_is_not_kept,
    a_disabled_endpoints_events_are_skipped_and_redelivered_on_demand,
    work_is_what_is_due_and_not_under_way,
    an_attempt_is_logged_and_the_delivery_follows,
    a_delivery_at_rest_stays_as_it_is,
    disabling_gives_up_what_is_pending_and_tells_the_feed_and_the_others,
    a_change_of_settings_needs_the_newest_revision,
    a_tenant_has_as_many_endpoints_as_it_may_and_the_same_request_makes_one,
    another_tenants_endpoints_and_deliveries_do_not_exist,
    a_test_goes_to_one_endpoint_and_is_never_repeated_by_a_range,
    a_delivery_is_repeated_under_the_same_event,
    what_is_too_old_is_given_up_and_later_forgotten,
    an_endpoint_that_is_gone_has_no_work,
    an_endpoint_hears_of_inbound_messages_sessions_and_usage,
];

const URL: &str = "https://example.com/hook";

async fn endpoint(stage: &Stage, change: impl FnOnce(&mut Webhook)) -> WebhookId {
    let mut one = webhook(stage.tenant, URL, stage.now());
    change(&mut one);
    let id = one.id;
    stage.webhooks.create(stage.scope(), one, 8, None).await.unwrap();
    id
}

async fn work(stage: &Stage, id: WebhookId) -> Option<Work> {
    stage.webhooks.work(SystemScope, id, stage.now(), &[], 100).await.unwrap()
}

async fn kinds(stage: &Stage, id: WebhookId) -> Vec<String> {
    work(stage, id).await.unwrap().parcels.into_iter().map(|parcel| parcel.event.kind).collect()
}

async fn deliveries(stage: &Stage, id: WebhookId) -> Vec<Delivery> {
    let page = Page { limit: 200, before: None };
    let mut rows = stage.webhooks.deliveries(stage.scope(), id, None, page).await.unwrap().unwrap().rows;
    rows.reverse();
    rows
}

fn attempt(stage: &Stage, number: u32, status: u16) -> Attempt {
    Attempt {
        number,
        at: stage.now(),
        duration_ms: 120,
        url: URL.into(),
        status: Some(status),
        error: None,
        body: "ok".into(),
    }
}

fn settled(stage: &Stage, id: WebhookId, delivery: DeliveryId, status: DeliveryStatus) -> Settled {
    let due_at = (status == DeliveryStatus::Pending).then(|| stage.in_secs(5));
    let (health, reason) = (Health { failures: 3, ..Health::default() }, None);
    Settled { webhook: id, health, delivery, status, reason, due_at, attempt: attempt(stage, 1, 500) }
}

async fn an_event_is_posted_in_its_own_transaction_with_the_record_as_it_stood(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    let message = stage.attempt(ANN, Outcome::Sent).await;
    stage.receipt(&message, ReceiptKind::Read).await;
    let events: Vec<_> = stage.fixture.events.take();
    let parcels = work(&stage, id).await.unwrap().parcels;
    assert_eq!(
        parcels.iter().map(|parcel| parcel.event.kind.as_str()).collect::<Vec<_>>(),
        ["message.queued", "message.sending", "message.sent", "message.read"]
    );
    let expected = [MessageStatus::Queued, MessageStatus::Sending, MessageStatus::Sent, MessageStatus::Read];
    for ((parcel, status), event) in parcels.iter().zip(expected).zip(&events) {
        assert_eq!((parcel.event.seq, parcel.event.at), (Some(event.seq), event.at));
        assert_eq!(parcel.event.session, Some(stage.session));
        let Subject::Message(then) = &parcel.event.subject else { panic!("{parcel:?}") };
        assert_eq!((then.status, then.id), (status, message.id));
        assert_eq!(then.content, message.content);
        assert!(then.times.contains_key(<&str>::from(status)));
        assert_eq!(then.times.contains_key("read"), status == MessageStatus::Read);
        assert_eq!(then.attempts, u32::from(status != MessageStatus::Queued));
    }
}

async fn only_what_an_endpoint_wants_is_posted(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let sent = endpoint(&stage, |one| one.events = EventFilter(vec!["message.sent".into()])).await;
    let other = endpoint(&stage, |one| one.sessions = vec![sibling.session]).await;
    stage.attempt(ANN, Outcome::Sent).await;
    assert_eq!(kinds(&stage, sent).await, ["message.sent"]);
    assert_eq!(kinds(&stage, other).await, [""; 0]);
}

async fn what_no_endpoint_wants_is_not_kept(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.attempt(ANN, Outcome::Sent).await;
    let id = endpoint(&stage, |_| ()).await;
    assert_eq!(kinds(&stage, id).await, [""; 0], "what was before it is not told");
    assert_eq!(stage.webhooks.waiting(SystemScope).await.unwrap(), []);
    stage.accept(ANN).await;
    assert_eq!(stage.webhooks.waiting(SystemScope).await.unwrap(), [id]);
}

async fn a_disabled_endpoints_events_are_skipped_and_redelivered_on_demand(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |one| one.status = WebhookStatus::Disabled).await;
    let (from, to) = (stage.now(), stage.in_secs(60));
    let message = stage.accept(ANN).await;
    assert!(work(&stage, id).await.is_none());
    let range = Range { from, to, statuses: vec![DeliveryStatus::Dead, DeliveryStatus::Skipped] };
    let again = |idempotency| {
        stage.webhooks.redeliver_range(stage.scope(), id, range.clone(), stage.now(), idempotency)
    };
    assert_eq!(code(again(None).await), Code::Conflict);
    let mut one = stage.webhooks.get(stage.scope(), id).await.unwrap().unwrap();
    one.status = WebhookStatus::Active;
    stage.webhooks.put(stage.scope(), one, stage.now()).await.unwrap();
    assert_eq!(kinds(&stage, id).await, [""; 0], "what was skipped comes on demand only");
    let first = again(idempotency("range", 1)).await.unwrap();
    assert_eq!((first.is_replayed(), first.into_inner().count), (false, 1));
    let second = again(idempotency("range", 1)).await.unwrap();
    assert_eq!((second.is_replayed(), second.into_inner().count), (true, 1));
    let parcels = work(&stage, id).await.unwrap().parcels;
    let Subject::Message(then) = &parcels[0].event.subject else { panic!("{parcels:?}") };
    assert_eq!((parcels.len(), then.id), (1, message.id));
    assert_eq!(again(None).await.unwrap().into_inner().count, 0, "it is pending now");
}

async fn work_is_what_is_due_and_not_under_way(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    for chat in ["+15551230001", "+15551230002", "+15551230003"] {
        stage.accept(chat).await;
    }
    let all = work(&stage, id).await.unwrap();
    assert_eq!((all.parcels.len(), all.more, all.next_due, all.siblings), (3, false, None, 1));
    let first = all.parcels[0].delivery;
    let some = stage.webhooks.work(SystemScope, id, stage.now(), &[first], 1).await.unwrap().unwrap();
    assert_eq!((some.parcels.len(), some.more), (1, true));
    assert_eq!(some.parcels[0], all.parcels[1]);
    let retry = settled(&stage, id, first, DeliveryStatus::Pending);
    stage.webhooks.settle(SystemScope, retry.clone()).await.unwrap();
    let rest = work(&stage, id).await.unwrap();
    assert_eq!((rest.parcels.len(), rest.next_due), (2, retry.due_at));
    assert_eq!(rest.webhook.health, retry.health);
    stage.wait_secs(5);
    let rest = work(&stage, id).await.unwrap();
    assert_eq!((rest.parcels.len(), rest.parcels[2].delivery, rest.parcels[2].attempts), (3, first, 1));
}

async fn an_attempt_is_logged_and_the_delivery_follows(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    let delivery = work(&stage, id).await.unwrap().parcels[0].delivery;
    stage.webhooks.settle(SystemScope, settled(&stage, id, delivery, DeliveryStatus::Pending)).await.unwrap();
    stage.wait_secs(5);
    let mut taken = settled(&stage, id, delivery, DeliveryStatus::Delivered);
    taken.attempt = attempt(&stage, 2, 204);
    taken.health = Health::default();
    stage.webhooks.settle(SystemScope, taken.clone()).await.unwrap();
    let logged = stage.webhooks.delivery(stage.scope(), delivery).await.unwrap().unwrap();
    assert_eq!((logged.delivery.status, logged.delivery.attempts), (DeliveryStatus::Delivered, 2));
    assert_eq!(logged.delivery.settled_at, Some(taken.attempt.at + Duration::from_millis(120)));
    assert_eq!(logged.delivery.due_at, None);
    assert_eq!(
        logged.log.iter().map(|one| (one.number, one.status)).collect::<Vec<_>>(),
        [(1, Some(500)), (2, Some(204))]
    );
    assert_eq!(logged.log[1], taken.attempt);
    assert_eq!(logged.event.kind, "message.queued");
    assert_eq!(work(&stage, id).await.unwrap().webhook.health, Health::default());
}

async fn a_delivery_at_rest_stays_as_it_is(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    let delivery = work(&stage, id).await.unwrap().parcels[0].delivery;
    stage.webhooks.disable(SystemScope, id, WebhookReason::Failing, stage.now()).await.unwrap();
    let late = settled(&stage, id, delivery, DeliveryStatus::Delivered);
    stage.webhooks.settle(SystemScope, late).await.unwrap();
    let logged = stage.webhooks.delivery(stage.scope(), delivery).await.unwrap().unwrap();
    assert_eq!(logged.delivery.status, DeliveryStatus::Dead);
    assert_eq!((logged.delivery.reason, logged.log.len()), (Some(DeliveryReason::Disabled), 1));
}

async fn disabling_gives_up_what_is_pending_and_tells_the_feed_and_the_others(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let failing = endpoint(&stage, |_| ()).await;
    let other = endpoint(&stage, |one| one.events = EventFilter(vec!["webhook.*".into()])).await;
    stage.accept(ANN).await;
    stage.fixture.events.take();
    for _ in 0..2 {
        stage.webhooks.disable(SystemScope, failing, WebhookReason::Gone, stage.now()).await.unwrap();
    }
    let told: Vec<_> = stage.fixture.events.take().into_iter().map(|event| event.change).collect();
    assert_eq!(told, [columba::domain::event::Change::Webhook(failing)], "once");
    let one = stage.webhooks.get(stage.scope(), failing).await.unwrap().unwrap();
    assert_eq!((one.status, one.reason), (WebhookStatus::Disabled, Some(WebhookReason::Gone)));
    let states: Vec<_> =
        deliveries(&stage, failing).await.into_iter().map(|one| (one.kind, one.status)).collect();
    assert_eq!(
        states,
        [
            ("message.queued".to_owned(), DeliveryStatus::Dead),
            ("webhook.disabled".to_owned(), DeliveryStatus::Skipped)
        ]
    );
    let parcels = work(&stage, other).await.unwrap().parcels;
    assert_eq!(parcels[0].event.subject, Subject::Webhook(failing, WebhookReason::Gone));
    let log = stage.feed_log.tail(SystemScope, 1).await.unwrap();
    assert_eq!(log[0].change, columba::domain::event::Change::Webhook(failing), "also after a restart");
}

async fn a_change_of_settings_needs_the_newest_revision(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    let mut one = stage.webhooks.get(stage.scope(), id).await.unwrap().unwrap();
    one.description = "first".into();
    let stale = one.clone();
    let written = stage.webhooks.put(stage.scope(), one, stage.now()).await.unwrap();
    assert_eq!(written.description, "first");
    assert_eq!(code(stage.webhooks.put(stage.scope(), stale, stage.now()).await), Code::Conflict);
    let mut now = stage.webhooks.get(stage.scope(), id).await.unwrap().unwrap();
    assert_eq!(now, written);
    now.events = EventFilter(vec!["message.sent".into()]);
    stage.webhooks.put(stage.scope(), now, stage.now()).await.unwrap();
    stage.attempt(ANN, Outcome::Sent).await;
    assert_eq!(kinds(&stage, id).await, ["message.sent"], "the very next event sees it");
}

async fn a_tenant_has_as_many_endpoints_as_it_may_and_the_same_request_makes_one(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let make = |key: &'static str| {
        let one = webhook(stage.tenant, URL, stage.now());
        stage.webhooks.create(stage.scope(), one, 2, idempotency(key, 7))
    };
    let first = make("a").await.unwrap().into_inner();
    let again = make("a").await.unwrap();
    assert_eq!((again.is_replayed(), again.into_inner().id), (true, first.id));
    make("b").await.unwrap();
    assert_eq!(code(make("c").await), Code::Conflict);
    assert!(stage.webhooks.delete(stage.scope(), first.id, stage.now()).await.unwrap());
    make("d").await.unwrap();
    let list = stage.webhooks.list(stage.scope(), Page { limit: 1, before: None }).await.unwrap();
    assert!(list.has_more);
    let page = Page { limit: 5, before: Some(list.rows[0].id.uuid()) };
    let rest = stage.webhooks.list(stage.scope(), page).await.unwrap();
    assert_eq!((rest.rows.len(), rest.has_more), (1, false));
}

async fn another_tenants_endpoints_and_deliveries_do_not_exist(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    let delivery = work(&stage, id).await.unwrap().parcels[0].delivery;
    let stranger = TenantScope::authenticated(stage.stranger().await.tenant);
    let (store, now) = (&stage.webhooks, stage.now());
    let page = Page { limit: 50, before: None };
    assert_eq!(store.get(stranger, id).await.unwrap(), None);
    assert_eq!(store.list(stranger, page).await.unwrap().rows, []);
    assert!(store.deliveries(stranger, id, None, page).await.unwrap().is_none());
    assert_eq!(store.delivery(stranger, delivery).await.unwrap(), None);
    assert!(!store.delete(stranger, id, now).await.unwrap());
    assert_eq!(code(store.test(stranger, id, now, None).await), Code::NotFound);
    assert_eq!(code(store.redeliver(stranger, delivery, now, None).await), Code::NotFound);
    let range = Range { from: now, to: stage.in_secs(1), statuses: vec![DeliveryStatus::Delivered] };
    assert_eq!(code(store.redeliver_range(stranger, id, range, now, None).await), Code::NotFound);
    let own = store.get(stage.scope(), id).await.unwrap().unwrap();
    assert_eq!(code(store.put(stranger, own, now).await), Code::NotFound);
}

async fn a_test_goes_to_one_endpoint_and_is_never_repeated_by_a_range(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |one| one.events = EventFilter(vec!["message.read".into()])).await;
    let other = endpoint(&stage, |_| ()).await;
    let test = |key| stage.webhooks.test(stage.scope(), id, stage.now(), idempotency(key, 1));
    let made = test("t").await.unwrap().into_inner();
    let again = test("t").await.unwrap();
    assert_eq!((again.is_replayed(), again.into_inner().id), (true, made.id));
    let parcels = work(&stage, id).await.unwrap().parcels;
    assert_eq!((parcels.len(), &parcels[0].event.subject, parcels[0].event.seq), (1, &Subject::Test, None));
    assert_eq!(kinds(&stage, other).await, [""; 0]);
    stage.webhooks.settle(SystemScope, settled(&stage, id, made.id, DeliveryStatus::Dead)).await.unwrap();
    let range = Range { from: made.created_at, to: stage.in_secs(1), statuses: vec![DeliveryStatus::Dead] };
    let repeated = stage.webhooks.redeliver_range(stage.scope(), id, range, stage.now(), None).await.unwrap();
    assert_eq!(repeated.into_inner().count, 0);
    stage.webhooks.disable(SystemScope, id, WebhookReason::Gone, stage.now()).await.unwrap();
    assert_eq!(code(test("u").await), Code::Conflict);
}

async fn a_delivery_is_repeated_under_the_same_event(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    let first = work(&stage, id).await.unwrap().parcels.remove(0);
    stage
        .webhooks
        .settle(SystemScope, settled(&stage, id, first.delivery, DeliveryStatus::Delivered))
        .await
        .unwrap();
    stage.wait_secs(1);
    let made = stage.webhooks.redeliver(stage.scope(), first.delivery, stage.now(), None).await.unwrap();
    let made = made.into_inner();
    assert_eq!((made.event, made.repeats, made.attempts), (first.event.id, Some(first.delivery), 0));
    let again = work(&stage, id).await.unwrap().parcels.remove(0);
    assert_eq!((again.delivery, again.event), (made.id, first.event));
    let status = Some(DeliveryStatus::Delivered);
    let page = Page { limit: 50, before: None };
    let done = stage.webhooks.deliveries(stage.scope(), id, status, page).await.unwrap().unwrap();
    assert_eq!(done.rows.iter().map(|one| one.id).collect::<Vec<_>>(), [first.delivery]);
}

async fn what_is_too_old_is_given_up_and_later_forgotten(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    let old = work(&stage, id).await.unwrap().parcels[0].delivery;
    stage.wait_secs(100);
    stage.accept("+15551230009").await;
    let (before, now) = (stage.now() - Duration::from_secs(50), stage.now());
    assert_eq!(stage.webhooks.bury(SystemScope, id, before, now).await.unwrap(), 1);
    let logged = stage.webhooks.delivery(stage.scope(), old).await.unwrap().unwrap();
    assert_eq!(
        (logged.delivery.status, logged.delivery.reason),
        (DeliveryStatus::Dead, Some(DeliveryReason::TooOld))
    );
    stage.webhooks.settle(SystemScope, settled(&stage, id, old, DeliveryStatus::Dead)).await.unwrap();
    stage.wait_secs(KEPT.as_secs() - 50);
    assert_eq!(stage.webhooks.forget(SystemScope, stage.now(), 500).await.unwrap(), 1);
    assert_eq!(stage.webhooks.delivery(stage.scope(), old).await.unwrap(), None);
    assert_eq!(deliveries(&stage, id).await.len(), 1, "the younger one stays");
    assert_eq!(stage.webhooks.forget(SystemScope, stage.now(), 500).await.unwrap(), 0);
}

async fn an_endpoint_that_is_gone_has_no_work(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |_| ()).await;
    stage.accept(ANN).await;
    assert!(stage.webhooks.delete(stage.scope(), id, stage.now()).await.unwrap());
    assert!(!stage.webhooks.delete(stage.scope(), id, stage.now()).await.unwrap());
    assert!(work(&stage, id).await.is_none());
    assert_eq!(stage.webhooks.waiting(SystemScope).await.unwrap(), []);
    let other = endpoint(&stage, |_| ()).await;
    stage.directory.delete_tenant(stage.tenant, stage.now()).await.unwrap();
    assert!(work(&stage, other).await.is_none(), "with its tenant");
    assert_eq!(stage.webhooks.waiting(SystemScope).await.unwrap(), []);
}

async fn an_endpoint_hears_of_inbound_messages_sessions_and_usage(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = endpoint(&stage, |one| {
        one.events = EventFilter(["message.received", "session.*", "usage.*"].map(str::to_owned).to_vec());
    })
    .await;
    stage.outbox.inbound(stage.lease, stage.heard(ANN, "IN1")).await.unwrap();
    for (status, reason) in
        [(SessionStatus::Connected, None), (SessionStatus::Parked, Some(Reason::Replaced))]
    {
        let change = StatusChange { status, reason, code: Some(409), since: stage.now() };
        stage.sessions.announce(stage.lease, change).await.unwrap();
    }
    for number in 0..8 {
        let message = stage.accept(&format!("+1555123000{number}")).await;
        stage.messages.cancel(stage.scope(), message.id, stage.now()).await.unwrap();
    }
    for number in 0..8 {
        stage.attempt(&format!("+1555123001{number}"), Outcome::Sent).await;
    }
    let parcels = work(&stage, id).await.unwrap().parcels;
    let kinds: Vec<_> = parcels.iter().map(|parcel| parcel.event.kind.as_str()).collect();
    let mut expected = vec!["message.received", "session.connected", "session.parked"];
    expected.extend(["usage.threshold"; 2]);
    assert_eq!(kinds, expected);
    let Subject::Message(heard) = &parcels[0].event.subject else { panic!("{parcels:?}") };
    assert_eq!(heard.chat.as_str(), ANN);
    let Subject::Session(parked) = &parcels[2].event.subject else { panic!("{parcels:?}") };
    assert_eq!((parked.status, parked.reason), (SessionStatus::Parked, Some(Reason::Replaced)));
    assert_eq!((parked.reason_code, parked.label.as_str()), (Some(409), "front desk"));
    let Subject::Session(connected) = &parcels[1].event.subject else { panic!("{parcels:?}") };
    assert_eq!((connected.status, connected.counters.received), (SessionStatus::Connected, 1));
    assert_eq!(parcels[3].event.subject, Subject::Usage(50));
    assert_eq!(parcels[4].event.subject, Subject::Usage(80));
}
