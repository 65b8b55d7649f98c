//! kill -9 of each kind of process: at named points on either side of each durable step, and at random under load. What must
//! hold afterwards is in `oracle`: nothing accepted is lost, what came in is there once, every message can be decrypted,
//! nobody is linked anew, and no account ever has two sockets.
//!
//! ```text
//! COLUMBA_REAL_KILL=bridge/send/bridge_commit_after scripts/e2e-real.sh kills::   one row of the table
//! COLUMBA_REAL_KILLS=100 COLUMBA_REAL_SEED=7 scripts/e2e-real.sh kills::   another siege
//! ```

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use columba::failpoint::Point;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use strum::{Display, IntoEnumIterator as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::oracle;
use crate::stage::{self, PATIENCE, Stage, Victim};
use crate::support::clock::now;

/// What is going on when somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[strum(serialize_all = "snake_case")]
enum Deed {
    Link,
    Send,
    Hear,
}

/// Where somebody dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Of the bridge, see `bridges/native/src/killpoint.rs`.
    Bridge(&'static str),
    /// Of the supervisor, see `src/failpoint.rs`.
    Supervisor(Point),
}

/// Both sides of each durable step.
const STEPS: [(Deed, Place); 18] = [
    (Deed::Link, Place::Bridge("paired_before")),
    (Deed::Link, Place::Bridge("paired_after")),
    (Deed::Send, Place::Supervisor(Point::AcceptBefore)),
    (Deed::Send, Place::Supervisor(Point::AcceptAfter)),
    (Deed::Send, Place::Supervisor(Point::ClaimBefore)),
    (Deed::Send, Place::Supervisor(Point::ClaimAfter)),
    (Deed::Send, Place::Bridge("send_before")),
    (Deed::Send, Place::Bridge("commit_before")),
    (Deed::Send, Place::Bridge("commit_after")),
    (Deed::Send, Place::Bridge("send_after")),
    (Deed::Send, Place::Supervisor(Point::SentBefore)),
    (Deed::Send, Place::Supervisor(Point::SentAfter)),
    (Deed::Hear, Place::Bridge("commit_before")),
    (Deed::Hear, Place::Bridge("commit_after")),
    (Deed::Hear, Place::Bridge("inbound_before")),
    (Deed::Hear, Place::Supervisor(Point::InboundBefore)),
    (Deed::Hear, Place::Supervisor(Point::InboundAfter)),
    (Deed::Hear, Place::Bridge("inbound_after")),
];

/// One row of the table.
#[derive(Debug, Clone, Copy)]
struct Case {
    victim: Victim,
    deed: Deed,
    place: Place,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = match self.place {
            Place::Bridge(point) => format!("bridge_{point}"),
            Place::Supervisor(point) => format!("supervisor_{point}"),
        };
        write!(f, "{}/{}/{place}", self.victim, self.deed)
    }
}

pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The table, or the row that was asked for.
fn table() -> Vec<Case> {
    let only = std::env::var("COLUMBA_REAL_KILL").ok();
    let case = |victim| STEPS.iter().map(move |&(deed, place)| Case { victim, deed, place });
    let all = Victim::iter().flat_map(case);
    all.filter(|case| only.as_ref().is_none_or(|only| case.to_string() == *only)).collect()
}

/// The short form: each kind of process at one place of each deed.
fn excerpt() -> Vec<Case> {
    let wanted = [
        "bridge/link/bridge_paired_after",
        "supervisor/send/supervisor_claim_after",
        "bridge/send/bridge_commit_after",
        "testbed/send/bridge_send_after",
        "bridge/hear/bridge_inbound_after",
        "supervisor/hear/supervisor_inbound_after",
    ];
    let cases: Vec<_> =
        table().into_iter().filter(|case| wanted.contains(&case.to_string().as_str())).collect();
    assert!(std::env::var("COLUMBA_REAL_KILL").is_ok() || cases.len() == wanted.len(), "{cases:?}");
    cases
}

