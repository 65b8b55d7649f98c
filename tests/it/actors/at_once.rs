//! Many sessions at once, deaths of the process, and sessions that cannot be ended.

use std::sync::mpsc;
use std::time::Duration;

use columba::actors::arbiters::{Arbiters, Placement};
use columba::actors::registry::breaker::QUIET;
use columba::actors::registry::restart::probe_delay;
use columba::actors::registry::table::Phase;
use columba::domain::id::SessionId;
use columba::domain::scope::SystemScope;
use columba::domain::session::{CloseReason, Desired, Generation, Reason, Session, SessionStatus};
use columba::ports::clock::Clock as _;
use columba::ports::sessions::StatusChange;
use columba::ports::supervisor::{Supervisor as _, SupervisorError, Trouble};
use columba::ports::transport::LinkEvent;

use super::fleet::{Fleet, plan};

const SECOND: Duration = Duration::from_secs(1);

async fn connected(fleet: &mut Fleet, count: usize) -> Vec<SessionId> {
    let mut sessions = vec![];
    for _ in 0..count {
        sessions.push(fleet.connected().await.0.id);
    }
    sessions
}

/// What a boot would be given: the rows as they stand.
async fn rows(fleet: &Fleet) -> Vec<Session> {
    fleet.stores.sessions.restore(SystemScope, fleet.clock.wall()).await.unwrap()
}

// ---- quarantine -----------------------------------------------------------------------------------------------

#[actix::test]
async fn a_quarantined_session_is_tried_again_by_itself_and_ever_more_rarely() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    for exit in 1..=5 {
        fleet.crash(anna.id).await;
        if exit < 5 {
            fleet.birth().await;
        }
    }
    fleet.until(anna.id, SessionStatus::Quarantined).await;
    for failed in 0..4 {
        let shut_at = fleet.now();
        assert_eq!(fleet.look(anna.id).await.supervision.probes, failed);
        // The hour in which a test expects anything is over before the longest probe.
        assert!(fleet.is_barren_for(probe_delay(failed) - SECOND).await, "tried before its time");
        let probe = fleet.birth().await;
        assert!(probe.at.since(shut_at) < probe_delay(failed) + SECOND);
        fleet.until(anna.id, SessionStatus::Connected).await;
        fleet.crash(anna.id).await;
        fleet.until(anna.id, SessionStatus::Quarantined).await;
    }
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Quarantined, Some(Reason::CrashLoop)));
    fleet.finish().await;
}

#[actix::test]
async fn a_quarantine_outlives_the_process_and_its_probe_comes_when_it_was_to_come() {
    let mut fleet = Fleet::start().await;
    let session = fleet.row(true).await;
    let (status, reason) = (SessionStatus::Quarantined, Some(Reason::CrashLoop));
    let shut = StatusChange { status, reason, code: None, since: fleet.clock.wall() };
    fleet.stores.sessions.quarantine(SystemScope, session.id, shut, 1).await.unwrap();
    fleet.pass(Duration::from_secs(1200)).await;

    let booted_at = fleet.now();
    fleet.registry.boot(rows(&fleet).await).await.unwrap();
    assert_eq!(fleet.find(session.id).await.unwrap().1, Phase::Quarantined);
    let probe = fleet.birth().await;
    assert_eq!(probe.at.since(booted_at).as_secs(), 2_400, "an hour after it was shut away");
    fleet.until(session.id, SessionStatus::Connected).await;
    fleet.crash(session.id).await;
    fleet.until(session.id, SessionStatus::Quarantined).await;
    assert_eq!(fleet.look(session.id).await.supervision.probes, 2);
    fleet.finish().await;
}

// ---- deaths of the process ------------------------------------------------------------------------------------

/// A session that was starting when the process died, so often.
async fn suspect(fleet: &Fleet, deaths: u32) -> SessionId {
    let session = fleet.row(true).await;
    for _ in 0..deaths {
        fleet.stores.outbox.recall(session.id, fleet.clock.read()).await.unwrap();
        rows(fleet).await;
    }
    session.id
}

#[actix::test]
async fn whoever_was_starting_at_two_deaths_boots_last_and_alone_and_at_three_not_at_all() {
    let mut fleet = Fleet::start().await;
    let first = suspect(&fleet, 2).await;
    let second = suspect(&fleet, 2).await;
    let poison = suspect(&fleet, 3).await;
    let once = suspect(&fleet, 1).await;
    let mut usual = vec![once];
    for _ in 0..40 {
        usual.push(fleet.row(true).await.id);
    }
    // The last of the usual ones takes its time: its link says nothing yet.
    let slow = *usual.last().unwrap();
    fleet.network.opens_with(slow, []);

    fleet.registry.boot(rows(&fleet).await).await.unwrap();
    let mut births = vec![];
    for _ in 0..usual.len() {
        births.push(fleet.birth().await.birth.session);
    }
    assert_eq!(births, usual, "those before whom nobody has died, in order");
    fleet.pass(5 * SECOND).await;
    assert_eq!(fleet.find(first).await, None, "somebody is still starting");
    let stood_at = fleet.now();
    fleet.network.say(slow, LinkEvent::Connected);
    let alone = fleet.birth().await;
    assert_eq!(alone.birth.session, first);
    assert!(alone.at.since(stood_at) <= SECOND);
    fleet.until(first, SessionStatus::Connected).await;
    assert_eq!(fleet.birth().await.birth.session, second, "once the one before stands");
    fleet.until(second, SessionStatus::Connected).await;
    assert_eq!(fleet.look(first).await.supervision.unclean_deaths, 0, "it has got somewhere");
    assert_eq!(fleet.standing(poison).await, (SessionStatus::Quarantined, Some(Reason::CrashLoop)));
    assert_eq!(fleet.find(poison).await.unwrap().1, Phase::Quarantined);
    fleet.ignore_births();
    fleet.finish().await;
}

