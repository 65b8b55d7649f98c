//! A socket that is open and dead, through the whole server. Long: it takes the two probes that it takes.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::oracle;
use crate::stage::{PATIENCE, Stage, Victim};

/// The socket of one session falls silent. The supervisor's own probe finds it, or the library does before; its next socket works,
/// and the neighbour in the same process hears nothing of it.
#[tokio::test]
async fn long_a_half_open_socket_is_found_within_65_seconds_and_the_neighbour_is_left_alone() {
    let mut stage = Stage::set(2).await;
    stage.rehearse(0).await;
    stage.greet().await;
    let bridge = stage.pid(Victim::Bridge).await;
    let [session, neighbour] = [0, 1].map(|at| stage.cast.members[at].session.clone());
    let number = stage.cast.members[0].number.clone();
    let before = stage.cast.watch.now().at(&neighbour).await;
    let found = stage
        .keep_up(async |cast, testbed| {
            testbed.post("/admin/failures", json!({"phone": number, "kind": "half_open", "times": 1})).await;
            let begun = Instant::now();
            let path = format!("/v1/sessions/{session}");
            cast.watch.until(&path, PATIENCE, |record| record["status"] == "reconnecting").await;
            let found = begun.elapsed();
            let reason = cast.watch.now().at(&session).await["reason"].clone();
            assert!(["probe_failed", "transport_lost"].contains(&reason.as_str().unwrap()), "{reason}");
            cast.watch.until(&path, PATIENCE, |record| record["status"] == "connected").await;
            println!(
                "a half-open socket was found after {found:.1?} ({reason}), and replaced after {:.1?}",
                begun.elapsed()
            );
            found
        })
        .await;
    assert!(found <= Duration::from_secs(65), "{found:?}");
    let after = stage.cast.watch.now().at(&neighbour).await;
    assert_eq!(after["since"], before["since"], "the neighbour was connected all the time");
    assert_eq!(stage.pid(Victim::Bridge).await, bridge, "the same process");
    stage.greet().await;
    let verdict = oracle::judge(&mut stage, 2).await;
    assert_eq!(verdict.unknown, 0, "{verdict:?}");
}
