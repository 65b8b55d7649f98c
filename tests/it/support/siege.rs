//! Many sessions under load, and a server that is killed in the middle of it, again and again.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::api::Api;
use super::clock::now;
use super::load::{Client, Promises, brief, text};
use super::rig::{Rig, Watch};
use super::server::assert_nothing_personal;

/// A message of a session whose cap binds does not wait for longer than this.
const BRIEF: i64 = 15;
/// Sessions that one tenant has.
const EACH: usize = 25;
/// What may go on after the last message: the back-offs, a recovery, a minute without an ack, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Siege {
    /// Decides who writes to whom, and when the server dies.
    pub seed: u64,
    /// Sessions in all; of every five tenants one has a cap that binds, and one a sum over its sessions that does.
    pub sessions: usize,
    /// How often the server is killed.
    pub kills: u32,
    /// Messages per second; `None` for as many as there can be.
    pub per_second: Option<u32>,
    /// Messages at least.
    pub messages: u64,
    /// How many messages are promised between a start and the next kill, at most.
    pub between: u64,
    /// Sessions that the server starts per second; `None` for what it does by default.
    pub boot_per_second: Option<u32>,
    /// When every session has to be connected after a start that is waited for.
    pub online_within: Duration,
    /// Every so many starts are waited for; the server is not killed before. At most 2: a session that is starting at
    /// three deaths in a row is taken for their reason and put away, as it should be.
    pub online_every: u32,
}

/// What was seen.
#[derive(Debug)]
pub struct Report {
    pub siege: Siege,
    pub accepted: usize,
    pub took: Duration,
    /// From each start until every session was connected, in order of length.
    pub online: Vec<Duration>,
    pub verdict: String,
}

impl Report {
    fn online(&self, part: f64) -> f32 {
        let last = self.online.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.online.get(at).map_or(0.0, Duration::as_secs_f32)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Siege { seed, sessions, kills, .. } = self.siege;
        let (accepted, took) = (self.accepted, self.took.as_secs_f32());
        write!(f, "seed {seed}: {sessions} sessions, {kills} kills, {accepted} accepted, {took:.0} s")?;
        if !self.online.is_empty() {
            let [half, most, all] = [0.5, 0.95, 1.0].map(|part| self.online(part));
            write!(f, ", all online after {half:.1} s (p50), {most:.1} s (p95), {all:.1} s (max)")?;
        }
        write!(f, "\n{}", self.verdict.trim_end())
    }
}

/// What a tenant's plan limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Nothing,
    /// What each session may send.
    Session,
    /// What all of them may send together.
    Sum,
}

impl Limit {
    fn of(tenant: usize) -> Self {
        match tenant % 5 {
            1 => Self::Sum,
            3 => Self::Session,
            _ => Self::Nothing,
        }
    }

    fn plan(self) -> &'static str {
        match self {
            Self::Nothing => "ample",
            Self::Session => "ten",
            Self::Sum => "sum",
        }
    }
}

/// One tenant and its sessions.
pub struct Party {
    pub watch: Watch,
    pub sessions: Vec<String>,
    limit: Limit,
}

impl Party {
    /// Whether what it sends is sent at once.
    pub fn is_ample(&self) -> bool {
        self.limit == Limit::Nothing
    }
}

/// What the load and whoever breaks something share.
#[derive(Default)]
pub struct Shared {
    pub promises: Promises,
    pub done: AtomicBool,
}

