//! One run: a tenant's day in fifteen seconds, with one thing going wrong.

use std::fmt;
use std::time::Duration;

use columba::failpoint::Point;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use strum::{Display, EnumIter, EnumString};
use tokio::time::sleep;

use crate::support::api::{ANNA, Api, BERT};
use crate::support::clock::now;
use crate::support::load::{Client, Promises, brief, text};
use crate::support::rig::{Rig, Watch};
use crate::support::server::assert_nothing_personal;

const CARL: &str = "+15551230003";
const LOCKS: &str = "+15550000463";
const NO_ACCOUNT: &str = "+15550000404";
const THROTTLES: &str = "+15550000429";
const STUMBLES: &str = "+15550000503";
const REFUSES: &str = "+15550000500";
const SILENT: &str = "+15550000408";
const NEVER_READS: &str = "+15550000200";

/// A message that may not be wanted any more by the time its way is free.
const BRIEF: i64 = 9;

/// What a point is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    Panic,
    Abort,
    Error,
    Delay,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub point: Point,
    pub action: Action,
    pub seed: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} seed {}", self.point, self.action, self.seed)
    }
}

impl Case {
    /// The command that runs it again.
    pub fn replay(self) -> String {
        let Self { point, action, seed } = self;
        format!(
            "COLUMBA_FAILPOINT={point}/{action} COLUMBA_FAILPOINT_SEED={seed} \
             cargo test --features failpoints --test failpoints"
        )
    }

    /// Whether it is about the end of a minute without an ack.
    fn is_about_silence(self) -> bool {
        matches!(self.point, Point::UnknownBefore | Point::UnknownAfter)
    }

    fn is_about_death(self) -> bool {
        matches!(self.point, Point::DeadBefore | Point::DeadAfter)
    }

    /// Until when everything has to be settled, from the last message on.
    pub fn patience(self) -> Duration {
        match self.is_about_silence() {
            // An attempt without an ack is given up after a minute; one that is begun again, once more.
            true => Duration::from_secs(170),
            false => Duration::from_secs(110),
        }
    }

    /// How often the point is passed at least, and so which pass may be the one that fails.
    fn passes(self) -> u32 {
        use Point as P;
        match self.point {
            P::AcceptBefore | P::AcceptAfter => 30,
            P::CommitBefore | P::CommitAfter => 40,
            P::ClaimBefore | P::ClaimAfter | P::SendBefore | P::SendAfter => 15,
            P::SentBefore | P::SentAfter | P::ReceiptBefore | P::ReceiptAfter => 10,
            P::RefusedBefore | P::RefusedAfter => 4,
            P::RecallBefore | P::RecallAfter | P::RecoverBefore | P::RecoverAfter => 4,
            P::InboundBefore | P::InboundAfter | P::CancelBefore | P::CancelAfter => 2,
            P::HoldBefore | P::HoldAfter => 2,
            P::ExpireBefore | P::ExpireAfter | P::DeadBefore | P::DeadAfter => 1,
            P::UnknownBefore | P::UnknownAfter => 1,
        }
    }
}

/// The four sessions of one run.
struct Stage {
    /// Paces nothing.
    free: Watch,
    /// Its plan lets five leave in a minute.
    five: Watch,
    /// Of `free`: one is ordinary, one is locked out of new chats, one has the odd recipients.
    ordinary: String,
    locked: String,
    odd: String,
    /// Of `five`.
    capped: String,
}

impl Stage {
    async fn set(rig: &Rig) -> Self {
        let operator = rig.operator();
        operator.plan("free", json!({})).await;
        operator.plan("five", json!({"messages_per_minute": 5})).await;
        let (_, free) = operator.tenant("Free", "free").await;
        let (_, five) = operator.tenant("Five", "five").await;
        let ordinary = free.connected("ordinary").await;
        let locked = free.connected("locked").await;
        let odd = free.connected("odd").await;
        let capped = five.connected("capped").await;
        let watch = |api: Api| Watch { api, whereabouts: rig.whereabouts.clone() };
        Self { free: watch(free), five: watch(five), ordinary, locked, odd, capped }
    }
}

