//! The real machines, supervisor's table, store and judgments under a seeded scheduler that lets happen whatever may:
//! kills of sessions and of the process, a store that is away, links that break, clocks that are set, plans that change.
//! Then the world runs to quiet, and the judge of histories reads what happened.
//!
//! A failure prints one line that replays it.

mod clock;
mod dice;
mod jobs;
mod network;
mod perform;
mod quiet;
mod steps;
mod store;
mod supervisor;
mod windows;
mod world;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use columba::history::verdict::Counts;

use self::world::World;

const SEEDS: u64 = 500;
const STEPS: u32 = 500;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Lives one world through; what was looked at in it.
fn live(seed: u64, tells: bool) -> Counts {
    let mut world = World::new(seed, tells);
    (0..STEPS).for_each(|_| world.step());
    world.run_to_quiet();
    world.judge()
}

fn sum(all: &mut Counts, one: Counts) {
    all.messages += one.messages;
    all.accepted += one.accepted;
    all.attempts += one.attempts;
    all.frames += one.frames;
    all.repeats += one.repeats;
    all.windows += one.windows;
    all.tenant_windows += one.tenant_windows;
    all.frame_windows += one.frame_windows;
    all.owners += one.owners;
    all.chats += one.chats;
}

#[test]
fn whatever_happens_nothing_is_lost_nothing_doubled_and_no_cap_exceeded() {
    if let Some(seed) = number("COLUMBA_SIM_SEED") {
        println!("{:?}", live(seed, true));
        return;
    }
    let seeds = number("COLUMBA_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, failed, all) = (AtomicU64::new(0), Mutex::new(vec![]), Mutex::new(Counts::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from).min(8) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| live(seed, false))) {
                        Ok(counts) => sum(&mut all.lock().unwrap(), counts),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    if let Some(seed) = failed.into_inner().unwrap().into_iter().min() {
        panic!("replay: COLUMBA_SIM_SEED={seed} cargo test --locked --test it simulation -- --nocapture");
    }
    let all = all.into_inner().unwrap();
    println!("{seeds} seeds of {STEPS} steps: {all:?}");
    // A world in which next to nothing happens would prove next to nothing.
    assert!(all.accepted > 20 * seeds && all.frames > 10 * seeds && all.repeats > seeds / 10, "{all:?}");
    assert!(all.tenant_windows > seeds && all.frame_windows == all.frames, "{all:?}");
}

#[test]
fn a_seed_says_everything() {
    for seed in [3, 17] {
        let told = |seed| {
            let mut world = World::new(seed, false);
            (0..STEPS).for_each(|_| world.step());
            world.run_to_quiet();
            let history = world.history();
            (history.frames, history.attempts, history.messages, world.clock.truth())
        };
        assert!(told(seed) == told(seed), "seed {seed} leads to two worlds");
    }
}