/// Does what is to be done to a server with this in its environment; panics if anything is not as promised.
pub async fn run(siege: Siege, environment: &[(&str, &str)]) -> Report {
    let begun = Instant::now();
    let rate = siege.boot_per_second.map(|rate| rate.to_string());
    let rate = rate.iter().map(|rate| ("COLUMBA__SESSIONS__BOOT_PER_SECOND", rate.as_str()));
    let environment: Vec<_> = environment.iter().copied().chain(rate).collect();
    let mut rig = Rig::start(&environment).await;
    let parties = gather(&rig, siege.sessions).await;
    let shared = Shared::default();
    let mut random = StdRng::seed_from_u64(siege.seed);
    let mut online = vec![];

    let load = load(siege.per_second, &parties, &shared, random.random());
    let killer = async {
        for kill in 0..siege.kills {
            let more = shared.promises.count() as u64 + random.random_range(1..=siege.between);
            rig.keep_up(shared.promises.reach(more)).await;
            rig.kill().await;
            let (start, started) = (now(), Instant::now());
            rig.revive(&[]).await;
            if kill % siege.online_every == 0 {
                let all = async {
                    for party in &parties {
                        let left = siege.online_within.saturating_sub(started.elapsed());
                        party.watch.online(start, left).await;
                    }
                };
                rig.keep_up(all).await;
                online.push(started.elapsed());
            }
        }
        rig.keep_up(shared.promises.reach(siege.messages)).await;
        shared.done.store(true, Ordering::SeqCst);
    };
    // Whoever fails first ends the run.
    tokio::join!(load, killer);
    for party in &parties {
        rig.keep_up(party.watch.settled(PATIENCE)).await;
    }
    assert!(rig.exits.is_empty(), "it ended by itself: {:?}\n{}", rig.exits, rig.logged());
    let ended = rig.terminate().await;
    assert!(ended.success(), "{ended}");
    assert_nothing_personal(&rig.logged());
    let verdict = rig.judge(&shared.promises).await;
    online.sort_unstable();
    Report { siege, accepted: shared.promises.count(), took: begun.elapsed(), online, verdict }
}

/// Pairs every session.
pub async fn gather(rig: &Rig, sessions: usize) -> Vec<Party> {
    let operator = rig.operator();
    let ample =
        json!({"sessions_max": EACH, "messages_per_minute": 60_000, "messages_per_month": 1_000_000_000});
    operator.plan("ample", ample).await;
    operator.plan("ten", json!({"sessions_max": EACH, "messages_per_minute": 10})).await;
    operator.plan("sum", json!({"sessions_max": EACH, "messages_per_minute_tenant": 60})).await;
    let mut parties = JoinSet::new();
    for number in 0..sessions.div_ceil(EACH) {
        let limit = Limit::of(number);
        let (operator, whereabouts) = (operator.clone(), rig.whereabouts.clone());
        let count = EACH.min(sessions - number * EACH);
        parties.spawn(async move {
            let (_, api) = operator.tenant(&format!("Tenant {number}"), limit.plan()).await;
            let sessions = pair(&api, count).await;
            Party { watch: Watch { api, whereabouts }, sessions, limit }
        });
    }
    parties.join_all().await
}

async fn pair(api: &Api, count: usize) -> Vec<String> {
    let mut sessions = vec![];
    for number in 0..count {
        sessions.push(api.connected(&format!("session {number}")).await);
    }
    sessions
}

/// Clients that write until whoever breaks something is done.
pub async fn load(per_second: Option<u32>, parties: &[Party], shared: &Shared, seed: u64) {
    // Those who do not pause are many, so that the server has something to do at once.
    let each = if per_second.is_some() { 4 } else { 32 };
    let clients = parties.len() as u64 * each;
    // Each waits so long between two messages that together they make the rate.
    let pause = per_second.map(|rate| Duration::from_secs_f64(clients as f64 / f64::from(rate)));
    let write = |number: u64| async move {
        let party = &parties[(number / each) as usize];
        let client = Client { watch: party.watch.clone(), promises: &shared.promises };
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(number));
        while !shared.done.load(Ordering::SeqCst) {
            write_one(&client, party, &mut random).await;
            if let Some(pause) = pause {
                sleep(pause.mul_f64(random.random_range(0.0..2.0))).await;
            }
        }
    };
    futures_util::future::join_all((0..clients).map(write)).await;
}

async fn write_one(client: &Client<'_>, party: &Party, random: &mut StdRng) {
    // Of a tenant whose sessions are limited a few write more than they may.
    let among = if party.limit == Limit::Session { 3 } else { party.sessions.len() };
    let among = among.min(party.sessions.len());
    let session = &party.sessions[random.random_range(0..among)];
    let to = format!("+1555130{:04}", random.random_range(0..200));
    let message = if party.is_ample() { text(&to) } else { brief(&to, BRIEF) };
    client.send(random, session, &message).await;
}

impl Promises {
    /// Waits until so many were made.
    pub async fn reach(&self, count: u64) {
        let mut made = self.made();
        let enough = made.wait_for(|made| *made as u64 >= count);
        timeout(Duration::from_secs(3_600), enough).await.expect("they come").expect("they are counted");
    }
}
