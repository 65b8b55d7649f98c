//! What is wanted of each session, and how each stands.

use columba::domain::audit::Actor;
use columba::domain::event::Change;
use columba::domain::id::SessionId;
use columba::domain::message::{MessageReason, MessageStatus};
use columba::domain::page::{Order, Page};
use columba::domain::refusal::Code;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{
    Desired, Reason, Retry, Session, SessionStatus as Status, Standing, Supervision,
};
use columba::domain::tenant::TenantStatus;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::clock::Clock as _;
use columba::ports::directory::TenantPatch;
use columba::ports::outbox::Outcome;
use columba::ports::sessions::{FleetFilter, FleetPage, StatusChange};
use columba::ports::store::{Created, StoreError};
use futures_util::future::join_all;
use strum::IntoEnumIterator as _;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, code, idempotency, plan, session};

contract!(
    a_session_is_read_as_it_was_created,
    a_tenant_has_no_more_sessions_than_its_plan_allows,
    a_creation_replayed_answers_the_first_session,
    a_foreign_session_is_absent_from_every_answer,
    lists_and_the_fleet_run_from_the_newest_and_narrow,
    what_is_wanted_is_written_and_answered,
    a_status_is_written_with_its_reason_and_told,
    losing_the_credentials_takes_back_what_waits,
    what_the_network_holds_against_an_account_outlives_its_owner,
    reconnects_are_counted,
    a_deleted_session_is_absent_and_its_messages_stay_readable,
    a_boot_restores_what_is_wanted_and_stops_the_rest,
    a_census_counts_sessions_by_status_and_what_waits,
    deaths_count_against_whoever_was_starting_and_the_third_quarantines,
    a_quarantine_is_written_with_its_failed_probes,
    a_proxy_is_kept_for_the_newest_owner_and_audited_without_a_word_of_it,
);

const ALL: Page = Page { limit: 200, before: None };

fn change(status: Status, stage: &Stage) -> StatusChange {
    StatusChange { status, reason: None, code: None, since: stage.now() }
}

async fn a_session_is_read_as_it_was_created(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let created = session(stage.tenant, stage.now());
    let answer = stage.sessions.create(stage.scope(), created.clone(), plan("basic").caps(), None).await;
    assert_eq!(answer, Ok(Created::New(created.clone())));
    assert_eq!(stage.sessions.get(stage.scope(), created.id).await, Ok(Some(created.clone())));
    assert_eq!(stage.sessions.find(SystemScope, created.id).await, Ok(Some(created)));
    assert_eq!(stage.sessions.count(stage.scope()).await, Ok(2));
}

async fn a_tenant_has_no_more_sessions_than_its_plan_allows(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let caps = plan("basic").caps();
    let create = || stage.sessions.create(stage.scope(), session(stage.tenant, stage.now()), caps, None);
    let answers = join_all((0..4).map(|_| create())).await;
    let (yes, no): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(yes.len(), 1, "two, of which one was there");
    assert!(no.into_iter().all(|answer| code(answer) == Code::Conflict));
    stage.sessions.delete(stage.scope(), stage.session, stage.now()).await.unwrap();
    assert!(create().await.is_ok(), "a deleted one takes no place");
    stage.stranger().await;
}

async fn a_creation_replayed_answers_the_first_session(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let caps = plan("basic").caps();
    let create = |key, fingerprint| {
        let session = session(stage.tenant, stage.now());
        stage.sessions.create(stage.scope(), session, caps, idempotency(key, fingerprint))
    };
    let first = create("k", 1).await.unwrap().into_inner();
    let again = create("k", 1).await.unwrap();
    assert!(again.is_replayed(), "even when the plan allows no further one");
    assert_eq!(again.into_inner().id, first.id);
    assert_eq!(code(create("k", 2).await), Code::IdempotencyMismatch);
    assert_eq!(stage.sessions.count(stage.scope()).await, Ok(2));
}

