//! The cap holds in true time, whatever the clock shows and however the cap changes.

use std::num::NonZeroU32;
use std::time::Duration;

use columba::domain::time::Moment;
use columba::domain::window::{KEPT, SPAN, Window};
use proptest::prelude::*;

fn cap(of: u32) -> NonZeroU32 {
    NonZeroU32::new(of).unwrap()
}

/// One step of the world: true time passes, then the clock may be set back and the plan may change.
#[derive(Debug, Clone, Copy)]
struct Step {
    passes_ms: u64,
    jumps_back_ms: u64,
    new_cap: Option<u32>,
}

fn step(jumps: bool) -> impl Strategy<Value = Step> {
    let back = if jumps { 0..200_000u64 } else { 0..1u64 };
    let jump = prop_oneof![9 => Just(0), 1 => back];
    let change = prop_oneof![4 => Just(None), 1 => (1..8u32).prop_map(Some)];
    (0..20_000u64, jump, change).prop_map(|(passes_ms, jumps_back_ms, new_cap)| Step {
        passes_ms,
        jumps_back_ms,
        new_cap,
    })
}

proptest! {
    #[test]
    fn no_sixty_seconds_before_an_attempt_hold_more_than_the_cap_of_that_attempt(
        first_cap in 1..6u32,
        steps in prop::collection::vec(step(true), 1..300),
    ) {
        let (mut truth, mut shown, mut binds) = (0, 100_000_000, first_cap);
        let mut window = Window::replay(cap(first_cap), vec![]);
        let mut sent: Vec<u64> = vec![];
        for Step { passes_ms, jumps_back_ms, new_cap } in steps {
            truth += passes_ms;
            shown = shown + passes_ms - jumps_back_ms;
            let now = Moment(shown);
            if let Some(new_cap) = new_cap {
                binds = new_cap;
                window.recap(cap(new_cap), now);
            }
            if window.opens_at(now) == now {
                window.record(now);
                sent.push(truth);
                let recent = sent.iter().filter(|&&at| truth - at <= 60_000).count();
                prop_assert!(recent <= binds as usize, "{recent} attempts in 60 s under a cap of {binds}");
            }
        }
    }

    #[test]
    fn on_a_clock_that_keeps_going_it_opens_exactly_when_the_span_has_room(
        first_cap in 1..6u32,
        stored in prop::collection::vec(900_000..1_000_000u64, 0..12),
        steps in prop::collection::vec(step(false), 1..200),
    ) {
        let (mut now, mut binds) = (1_000_000, first_cap);
        let mut window = Window::replay(cap(first_cap), stored.iter().copied().map(Moment).collect());
        let mut made = stored;
        for Step { passes_ms, new_cap, .. } in steps {
            now += passes_ms;
            if let Some(new_cap) = new_cap {
                binds = new_cap;
                window.recap(cap(new_cap), Moment(now));
            }
            let room = |at: u64| {
                let span = SPAN.as_millis() as u64;
                made.iter().filter(|&&made| made + span > at).count() < binds as usize
            };
            let opens = window.opens_at(Moment(now)).0;
            prop_assert!(room(opens), "shut at {opens}");
            prop_assert!(opens == now || !room(opens - 1), "open before {opens} already");
            if opens == now {
                window.record(Moment(now));
                made.push(now);
            }
        }
    }

    #[test]
    fn a_window_never_stays_shut_for_longer_than_its_span(
        attempts in prop::collection::vec(0..1_000_000u64, 0..20),
        now in 0..1_000_000u64,
        changed in 1..8u32,
    ) {
        let log = attempts.into_iter().map(Moment).collect();
        let mut window = Window::replay(cap(3), log);
        prop_assert!(window.opens_at(Moment(now)) <= Moment(now) + Duration::from_secs(61));
        window.recap(cap(changed), Moment(now));
        prop_assert!(window.opens_at(Moment(now)) <= Moment(now) + Duration::from_secs(61));
    }
}

#[test]
fn an_unknown_past_counts_as_a_full_window_under_any_cap() {
    let mut window = Window::full(cap(2), Moment(5));
    assert_eq!(window.opens_at(Moment(5)), Moment(61_005));
    window.recap(cap(1_000), Moment(6));
    assert_eq!(window.opens_at(Moment(6)), Moment(61_005), "a raised cap does not make the past known");
    assert_eq!(window.opens_at(Moment(61_005)), Moment(61_005));
}

#[test]
fn a_raised_cap_finds_the_attempts_made_under_the_lower_one_and_back() {
    let mut window = Window::replay(cap(3), [1_000, 2_000, 3_000].map(Moment).to_vec());
    assert_eq!(window.opens_at(Moment(4_000)), Moment(62_000));
    window.recap(cap(1), Moment(4_000));
    assert_eq!(window.opens_at(Moment(4_000)), Moment(64_000), "the newest has to leave");
    window.recap(cap(4), Moment(4_000));
    assert_eq!(window.opens_at(Moment(4_000)), Moment(4_000));
    window.record(Moment(4_000));
    assert_eq!(window.opens_at(Moment(4_000)), Moment(62_000), "all four count");
}

#[test]
fn what_is_entered_late_counts_once_and_in_its_place() {
    let mut window = Window::replay(cap(4), [1_000, 5_000].map(Moment).to_vec());
    window.enter([5_000, 3_000, 3_000].map(Moment).to_vec());
    assert_eq!(window.opens_at(Moment(6_000)), Moment(62_000), "four are in the span");
    window.enter([3_000, 3_000, 5_000, 1_000].map(Moment).to_vec());
    assert_eq!(window.opens_at(Moment(6_000)), Moment(62_000), "nothing of it is new");
    window.enter(vec![Moment(5_000); 2]);
    assert_eq!(window.opens_at(Moment(6_000)), Moment(64_000), "one of the two is");
    let mut unknown = Window::full(cap(4), Moment(0));
    unknown.enter(vec![Moment(1_000)]);
    assert_eq!(unknown.opens_at(Moment(2_000)), Moment(61_000), "the past is as unknown as before");
}

#[test]
fn it_is_idle_once_nothing_in_it_can_delay_an_attempt() {
    let mut window = Window::full(cap(2), Moment(0));
    assert!(!window.is_idle(Moment(60_999)));
    assert!(window.is_idle(Moment(61_000)));
    window.record(Moment(61_000));
    assert!(!window.is_idle(Moment(121_999)));
    assert!(window.is_idle(Moment(122_000)));
}

#[test]
fn memory_is_bounded_and_a_cap_beyond_the_bound_counts_as_the_bound() {
    let mut window = Window::replay(NonZeroU32::MAX, vec![Moment(1_000); KEPT + 10]);
    assert_eq!(window.opens_at(Moment(1_000)), Moment(62_000));
    window.record(Moment(2_000));
    assert_eq!(window.opens_at(Moment(2_000)), Moment(62_000), "the oldest kept one leaves first");
}
