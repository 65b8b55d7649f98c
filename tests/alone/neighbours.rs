//! Trouble in one of a hundred sessions: the others' events are as fast as before. How fast that is depends on the
//! machine, so each trouble is held against the calm around it, and a round that the machine itself disturbed is run again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::support::api::Api;
use super::support::server::Server;

const SESSIONS: usize = 100;
/// Threads that sessions live on.
const THREADS: usize = 4;
/// Time between two messages of all neighbours together.
const PACE: Duration = Duration::from_millis(25);
/// How long a round of calm lasts, and one of trouble at least.
const ROUND: Duration = Duration::from_secs(4);
/// What trouble may add to the 99th percentile.
const MARGIN_MS: i64 = 20;
/// Rounds before a margin that is exceeded counts.
const ROUNDS: usize = 4;
/// A message that takes longer than this waits for its thread.
const STALLED_MS: i64 = 1_000;

/// From the commit that accepted a message to the one that wrote its ack, by the server's own clock.
struct Sample {
    session: String,
    millis: i64,
}

struct Scene {
    acme: Api,
    events: UnboundedReceiver<Value>,
    neighbours: Vec<String>,
    sent: usize,
}

impl Scene {
    /// Sends to the neighbours in turn until `trouble` is over, and for a round at least; how long each message took.
    async fn measure(&mut self, trouble: impl Future<Output = ()>) -> Vec<Sample> {
        let (mut posts, mut pace) = (JoinSet::new(), interval(PACE));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = std::pin::pin!(async {
            tokio::join!(trouble, sleep(ROUND));
        });
        loop {
            tokio::select! {
                () = &mut trouble => break,
                _ = pace.tick() => {
                    let (acme, number) = (self.acme.clone(), self.sent);
                    let session = self.neighbours[number % self.neighbours.len()].clone();
                    self.sent += 1;
                    posts.spawn(async move {
                        let id = acme.send(&session, &format!("+1555123{:04}", number % 10_000)).await;
                        (id, session)
                    });
                }
            }
        }
        let posted: HashMap<String, String> = posts.join_all().await.into_iter().collect();
        self.samples(posted).await
    }

    /// Waits for the ack of every message.
    async fn samples(&mut self, posted: HashMap<String, String>) -> Vec<Sample> {
        let (mut accepted, mut samples) = (HashMap::new(), vec![]);
        while samples.len() < posted.len() {
            let event = timeout(Duration::from_secs(60), self.events.recv()).await;
            let event = event.expect("every message is sent").expect("the feed is open");
            let (id, at) = (event["id"].as_str().unwrap(), event["t"].as_i64().unwrap());
            let Some(session) = posted.get(id) else { continue };
            match event["c"].as_str().unwrap() {
                "queued" => drop(accepted.insert(id.to_owned(), at)),
                "sent" => samples.push(Sample { session: session.clone(), millis: at - accepted[id] }),
                _ => {}
            }
        }
        samples
    }
}

fn p99(samples: &[Sample]) -> i64 {
    let mut millis: Vec<i64> = samples.iter().map(|sample| sample.millis).collect();
    millis.sort_unstable();
    millis[(millis.len() * 99).div_ceil(100) - 1]
}

/// Plays `fault` whenever the session is there to hear it, until it is given up or a round is over.
async fn keep_playing(acme: &Api, victim: &str, fault: &str) {
    let body = json!({"session": victim, "fault": fault});
    let until = Instant::now() + ROUND;
    while Instant::now() < until && acme.at(victim).await["status"] != "quarantined" {
        let played = acme.post("/v1/sandbox/faults", body.clone()).await;
        // 409: it is between two incarnations.
        assert!([202, 409].contains(&played.status.as_u16()), "{}", played.text);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn trouble_in_one_of_a_hundred_sessions_is_not_felt_by_the_others() {
    let _turn = super::turn().await;
    let threads = THREADS.to_string();
    let environment = [("COLUMBA__SESSIONS__ARBITERS", threads.as_str())];
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &environment).await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": SESSIONS, "messages_per_month": 1_000_000})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    let mut neighbours = super::connected(&acme, SESSIONS).await;
    let victims = neighbours.split_off(SESSIONS - 4);
    let (tell, events) = mpsc::unbounded_channel();
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    tokio::spawn(async move {
        while let Ok(event) = feed.frame().await {
            if tell.send(event).is_err() {
                return;
            }
        }
    });
    let mut scene = Scene { acme: acme.clone(), events, neighbours, sent: 0 };
    scene.measure(async {}).await; // the first of everything is slower

    for (victim, fault) in victims.iter().zip(["panic", "exit", "never"]) {
        let (acme, mut rounds) = (acme.clone(), vec![]);
        loop {
            let before = p99(&scene.measure(async {}).await);
            let during = p99(&scene.measure(keep_playing(&acme, victim, fault)).await);
            let after = p99(&scene.measure(async {}).await);
            rounds.push((before, during, after));
            if during <= before.max(after) + MARGIN_MS {
                break;
            }
            assert!(
                rounds.len() < ROUNDS,
                "{fault}: 99th percentiles before, during, after in ms: {rounds:?}"
            );
        }
        println!("{fault}: 99th percentiles before, during, after in ms: {rounds:?}");
    }

    hang(&server, &mut scene, &victims[3]).await;
    assert_eq!(acme.at(&scene.neighbours[0]).await["counters"]["reconnects"], 0);
    let status = server.end().await;
    assert!(status.success(), "{status}");
}

/// A session blocks its thread for 10 s: those on it wait, the others do not, and it is named within 5 s.
async fn hang(server: &Server, scene: &mut Scene, victim: &str) {
    let acme = scene.acme.clone();
    let mut rounds = vec![];
    loop {
        let before = p99(&scene.measure(async {}).await);
        let logged = server.logged().len();
        let trouble = async {
            acme.fault(victim, "hang").await;
            let named = |log: &str| {
                log.lines().any(|line| line.contains("keeps its thread") && line.contains(victim))
            };
            let report = async {
                while !named(&server.logged()[logged..]) {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            timeout(Duration::from_secs(5), report).await.expect("named within five seconds");
        };
        let during = scene.measure(trouble).await;
        let stalled: std::collections::HashSet<_> = during
            .iter()
            .filter(|sample| sample.millis > STALLED_MS)
            .map(|sample| sample.session.clone())
            .collect();
        let (_, others): (Vec<_>, Vec<_>) =
            during.into_iter().partition(|sample| stalled.contains(&sample.session));
        // A quarter of them lives on its thread; that it is half has a chance of less than one in a million.
        assert!(stalled.len() < SESSIONS / 2, "{} sessions waited for one", stalled.len());
        let (during, after) = (p99(&others), p99(&scene.measure(async {}).await));
        rounds.push((before, during, after));
        if during <= before.max(after) + MARGIN_MS {
            println!("hang: {} waited; the others' 99th percentiles in ms: {rounds:?}", stalled.len());
            return;
        }
        assert!(rounds.len() < ROUNDS, "hang: 99th percentiles of other threads in ms: {rounds:?}");
    }
}
