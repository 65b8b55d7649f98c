//! The registry's table and its restart policy, without a runtime.

use std::time::Duration;

use columba::actors::admission::Admission;
use columba::actors::registry::breaker::{Breaker, Look, QUIET, Surge, WINDOW};
use columba::actors::registry::restart::{MEMORY, boot_delay, probe_delay};
use columba::actors::registry::table::{Order, Phase, Table, Word};
use columba::actors::session::Intent;
use columba::domain::id::SessionId;
use columba::domain::session::{Engine, Generation, Origin};
use columba::domain::time::{Jitter, Moment};

fn anna() -> SessionId {
    uuid::Uuid::from_u128(1).into()
}

fn origin() -> Origin {
    Origin { tenant: uuid::Uuid::from_u128(2).into(), engine: Engine::Sandbox }
}

fn started() -> Table {
    let mut table = Table::default();
    table.start(anna(), origin(), Intent::Run, Duration::ZERO);
    assert_eq!(table.due(anna(), Generation(1)), Order::Spawn(Generation(1)));
    table
}

#[test]
fn a_start_during_a_stop_waits_for_the_exit() {
    let mut table = started();
    assert_eq!(table.stop(anna()), Order::Stop(Generation(1)));
    assert_eq!(table.start(anna(), origin(), Intent::Run, Duration::ZERO), Order::Nothing);
    let exit = table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    assert_eq!(exit, Order::Call(Duration::ZERO, Generation(2)));
}

#[test]
fn a_restart_is_a_stop_and_a_new_generation_and_no_crash() {
    let mut table = started();
    assert_eq!(table.restart(anna(), origin()), Order::Stop(Generation(1)));
    let exit = table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    assert_eq!(exit, Order::Call(Duration::ZERO, Generation(2)));
}

#[test]
fn news_of_an_older_generation_changes_nothing() {
    let mut table = started();
    table.restart(anna(), origin());
    table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    table.due(anna(), Generation(2));
    assert_eq!(table.down(anna(), Generation(1), Moment(0), Jitter::NONE), Order::Nothing);
    assert_eq!(table.due(anna(), Generation(1)), Order::Nothing);
    assert_eq!(table.find(anna()), Some((Generation(2), Phase::Running)));
}

#[test]
fn the_fifth_exit_within_ten_minutes_quarantines_and_a_person_brings_it_back() {
    let mut table = started();
    let mut delays = vec![];
    for exit in 1..=5u64 {
        match table.down(anna(), Generation(exit), Moment(exit * 1000), Jitter::NONE) {
            Order::Crashed(delay, next) => {
                delays.push(delay.as_secs());
                assert_eq!(table.due(anna(), next), Order::Spawn(next));
            }
            Order::Quarantine { delay, probes, .. } => {
                assert_eq!((exit, delay, probes), (5, probe_delay(0), 0));
            }
            other => panic!("{other:?} at exit {exit}"),
        }
    }
    assert_eq!(delays, [1, 2, 4, 8]);
    assert_eq!(table.find(anna()).unwrap().1, Phase::Quarantined);
    let back = table.start(anna(), origin(), Intent::Run, Duration::ZERO);
    assert!(matches!(back, Order::Call(Duration::ZERO, _)), "{back:?}");
}

#[test]
fn a_slow_crash_loop_reaches_sixteen_seconds_and_stays_out_of_quarantine() {
    let mut table = started();
    let delays = (1..=8u64).map(|exit| {
        table.due(anna(), Generation(exit));
        match table.down(anna(), Generation(exit), Moment(exit * 180_000), Jitter::NONE) {
            Order::Crashed(delay, _) => delay.as_secs(),
            other => panic!("{other:?} after exit {exit}"),
        }
    });
    assert_eq!(delays.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 16, 16, 16]);
}

#[test]
fn every_verb_is_legal_for_a_session_nobody_has_heard_of() {
    assert_eq!(Table::default().stop(anna()), Order::Pronounce(Word::Stopped));
    assert_eq!(Table::default().due(anna(), Generation(1)), Order::Nothing);
    assert_eq!(Table::default().down(anna(), Generation(1), Moment(0), Jitter::NONE), Order::Nothing);
    assert_eq!(Table::default().restart(anna(), origin()), Order::Call(Duration::ZERO, Generation(1)));
}

