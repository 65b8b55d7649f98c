//! Many sessions under load, and what the server leans on dies in the middle of it and comes back.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::load::{Client, text};
use super::postgres;
use super::redis::{RedisServer, pair};
use super::rig::{DATABASE, Rig, Watch};
use super::server::assert_nothing_personal;
use super::siege::{Party, Shared, gather, load};

/// What may go on after the last message: the back-offs, a minute without an ack, and a busy machine.
const SETTLING: Duration = Duration::from_secs(240);
/// Nothing that is waited for in an outage takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Readiness has no event: it is asked for.
const LOOK: Duration = Duration::from_millis(20);

/// By how much a replica lags at least.
const LAG: Duration = Duration::from_secs(1);

/// What happens to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Redis(OfRedis),
    Postgres(OfPostgres),
}

/// What happens to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfRedis {
    /// It dies with all it held, and comes back with nothing.
    Killed,
    /// It forgets everything and goes on.
    Flushed,
    /// It dies, and what takes its place stopped hearing of it a second and more before.
    Promoted,
    /// It refuses to write for a while.
    ReadOnly,
}

/// What happens to PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfPostgres {
    /// It dies and starts again.
    Restarted,
    /// Every connection waits for one that never ends.
    Exhausted,
}

/// All of them.
pub const FAULTS: [Fault; 6] = [
    Fault::Redis(OfRedis::Killed),
    Fault::Redis(OfRedis::Flushed),
    Fault::Postgres(OfPostgres::Restarted),
    Fault::Redis(OfRedis::ReadOnly),
    Fault::Postgres(OfPostgres::Exhausted),
    Fault::Redis(OfRedis::Promoted),
];

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Decides who writes to whom.
    pub seed: u64,
    pub sessions: usize,
    pub per_second: u32,
    /// Messages promised before each fault, and again while it lasts.
    pub messages: u64,
    /// At most one of them a promotion.
    pub faults: Vec<Fault>,
}

/// What was seen.
#[derive(Debug)]
pub struct Report {
    trial: Trial,
    accepted: usize,
    /// From the end of each fault until the part is in use and a message has been sent.
    pub recovered: Vec<Duration>,
    /// Events that the listeners heard.
    heard: u64,
    /// Lines of the log that warn of something.
    warnings: usize,
    verdict: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trial { seed, sessions, per_second, .. } = &self.trial;
        let Self { accepted, heard, warnings, .. } = self;
        writeln!(
            f,
            "seed {seed}: {sessions} sessions, {per_second}/s, {accepted} accepted, {heard} events heard, {warnings} warnings logged"
        )?;
        for (fault, took) in self.trial.faults.iter().zip(&self.recovered) {
            writeln!(f, "outage {fault:?}: recovered after {:.1} s", took.as_secs_f32())?;
        }
        f.write_str(self.verdict.trim_end())
    }
}

/// A Redis at one address, whoever answers there.
struct Redis {
    first: RedisServer,
    /// It follows the first until that dies.
    second: Option<RedisServer>,
}

impl Redis {
    async fn begin(&mut self, fault: OfRedis, more: impl Future<Output = ()>) {
        match fault {
            OfRedis::Killed => {
                self.first.kill().await;
                more.await;
            }
            OfRedis::Flushed => {
                self.first.ask::<()>("FLUSHALL").await;
                more.await;
            }
            OfRedis::Promoted => {
                let second = self.second.as_mut().expect("one promotion a trial");
                second.linked().await;
                second.ask::<()>("REPLICAOF NO ONE").await;
                tokio::join!(more, sleep(LAG));
                self.first.kill().await;
            }
            OfRedis::ReadOnly => {
                self.first.ask::<()>("REPLICAOF 127.0.0.1 1").await;
                more.await;
            }
        }
    }

    async fn end(&mut self, fault: OfRedis) {
        match fault {
            OfRedis::Killed => self.first.revive().await,
            OfRedis::Flushed => {}
            OfRedis::Promoted => {
                let mut second = self.second.take().expect("one promotion a trial");
                second.move_to(self.first.port).await;
                self.first = second;
            }
            OfRedis::ReadOnly => self.first.ask("REPLICAOF NO ONE").await,
        }
    }
}

/// How long PostgreSQL is away. Nothing is promised meanwhile that could be waited for.
const AWAY: Duration = Duration::from_secs(2);

async fn break_database(postgres: &postgres::Server, url: &str, fault: OfPostgres) {
    match fault {
        OfPostgres::Restarted => {
            postgres.stop();
            sleep(AWAY).await;
            postgres.start_again();
        }
        OfPostgres::Exhausted => {
            let superuser = postgres::Session::on(url).await;
            superuser.say("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE").await;
            sleep(AWAY).await;
            superuser.say("ROLLBACK").await;
        }
    }
}

