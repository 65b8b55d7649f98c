//! The feed from the process that commits it to those that only hand it out: one stream per store, one entry per commit
//! or several, each event with its position. It is short, and nobody relies on it: a listener that misses something finds
//! it in the log by its position.
//!
//! One stream, not one per shard of tenants: a store has one writer, whose commits hold many tenants' events, and who
//! hands out the feed wants all of them. Sixteen streams would cost it sixteen commands where one does.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{Cmd, FromRedisValue, Value};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::keys::{self, Key};
use super::line::{Away, Redis, attempt};
use super::nodes::Nodes;
use super::pool::{ANSWERING, Connection, Pool};
use crate::config::redis::RedisAddress;
use crate::domain::event::{Change, EventKind, StatusEvent};
use crate::domain::id::{MessageId, SessionId, TenantId, WebhookId};
use crate::domain::time::WallTime;
use crate::ports::feed::{FeedSink, FeedStream, Heard};

/// Commits that may wait for Redis.
const WAITING: usize = 1_024;
/// Commits of one entry.
const TOGETHER: usize = 64;
/// Entries the stream keeps, about: some seconds of the fastest writer.
const KEPT: u32 = 2_000;
/// Entries read at once.
const AT_ONCE: u32 = 100;
/// How long a listener waits for an entry; well below what a connection waits for an answer.
const PATIENCE: Duration = Duration::from_millis(300);
const _: () = assert!(PATIENCE.as_millis() * 2 < ANSWERING.as_millis());
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// An event as it is handed over; names are short because every event has them.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(rename = "n")]
    tenant: TenantId,
    #[serde(rename = "q")]
    seq: u64,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "e")]
    kind: EventKind,
    #[serde(rename = "c")]
    code: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookId>,
}

impl Written {
    fn of(event: &StatusEvent) -> Self {
        Self {
            tenant: event.tenant,
            seq: event.seq,
            at: event.at.0,
            kind: event.change.kind(),
            code: event.change.code().into_owned(),
            session: event.session,
            message: event.change.message(),
            webhook: event.change.webhook(),
        }
    }

    fn read(self) -> Option<StatusEvent> {
        let change = Change::from_parts(self.kind, self.message, self.webhook, &self.code)?;
        let at = WallTime(self.at);
        Some(StatusEvent { tenant: self.tenant, seq: self.seq, session: self.session, change, at })
    }
}

/// Hands over what is committed while somebody listens, and to `next` in any case.
pub struct Relay {
    next: Arc<dyn FeedSink>,
    attached: OnceLock<Attached>,
}

struct Attached {
    nodes: Arc<Nodes>,
    commits: mpsc::Sender<Vec<StatusEvent>>,
}

impl Relay {
    /// Hands nothing over yet.
    pub fn before(next: Arc<dyn FeedSink>) -> Self {
        Self { next, attached: OnceLock::new() }
    }

    /// From now on it hands over, by the line `redis`, what the store whose feed has this epoch commits.
    pub fn attach(&self, redis: Redis, epoch: &str, nodes: Arc<Nodes>) {
        let (commits, waiting) = mpsc::channel(WAITING);
        if self.attached.set(Attached { nodes, commits }).is_ok() {
            tokio::spawn(hand_over(redis, keys::of_store(epoch, "feed"), waiting));
        }
    }
}

impl FeedSink for Relay {
    fn publish(&self, events: Vec<StatusEvent>) {
        if let Some(attached) = self.attached.get().filter(|attached| attached.nodes.is_followed()) {
            // What does not fit is read from the log by who misses it.
            let _ = attached.commits.try_send(events.clone());
        }
        self.next.publish(events);
    }

    fn posted(&self, endpoints: &[WebhookId]) {
        self.next.posted(endpoints);
    }
}