async fn try_all(cases: Vec<Case>) {
    assert!(!cases.is_empty(), "there is no such row");
    let (count, begun) = (cases.len(), Instant::now());
    let queue = Mutex::new(cases);
    let slot = || async {
        let mut failed = vec![];
        loop {
            let Some(case) = queue.lock().unwrap().pop() else { return failed };
            let took = Instant::now();
            let end = tokio::spawn(run(case)).await;
            let word = if end.is_ok() { "ok" } else { "FAILED" };
            println!("{case}: {word} in {:.0} s", took.elapsed().as_secs_f32());
            if let Err(panic) = end {
                failed.push(format!("{case}: {panic}\n    again: COLUMBA_REAL_KILL={case}"));
            }
        }
    };
    // Most of a run is waiting for back-offs and for the pace of human senders.
    let slots = (0..number("COLUMBA_REAL_SLOTS", 4)).map(|_| slot());
    let failed: Vec<String> = join_all(slots).await.into_iter().flatten().collect();
    println!("{count} rows in {:.0} s, {} failed", begun.elapsed().as_secs_f32(), failed.len());
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test]
async fn whoever_dies_at_either_side_of_some_durable_steps_nothing_is_lost_doubled_or_linked_anew() {
    try_all(excerpt()).await;
}

#[tokio::test]
async fn long_whoever_dies_at_either_side_of_any_durable_step_nothing_is_lost_doubled_or_linked_anew() {
    try_all(table()).await;
}

/// One row: two sessions that know each other, or are about to, and one death.
async fn run(case: Case) {
    if !cfg!(feature = "failpoints") {
        panic!("the supervisor has no failpoints: build with --features failpoints");
    }
    let mut stage = Stage::set(2).await;
    let mut links = 2;
    if case.deed == Deed::Link {
        stage.rehearse(1).await;
        links = 1 + link_with_a_death(&mut stage, case).await;
    } else {
        stage.rehearse(0).await;
        stage.greet().await;
        with_a_death(&mut stage, case).await;
    }
    // Whatever was half done is over: the same ratchets go on both ways.
    stage.greet().await;
    let verdict = oracle::judge(&mut stage, links).await;
    assert_eq!(verdict.unknown, 0, "{verdict:?}");
}

/// A person scans, somebody dies. How many scans it took: what was on disk before is not asked for again.
async fn link_with_a_death(stage: &mut Stage, case: Case) -> usize {
    let Place::Bridge(point) = case.place else { panic!("linking is the bridge's") };
    let trap = stage.trap(point, case.victim).await;
    let scans = stage.keep_up(async |cast, testbed| cast.link(testbed, 0, async || trap.set()).await).await;
    assert!(trap.has_struck(), "nobody came by");
    // What the bridge has on disk is worth nothing where the server died with it in its hands.
    if point == "paired_after" && case.victim != Victim::Testbed {
        assert_eq!(scans, 1, "what was on disk was linked anew");
    }
    scans as usize
}

/// A message goes out or comes in, somebody dies.
async fn with_a_death(stage: &mut Stage, case: Case) {
    let mut random = StdRng::seed_from_u64(u64::MAX);
    match case.place {
        Place::Bridge(point) => {
            let trap = stage.trap(point, case.victim).await;
            trap.set();
            perform(stage, case.deed, &mut random).await;
            assert!(trap.has_struck(), "nobody came by");
        }
        Place::Supervisor(point) => {
            let action = if case.victim == Victim::Supervisor { "abort" } else { "delay" };
            let start = now();
            stage.server.kill().await;
            stage.server.revive(&[("FAILPOINTS", &format!("{point}=1*{action}"))]).await;
            stage.keep_up(async |cast, _| cast.watch.online(start, PATIENCE).await).await;
            if case.victim == Victim::Supervisor {
                perform(stage, case.deed, &mut random).await;
                assert_eq!(stage.server.exits.len(), 1, "it was never hit");
                return;
            }
            // While the supervisor stands there for five seconds, the other one dies.
            let (server, whom) = (stage.server.pid(), stage.pid(case.victim).await);
            let log = stage.server.data().with_file_name("server.log");
            let murder = async {
                while !std::fs::read_to_string(&log).unwrap().contains("\"failpoint\"") {
                    sleep(Duration::from_millis(20)).await;
                }
                stage::kill(whom);
            };
            let murder = async { timeout(PATIENCE, murder).await.expect("it was never hit") };
            tokio::join!(murder, perform(stage, case.deed, &mut random));
            assert_eq!(stage.server.pid(), server, "the supervisor went on");
        }
    }
}

