//! Restart, quarantine, fencing, stop and drain, on one thread with time paused.

use std::time::Duration;

use columba::actors::registry::table::Phase;
use columba::domain::id::SessionId;
use columba::domain::message::MessageStatus;
use columba::domain::session::{CloseReason, Desired, Epoch, Generation, Reason, SessionStatus};
use columba::domain::tenant::TenantStatus;
use columba::ports::clock::Clock as _;
use columba::ports::directory::TenantPatch;
use columba::ports::signals::Signals as _;
use columba::ports::supervisor::{Supervisor as _, SupervisorError};
use columba::ports::transport::LinkEvent;

use super::flaky::Call;
use super::fleet::{ANNA, Fleet, person};
use super::scripted::Answer;

const SECOND: Duration = Duration::from_secs(1);

// ---- crashes --------------------------------------------------------------------------------------------------

#[actix::test]
async fn a_panic_in_a_handler_brings_a_new_generation_after_one_second() {
    let mut fleet = Fleet::start().await;
    let ((anna, first), (bert, neighbour)) = (fleet.connected().await, fleet.connected().await);
    let crashed_at = fleet.now();

    fleet.crash(anna.id).await;

    fleet.until(anna.id, SessionStatus::Reconnecting).await;
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Reconnecting, Some(Reason::Crashed)));
    let again = fleet.birth().await;
    assert_eq!((again.birth.session, again.birth.generation), (anna.id, Generation(2)));
    assert_eq!(again.at.since(crashed_at).as_secs(), 1); // tokio's timers round up to the next millisecond
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    fleet.until(anna.id, SessionStatus::Connected).await;
    assert!(neighbour.handle.describe().await.is_ok(), "the neighbour did not notice");
    assert!(fleet.said(bert.id).is_empty(), "nor did who watches it");
    fleet.finish().await;
}

#[actix::test]
async fn a_panic_in_the_link_brings_a_new_generation_as_well() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    let crashed_at = fleet.now();
    fleet.network.panic(anna.id);
    let again = fleet.birth().await;
    assert_eq!(again.birth.generation, Generation(2));
    assert_eq!(again.at.since(crashed_at).as_secs(), 1);
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_panic_in_an_attempt_costs_that_attempt_and_nothing_else() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Panics]);
    let lost = fleet.send(anna.id, ANNA).await;
    let next = fleet.send(anna.id, &person(2)).await;
    fleet.becomes(next, MessageStatus::Sent).await;
    fleet.becomes(lost, MessageStatus::Unknown).await;
    assert!(first.handle.describe().await.is_ok(), "the session lives on");
    assert_eq!(fleet.frames(2).await.iter().filter(|frame| frame.message == lost).count(), 1);
    assert!(fleet.is_silent(), "nobody knows whether it left, so it is not sent again");
    fleet.finish_with(&[(lost, MessageStatus::Unknown)]).await;
}

#[actix::test]
async fn a_session_that_keeps_crashing_is_quarantined_at_the_fifth_exit_until_a_start() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    let mut births = vec![first.at];
    for exit in 1..=5 {
        fleet.crash(anna.id).await;
        if exit < 5 {
            births.push(fleet.birth().await.at);
            fleet.until(anna.id, SessionStatus::Connected).await;
        }
    }
    let gaps: Vec<u64> = births.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert_eq!(gaps, [1, 2, 4, 8]);
    fleet.until(anna.id, SessionStatus::Quarantined).await;
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Quarantined, Some(Reason::CrashLoop)));
    assert!(fleet.is_barren_for(Duration::from_secs(300)).await);
    assert_eq!(fleet.find(anna.id).await.unwrap().1, Phase::Quarantined);

    fleet.want(anna.id, Desired::Running).await;
    assert_eq!(fleet.birth().await.birth.session, anna.id);
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.crash(anna.id).await; // its past is forgiven: this is a first exit
    fleet.birth().await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.finish().await;
}