async fn a_foreign_session_is_absent_from_every_answer(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let theirs = stage.stranger().await.session;
    let before = stage.sessions.find(SystemScope, theirs).await;
    for id in [theirs, SessionId::mint(stage.now())] {
        assert_eq!(stage.sessions.get(stage.scope(), id).await, Ok(None));
        assert_eq!(stage.sessions.set_desired(stage.scope(), id, Desired::LoggedOut).await, Ok(None));
        assert_eq!(stage.sessions.delete(stage.scope(), id, stage.now()).await, Ok(false));
    }
    let list = stage.sessions.list(stage.scope(), ALL).await.unwrap();
    assert_eq!(list.rows, [stage.record().await]);
    assert_eq!(stage.sessions.count(stage.scope()).await, Ok(1));
    assert_eq!(stage.sessions.find(SystemScope, theirs).await, before);
}

async fn lists_and_the_fleet_run_from_the_newest_and_narrow(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (second, theirs) = (stage.sibling().await, stage.stranger().await);
    stage.sessions.announce(theirs, change(Status::Connected, &stage)).await.unwrap();
    let ids = |rows: &[columba::domain::session::Session]| rows.iter().map(|row| row.id).collect::<Vec<_>>();

    let first = stage.sessions.list(stage.scope(), Page { limit: 1, before: None }).await.unwrap();
    assert_eq!((ids(&first.rows), first.has_more), (vec![second.session], true));
    let before = Some(second.session.uuid());
    let rest = stage.sessions.list(stage.scope(), Page { limit: 1, before }).await.unwrap();
    assert_eq!((ids(&rest.rows), rest.has_more), (vec![stage.session], false));

    let (mine, connected) = (Some(stage.tenant), Some(Status::Connected));
    for (tenant, status, expected) in [
        (None, None, vec![theirs.session, second.session, stage.session]),
        (mine, None, vec![second.session, stage.session]),
        (None, connected, vec![theirs.session]),
        (mine, connected, vec![]),
    ] {
        let filter = FleetFilter { tenant, status, ..FleetFilter::default() };
        let fleet = stage.sessions.fleet(SystemScope, filter.clone(), FleetPage::newest(200)).await.unwrap();
        assert_eq!((ids(&fleet.rows), fleet.has_more), (expected, false), "{filter:?}");
    }
    let page = FleetPage::newest(2);
    assert!(stage.sessions.fleet(SystemScope, FleetFilter::default(), page).await.unwrap().has_more);
}

async fn what_is_wanted_is_written_and_answered(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for desired in [Desired::Running, Desired::LoggedOut, Desired::Stopped] {
        let answer =
            stage.sessions.set_desired(stage.scope(), stage.session, desired).await.unwrap().unwrap();
        assert_eq!(answer.desired, desired);
        assert_eq!(stage.record().await, answer);
    }
}

async fn a_status_is_written_with_its_reason_and_told(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for (at, status) in (0..).zip(Status::iter()) {
        stage.wait_secs(1);
        let (reason, code) = (Some(Reason::Throttled), Some(429));
        let change = StatusChange { status, reason, code, since: stage.now() };
        if at % 2 == 0 {
            assert_eq!(stage.sessions.announce(stage.lease, change).await, Ok(()));
        } else {
            assert_eq!(stage.sessions.pronounce(SystemScope, stage.session, change).await, Ok(()));
        }
        let record = stage.record().await;
        assert_eq!((record.status, record.reason, record.reason_code), (status, reason, code));
        assert_eq!(record.since, stage.now());
        assert_eq!(stage.told(), [Change::Session(status)]);
    }
    stage.sessions.announce(stage.lease, change(Status::Connected, &stage)).await.unwrap();
    let record = stage.record().await;
    assert_eq!((record.reason, record.reason_code), (None, None), "a reason goes with its status");
}

async fn losing_the_credentials_takes_back_what_waits(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let locked = Outcome::Held { until: stage.in_secs(60), reason: MessageReason::Timelock };
    let waiting = [stage.accept(ANN).await.id, stage.attempt(BOB, locked).await.id];
    let under_way = stage.accept("+15551230003").await;
    let work = stage.work(under_way.id).await;
    stage.told();
    assert_eq!(stage.sessions.set_paired(stage.lease, true, stage.now()).await, Ok(()));
    assert_eq!(stage.told(), [], "nothing changed");

    assert_eq!(stage.sessions.set_paired(stage.lease, false, stage.now()).await, Ok(()));
    assert!(!stage.record().await.paired);
    for id in waiting {
        let message = stage.message(id).await;
        let expected = (MessageStatus::Canceled, Some(MessageReason::SessionGone));
        assert_eq!((message.status, message.reason), expected);
    }
    assert_eq!(stage.told().len(), 2);
    assert_eq!(stage.usage().await, (0, 1));
    assert!(stage.settle(&work, Outcome::Sent).await, "what was under way may have left");
}