async fn hand_over(redis: Redis, key: Key, mut waiting: mpsc::Receiver<Vec<StatusEvent>>) {
    let mut commits = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut commits, TOGETHER).await > 0 {
        let events: Vec<Written> = commits.drain(..).flatten().map(|event| Written::of(&event)).collect();
        let text = serde_json::to_string(&events).expect("ids and numbers have a text");
        let mut command = Cmd::new();
        command.arg("XADD").arg(&key.name).arg("MAXLEN").arg("~").arg(KEPT).arg("*").arg("v").arg(text);
        // Away: it is in the log.
        let _: Result<Value, Away> = redis.command(&key, command).await;
    }
}

/// An entry of a stream: its id, and its fields with their values.
type Entry = (String, Vec<String>);

/// Listens over a connection of its own, since waiting holds it.
pub struct RedisFeed {
    pool: Pool,
    key: Key,
    /// With the id of the last entry it has read.
    connection: Option<(Connection, String)>,
    tried: bool,
}

impl RedisFeed {
    /// Listens to what is committed to the store whose feed has this epoch. Connects when it is first asked.
    pub fn new(address: &RedisAddress, epoch: &str) -> Result<Self, String> {
        let pool = Pool::new(address).map_err(|error| error.to_string())?;
        Ok(Self { pool, key: keys::of_store(epoch, "feed"), connection: None, tried: false })
    }

    async fn ask<T: FromRedisValue>(&self, connection: &mut Connection, command: Cmd) -> Result<T, Away> {
        let asked = connection.ask(vec![(self.key.shard, command)]);
        let values = timeout(ANSWERING, asked).await.map_err(|_| Away)?.map_err(|_| Away)?;
        match values.into_iter().next() {
            Some(Value::ServerError(_)) | None => Err(Away),
            Some(value) => T::from_redis_value(value).map_err(|_| Away),
        }
    }

    /// A connection, and the entry after which it reads.
    async fn connect(&self) -> Result<(Connection, String), Away> {
        let (mut connection, _) = attempt(&self.pool).await.map_err(|_| Away)?;
        let mut command = Cmd::new();
        command.arg("XREVRANGE").arg(&self.key.name).arg("+").arg("-").arg("COUNT").arg(1);
        match self.ask::<Vec<Entry>>(&mut connection, command).await {
            Ok(entries) => {
                let last = entries.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
                Ok((connection, last))
            }
            Err(away) => {
                connection.discard();
                Err(away)
            }
        }
    }

    async fn read(&self, connection: &mut Connection, last: &str) -> Result<Vec<Entry>, Away> {
        let mut command = Cmd::new();
        command.arg("XREAD").arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(PATIENCE.as_millis() as u64);
        command.arg("STREAMS").arg(&self.key.name).arg(last);
        let streams: Option<Vec<(String, Vec<Entry>)>> = self.ask(connection, command).await?;
        Ok(streams.unwrap_or_default().into_iter().flat_map(|(_, entries)| entries).collect())
    }
}

/// The events of an entry; nothing when it is none that this version can read, and the log has to tell.
fn events((_, fields): &Entry) -> Option<Vec<StatusEvent>> {
    let value = fields.chunks_exact(2).find(|pair| pair[0] == "v")?;
    let written: Vec<Written> = serde_json::from_str(&value[1]).ok()?;
    written.into_iter().map(Written::read).collect()
}

#[async_trait]
impl FeedStream for RedisFeed {
    async fn next(&mut self) -> Heard {
        let Some((mut connection, last)) = self.connection.take() else {
            if std::mem::replace(&mut self.tried, true) {
                sleep(PAUSE).await;
            }
            return match self.connect().await {
                Ok(connected) => {
                    self.connection = Some(connected);
                    self.tried = false;
                    Heard::Anew
                }
                Err(Away) => Heard::Away,
            };
        };
        let Ok(entries) = self.read(&mut connection, &last).await else {
            connection.discard();
            return Heard::Away;
        };
        let last = entries.last().map_or(last, |(id, _)| id.clone());
        self.connection = Some((connection, last));
        // What cannot be read is missed, and whoever misses it looks into the log.
        Heard::Events(entries.iter().filter_map(events).flatten().collect())
    }
}
