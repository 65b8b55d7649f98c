//! A shard's machine: every state takes every input, and what it promises holds under any sequence.

use std::time::Duration;

use columba::domain::time::{Jitter, Moment};
use columba::transport::bridge::shard::machine::{
    Breach, Effect, FAREWELL, HELLO, Input, KILL_AGAIN, Machine, NotStarted, SILENCE, STABLE, State, UNUSED,
};
use columba_bridge_protocol::Refusal;
use proptest::prelude::*;

const START: Moment = Moment(1_000_000);

fn on(machine: &mut Machine, now: Moment, input: Input) -> Vec<Effect> {
    machine.on(now, Jitter::NONE, input)
}

fn inputs() -> Vec<Input> {
    vec![
        Input::Wanted,
        Input::Spawned,
        Input::NotSpawned(NotStarted::Io("no such file".to_owned())),
        Input::Hello(Ok(())),
        Input::Hello(Err(Refusal::Token)),
        Input::Beat,
        Input::Used(false),
        Input::Used(true),
        Input::Broke(Breach::Cut),
        Input::Broke(Breach::Window),
        Input::Exited,
        Input::Fired,
        Input::Stop,
    ]
}

fn has(effects: &[Effect], wanted: &Effect) -> bool {
    effects.contains(wanted)
}

#[test]
fn a_wanted_shard_starts_and_serves() {
    let mut machine = Machine::default();
    assert_eq!(on(&mut machine, START, Input::Wanted), [Effect::Spawn]);
    assert_eq!(on(&mut machine, START, Input::Wanted), [], "once");
    assert_eq!(on(&mut machine, START, Input::Hello(Ok(()))), [Effect::Welcome]);
    assert!(machine.is_up());
    assert_eq!(machine.due(), Some(START + SILENCE));
}

#[test]
fn three_missed_beats_kill_it_and_the_next_starts_only_when_it_is_gone() {
    let mut machine = Machine::default();
    on(&mut machine, START, Input::Wanted);
    on(&mut machine, START, Input::Hello(Ok(())));
    let beat = START + Duration::from_secs(5);
    on(&mut machine, beat, Input::Beat);
    assert_eq!(on(&mut machine, START + SILENCE, Input::Fired), [], "it has beaten since");
    let effects = on(&mut machine, beat + SILENCE, Input::Fired);
    assert!(has(&effects, &Effect::Kill) && has(&effects, &Effect::CutLinks), "{effects:?}");
    let later = beat + SILENCE + KILL_AGAIN;
    on(&mut machine, later, Input::Wanted);
    let effects = on(&mut machine, later, Input::Fired);
    assert!(has(&effects, &Effect::Kill) && !has(&effects, &Effect::Spawn), "{effects:?}");
    on(&mut machine, later, Input::Exited);
    let State::Resting { until } = machine.state() else { panic!("{:?}", machine.state()) };
    assert_eq!(on(&mut machine, until, Input::Fired), [Effect::Spawn], "a session waits");
}

#[test]
fn rests_grow_with_deaths_in_a_row_and_are_forgiven_by_a_minute_of_life() {
    let mut machine = Machine::default();
    let mut now = START;
    for wanted in [1, 2, 4, 8, 16, 32, 60, 60] {
        on(&mut machine, now, Input::Wanted);
        on(&mut machine, now, Input::Hello(Ok(())));
        on(&mut machine, now, Input::Exited);
        let State::Resting { until } = machine.state() else { panic!("{:?}", machine.state()) };
        assert_eq!(until.since(now), Duration::from_secs(wanted));
        now = until;
        assert_eq!(on(&mut machine, now, Input::Fired), [], "nobody waits");
        assert_eq!(machine.state(), State::Idle);
    }
    on(&mut machine, now, Input::Wanted);
    on(&mut machine, now, Input::Hello(Ok(())));
    now = now + STABLE;
    on(&mut machine, now, Input::Beat);
    on(&mut machine, now, Input::Exited);
    assert_eq!(machine.state(), State::Resting { until: now + Duration::from_secs(1) });
}

#[test]
fn a_stop_asks_waits_and_then_kills() {
    let mut machine = Machine::default();
    on(&mut machine, START, Input::Wanted);
    on(&mut machine, START, Input::Hello(Ok(())));
    assert_eq!(on(&mut machine, START, Input::Stop), [Effect::AskToLeave]);
    assert_eq!(on(&mut machine, START, Input::Stop), [], "once");
    let effects = on(&mut machine, START + FAREWELL, Input::Fired);
    assert!(has(&effects, &Effect::Kill), "{effects:?}");
    assert_eq!(on(&mut machine, START + FAREWELL, Input::Exited), [Effect::Ended]);
    assert_eq!(machine.state(), State::Gone);
}

/// A shard that serves and has no session from the start on, up to the moment when it is asked to end.
fn unused() -> (Machine, Moment) {
    let mut machine = Machine::default();
    on(&mut machine, START, Input::Wanted);
    on(&mut machine, START, Input::Hello(Ok(())));
    on(&mut machine, START, Input::Used(false));
    for second in (5..60).step_by(5) {
        assert_eq!(on(&mut machine, START + Duration::from_secs(second), Input::Beat), []);
    }
    let over = START + UNUSED;
    assert_eq!(machine.due(), Some(over));
    assert_eq!(on(&mut machine, Moment(over.0 - 1), Input::Fired), []);
    (machine, over)
}

