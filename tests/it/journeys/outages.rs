//! What a server leans on dies under load, one part after the other. `make deep` does the same for longer.

use crate::support::outage::{self, OfRedis, Trial};

#[tokio::test]
async fn whatever_happens_to_redis_nothing_is_lost_no_sum_exceeded_and_no_event_missing() {
    let report = outage::run(Trial {
        seed: 1,
        sessions: 100,
        per_second: 50,
        messages: 50,
        faults: vec![OfRedis::Killed, OfRedis::Flushed, OfRedis::ReadOnly, OfRedis::Promoted],
    })
    .await;
    println!("{report}");
    assert_eq!(report.recovered.len(), 4, "{report}");
}