#[actix::test]
async fn news_of_an_older_generation_changes_nothing() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.crash(anna.id).await;
    let second = fleet.birth().await;
    fleet.until(anna.id, SessionStatus::Connected).await;

    drop(first.birth.guard()); // reports the first generation down once more

    assert_eq!(fleet.find(anna.id).await, Some((Generation(2), Phase::Running)));
    assert!(second.handle.describe().await.is_ok());
    assert!(fleet.routes.get(anna.id).is_some(), "the way to the second generation stays");
    assert!(fleet.is_barren().await);
    assert!(fleet.said(anna.id).is_empty());
    fleet.finish().await;
}

#[actix::test]
async fn a_permit_returns_when_its_handler_panics() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.clock.panic_next();
    first.handle.wake();
    assert!(!first.handle.hears_hints(), "the hint holds the only place");
    assert_eq!(fleet.birth().await.birth.generation, Generation(2));
    assert!(first.handle.hears_hints(), "unwinding gave the place back");
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.finish().await;
}

// ---- ownership ------------------------------------------------------------------------------------------------

#[actix::test]
async fn every_generation_takes_a_new_epoch() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    assert_eq!(fleet.opened().await.epoch, Epoch(1));
    fleet.crash(anna.id).await;
    fleet.birth().await;
    assert_eq!(fleet.opened().await.epoch, Epoch(2));
    let row = fleet.look(anna.id).await;
    fleet.registry.restart(&row).await.unwrap();
    fleet.birth().await;
    assert_eq!(fleet.opened().await.epoch, Epoch(3));
    fleet.finish().await;
}

#[actix::test]
async fn an_owner_that_was_replaced_ends_at_its_next_store_call_and_says_nothing_more() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    let newer = fleet.stores.outbox.recall(anna.id, fleet.clock.read()).await.unwrap();
    assert_eq!(newer.lease.epoch, Epoch(2));
    fleet.said(anna.id);

    let message = fleet.send(anna.id, ANNA).await;

    fleet.until(anna.id, SessionStatus::Reconnecting).await;
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    assert!(!fleet.has_link(anna.id), "it closed its link");
    assert_eq!(fleet.standing(anna.id).await.1, Some(Reason::Crashed), "the supervisor's word, not its own");
    assert!(fleet.is_silent());
    fleet.birth().await;
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.frame().await.lease.epoch, Epoch(3));
    fleet.finish().await;
}

#[actix::test]
async fn a_store_that_is_away_at_the_start_is_asked_again_without_an_exit() {
    let mut fleet = Fleet::start().await;
    fleet.outbox.leave(Call::Recall);
    let session = fleet.row(true).await;
    fleet.registry.heed(&session).await.unwrap();
    let born = fleet.birth().await;
    fleet.pass(Duration::from_secs(300)).await;
    let asked = fleet.outbox.count(Call::Recall);
    assert!((20..=30).contains(&asked), "{asked} questions in 300 s: at first often, then every 15 s");
    let described = born.handle.describe().await.unwrap();
    assert_eq!(
        (described.status, described.reason),
        (SessionStatus::Starting, Some(Reason::StoreUnavailable))
    );

    fleet.outbox.come_back(Call::Recall);
    fleet.pass(Duration::from_secs(15)).await;
    fleet.until(session.id, SessionStatus::Connected).await;
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Connected, None));
    assert_eq!(fleet.find(session.id).await, Some((Generation(1), Phase::Running)));
    fleet.finish().await;
}

// ---- stop, start, log out -------------------------------------------------------------------------------------

#[actix::test]
async fn a_stop_that_was_asked_for_is_no_crash() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.said(anna.id);
    fleet.want(anna.id, Desired::Stopped).await;
    assert!(fleet.is_barren().await);
    assert_eq!(fleet.find(anna.id).await, Some((Generation(1), Phase::Stopped)));
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Stopped, Some(Reason::Requested)));
    assert_eq!(fleet.said(anna.id), [SessionStatus::Stopped], "said once");
    assert!(!fleet.has_link(anna.id));
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    assert!(fleet.routes.is_empty());
    fleet.finish().await;
}