async fn perform(stage: &mut Stage, deed: Deed, random: &mut StdRng) {
    stage
        .keep_up(async |cast, testbed| match deed {
            Deed::Send => cast.send(random, 0, 1).await,
            Deed::Hear => cast.hear(testbed, 1, 0).await,
            Deed::Link => panic!("linked before"),
        })
        .await;
}

/// A siege of sessions that all write to each other.
async fn besiege(seed: u64, members: usize, kills: u64) -> String {
    let begun = Instant::now();
    let mut stage = Stage::set(members).await;
    stage.rehearse(0).await;
    stage.greet().await;
    let mut random = StdRng::seed_from_u64(seed);
    let done = AtomicBool::new(false);
    let (mut longest, mut deaths) = (Duration::ZERO, [0; 3]);
    let seeds: Vec<u64> = (0..2 * members).map(|_| random.random()).collect();
    let data = stage.server.data();
    stage
        .keep_up(async |cast, testbed| {
            let load = (0..members).map(|at| {
                let (mut sends, mut writes) =
                    (StdRng::seed_from_u64(seeds[2 * at]), StdRng::seed_from_u64(seeds[2 * at + 1]));
                let (done, to) = (&done, (at + 1) % members);
                async move {
                    let sessions = async {
                        while !done.load(Ordering::SeqCst) {
                            cast.promise(&mut sends, at, to).await;
                            // About what a human sender's pace lets leave: what waits longer is only waited for.
                            sleep(Duration::from_millis(sends.random_range(5_000..9_000))).await;
                        }
                    };
                    let phones = async {
                        while !done.load(Ordering::SeqCst) {
                            cast.write_in(testbed, at, to).await;
                            sleep(Duration::from_millis(writes.random_range(4_000..12_000))).await;
                        }
                    };
                    tokio::join!(sessions, phones);
                }
            });
            let killer = async {
                for kill in 1..=kills {
                    sleep(Duration::from_millis(random.random_range(0..3_000))).await;
                    let victim =
                        *[Victim::Supervisor, Victim::Bridge, Victim::Testbed].choose(&mut random).unwrap();
                    let (start, at) = (now(), Instant::now());
                    let supervisor = stage::supervisor(&data).expect("it is up");
                    match victim {
                        Victim::Supervisor => stage::kill(supervisor),
                        // Each of them: suspects have a process of their own, and every session is to come back anew.
                        Victim::Bridge => stage::children(supervisor).into_iter().for_each(stage::kill),
                        Victim::Testbed => stage::kill(testbed.pid().await),
                    }
                    deaths[victim as usize] += 1;
                    cast.watch.online(start, PATIENCE).await;
                    longest = longest.max(at.elapsed());
                    // A link that holds for half a minute is forgiven its back-off; without that it grows to a quarter of an hour.
                    if kill % 4 == 0 && kill < kills {
                        sleep(Duration::from_secs(32)).await;
                    }
                }
                done.store(true, Ordering::SeqCst);
            };
            tokio::join!(join_all(load), killer);
        })
        .await;
    let verdict = oracle::judge(&mut stage, members).await;
    let [supervisor, bridge, of_testbed] = deaths;
    format!(
        "seed {seed}: {members} sessions, {kills} kills ({supervisor} supervisor, {bridge} bridge, {of_testbed} testbed) in {:.0} s, \
         all online again after {:.1} s at most; {verdict:?}",
        begun.elapsed().as_secs_f32(),
        longest.as_secs_f32(),
    )
}

async fn sieges(kills: u64, abreast: u64) {
    let seed = number("COLUMBA_REAL_SEED", 1);
    println!("seeds {seed} to {}", seed + abreast - 1);
    let mut sieges = JoinSet::new();
    for at in 0..abreast {
        let share = kills / abreast + u64::from(at < kills % abreast);
        sieges.spawn(async move { println!("{}", besiege(seed + at, 4, share).await) });
    }
    sieges.join_all().await;
}

#[tokio::test]
async fn a_few_kills_at_random_under_load_lose_nothing_double_nothing_and_link_nobody_anew() {
    sieges(8, 1).await;
}

#[tokio::test]
async fn long_a_hundred_kills_at_random_under_load_lose_nothing_double_nothing_and_link_nobody_anew() {
    sieges(number("COLUMBA_REAL_KILLS", 100), 4).await;
}
