//! What a production node leans on dies under load, one part after the other. `make deep` does the same for longer.

use crate::support::outage::{self, FAULTS, Trial};

#[tokio::test]
async fn whatever_happens_to_postgresql_and_redis_nothing_is_lost_no_cap_exceeded_and_no_event_missing() {
    let faults = FAULTS.to_vec();
    let report = outage::run(Trial { seed: 1, sessions: 100, per_second: 50, messages: 50, faults }).await;
    println!("{report}");
    assert_eq!(report.recovered.len(), FAULTS.len(), "{report}");
}
