//! kill -9, many times.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::siege::{self, Siege};
use crate::{seed, size};

/// 500 kills of a server with 200 sessions and 50 messages a second, each once all sessions are connected again, at the
/// default rate of a start. That takes ten seconds and more, so several servers are besieged side by side.
#[tokio::test]
async fn kills_of_200_sessions_at_50_messages_a_second_lose_nothing_and_all_are_online_in_25_s() {
    let (kills, abreast) = (size("COLUMBA_DEEP_KILLS", 500), size("COLUMBA_DEEP_ABREAST", 8));
    let one = |number: u64| Siege {
        seed: seed() + number,
        sessions: size("COLUMBA_DEEP_SESSIONS", 200) as usize,
        kills: (kills / abreast + u64::from(number < kills % abreast)) as u32,
        per_second: Some(50),
        messages: 0,
        between: 60,
        boot_per_second: None,
        online_within: Duration::from_secs(25),
        online_every: 1,
    };
    let sieges = join_all((0..abreast).map(|number| tokio::spawn(siege::run(one(number), &[]))));
    let mut failed = 0;
    for (number, run) in sieges.await.into_iter().enumerate() {
        match run {
            Ok(report) => println!("{report}"),
            Err(panic) => {
                failed += 1;
                println!("seed {}: {panic}", seed() + number as u64);
            }
        }
    }
    assert_eq!(failed, 0);
}

/// A million messages from end to end, without pacing, with the server killed two hundred times.
#[tokio::test]
async fn million_messages_with_200_kills_all_arrive_once() {
    let messages = size("COLUMBA_DEEP_MESSAGES", 1_000_000);
    let kills = size("COLUMBA_DEEP_MESSAGE_KILLS", 200);
    let siege = Siege {
        seed: seed(),
        sessions: 50,
        kills: kills as u32,
        per_second: None,
        messages,
        between: 3 * messages / 2 / (kills + 1), // the kills end before the messages do
        boot_per_second: Some(1_000),
        online_within: Duration::from_secs(25),
        online_every: 2,
    };
    let report = siege::run(siege, &[]).await;
    println!("{report}");
    assert!(report.accepted as u64 >= messages, "{report}");
}
