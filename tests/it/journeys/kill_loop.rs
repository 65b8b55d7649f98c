//! kill -9, again and again, under load. `make deep` does the same for longer.

use std::time::Duration;

use crate::support::postgres;
use crate::support::redis::RedisServer;
use crate::support::rig::DATABASE;
use crate::support::siege::{self, Siege};

fn siege(kills: u32) -> Siege {
    Siege {
        seed: 1,
        sessions: 100,
        kills,
        per_second: Some(60),
        messages: 0,
        between: 60,
        // At the default rate a start of a hundred sessions takes five seconds, which is the gate's time for each kill.
        boot_per_second: Some(1_000),
        online_within: Duration::from_secs(25),
        online_every: 2,
    }
}

#[tokio::test]
async fn after_25_kills_under_load_nothing_accepted_is_lost_doubled_out_of_order_or_beyond_the_cap() {
    let report = siege::run(siege(25), &[]).await;
    println!("{report}");
    assert!(report.accepted > 250, "{report}");
}

#[tokio::test]
async fn nor_is_it_after_8_kills_on_postgresql_and_redis() {
    let (database, redis) = (postgres::database().await, RedisServer::start().await);
    let environment = [(DATABASE, database.as_str()), ("COLUMBA__REDIS__URL", &redis.url())];
    let report = siege::run(siege(8), &environment).await;
    println!("{report}");
    assert!(report.accepted > 80, "{report}");
}