#[actix::test]
async fn a_stop_lets_an_attempt_end() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Later(3 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    let sent_at = fleet.frame().await.at;
    let row = fleet.look(anna.id).await;
    fleet.registry.restart(&row).await.unwrap();
    let again = fleet.birth().await;
    assert_eq!(again.at.since(sent_at).as_secs(), 3, "the old one left once the ack was there");
    assert_eq!(fleet.message(message).await.status, MessageStatus::Sent);
    fleet.finish().await;
}

#[actix::test]
async fn a_stop_waits_for_attempts_at_most_five_seconds() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Later(8 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    let sent_at = fleet.frame().await.at;
    let row = fleet.look(anna.id).await;
    fleet.registry.restart(&row).await.unwrap();
    let again = fleet.birth().await;
    assert_eq!(again.at.since(sent_at).as_secs(), 5);
    fleet.becomes(message, MessageStatus::Sent).await; // the attempt has outlived its actor
    assert_eq!(fleet.now().since(sent_at).as_secs(), 8);
    fleet.finish().await;
    // One frame only, although the row was `sending` when the new generation came.
}

#[actix::test]
async fn a_stop_before_the_store_has_answered_leaves_the_row_stopped() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.outbox.leave(Call::Recall);
    fleet.crash(anna.id).await;
    fleet.birth().await;
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Reconnecting, Some(Reason::Crashed)));
    fleet.want(anna.id, Desired::Stopped).await;
    fleet.until(anna.id, SessionStatus::Stopped).await;
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Stopped, Some(Reason::Requested)));
    fleet.finish().await;
}

#[actix::test]
async fn a_parked_session_that_is_started_again_does_not_crash() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.network.hang_up(anna.id, CloseReason::ClientOutdated);
    fleet.until(anna.id, SessionStatus::Parked).await;
    assert_eq!(fleet.look(anna.id).await.reason_code, Some(405));
    fleet.want(anna.id, Desired::Running).await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    assert!(first.handle.describe().await.is_ok());
    assert_eq!(fleet.find(anna.id).await, Some((Generation(1), Phase::Running)));
    fleet.finish().await;
}

#[actix::test]
async fn a_log_out_right_after_a_start_is_carried_out_once_and_without_a_crash() {
    let mut fleet = Fleet::start().await;
    let session = fleet.row(true).await;
    fleet.outbox.slow_down(Call::Recall, SECOND);
    fleet.registry.heed(&session).await.unwrap();
    fleet.birth().await;
    fleet.want(session.id, Desired::LoggedOut).await;
    fleet.until(session.id, SessionStatus::LoggedOut).await;
    fleet.pass(SECOND).await;
    assert_eq!(fleet.outbox.count(Call::Recall), 1, "what is asked already is not asked again");
    assert_eq!(fleet.vaults.archived(), [session.id]);
    assert!(!fleet.look(session.id).await.paired);
    assert_eq!(fleet.find(session.id).await, Some((Generation(1), Phase::Running)));
    fleet.finish().await;
}

/// Brings a new session into a phase of the table. In `Waiting` its actor has crashed a moment ago.
async fn in_phase(fleet: &mut Fleet, phase: Option<Phase>) -> SessionId {
    let id = match phase {
        None => fleet.row(true).await.id,
        Some(_) => fleet.connected().await.0.id,
    };
    match phase {
        None | Some(Phase::Running) => {}
        Some(Phase::Waiting) => fleet.crash(id).await,
        Some(Phase::Stopped) => {
            fleet.want(id, Desired::Stopped).await;
            fleet.pass(SECOND).await;
        }
        Some(Phase::Stopping { .. }) => {
            fleet.network.answers(id, [Answer::Later(2 * SECOND, Ok(()))]);
            fleet.send(id, ANNA).await;
            fleet.frame().await;
            fleet.want(id, Desired::Stopped).await;
        }
        Some(Phase::Quarantined) => {
            for exit in 1..=5 {
                fleet.crash(id).await;
                if exit < 5 {
                    fleet.birth().await;
                }
            }
        }
    }
    assert_eq!(fleet.find(id).await.map(|(_, phase)| phase), phase, "the way into {phase:?} leads elsewhere");
    id
}

