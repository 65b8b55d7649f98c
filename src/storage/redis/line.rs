//! The one line to Redis: what is asked while an answer is under way leaves together as the next pipeline. When the line
//! breaks, whoever asks hears so at once and does without, one line is logged, and it is tried again until it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{Cmd, FromRedisValue, ServerError, Value};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::keys::{self, Key};
use super::pool::{ANSWERING, Addressed, Connection, Pool};
use super::script::{Call, Script, script};
use super::survey::Survey;
use crate::config::redis::RedisAddress;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::readiness::Readiness;
use crate::ports::store::StoreError;

/// What `/readyz` calls it.
const PART: &str = "redis";
/// Questions that may wait; one more is answered as if Redis were away.
const WAITING: usize = 8_192;
/// Questions of one pipeline.
const TOGETHER: usize = 512;
/// A line on which nothing was asked for so long is tried.
const QUIET: Duration = Duration::from_secs(1);
/// All that connecting takes: name, network, TLS, password, a look.
const CONNECTING: Duration = Duration::from_secs(3);
/// Between two tries to connect, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(4)];
/// Commands whose time is taken for [`latency`].
const TIMED: u32 = 50;

/// How long a probe is kept.
const PROBE_LIVES_MS: u32 = 60_000;

static PROBE: Script = script!("lua/probe.lua");

/// Redis did not answer, or refused. Whether it did what it was asked is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("redis is away")]
pub struct Away;

impl From<Away> for StoreError {
    fn from(away: Away) -> Self {
        Self::Unavailable(away.to_string())
    }
}

/// Why a line cannot be opened at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// It answers, and is not fit for use.
    #[error("{0}")]
    Unfit(String),
}

/// What is asked.
enum Question {
    Command(Cmd),
    Script(&'static Script, Call),
}

struct Job {
    shard: u8,
    question: Question,
    answer: oneshot::Sender<Result<Value, Away>>,
}

/// The line's end that adapters hold.
#[derive(Clone)]
pub struct Redis {
    jobs: mpsc::Sender<Job>,
    stands: Arc<AtomicBool>,
}

impl Redis {
    /// Opens the line. A Redis that is away does not keep anybody from starting; one that answers and would lose keys does.
    pub async fn open(address: &RedisAddress, readiness: Arc<dyn Readiness>) -> Result<Self, OpenError> {
        let pool = Pool::new(address).map_err(|error| OpenError::Address(error.to_string()))?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let stands = Arc::new(AtomicBool::new(false));
        let mut line = Line { pool, jobs: waiting, stands: Arc::clone(&stands), readiness, told: None };
        let first = match attempt(&line.pool).await {
            Ok((connection, survey)) => {
                if let Some(objection) = survey.objection() {
                    return Err(OpenError::Unfit(objection));
                }
                line.up();
                Some(connection)
            }
            Err(why) => {
                line.down(&why);
                None
            }
        };
        tokio::spawn(line.run(first));
        Ok(Self { jobs, stands })
    }

    /// Whether it answered the last time.
    pub fn stands(&self) -> bool {
        self.stands.load(Ordering::Acquire)
    }

    /// Asks one command about a key.
    pub async fn command<T: FromRedisValue>(&self, key: &Key, command: Cmd) -> Result<T, Away> {
        self.ask(key.shard, Question::Command(command)).await
    }

    /// Runs a script over keys of one shard.
    pub async fn script<T: FromRedisValue>(
        &self,
        shard: u8,
        script: &'static Script,
        call: Call,
    ) -> Result<T, Away> {
        self.ask(shard, Question::Script(script, call)).await
    }

    async fn ask<T: FromRedisValue>(&self, shard: u8, question: Question) -> Result<T, Away> {
        let value = self.value(shard, question).await;
        meters::redis_commands(1, value.is_ok());
        T::from_redis_value(value?).map_err(|_| Away)
    }