// ---- crashes of many ------------------------------------------------------------------------------------------

#[actix::test]
async fn when_a_fifth_of_all_crash_none_is_restarted_until_one_has_lived_for_a_minute() {
    let mut fleet = Fleet::start().await;
    let sessions = connected(&mut fleet, 20).await;
    let (victims, healthy) = sessions.split_at(5);
    for &session in victims {
        fleet.registry.play(session, Trouble::Panic).await.unwrap();
    }
    let crashed_at = fleet.now();
    fleet.pass(Duration::from_millis(100)).await;
    assert_eq!(fleet.readiness.take(), [("restarts", false)], "the node asks for no more work");
    assert!(fleet.is_barren_for(Duration::from_secs(55)).await, "none comes back");
    for &session in healthy {
        assert_eq!(fleet.find(session).await, Some((Generation(1), Phase::Running)), "the healthy are kept");
    }
    for &session in victims {
        assert_eq!(fleet.standing(session).await, (SessionStatus::Reconnecting, Some(Reason::Crashed)));
    }

    let tried = fleet.birth().await;
    assert!(tried.at.since(crashed_at) >= QUIET);
    fleet.crash(tried.birth.session).await; // it is not over
    assert!(fleet.is_barren_for(QUIET - 2 * SECOND).await);
    let tried = fleet.birth().await;
    assert_eq!(fleet.readiness.take(), []);
    for _ in 1..victims.len() {
        let back = fleet.birth().await;
        assert!(back.at.since(tried.at) >= QUIET, "the others wait for its minute");
    }
    assert_eq!(fleet.readiness.take(), [("restarts", true)]);
    for &session in victims {
        fleet.until(session, SessionStatus::Connected).await;
    }
    fleet.finish().await;
}

#[actix::test]
async fn crashes_of_less_than_a_fifth_are_each_session_s_own() {
    let mut fleet = Fleet::start().await;
    let sessions = connected(&mut fleet, 30).await;
    for &session in &sessions[..6] {
        fleet.registry.play(session, Trouble::Exit).await.unwrap();
    }
    for _ in 0..6 {
        fleet.birth().await;
    }
    assert_eq!(fleet.readiness.take(), []);
    for &session in &sessions[..6] {
        fleet.until(session, SessionStatus::Connected).await;
    }
    fleet.finish().await;
}

#[actix::test]
async fn when_the_network_serves_a_version_no_more_those_that_do_not_work_are_spared_the_answer() {
    let mut fleet = Fleet::start().await;
    let sessions = connected(&mut fleet, 20).await;
    let (told, rest) = sessions.split_at(5);
    let (waiting, crashed, working) = (rest[0], rest[1], rest[2]);
    // One is between two links for longer than this takes, one between two incarnations.
    fleet.network.hang_up(waiting, CloseReason::Replaced);
    fleet.until(waiting, SessionStatus::Reconnecting).await;
    fleet.crash(crashed).await;
    for &session in told {
        fleet.network.hang_up(session, CloseReason::ClientOutdated);
        fleet.until(session, SessionStatus::Parked).await;
    }
    for session in [waiting, crashed] {
        fleet.until(session, SessionStatus::Parked).await;
        assert_eq!(fleet.standing(session).await, (SessionStatus::Parked, Some(Reason::ClientOutdated)));
        assert_eq!(fleet.look(session).await.reason_code, Some(405));
    }
    assert_eq!(fleet.standing(working).await, (SessionStatus::Connected, None), "what works is left alone");
    assert!(fleet.is_barren().await, "nobody asks again");
    for session in [waiting, crashed] {
        assert!(!fleet.has_link(session));
        fleet.want(session, Desired::Running).await; // a person may try one
        fleet.until(session, SessionStatus::Connected).await;
    }
    fleet.ignore_births();
    fleet.finish().await;
}

// ---- sessions that cannot be ended ----------------------------------------------------------------------------

#[actix::test]
async fn a_session_that_keeps_its_thread_is_given_up_and_another_takes_over() {
    // Real threads and real time: one of them is to stand.
    let threads = Arbiters::start(2);
    let mut fleet = Fleet::on(plan(10), &Placement::here(), threads.placement()).await;
    let (anna, first) = fleet.connected().await;
    let (release, held) = mpsc::channel::<()>();
    let (standing, stands) = mpsc::channel();
    fleet.clock.on_next(move || {
        standing.send(()).unwrap();
        held.recv().unwrap_or(());
    });
    first.handle.wake();
    tokio::task::spawn_blocking(move || stands.recv()).await.unwrap().unwrap();
    let (asked_at, row) = (fleet.now(), fleet.look(anna.id).await);
    fleet.registry.restart(&row).await.unwrap();
    let again = fleet.birth().await;
    let waited = again.at.since(asked_at);
    assert!((10..13).contains(&waited.as_secs()), "{waited:?}: asked for 8 s, told for 2");
    assert_eq!(again.birth.generation, Generation(2));

    // It lives on the same thread, so it starts once that turns again; the old one then only ends.
    drop(release);
    fleet.until(anna.id, SessionStatus::Connected).await;
    assert_eq!(first.handle.describe().await, Err(SupervisorError::Gone));
    assert_eq!(fleet.find(anna.id).await, Some((Generation(2), Phase::Running)));
    fleet.registry.drain().await.unwrap();
    threads.stop();
}