#[actix::test]
async fn what_the_row_wants_happens_in_every_phase() {
    let phases = [
        None,
        Some(Phase::Waiting),
        Some(Phase::Running),
        Some(Phase::Stopping { then_start: false }),
        Some(Phase::Stopped),
        Some(Phase::Quarantined),
    ];
    let mut fleet = Fleet::start().await;
    for phase in phases {
        for (desired, expected) in [
            (Desired::Running, SessionStatus::Connected),
            (Desired::Stopped, SessionStatus::Stopped),
            (Desired::LoggedOut, SessionStatus::LoggedOut),
        ] {
            let id = in_phase(&mut fleet, phase).await;
            fleet.want(id, desired).await;
            fleet.want(id, desired).await; // twice is once
            fleet.pass(Duration::from_secs(5)).await;
            let row = fleet.look(id).await;
            assert_eq!(row.status, expected, "{desired} in {phase:?}");
            let wiped = usize::from(desired == Desired::LoggedOut);
            let archived = fleet.vaults.archived();
            assert_eq!(archived.iter().filter(|one| **one == id).count(), wiped, "{desired} in {phase:?}");
            assert_eq!(row.paired, wiped == 0, "{desired} in {phase:?}");
            assert_eq!(fleet.has_link(id), desired == Desired::Running, "{desired} in {phase:?}");
            fleet.ignore_births();
        }
    }
    fleet.finish().await;
}

#[actix::test]
async fn a_log_out_tells_the_server_puts_the_credentials_away_and_cancels_what_waits() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let waiting = fleet.queue(anna.id, ANNA).await;
    fleet.want(anna.id, Desired::LoggedOut).await;
    fleet.becomes(waiting, MessageStatus::Canceled).await;
    fleet.until(anna.id, SessionStatus::LoggedOut).await;
    assert_eq!(fleet.network.logged_out(), [anna.id]);
    assert_eq!(fleet.vaults.archived(), [anna.id]);
    assert!(fleet.is_silent());

    // A person starts it again and pairs.
    fleet.want(anna.id, Desired::Running).await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    assert!(fleet.look(anna.id).await.paired);
    fleet.finish().await;
}

#[actix::test]
async fn a_suspended_tenants_session_is_stopped_and_stays_so() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let suspended = TenantPatch { status: Some(TenantStatus::Suspended), ..TenantPatch::default() };
    fleet.stores.directory.patch_tenant(fleet.tenant, suspended, fleet.clock.wall()).await.unwrap();
    let row = fleet.look(anna.id).await;
    assert_eq!(row.desired, Desired::Running);
    fleet.registry.heed(&row).await.unwrap();
    fleet.until(anna.id, SessionStatus::Stopped).await;
    fleet.registry.restart(&row).await.unwrap();
    assert!(fleet.is_barren().await);
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Stopped, Some(Reason::TenantSuspended)));

    let resumed = TenantPatch { status: Some(TenantStatus::Active), ..TenantPatch::default() };
    fleet.stores.directory.patch_tenant(fleet.tenant, resumed, fleet.clock.wall()).await.unwrap();
    fleet.registry.heed(&row).await.unwrap();
    fleet.birth().await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_removal_ends_the_actor_then_destroys_the_credentials_and_forgets_the_session() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Later(2 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Sending).await;
    let row = fleet.look(anna.id).await;
    let asked_at = fleet.now();
    fleet.registry.remove(&row).await.unwrap();
    assert!(fleet.now().since(asked_at) >= 2 * SECOND, "its attempt ended first");
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    assert_eq!(fleet.vaults.destroyed(), [anna.id]);
    assert_eq!(fleet.find(anna.id).await, None);
    fleet.stores.sessions.delete(fleet.scope(), anna.id, fleet.clock.wall()).await.unwrap();
    fleet.registry.remove(&row).await.unwrap(); // as the API does, and it changes nothing
    assert_eq!(fleet.find(anna.id).await, None);
    assert!(fleet.is_barren().await);
    fleet.finish().await;
}

// ---- boot and drain -------------------------------------------------------------------------------------------

