//! What the supervisor says, and the sessions it says it of.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use columba_bridge_protocol as wire;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};
use url::Url;
use wire::{Command, Down, ErrorCode, Failure, Reply, ReplyOutcome, SessionKey, SessionState, Stats, Up};

use crate::net::is_spoken;
use crate::session::{Opening, Session, is_close};
use crate::wire::Wire;

/// Newest epochs that are remembered of sessions that are not open. Beyond that the oldest session ids are forgotten; the
/// vault fences all the same.
const REMEMBERED: usize = 10_000;

/// All sessions of this process.
pub struct Bridge {
    wire: Arc<Wire>,
    media: PathBuf,
    window: u32,
    table: Mutex<Table>,
    draining: AtomicBool,
}

#[derive(Default)]
struct Table {
    open: HashMap<String, Arc<Session>>,
    newest: HashMap<String, i64>,
}

type Answer = Result<Reply, Failure>;

impl Bridge {
    /// None open.
    pub fn new(wire: Arc<Wire>, media: PathBuf, window: u32) -> Self {
        Self { wire, media, window, table: Mutex::default(), draining: AtomicBool::new(false) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sessions by how they stand.
    pub fn states(&self) -> BTreeMap<SessionState, u32> {
        let mut states = BTreeMap::new();
        for session in self.table().open.values() {
            *states.entry(session.state()).or_default() += 1;
        }
        states
    }

    /// Takes one frame. Whether the process is to end.
    pub async fn hear(self: &Arc<Self>, frame: Down) -> bool {
        match frame {
            Down::Command { id, session, deadline_ms, command } => {
                let deadline = Instant::now() + Duration::from_millis(deadline_ms.into());
                return self.command(id, session, deadline, command).await;
            }
            Down::Confirm { session, seq } => {
                if let Ok(open) = self.find(&session) {
                    open.confirm(&seq);
                }
            }
            Down::Vault { id, answer } => self.wire.answered(id, answer),
            // Said once, and heard.
            Down::Welcome(_) | Down::Refused(_) => {}
        }
        false
    }

    async fn command(
        self: &Arc<Self>,
        id: u64,
        session: Option<SessionKey>,
        deadline: Instant,
        command: Command,
    ) -> bool {
        let Some(key) = session else {
            return self.process_command(id, command).await;
        };
        // The table changes in the order of the frames; what takes time does not hold up the next one.
        if let Command::Open { proxy, endpoint } = command {
            let answer = self.open(key, proxy.map(|proxy| proxy.0), endpoint);
            self.reply(id, answer).await;
            return false;
        }
        let found = self.find(&key);
        let me = Arc::clone(self);
        tokio::spawn(async move {
            let answer = me.carry_out(found, command, deadline).await;
            me.reply(id, answer).await;
        });
        false
    }

    async fn carry_out(
        &self,
        found: Result<Arc<Session>, Failure>,
        command: Command,
        deadline: Instant,
    ) -> Answer {
        if is_close(&command) {
            let log_out = matches!(command, Command::LogOut);
            return match found {
                Ok(session) => {
                    session.close(log_out).await;
                    Ok(Reply::Done)
                }
                // Closing what is closed is fine; a log-out that reached nobody is not.
                Err(failure) if failure.code == ErrorCode::NoLink && !log_out => Ok(Reply::Done),
                Err(failure) => Err(failure),
            };
        }
        let session = found?;
        if Instant::now() >= deadline {
            return Err(Failure::of(ErrorCode::Late));
        }
        let is_send = matches!(command, Command::Send { .. });
        if is_send && self.draining.load(Ordering::Relaxed) {
            return Err(Failure::of(ErrorCode::Draining));
        }
        let work = session.carry_out(command, &self.media, deadline);
        // A send is never broken off: what it has begun may have left, and its ratchet has moved.
        if is_send {
            return work.await;
        }
        timeout_at(deadline, work).await.unwrap_or(Err(Failure::of(ErrorCode::Uncertain)))
    }

    fn find(&self, key: &SessionKey) -> Result<Arc<Session>, Failure> {
        let table = self.table();
        if table.newest.get(&key.session).is_some_and(|newest| *newest > key.epoch) {
            return Err(Failure::of(ErrorCode::Fenced));
        }
        let open = table.open.get(&key.session).filter(|open| open.epoch() == key.epoch);
        open.cloned().ok_or_else(|| Failure::of(ErrorCode::NoLink))
    }

    fn open(self: &Arc<Self>, key: SessionKey, proxy: Option<String>, endpoint: Option<String>) -> Answer {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Failure::of(ErrorCode::Draining));
        }
        let proxy = proxy.map(|proxy| Url::parse(&proxy)).transpose();
        let proxy = proxy.map_err(|_| Failure::because(ErrorCode::Invalid, "proxy: no address"))?;
        if proxy.as_ref().is_some_and(|proxy| !is_spoken(proxy)) {
            return Err(Failure::because(ErrorCode::Invalid, "proxy: http or socks5, with a host"));
        }
        let mut table = self.table();
        let newest = table.newest.get(&key.session).copied();
        let is_stale = newest.is_some_and(|newest| newest > key.epoch);
        if is_stale || table.open.get(&key.session).is_some_and(|open| open.epoch() == key.epoch) {
            return Err(Failure::of(ErrorCode::Fenced));
        }
        if table.newest.len() >= REMEMBERED {
            let Table { open, newest } = &mut *table;
            newest.retain(|session, _| open.contains_key(session));
        }
        table.newest.insert(key.session.clone(), key.epoch);
        let session = Session::new(key.clone(), &self.wire, self.window);
        let older = table.open.insert(key.session.clone(), Arc::clone(&session));
        drop(table);
        let me = Arc::clone(self);
        tokio::spawn(async move {
            let opening = Opening { proxy, endpoint };
            // A task of its own: a panic of the library is this session's end, and nobody else's.
            let ran = tokio::spawn(Arc::clone(&session).run(opening, older)).await;
            if ran.is_err() {
                eprintln!("a session panicked and is closed");
                session.give_up().await;
            }
            let mut table = me.table();
            if table.open.get(&key.session).is_some_and(|open| open.epoch() == key.epoch) {
                table.open.remove(&key.session);
            }
        });
        Ok(Reply::Done)
    }

    async fn process_command(self: &Arc<Self>, id: u64, command: Command) -> bool {
        match command {
            Command::Stats => {
                let mut stats = Stats::default();
                stats.counters.insert("sessions".to_owned(), self.table().open.len() as u64);
                self.reply(id, Ok(Reply::Stats(stats))).await;
                false
            }
            Command::Drain => {
                self.draining.store(true, Ordering::Relaxed);
                let me = Arc::clone(self);
                tokio::spawn(async move {
                    let open: Vec<_> = me.table().open.values().cloned().collect();
                    join_all(open.iter().map(|session| session.close(false))).await;
                    me.reply(id, Ok(Reply::Done)).await;
                });
                false
            }
            Command::Shutdown => {
                self.reply(id, Ok(Reply::Done)).await;
                true
            }
            Command::Unknown => {
                self.reply(id, Err(Failure::of(ErrorCode::Unsupported))).await;
                false
            }
            _ => {
                let why = Failure::because(ErrorCode::Invalid, "this command is for a session");
                self.reply(id, Err(why)).await;
                false
            }
        }
    }

    async fn reply(&self, id: u64, answer: Answer) {
        let outcome = match answer {
            Ok(reply) => ReplyOutcome::Ok(reply),
            Err(failure) => ReplyOutcome::Error(failure),
        };
        self.wire.say(Up::Reply { id, outcome }).await;
    }
}