async fn what_the_network_holds_against_an_account_outlives_its_owner(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let standing = Standing {
        failures: 2,
        retry: Some(Retry { at: stage.in_secs(50), reason: Reason::Throttled }),
        throttle_steps: 3,
        banned_until: Some(stage.in_secs(60)),
        timelock_until: Some(stage.in_secs(70)),
        new_chats_until: Some(stage.in_secs(80)),
        replaced_at: Some(stage.now()),
    };
    for standing in [standing, Standing::default(), standing] {
        assert_eq!(stage.sessions.remember(stage.lease, standing).await, Ok(()));
        let memory = stage.outbox.recall(stage.session, stage.fixture.clock.read()).await.unwrap();
        stage.lease = memory.lease;
        assert_eq!((memory.standing, memory.paired), (standing, true));
        assert_eq!(stage.record().await.standing, standing);
    }
}

async fn reconnects_are_counted(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for _ in 0..2 {
        stage.sessions.count_reconnect(stage.lease).await.unwrap();
    }
    assert_eq!(stage.record().await.counters.reconnects, 2);
}

async fn a_deleted_session_is_absent_and_its_messages_stay_readable(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (sent, waits) = (stage.attempt(ANN, Outcome::Sent).await, stage.accept(BOB).await);
    stage.told();
    assert_eq!(stage.sessions.delete(stage.scope(), stage.session, stage.now()).await, Ok(true));
    assert_eq!(stage.sessions.delete(stage.scope(), stage.session, stage.now()).await, Ok(false));

    assert_eq!(stage.sessions.get(stage.scope(), stage.session).await, Ok(None));
    assert_eq!(stage.sessions.find(SystemScope, stage.session).await, Ok(None));
    assert_eq!(stage.sessions.list(stage.scope(), ALL).await.unwrap().rows, []);
    let newest = FleetPage::newest(200);
    let fleet = stage.sessions.fleet(SystemScope, FleetFilter::default(), newest).await.unwrap();
    assert_eq!(fleet.rows, []);
    assert_eq!(stage.sessions.count(stage.scope()).await, Ok(0));
    assert_eq!(stage.sessions.restore(SystemScope, stage.now()).await, Ok(vec![]));
    let desired = stage.sessions.set_desired(stage.scope(), stage.session, Desired::Running).await;
    assert_eq!(desired, Ok(None));
    let recalled = stage.outbox.recall(stage.session, stage.fixture.clock.read()).await;
    assert_eq!(recalled, Err(StoreError::Fenced), "nobody can own it any more");

    assert_eq!(stage.message(sent.id).await, sent);
    let canceled = stage.message(waits.id).await;
    let expected = (MessageStatus::Canceled, Some(MessageReason::SessionGone));
    assert_eq!((canceled.status, canceled.reason), expected);
    assert_eq!(stage.usage().await, (1, 0));
    assert_eq!(stage.told(), [Change::Message(waits.id, MessageStatus::Canceled)]);
}

async fn a_census_counts_sessions_by_status_and_what_waits(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let other = stage.stranger().await;
    let gone = session(stage.tenant, stage.now());
    let gone_id = gone.id;
    stage.sessions.create(stage.scope(), gone, plan("basic").caps(), None).await.unwrap();
    stage.sessions.delete(stage.scope(), gone_id, stage.now()).await.unwrap();
    stage.accept("+15551230001").await;
    stage.attempt("+15551230002", Outcome::Sent).await;
    stage.sessions.announce(other, change(Status::Connected, &stage)).await.unwrap();

    let before = stage.record().await.status;
    let census = stage.sessions.census(SystemScope).await.unwrap();
    assert_eq!(census.sessions, [(before, 1), (Status::Connected, 1)].into());
    assert_eq!(census.waiting, 1);
}

