//! What an idle session of the native engine costs, with all processes counted, and how a whole fleet comes back. In release:
//! `scripts/density.sh` builds what it needs and runs it.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::stage::{Stage, children};
use crate::support::clock::now;
use crate::{kills, oracle};

/// Proportional set size of a process in KiB: its own pages, and its share of those that others map as well.
fn pss(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[tokio::test]
#[ignore = "wants release builds: scripts/density.sh"]
async fn density_of_idle_sessions_and_their_return_after_a_restart() {
    let sessions = kills::number("COLUMBA_REAL_SESSIONS", 300) as usize;
    let mut stage = Stage::set(sessions).await;
    let begun = Instant::now();
    stage
        .keep_up(async |cast, testbed| {
            stream::iter(0..sessions)
                .for_each_concurrent(8, async |at| {
                    cast.link(testbed, at, async || {}).await;
                })
                .await;
        })
        .await;
    println!("{sessions} sessions linked in {:.0} s", begun.elapsed().as_secs_f32());
    let measured = |stage: &Stage, when: &str| {
        let server = stage.server.pid();
        let bridges: Vec<u64> = children(server).into_iter().map(pss).collect();
        let (supervisor, all) = (pss(server), bridges.iter().sum::<u64>());
        let each = (supervisor + all) as f64 / sessions as f64;
        println!(
            "{when}: {sessions} sessions, supervisor {supervisor} KiB, {} bridges {all} KiB, {each:.0} KiB a session (PSS)",
            bridges.len(),
        );
        each
    };
    // First logins upload keys, which takes room that the allocator keeps.
    sleep(Duration::from_secs(60)).await;
    measured(&stage, "linked a minute ago");

    let start = now();
    stage.server.kill().await;
    let begun = Instant::now();
    stage.server.revive(&[]).await;
    let patience = Duration::from_secs(180);
    stage.keep_up(async |cast, _| cast.watch.online(start, patience).await).await;
    println!("logged in again after a restart within {:.1} s, without a scan", begun.elapsed().as_secs_f32());
    sleep(Duration::from_secs(60)).await;
    let each = measured(&stage, "back for a minute");
    assert!(each <= 512.0, "{each:.0} KiB a session");
    oracle::judge(&mut stage, sessions).await;
}