/// Does what is to be done; panics if anything is not as promised.
pub async fn run(trial: Trial) -> Report {
    let (first, second) = pair().await;
    let mut redis = Redis { first, second: Some(second) };
    let postgres = postgres::Server::start();
    let database = postgres.empty_database("columba").await;
    let mut rig = Rig::start(&[("COLUMBA__REDIS__URL", &redis.first.url()), (DATABASE, &database)]).await;
    let parties = gather(&rig, trial.sessions).await;
    let shared = Shared::default();
    let mut random = StdRng::seed_from_u64(trial.seed);
    let (done, is_done) = watch::channel(false);
    // Half of them at a process that hands out the feed only, whose events come over Redis or from the log.
    let feed = rig.feed().await;
    let places = [None, Some(feed.url.clone())];
    let listeners = parties.iter().flat_map(|party| places.clone().map(|place| (party.watch.clone(), place)));
    let listeners: Vec<_> =
        listeners.map(|(watch, place)| tokio::spawn(listen(watch, place, is_done.clone()))).collect();

    let load = load(Some(trial.per_second), &parties, &shared, random.random());
    let breaker = async {
        let mut recovered = vec![];
        for &fault in &trial.faults {
            let promised = |more| shared.promises.reach(shared.promises.count() as u64 + more);
            promised(trial.messages).await;
            match fault {
                Fault::Redis(fault) => {
                    redis.begin(fault, promised(trial.messages)).await;
                    redis.end(fault).await;
                }
                Fault::Postgres(fault) => break_database(&postgres, &database, fault).await,
            }
            let begun = Instant::now();
            recovered_from(&parties, &shared, &mut random).await;
            recovered.push(begun.elapsed());
        }
        shared.done.store(true, Ordering::SeqCst);
        recovered
    };
    let ((), recovered) = tokio::join!(load, breaker);
    for party in &parties {
        rig.keep_up(party.watch.settled(SETTLING)).await;
    }
    done.send_replace(true);
    let mut heard = 0;
    for listener in listeners {
        heard += listener.await.unwrap();
    }
    assert!(rig.exits.is_empty(), "it ended by itself: {:?}\n{}", rig.exits, rig.logged());
    let ended = rig.terminate().await;
    assert!(ended.success(), "{ended}");
    assert_nothing_personal(&rig.logged());
    feed.finish().await;
    let logged = rig.logged();
    let lines = |words: &str| logged.lines().filter(|line| line.contains(words)).count();
    for part in ["redis is away", "the store is away"] {
        assert!(lines(part) <= trial.faults.len(), "{} times {part}: {:?}", lines(part), trial.faults);
    }
    let warnings = lines("\"level\":\"WARN\"") + lines("\"level\":\"ERROR\"");
    let verdict = rig.judge(&shared.promises).await;
    Report { trial, accepted: shared.promises.count(), recovered, heard, warnings, verdict }
}

/// Waits until every part is in use again and a message that is promised now has been sent.
async fn recovered_from(parties: &[Party], shared: &Shared, random: &mut StdRng) {
    let party = parties.iter().find(|party| party.is_ample()).expect("one has no limit");
    let stands = timeout(PATIENCE, async {
        while party.watch.now().get("/readyz?verbose").await.body["checks"]["redis"] != "ok" {
            sleep(LOOK).await;
        }
    });
    stands.await.expect("it comes back to its parts");
    let client = Client { watch: party.watch.clone(), promises: &shared.promises };
    // To somebody nobody else writes to, so that nothing is before it.
    let message =
        client.send(random, &party.sessions[0], &text("+15551309999")).await.expect("it lives long");
    let path = format!("/v1/messages/{}", message["id"].as_str().unwrap());
    let gone =
        |message: &Value| ["sent", "delivered", "read"].iter().any(|status| message["status"] == *status);
    party.watch.until(&path, PATIENCE, gone).await;
}

/// Listens to everything of a tenant on one feed, at the server or at another `place`, until all is `done` and it has heard the last of it: how many events.
/// Panics when one is missing and nothing announced that.
async fn listen(watch: Watch, place: Option<String>, mut done: watch::Receiver<bool>) -> u64 {
    let everything = json!({"op": "subscribe"});
    let there = place.map_or_else(|| watch.now(), |url| watch.api.at_url(&url));
    let mut feed = there.feed(everything.clone()).await;
    feed.patience = SETTLING;
    let mut newest = feed.ready["seq"].as_u64().unwrap();
    let (mut heard, mut last) = (0, u64::MAX);
    while newest < last {
        tokio::select! {
            frame = feed.next() => {
                assert_eq!(frame["op"], "event", "loss is announced, and there was no reason for any");
                let at = frame["q"].as_u64().unwrap();
                assert_eq!(at, newest + 1, "events are missing, and nobody said so");
                newest = at;
                heard += 1;
            }
            () = async { drop(done.wait_for(|done| *done).await) }, if last == u64::MAX => {
                last = watch.now().feed(everything.clone()).await.ready["seq"].as_u64().unwrap();
            }
        }
    }
    heard
}