#[actix::test]
async fn a_boot_starts_twenty_sessions_a_second() {
    let mut fleet = Fleet::start().await;
    let mut sessions = vec![];
    for _ in 0..41 {
        sessions.push(fleet.row(true).await);
    }
    fleet.registry.boot(sessions.clone()).await.unwrap();
    let mut births = vec![];
    for session in &sessions {
        let born = fleet.birth().await;
        assert_eq!(born.birth.session, session.id, "in order");
        births.push(born.at);
    }
    assert_eq!(births[40].since(births[0]).as_secs(), 2);
    for (first, later) in births.iter().zip(&births[20..]) {
        assert!(later.since(*first) >= Duration::from_millis(999), "more than twenty a second");
    }
    fleet.finish().await;
}

#[actix::test]
async fn a_drain_stops_all_restarts_none_and_answers_when_the_last_has_ended() {
    let mut fleet = Fleet::start().await;
    let ((anna, _), (bert, _), (carl, _)) =
        (fleet.connected().await, fleet.connected().await, fleet.connected().await);
    let late = fleet.row(true).await;
    fleet.network.answers(anna.id, [Answer::Later(3 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.frame().await;
    let began = fleet.now();
    fleet.crash(bert.id).await; // waits for its restart
    let (registry, crasher) = (fleet.registry.clone(), fleet.registry.clone());
    let draining = actix::spawn(async move { registry.drain().await });
    fleet.pass(Duration::from_millis(10)).await;
    assert!(!draining.is_finished(), "one still has an attempt out");
    crasher.heed(&late).await.unwrap();
    crasher.heed(&carl).await.unwrap();
    assert_eq!(draining.await.unwrap(), Ok(3), "two that ran and one that was about to");
    assert_eq!(fleet.now().since(began).as_secs(), 3);
    assert_eq!(fleet.message(message).await.status, MessageStatus::Sent);
    assert!(fleet.routes.is_empty());
    assert!(fleet.is_barren().await, "none comes back, whatever its row wants");
    fleet.finish().await;
}

// ---- wakes ----------------------------------------------------------------------------------------------------

#[actix::test]
async fn a_ring_while_one_is_being_heard_is_heard_as_well() {
    let mut fleet = Fleet::start().await;
    let (_, first) = fleet.connected().await;
    fleet.pass(SECOND).await;
    let (handle, (tell, told)) = (first.handle.clone(), std::sync::mpsc::channel());
    fleet.clock.on_next(move || tell.send(handle.hears_hints()).unwrap());
    first.handle.wake();
    fleet.pass(SECOND).await;
    assert!(told.recv().unwrap(), "what has changed since the caps were read would be missed");
    fleet.finish().await;
}

#[actix::test]
async fn however_often_it_is_rung_a_session_looks_once() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.pass(SECOND).await;
    let before = fleet.outbox.count(Call::Pending);
    (0..1_000).for_each(|_| fleet.routes.wake(anna.id));
    assert!(!first.handle.hears_hints());
    fleet.pass(SECOND).await;
    assert!(first.handle.hears_hints());
    assert_eq!(fleet.outbox.count(Call::Pending) - before, 1);
    fleet.routes.wake_tenant(fleet.tenant);
    fleet.pass(SECOND).await;
    assert_eq!(fleet.outbox.count(Call::Pending) - before, 2);
    fleet.routes.wake(fleet.row(true).await.id); // nobody there: nothing happens
    fleet.finish().await;
}

#[actix::test]
async fn a_link_that_closes_is_opened_again_by_the_same_incarnation() {
    let mut fleet = Fleet::start().await;
    let (anna, first) = fleet.connected().await;
    fleet.network.opens_with(anna.id, [LinkEvent::Closed(CloseReason::ServerUnavailable)]);
    fleet.network.hang_up(anna.id, CloseReason::TransportLost);
    let closed_at = fleet.now();
    fleet.until(anna.id, SessionStatus::Connected).await;
    assert_eq!(fleet.now().since(closed_at).as_secs(), 2, "one second, then one more");
    assert!(first.handle.describe().await.is_ok());
    assert_eq!(fleet.look(anna.id).await.counters.reconnects, 1, "links that worked");
    fleet.finish().await;
}
