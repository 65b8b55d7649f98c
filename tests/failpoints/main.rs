//! Every failpoint with every action, on the real server under load with the network apart. Whatever happens at that
//! place, all that was accepted comes to an end, and the history checker finds nothing.
//!
//! ```text
//! cargo test --features failpoints --test failpoints                            one seed each: the gate
//! COLUMBA_FAILPOINT_SEEDS=25 cargo test … --release                             25 seeds each
//! COLUMBA_FAILPOINT_SEED=7 COLUMBA_FAILPOINT=claim_after/abort cargo test …     one run again
//! ```

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod scenario;
#[allow(dead_code, reason = "the gate's tests use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use columba::failpoint::Point;
use strum::IntoEnumIterator as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use self::scenario::{Action, Case};

/// Between the first runs of two slots.
const STAGGER: Duration = Duration::from_millis(250);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// What was asked for, the longest first.
fn cases() -> VecDeque<Case> {
    let seeds = match std::env::var("COLUMBA_FAILPOINT_SEED") {
        Ok(_) => vec![number("COLUMBA_FAILPOINT_SEED", 1)],
        Err(_) => (1..=number("COLUMBA_FAILPOINT_SEEDS", 1)).collect(),
    };
    let only = std::env::var("COLUMBA_FAILPOINT").ok();
    let only = only.as_deref().map(|text| {
        let (point, action) = text.split_once('/').expect("COLUMBA_FAILPOINT is point/action");
        (Point::from_str(point).expect("a point"), Action::from_str(action).expect("an action"))
    });
    let mut cases = vec![];
    for seed in seeds {
        for (point, action) in
            Point::iter().flat_map(|point| Action::iter().map(move |action| (point, action)))
        {
            if only.is_none_or(|wanted| wanted == (point, action)) {
                cases.push(Case { point, action, seed });
            }
        }
    }
    cases.sort_by_key(|case| std::cmp::Reverse(case.patience()));
    cases.into()
}

#[tokio::test]
async fn whatever_fails_at_any_step_nothing_accepted_is_lost_doubled_or_beyond_the_cap() {
    let begun = Instant::now();
    let cases = cases();
    let count = cases.len();
    let queue = Arc::new(Mutex::new(cases));
    let mut slots = JoinSet::new();
    // Nearly all of a run is waiting for timers of the server, so that even two cores bear many at once.
    for slot in 0..count.min(number("COLUMBA_FAILPOINT_SLOTS", 32) as usize) {
        let queue = Arc::clone(&queue);
        slots.spawn(async move {
            // The first of each would all start at once.
            sleep(STAGGER * slot as u32).await;
            let mut failed = vec![];
            loop {
                let Some(case) = queue.lock().unwrap().pop_front() else { return failed };
                let took = Instant::now();
                let run = tokio::spawn(scenario::run(case)).await;
                println!(
                    "{case}: {} in {:.1} s",
                    if run.is_ok() { "ok" } else { "FAILED" },
                    took.elapsed().as_secs_f32()
                );
                if let Err(panic) = run {
                    failed.push(format!("{case}: {panic}\n    again: {}", case.replay()));
                }
            }
        });
    }
    let failed: Vec<String> = slots.join_all().await.into_iter().flatten().collect();
    println!("{count} runs in {:.0} s, {} failed", begun.elapsed().as_secs_f32(), failed.len());
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
}
