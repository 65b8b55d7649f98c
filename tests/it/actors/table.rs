//! The registry's table and its restart policy, without a runtime.

use std::time::Duration;

use columba::actors::admission::Admission;
use columba::actors::registry::restart::boot_delay;
use columba::actors::registry::table::{Order, Phase, Table, Word};
use columba::actors::session::Intent;
use columba::domain::id::{SessionId, TenantId};
use columba::domain::session::Generation;
use columba::domain::time::{Jitter, Moment};

fn anna() -> SessionId {
    uuid::Uuid::from_u128(1).into()
}

fn acme() -> TenantId {
    uuid::Uuid::from_u128(2).into()
}

fn started() -> Table {
    let mut table = Table::default();
    table.start(anna(), acme(), Intent::Run, Duration::ZERO);
    assert_eq!(table.due(anna(), Generation(1)), Order::Spawn(Generation(1)));
    table
}

#[test]
fn a_start_during_a_stop_waits_for_the_exit() {
    let mut table = started();
    assert_eq!(table.stop(anna()), Order::Stop(Generation(1)));
    assert_eq!(table.start(anna(), acme(), Intent::Run, Duration::ZERO), Order::Nothing);
    let exit = table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    assert_eq!(exit, Order::Call(Duration::ZERO, Generation(2)));
}

#[test]
fn a_restart_is_a_stop_and_a_new_generation_and_no_crash() {
    let mut table = started();
    assert_eq!(table.restart(anna(), acme()), Order::Stop(Generation(1)));
    let exit = table.down(anna(), Generation(1), Moment(0), Jitter::NONE);
    assert_eq!(exit, Order::Call(Duration::ZERO, Generation(2)));
}

#[test]
fn news_of_an_older_generation_changes_nothing() {
    let mut table = started();
    table.restart(anna(), acme());
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
            other => assert_eq!((other, exit), (Order::Pronounce(Word::Quarantined), 5)),
        }
    }
    assert_eq!(delays, [1, 2, 4, 8]);
    assert_eq!(table.find(anna()).unwrap().1, Phase::Quarantined);
    let back = table.start(anna(), acme(), Intent::Run, Duration::ZERO);
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
    assert_eq!(Table::default().restart(anna(), acme()), Order::Call(Duration::ZERO, Generation(1)));
}

#[test]
fn a_boot_starts_as_many_sessions_a_second_as_it_is_told() {
    let at = |index| boot_delay(index, 20, Jitter::NONE).as_millis();
    assert_eq!([0, 1, 20, 1000].map(at), [0, 50, 1_000, 50_000]);
}

#[test]
fn admission_is_a_bound_however_often_it_is_cloned() {
    let admission = Admission::new(32);
    let permits: Vec<_> = (0..10_000).filter_map(|_| admission.clone().admit()).collect();
    assert_eq!((permits.len(), admission.free()), (32, 0));
    drop(permits);
    assert_eq!(admission.free(), 32);
}