async fn a_boot_restores_what_is_wanted_and_stops_the_rest(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let suspended = stage.stranger().await;
    // What is wanted, whether it holds credentials, how it stood; whether it is restored, how it stands after.
    let (run, rest, out) = (Desired::Running, Desired::Stopped, Desired::LoggedOut);
    let table = [
        (run, true, Status::Connected, true, Status::Starting),
        (run, true, Status::Reconnecting, true, Status::Starting),
        (run, false, Status::Pairing, true, Status::Starting),
        (run, false, Status::Parked, true, Status::Parked),
        (run, false, Status::Quarantined, true, Status::Quarantined),
        (out, true, Status::Connected, true, Status::Starting),
        (out, false, Status::Connected, false, Status::Stopped),
        (out, false, Status::LoggedOut, false, Status::LoggedOut),
        (rest, true, Status::Connected, false, Status::Stopped),
        (rest, true, Status::Starting, false, Status::Stopped),
        (rest, false, Status::Pairing, false, Status::Stopped),
        (rest, true, Status::Reconnecting, false, Status::Stopped),
        (rest, true, Status::Parked, false, Status::Parked),
        (rest, true, Status::Quarantined, false, Status::Quarantined),
        (rest, true, Status::Stopped, false, Status::Stopped),
    ];
    let mut caps = plan("basic").caps();
    caps.sessions_max = 100;
    let (mut ids, mut restored) = (vec![], vec![]);
    for (desired, paired, status, returns, _) in table {
        let session = session(stage.tenant, stage.now());
        let id = session.id;
        stage.sessions.create(stage.scope(), session, caps, None).await.unwrap();
        let lease = stage.outbox.recall(id, stage.fixture.clock.read()).await.unwrap().lease;
        stage.sessions.set_paired(lease, paired, stage.now()).await.unwrap();
        stage.sessions.set_desired(stage.scope(), id, desired).await.unwrap();
        stage.sessions.announce(lease, change(status, &stage)).await.unwrap();
        ids.push(id);
        restored.extend(returns.then_some(id));
    }
    let theirs = TenantScope::authenticated(suspended.tenant);
    stage.sessions.set_desired(theirs, suspended.session, run).await.unwrap();
    stage.sessions.announce(suspended, change(Status::Connected, &stage)).await.unwrap();
    let patch = TenantPatch { status: Some(TenantStatus::Suspended), ..Default::default() };
    stage.directory.patch_tenant(suspended.tenant, patch, stage.now()).await.unwrap();

    stage.wait_secs(1);
    let mut answer = stage.sessions.restore(SystemScope, stage.now()).await.unwrap();
    let running: Vec<_> =
        answer.iter().filter(|session| session.desired == run).map(|session| session.id).collect();
    assert_eq!(running, restored[..5], "oldest first");
    answer.sort_by_key(|session| session.id);
    assert_eq!(answer.iter().map(|session| session.id).collect::<Vec<_>>(), restored);
    for (id, (desired, paired, was, _, expected)) in ids.into_iter().zip(table) {
        let now = stage.sessions.get(stage.scope(), id).await.unwrap().unwrap();
        assert_eq!(now.status, expected, "{desired} {paired} {was}");
        assert_eq!((now.desired, now.paired), (desired, paired));
        assert_eq!(now.since == stage.now(), now.status != was, "{desired} {paired} {was}");
    }
    let theirs = stage.sessions.get(theirs, suspended.session).await.unwrap().unwrap();
    assert_eq!((theirs.status, theirs.desired), (Status::Stopped, run), "what is wanted stays");
}

/// How the session comes back from a death of the process.
async fn after_death(stage: &Stage) -> Session {
    let mut restored = stage.sessions.restore(SystemScope, stage.now()).await.unwrap();
    let found = restored.pop().unwrap();
    assert_eq!((restored.len(), found.id), (0, stage.session));
    assert_eq!(found, stage.record().await, "what is answered is what is written");
    found
}

