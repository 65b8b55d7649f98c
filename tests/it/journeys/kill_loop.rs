//! kill -9, twenty-five times, under load. `make deep` does the same for longer.

use std::time::Duration;

use crate::support::siege::{self, Siege};

#[tokio::test]
async fn after_25_kills_under_load_nothing_accepted_is_lost_doubled_out_of_order_or_beyond_the_cap() {
    let report = siege::run(Siege {
        seed: 1,
        sessions: 100,
        kills: 25,
        per_second: Some(60),
        messages: 0,
        between: 60,
        // At the default rate a start of a hundred sessions takes five seconds, which is the gate's time 25 times over.
        boot_per_second: Some(1_000),
        online_within: Duration::from_secs(25),
        online_every: 2,
    })
    .await;
    println!("{report}");
    assert!(report.accepted > 250, "{report}");
}