    async fn value(&self, shard: u8, question: Question) -> Result<Value, Away> {
        if !self.stands() {
            return Err(Away);
        }
        let (answer, answered) = oneshot::channel();
        self.jobs.try_send(Job { shard, question, answer }).map_err(|_| Away)?;
        answered.await.map_err(|_| Away)?
    }
}

/// Writes to a shard, and asks its server how it stands.
fn probe(shard: u8) -> Addressed {
    let call = Call { keys: vec![keys::of_probe(shard).name], values: vec![] };
    (shard, PROBE.in_full(&call))
}

/// Looks at a connection. In a cluster a server that is gone leaves the others answering: every shard has to take writes.
async fn look(connection: &mut Connection) -> Result<Survey, String> {
    let mut probes = vec![probe(0)];
    if connection.is_to_many() {
        probes.extend((1..=u8::MAX).map(|shard| {
            let mut command = Cmd::new();
            command.arg("SET").arg(keys::of_probe(shard).name).arg(1).arg("PX").arg(PROBE_LIVES_MS);
            (shard, command)
        }));
    }
    let values = connection.ask(probes).await.map_err(|error| error.to_string())?;
    let refused = values.iter().find_map(|value| match value {
        Value::ServerError(error) => Some(refusal(error)),
        _ => None,
    });
    match (refused, values.into_iter().next()) {
        (Some(refused), _) => Err(refused),
        (None, info) => {
            let info =
                String::from_redis_value(info.unwrap_or_default()).map_err(|error| error.to_string())?;
            Ok(Survey::read(&info))
        }
    }
}

async fn connect(pool: &Pool) -> Result<(Connection, Survey), String> {
    let mut connection = pool.connection().await?;
    match look(&mut connection).await {
        Ok(survey) => Ok((connection, survey)),
        Err(why) => {
            connection.discard();
            Err(why)
        }
    }
}

/// How long a command takes, one after the other.
pub async fn latency(connection: &mut Connection, clock: &dyn Clock) -> Result<Duration, String> {
    let begun = clock.now();
    for _ in 0..TIMED {
        let key = keys::of_probe(0);
        let mut command = Cmd::new();
        command.arg("GET").arg(&key.name);
        connection.ask(vec![(key.shard, command)]).await.map_err(|error| error.to_string())?;
    }
    Ok(clock.now().since(begun) / TIMED)
}

/// A connection that takes writes, and how its server stands; or why there is none. Takes 3 s at most.
pub async fn attempt(pool: &Pool) -> Result<(Connection, Survey), String> {
    let connected = timeout(CONNECTING, connect(pool)).await;
    connected.unwrap_or_else(|_| Err("it does not answer".to_owned()))
}

/// The code and what may be said of it.
fn refusal(error: &ServerError) -> String {
    format!("it refuses: {} {}", error.code(), error.details().unwrap_or_default())
}

/// The line's other end: a task of its own.
struct Line {
    pool: Pool,
    jobs: mpsc::Receiver<Job>,
    stands: Arc<AtomicBool>,
    readiness: Arc<dyn Readiness>,
    /// What was said last: whether it stands.
    told: Option<bool>,
}

/// Nobody holds the other end any more.
struct Closed;

impl Line {
    async fn run(mut self, mut connection: Option<Connection>) {
        let mut pause = PAUSES[0];
        loop {
            if let Some(mut standing) = connection.take() {
                pause = PAUSES[0];
                match self.serve(&mut standing).await {
                    Ok(Closed) => return,
                    Err(why) => {
                        standing.discard();
                        self.down(&why);
                    }
                }
            }
            if let Some(Closed) = self.refuse_for(pause).await {
                return;
            }
            pause = (2 * pause).min(PAUSES[1]);
            let tried = attempt(&self.pool).await;
            let fit = tried.and_then(|(connection, survey)| match survey.objection() {
                None => Ok(connection),
                Some(objection) => Err(objection),
            });
            match fit {
                Ok(standing) => {
                    self.up();
                    connection = Some(standing);
                }
                Err(why) => self.down(&why),
            }
        }
    }

    fn up(&mut self) {
        self.stands.store(true, Ordering::Release);
        self.readiness.note_spare(PART, true);
        meters::redis(true);
        match self.told.replace(true) {
            None => tracing::info!("redis answers"),
            Some(false) => tracing::info!("redis answers again"),
            Some(true) => {}
        }
    }

    /// Said once an outage, however long it lasts.
    fn down(&mut self, why: &str) {
        self.stands.store(false, Ordering::Release);
        self.readiness.note_spare(PART, false);
        meters::redis(false);
        if self.told.replace(false) != Some(false) {
            tracing::warn!(why, "redis is away; this process goes on without it and tries again");
        }
    }

    async fn refuse_for(&mut self, pause: Duration) -> Option<Closed> {
        let end = sleep(pause);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return None,
                job = self.jobs.recv() => match job {
                    Some(job) => drop(job.answer.send(Err(Away))),
                    None => return Some(Closed),
                },
            }
        }
    }

    /// Answers until the line breaks.
    async fn serve(&mut self, connection: &mut Connection) -> Result<Closed, String> {
        let mut batch = Vec::with_capacity(TOGETHER);
        let mut tried: u8 = 0;
        loop {
            match timeout(QUIET, self.jobs.recv_many(&mut batch, TOGETHER)).await {
                Ok(0) => return Ok(Closed),
                Ok(_) => answer(connection, std::mem::take(&mut batch)).await?,
                Err(_) => {
                    // In a cluster another server each time, sooner or later.
                    tried = if connection.is_to_many() { tried.wrapping_add(1) } else { 0 };
                    let values = send(connection, vec![probe(tried)]).await?;
                    if let Some(Value::ServerError(error)) = values.first() {
                        return Err(refusal(error));
                    }
                }
            }
        }
    }
}

async fn send(connection: &mut Connection, commands: Vec<Addressed>) -> Result<Vec<Value>, String> {
    match timeout(ANSWERING, connection.ask(commands)).await {
        Ok(Ok(values)) => Ok(values),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}

/// Asks all of a batch; jobs that are dropped without an answer hear that Redis is away.
async fn answer(connection: &mut Connection, batch: Vec<Job>) -> Result<(), String> {
    let command = |job: &Job| match &job.question {
        Question::Command(command) => (job.shard, command.clone()),
        Question::Script(script, call) => (job.shard, script.by_hash(call)),
    };
    let values = send(connection, batch.iter().map(command).collect()).await?;
    let mut unknown = vec![];
    let mut refused = None;
    for (job, value) in batch.into_iter().zip(values) {
        match value {
            Value::ServerError(error) if error.code() == "NOSCRIPT" => unknown.push(job),
            value => refused = reply(job, value).or(refused),
        }
    }
    if !unknown.is_empty() {
        let in_full = |job: &Job| match &job.question {
            Question::Command(command) => (job.shard, command.clone()),
            Question::Script(script, call) => (job.shard, script.in_full(call)),
        };
        let values = send(connection, unknown.iter().map(in_full).collect()).await?;
        for (job, value) in unknown.into_iter().zip(values) {
            refused = reply(job, value).or(refused);
        }
    }
    // A server that refuses (a replica, one that loads, one that is full) is not asked again before it was looked at.
    refused.map_or(Ok(()), Err)
}

/// Hands over an answer; says why it is none.
fn reply(job: Job, value: Value) -> Option<String> {
    let (answer, refused) = match value {
        Value::ServerError(error) => (Err(Away), Some(refusal(&error))),
        value => (Ok(value), None),
    };
    // Who asked may have left.
    let _ = job.answer.send(answer);
    refused
}