async fn deaths_count_against_whoever_was_starting_and_the_third_quarantines(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.sessions.set_desired(stage.scope(), stage.session, Desired::Running).await.unwrap();
    let take =
        || async { stage.outbox.recall(stage.session, stage.fixture.clock.read()).await.unwrap().lease };
    let deaths = |session: &Session| session.supervision.unclean_deaths;

    // Whoever got somewhere is not to blame.
    let lease = take().await;
    assert_eq!(
        stage.record().await.supervision.starting_at,
        Some(stage.now()),
        "with the epoch, before any link"
    );
    stage.sessions.announce(lease, change(Status::Starting, &stage)).await.unwrap();
    assert!(stage.record().await.supervision.starting_at.is_some(), "to say that it starts is not to stand");
    stage.sessions.announce(lease, change(Status::Connected, &stage)).await.unwrap();
    assert_eq!(deaths(&after_death(&stage).await), 0);

    // Nor is whoever was not even started between two deaths.
    take().await;
    for _ in 0..3 {
        assert_eq!(deaths(&after_death(&stage).await), 1);
    }
    take().await;
    assert_eq!(deaths(&after_death(&stage).await), 2);
    stage.told();
    take().await;
    stage.wait_secs(1);
    let quarantined = after_death(&stage).await;
    assert_eq!((quarantined.status, quarantined.reason), (Status::Quarantined, Some(Reason::CrashLoop)));
    assert_eq!((quarantined.since, quarantined.supervision), (stage.now(), Supervision::default()));
    assert_eq!(stage.told(), [Change::Session(Status::Quarantined)]);

    // The supervisor's word that it crashed means as well that the process outlived it.
    take().await;
    stage.sessions.pronounce(SystemScope, stage.session, change(Status::Reconnecting, &stage)).await.unwrap();
    assert_eq!(deaths(&after_death(&stage).await), 0);
}

async fn a_quarantine_is_written_with_its_failed_probes(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for probes in [0, 2] {
        let shut = change(Status::Quarantined, &stage);
        stage.sessions.quarantine(SystemScope, stage.session, shut, probes).await.unwrap();
        let record = stage.record().await;
        assert_eq!((record.status, record.supervision.probes), (Status::Quarantined, probes));
    }
    stage.sessions.announce(stage.lease, change(Status::Connected, &stage)).await.unwrap();
    assert_eq!(stage.record().await.supervision.probes, 2, "until the supervisor says otherwise");
}

async fn a_proxy_is_kept_for_the_newest_owner_and_audited_without_a_word_of_it(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let (id, other) = (stage.session, stage.sibling().await);
    let set = async |stage: &Stage, sealed: Option<&[u8]>| {
        let sealed = sealed.map(<[u8]>::to_vec);
        stage.sessions.set_proxy(SystemScope, id, sealed, Actor::root()).await.unwrap()
    };
    assert_eq!(stage.sessions.proxy(stage.lease).await, Ok(None));
    // What is not there is not taken away, and nobody did anything.
    assert_eq!(set(&stage, None).await, Some(stage.record().await));
    for sealed in [&b"first \xff"[..], b"second"] {
        let session = set(&stage, Some(sealed)).await.unwrap();
        assert!(session.proxy && stage.record().await == session);
        assert_eq!(stage.sessions.proxy(stage.lease).await, Ok(Some(sealed.to_vec())));
    }
    assert_eq!(stage.sessions.proxy(other).await, Ok(None), "a neighbour's is its own");
    // What the owner writes meanwhile leaves it alone.
    let change = change(Status::Connected, &stage);
    stage.sessions.announce(stage.lease, change).await.unwrap();
    assert!(stage.record().await.proxy);
    let old = stage.take_over().await;
    assert_eq!(stage.sessions.proxy(old).await, Err(StoreError::Fenced));
    assert_eq!(stage.sessions.proxy(stage.lease).await, Ok(Some(b"second".to_vec())));
    assert!(!set(&stage, None).await.unwrap().proxy);
    assert_eq!(stage.sessions.proxy(stage.lease).await, Ok(None));

    let page = AuditPage { limit: 200, order: Order::Ascending, beyond: None };
    let filter = AuditFilter { action: Some("session.proxy".to_owned()), ..AuditFilter::default() };
    let entries = stage.audit.entries(SystemScope, filter, page).await.unwrap().rows;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            (&*entry.subject.id, entry.before.as_deref(), entry.after.as_deref(), &*entry.actor.name)
        })
        .collect();
    let (with, without) = (Some(r#"{"proxy":true}"#), Some(r#"{"proxy":false}"#));
    let id = id.to_string();
    assert_eq!(
        told,
        [(&*id, without, with, "root"), (&*id, with, with, "root"), (&*id, with, without, "root"),]
    );

    set(&stage, Some(b"third")).await;
    assert_eq!(stage.sessions.delete(stage.scope(), stage.session, stage.now()).await, Ok(true));
    assert_eq!(set(&stage, Some(b"fourth")).await, None, "a deleted session");
    assert_eq!(stage.sessions.proxy(stage.lease).await, Err(StoreError::Fenced));
}
