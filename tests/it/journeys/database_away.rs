//! PostgreSQL goes away, hangs or has no connection left, and the program on it does not.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::support::api::{ANNA, Api, BERT, Feed, Reply};
use crate::support::postgres::{self, Session as Superuser};
use crate::support::server::{BODY_MARK, Home, Server, program};

/// Within this time after its database is back the program accepts again.
const RECOVERED: Duration = Duration::from_secs(10);

/// A program on a PostgreSQL of its own, with a tenant, a session that is connected, and a feed that watches it.
struct Scene {
    postgres: postgres::Server,
    home: Home,
    server: Server,
    acme: Api,
    session: String,
    feed: Feed,
    accepted: Vec<String>,
}

impl Scene {
    async fn new() -> Self {
        let postgres = postgres::Server::start();
        let home = Home::at(postgres.empty_database("columba").await);
        let server = home.start(&[]).await;
        let operator = server.operator();
        operator.plan("basic", json!({})).await;
        let (_, acme) = operator.tenant("Acme", "basic").await;
        let session = acme.connected("sales").await;
        let feed = acme.feed(json!({"op": "subscribe"})).await;
        let mut scene = Self { postgres, home, server, acme, session, feed, accepted: vec![] };
        scene.goes_through().await;
        scene
    }

    /// A message is accepted, sent and read, and the feed says so.
    async fn goes_through(&mut self) {
        let message = self.acme.send(&self.session, ANNA).await;
        self.feed.until(&message, "read").await;
        self.accepted.push(message);
    }

    async fn asked(&self, to: &str) -> Reply {
        self.acme.text(&self.session, to, BODY_MARK).await
    }

    /// Asks again and again, as a client does, until a message is accepted; fails if that takes too long.
    async fn recovers(&mut self) {
        let begun = Instant::now();
        loop {
            let reply = self.asked(BERT).await;
            if reply.status == StatusCode::ACCEPTED {
                self.accepted.push(reply.body["id"].as_str().unwrap().to_owned());
                break;
            }
            refused(reply);
            assert!(begun.elapsed() < RECOVERED, "not back after {RECOVERED:?}:\n{}", self.server.logged());
            sleep(Duration::from_millis(100)).await;
        }
        self.goes_through().await;
        assert!(begun.elapsed() < RECOVERED, "back after {:?}", begun.elapsed());
    }

    /// Everything that was accepted is read in the end, over a link that was never lost; and the history is clean.
    async fn finish(mut self) {
        // What was refused in the very moment may be there all the same.
        let all = self.acme.get("/v1/messages?limit=200").await.expect(200);
        let all: Vec<&str> =
            all["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert!(self.accepted.iter().all(|message| all.contains(&message.as_str())), "lost: {all:?}");
        for message in &all {
            self.feed.until(message, "read").await;
        }
        let record = self.acme.at(&self.session).await;
        let stood = (&record["status"], &record["counters"]["reconnects"], &record["counters"]["queued"]);
        assert_eq!(stood, (&json!("connected"), &json!(0), &json!(0)), "{record}");
        let places: Vec<u64> = self.feed.seen.iter().map(|event| event["q"].as_u64().unwrap()).collect();
        assert_eq!(places, (places[0]..places[0] + places.len() as u64).collect::<Vec<_>>(), "gapless");
        let usage = self.acme.get("/v1/usage").await.expect(200);
        assert_eq!(usage["messages"]["held"], 0, "{usage}");
        let status = self.server.terminate().await;
        assert!(status.success(), "{status}\n{}", self.server.logged());
        let mut check = Command::new(program("columba-check"));
        check.arg("--data").arg(self.home.data()).arg("--database").arg(self.home.database().unwrap());
        let judged = check.output().await.unwrap();
        let said = String::from_utf8(judged.stdout).unwrap() + &String::from_utf8(judged.stderr).unwrap();
        assert!(judged.status.success() && said.contains("clean"), "{said}");
    }
}

/// Refused as what may be tried again, with when.
fn refused(reply: Reply) -> Value {
    assert!(reply.headers.contains_key("retry-after"), "{:?} {}", reply.status, reply.text);
    reply.refused(503, "unavailable")
}

#[tokio::test]
async fn while_postgresql_is_down_accepts_are_refused_at_once_and_links_stay() {
    let mut scene = Scene::new().await;
    // Some wait and some are under way just then.
    for _ in 0..5 {
        for to in [ANNA, BERT] {
            let message = scene.acme.send(&scene.session, to).await;
            scene.accepted.push(message);
        }
    }
    scene.postgres.stop();
    for _ in 0..3 {
        let begun = Instant::now();
        refused(scene.asked(ANNA).await);
        assert!(begun.elapsed() < Duration::from_secs(3), "refused after {:?}", begun.elapsed());
    }
    refused(scene.acme.get("/v1/messages").await);
    scene.feed.pong().await;
    scene.postgres.start_again();
    scene.recovers().await;
    scene.finish().await;
}

#[tokio::test]
async fn connections_that_postgresql_ends_are_replaced() {
    let mut scene = Scene::new().await;
    let superuser = Superuser::on(scene.home.database().unwrap()).await;
    for _ in 0..5 {
        let ended = superuser
            .count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'columba'")
            .await;
        assert!(ended >= 2, "a writer and a reader at least: {ended}");
        scene.recovers().await;
    }
    scene.finish().await;
}

#[tokio::test]
async fn when_no_connection_is_left_calls_are_refused_until_there_is() {
    let mut scene = Scene::new().await;
    let superuser = Superuser::on(scene.home.database().unwrap()).await;
    superuser.say("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await;
    // More than there are connections; each waits for the lock, or for a connection.
    let reads = join_all((0..24).map(|_| scene.acme.get("/v1/messages")));
    let writes = join_all((0..8).map(|_| scene.asked(ANNA)));
    let (reads, writes) = tokio::join!(reads, writes);
    for reply in reads.into_iter().chain(writes) {
        refused(reply);
    }
    superuser.say("ROLLBACK").await;
    scene.recovers().await;
    scene.finish().await;
}

#[tokio::test]
async fn a_postgresql_that_hangs_is_given_up_and_found_again() {
    let mut scene = Scene::new().await;
    scene.postgres.freeze();
    for _ in 0..2 {
        let begun = Instant::now();
        refused(scene.asked(ANNA).await);
        assert!(begun.elapsed() < Duration::from_secs(20), "refused after {:?}", begun.elapsed());
    }
    scene.postgres.thaw();
    scene.recovers().await;
    scene.finish().await;
}