/// Runs one case to its end; panics if anything is not as promised.
pub async fn run(case: Case) {
    let mut rig = Rig::start(&[("COLUMBA__LOG__LEVEL", "info")]).await;
    let stage = Stage::set(&rig).await;
    let promises = Promises::default();
    let mut random = StdRng::seed_from_u64(case.seed);

    // An owner that dies with messages under way, so that the next one has something to recover.
    let client = Client { watch: stage.free.clone(), promises: &promises };
    for to in [ANNA, BERT, CARL] {
        client.send(&mut random, &stage.ordinary, &text(to)).await;
        client.send(&mut random, &stage.odd, &text(to)).await;
    }
    rig.kill().await;

    let skipped = random.random_range(0..case.passes());
    let times = if random.random_bool(0.25) { 2 } else { 1 };
    let armed = format!("{}={skipped}*off->{times}*{}", case.point, case.action);
    rig.revive(&[("FAILPOINTS", &armed)]).await;
    let work = async {
        let seeds: [u64; 4] = random.random();
        tokio::join!(
            ordinary(&stage, &promises, StdRng::seed_from_u64(seeds[0])),
            locked(&stage, &promises, StdRng::seed_from_u64(seeds[1])),
            odd(case, &stage, &promises, StdRng::seed_from_u64(seeds[2])),
            capped(&stage, &promises, StdRng::seed_from_u64(seeds[3])),
        );
        tokio::join!(stage.free.settled(case.patience()), stage.five.settled(case.patience()));
    };
    rig.keep_up(work).await;
    let ended = rig.terminate().await;
    assert!(ended.success(), "{ended}");
    assert_was_hit(case, &rig, &armed);
    assert_nothing_personal(&rig.logged());
    rig.judge(&promises).await;
}

/// Chats with receipts, a correspondent who writes, and messages that are taken back.
async fn ordinary(stage: &Stage, promises: &Promises, mut random: StdRng) {
    let client = Client { watch: stage.free.clone(), promises };
    for turn in 0..14 {
        let to = [ANNA, BERT, CARL].choose(&mut random).unwrap();
        client.send(&mut random, &stage.ordinary, &text(to)).await;
        if turn % 4 == 0 {
            client.write_in(&stage.ordinary, ANNA).await;
        }
        if turn % 5 == 0 {
            let mut later = text(BERT);
            later["send_at"] = json!(now() + Duration::from_secs(3_600));
            later["expires_at"] = json!(now() + Duration::from_secs(7_200));
            let later =
                client.send(&mut random, &stage.ordinary, &later).await.expect("it lives for two hours");
            assert!(client.cancel(&later).await, "it was planned for an hour later");
        }
        sleep(Duration::from_millis(random.random_range(0..150))).await;
    }
}

/// The account is locked out of new chats: those are held, and expire.
async fn locked(stage: &Stage, promises: &Promises, mut random: StdRng) {
    let client = Client { watch: stage.free.clone(), promises };
    lock(stage).await;
    for chat in 0..3 {
        let stranger = format!("+1555124000{chat}");
        client.send(&mut random, &stage.locked, &brief(&stranger, BRIEF)).await;
        sleep(Duration::from_millis(random.random_range(0..300))).await;
    }
}

/// Plays the lock, once the session has a link to hear of it.
async fn lock(stage: &Stage) {
    let path = format!("/v1/sessions/{}", stage.locked);
    let play = json!({"session": stage.locked, "fault": "timelock"}).to_string();
    let headers = [("content-type", "application/json")];
    loop {
        stage.free.until(&path, Duration::from_secs(60), |record| record["status"] == "connected").await;
        let api = stage.free.now();
        let played =
            api.attempt(reqwest::Method::POST, "/v1/sandbox/faults", play.clone().into(), &headers).await;
        if played.is_ok_and(|reply| reply.status == 202) {
            return;
        }
    }
}

/// Recipients that refuse, once, twice, or for ever.
async fn odd(case: Case, stage: &Stage, promises: &Promises, mut random: StdRng) {
    let client = Client { watch: stage.free.clone(), promises };
    let mut to = vec![NO_ACCOUNT, THROTTLES, STUMBLES, NEVER_READS, NO_ACCOUNT];
    if case.is_about_death() {
        to.insert(0, REFUSES);
    }
    if case.is_about_silence() {
        to.insert(0, SILENT);
    }
    for to in to {
        client.send(&mut random, &stage.odd, &text(to)).await;
        client.send(&mut random, &stage.odd, &text(CARL)).await;
        sleep(Duration::from_millis(random.random_range(0..150))).await;
    }
    client.send(&mut random, &stage.odd, &brief(LOCKS, BRIEF)).await;
}

/// More than the cap lets leave: the rest expires.
async fn capped(stage: &Stage, promises: &Promises, mut random: StdRng) {
    let client = Client { watch: stage.five.clone(), promises };
    for turn in 0..8 {
        let to = if turn % 2 == 0 { ANNA } else { BERT };
        client.send(&mut random, &stage.capped, &brief(to, BRIEF)).await;
        sleep(Duration::from_millis(random.random_range(0..200))).await;
    }
}

/// It went wrong as planned.
fn assert_was_hit(case: Case, rig: &Rig, armed: &str) {
    let point = case.point.to_string();
    let log = rig.logged();
    let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
    let hit = lines.any(|line| line["message"] == "failpoint" && line["point"] == point.as_str());
    assert!(hit, "the point was never hit: {armed}");
}
