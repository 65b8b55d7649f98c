//! What a server leans on dies, again and again.

use std::time::Duration;

use crate::support::outage::{self, FAULTS, Trial};
use crate::{seed, size};

/// Every fault several times over, at a hundred sessions and fifty messages a second.
#[tokio::test]
async fn outages_lose_nothing_exceed_no_sum_hide_no_event_and_end_within_ten_seconds() {
    for round in 0..size("COLUMBA_DEEP_OUTAGES", 10) {
        let report = outage::run(Trial {
            seed: seed() + round,
            sessions: 100,
            per_second: 50,
            messages: 250,
            faults: FAULTS.to_vec(),
        })
        .await;
        println!("{report}");
        let slowest = report.recovered.iter().max().unwrap();
        assert!(*slowest <= Duration::from_secs(10), "{report}");
    }
}