#[test]
fn a_process_without_a_session_for_a_minute_is_asked_to_end_and_the_next_session_starts_another() {
    let (mut machine, over) = unused();
    assert_eq!(on(&mut machine, over, Input::Fired), [Effect::AskToLeave]);
    // It hangs up before its end is known; that is no breach any more.
    assert_eq!(on(&mut machine, over, Input::Broke(Breach::Cut)), []);
    assert_eq!(on(&mut machine, over, Input::Wanted), [], "not beside the one that goes");
    assert_eq!(on(&mut machine, over, Input::Exited), [Effect::Kill, Effect::Spawn]);
    on(&mut machine, over, Input::Hello(Ok(())));
    assert!(machine.is_up(), "no rest: that was no death");
}

#[test]
fn the_minute_begins_anew_with_every_session_that_leaves() {
    let (mut machine, over) = unused();
    let later = Moment(over.0 - 1_000);
    on(&mut machine, later, Input::Beat);
    on(&mut machine, later, Input::Used(true));
    assert_eq!(on(&mut machine, over, Input::Fired), []);
    on(&mut machine, over, Input::Used(false));
    on(&mut machine, over + Duration::from_secs(10), Input::Used(false));
    for second in (5..60).step_by(5) {
        on(&mut machine, over + Duration::from_secs(second), Input::Beat);
    }
    assert_eq!(machine.due(), Some(over + UNUSED), "said often, it counts from the first time");
}

#[test]
fn a_process_that_has_no_session_ends_for_good_if_it_clings_and_with_the_server() {
    let (mut machine, over) = unused();
    on(&mut machine, over, Input::Fired);
    assert!(has(&on(&mut machine, over + FAREWELL, Input::Fired), &Effect::Kill));
    let (mut machine, over) = unused();
    on(&mut machine, over, Input::Fired);
    assert_eq!(on(&mut machine, over, Input::Exited), [Effect::Kill]);
    assert_eq!(machine.state(), State::Idle, "nobody wants another");
    let (mut machine, over) = unused();
    on(&mut machine, over, Input::Fired);
    on(&mut machine, over, Input::Stop);
    assert!(has(&on(&mut machine, over, Input::Exited), &Effect::Ended));
}

#[test]
fn no_hello_in_time_is_a_death() {
    let mut machine = Machine::default();
    on(&mut machine, START, Input::Wanted);
    assert_eq!(on(&mut machine, Moment((START + HELLO).0 - 1), Input::Fired), []);
    let effects = on(&mut machine, START + HELLO, Input::Fired);
    assert!(has(&effects, &Effect::Kill), "{effects:?}");
    assert_eq!(on(&mut machine, START + HELLO, Input::Hello(Ok(()))), [], "too late");
}

/// What must hold of any life: one process at a time, no start but when one is wanted, links cut with every death, and an
/// end that is final.
#[derive(Default)]
struct Judge {
    alive: bool,
    wanted: bool,
    ended: bool,
    stopping: bool,
}

impl Judge {
    fn note(&mut self, input: &Input, effects: &[Effect], state: State) {
        match input {
            Input::Wanted => self.wanted = true,
            Input::Exited | Input::NotSpawned(_) => self.alive = false,
            Input::Stop => self.stopping = true,
            _ => {}
        }
        for effect in effects {
            assert!(!self.ended, "{effect:?} after the end");
            match effect {
                Effect::Spawn => {
                    assert!(!self.alive, "two processes at once");
                    assert!(self.wanted && !self.stopping, "nobody wants it");
                    (self.alive, self.wanted) = (true, false);
                }
                Effect::CutLinks => self.wanted = false,
                Effect::Ended => {
                    assert!(!self.alive, "ended beside a process");
                    self.ended = true;
                }
                _ => {}
            }
        }
        assert_eq!(state == State::Gone, self.ended);
    }
}

proptest! {
    #[test]
    fn a_shard_never_has_two_processes(steps in proptest::collection::vec((0..13_usize, 0..40_000_u64), 1..200)) {
        let (mut machine, mut judge, mut now) = (Machine::default(), Judge::default(), START);
        let inputs = inputs();
        for (which, wait) in steps {
            now = now + Duration::from_millis(wait);
            let input = match machine.due() {
                Some(due) if due <= now => Input::Fired,
                _ => inputs[which].clone(),
            };
            // The shell reports an exit of a process that there is, and a failure of a start that was asked for.
            let possible = match input {
                Input::Exited => judge.alive,
                Input::NotSpawned(_) => matches!(machine.state(), State::Starting { .. }),
                _ => true,
            };
            if !possible {
                continue;
            }
            let was_up = machine.is_up();
            let effects = machine.on(now, Jitter::from_bits(wait), input.clone());
            if was_up && !machine.is_up() && !matches!(machine.state(), State::Leaving { .. }) {
                prop_assert!(effects.contains(&Effect::CutLinks), "links stay open after {:?}", input);
            }
            judge.note(&input, &effects, machine.state());
        }
    }
}