#[test]
fn a_boot_starts_as_many_sessions_a_second_as_it_is_told() {
    let at = |bits| move |index| boot_delay(index, 20, Jitter::from_bits(bits)).as_millis();
    // Each in its own turn, wherever in it.
    assert_eq!([0, 1, 20, 1000].map(at(0)), [0, 50, 1_000, 50_000]);
    assert_eq!([0, 1, 20, 1000].map(at(1000)), [25, 75, 1_025, 50_025]);
    assert_eq!([0, 1, 20, 1000].map(at(2000)), [50, 100, 1_050, 50_050]);
}

#[test]
fn admission_is_a_bound_however_often_it_is_cloned() {
    let admission = Admission::new(32);
    let permits: Vec<_> = (0..10_000).filter_map(|_| admission.clone().admit()).collect();
    assert_eq!((permits.len(), admission.free()), (32, 0));
    drop(permits);
    assert_eq!(admission.free(), 32);
}

/// Lets the session fail until it is shut away, then each probe; the delays before the probes.
fn probe_delays(table: &mut Table, mut now: Moment, probes: usize) -> Vec<u64> {
    let mut delays = vec![];
    let mut generation = table.find(anna()).unwrap().0;
    while delays.len() < probes {
        match table.down(anna(), generation, now, Jitter::NONE) {
            Order::Crashed(delay, next) => (now, generation) = (now + delay, next),
            Order::Quarantine { delay, generation: next, probes } => {
                assert_eq!(probes as usize, delays.len());
                delays.push(delay.as_secs() / 60);
                (now, generation) = (now + delay, next);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(table.due(anna(), generation), Order::Spawn(generation));
    }
    delays
}

#[test]
fn a_quarantined_session_is_tried_after_a_quarter_of_an_hour_an_hour_and_every_six_hours() {
    let mut table = started();
    assert_eq!(probe_delays(&mut table, Moment(1_000_000), 5), [15, 60, 360, 360, 360]);
    // The probe that is out lives for ten minutes, and the next exit is a first one.
    let generation = table.find(anna()).unwrap().0;
    let late = Moment(1_000_000) + Duration::from_secs(24 * 3600) + MEMORY;
    let Order::Crashed(delay, next) = table.down(anna(), generation, late, Jitter::NONE) else {
        panic!("a probe that lived is none any more");
    };
    assert_eq!((delay.as_secs(), table.due(anna(), next)), (1, Order::Spawn(next)));
    assert_eq!(probe_delays(&mut table, late, 1), [15], "and the quarantine after that a first one as well");
}

#[test]
fn a_quarantine_goes_on_after_a_restart_where_it_was() {
    let mut table = Table::default();
    let order = table.resume_quarantine(anna(), origin(), 1, Duration::from_secs(60), Moment(0));
    assert_eq!(order, Order::Call(Duration::from_secs(60), Generation(1)));
    assert_eq!(table.find(anna()), Some((Generation(1), Phase::Quarantined)));
    assert!(table.active().is_empty(), "nothing to drain");
    assert_eq!(table.due(anna(), Generation(1)), Order::Spawn(Generation(1)));
    match table.down(anna(), Generation(1), Moment(61_000), Jitter::NONE) {
        Order::Quarantine { delay, probes, .. } => assert_eq!((delay, probes), (probe_delay(2), 2)),
        other => panic!("{other:?}: the probe failed"),
    }
}

#[test]
fn a_person_vouches_for_one_incarnation_and_for_a_clean_past() {
    let mut table = started();
    probe_delays(&mut table, Moment(1_000_000), 2);
    let generation = table.find(anna()).unwrap().0;
    table.down(anna(), generation, Moment(1_000_000) + Duration::from_secs(4500), Jitter::NONE);
    let Order::Call(_, next) = table.start(anna(), origin(), Intent::Renew, Duration::ZERO) else {
        panic!("no start")
    };
    assert_eq!(table.due(anna(), next), Order::Spawn(next));
    assert_eq!(table.purpose(anna()).unwrap().1, Intent::Renew);
    let crashed = table.down(anna(), next, Moment(9_000_000), Jitter::NONE);
    assert!(matches!(crashed, Order::Crashed(delay, _) if delay.as_secs() == 1), "{crashed:?}");
    assert_eq!(table.purpose(anna()).unwrap().1, Intent::Run);
}

#[test]
fn only_what_waits_to_run_is_given_up_with_its_engine() {
    let mut table = started();
    assert_eq!(table.give_up(anna()), Order::Nothing, "it runs: it finds out by itself, or works");
    let crashed = table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    assert!(matches!(crashed, Order::Crashed(..)));
    assert_eq!(table.give_up(anna()), Order::Pronounce(Word::Outdated));
    assert_eq!(table.due(anna(), Generation(2)), Order::Nothing, "and nothing comes of its restart");
    table.start(anna(), origin(), Intent::Renew, Duration::ZERO);
    assert_eq!(table.give_up(anna()), Order::Nothing, "a person may try it");
}

// ---- many at once ---------------------------------------------------------------------------------------------

fn session(number: u128) -> SessionId {
    uuid::Uuid::from_u128(number).into()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn more_than_a_fifth_of_the_sessions_within_a_minute_is_too_many() {
    // Sessions in all, crashes of different ones, milliseconds between two; whether the last is one too many.
    for (sessions, crashes, gap, expected) in [
        (100, 20, 10, false),
        (100, 21, 10, true),
        (100, 21, 3_000, false), // the first is a minute old when the last comes
        (100, 21, 2_990, true),
        (4, 4, 10, false), // a handful is no fleet
        (5, 5, 10, true),
        (1_000, 200, 10, false),
        (1_000, 201, 10, true),
    ] {
        let mut surge = Surge::default();
        let verdicts: Vec<bool> =
            (0..crashes).map(|n| surge.count(session(n as u128), Moment(gap * n), sessions)).collect();
        assert_eq!(verdicts.last(), Some(&expected), "{crashes} of {sessions}");
        assert!(!verdicts[..verdicts.len() - 1].contains(&true), "{crashes} of {sessions}: not before");
    }
    let mut surge = Surge::default();
    assert!(!(0..1_000).any(|n| surge.count(session(1), Moment(n), 5)), "one session, however often");
    assert_eq!(WINDOW, 60 * SECOND);
}

#[test]
fn an_open_breaker_lets_one_through_after_a_quiet_minute_and_closes_when_that_one_lives() {
    let mut breaker = Breaker::default();
    let at = |secs| Moment(0) + secs * SECOND;
    for number in 0..5 {
        assert!(breaker.admits(session(number)), "as long as it is closed");
        assert_eq!(breaker.crashed(session(number), at(0), 10), number == 4);
    }
    assert!(!breaker.admits(session(0)) && !breaker.is_closed());
    assert!(!breaker.crashed(session(7), at(30), 10), "it is open already");
    assert_eq!(breaker.look(at(89)), Look::AsBefore, "counted from the last crash");
    assert_eq!(breaker.look(at(90)), Look::TryOne);
    breaker.try_one(session(0), at(90));
    assert!(breaker.admits(session(0)) && !breaker.admits(session(1)));

    assert!(
        !breaker.crashed(session(8), at(100), 10),
        "one that ran says nothing about the one that is tried"
    );
    assert_eq!(breaker.look(at(120)), Look::AsBefore);
    breaker.crashed(session(0), at(130), 10);
    assert!(!breaker.admits(session(0)), "it failed, and the minute begins anew");
    assert_eq!(breaker.look(at(189)), Look::AsBefore);
    breaker.try_one(session(0), at(190));
    assert_eq!(breaker.look(at(190) + QUIET), Look::Closed);
    assert!(breaker.is_closed() && breaker.admits(session(9)));
    assert!(!breaker.crashed(session(0), at(251), 10), "the past is forgotten");
}
