//! Everything the testbed knows, behind one lock, and the turn: one stanza or one call of the admin API, whose effects
//! are on disk before anybody hears of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::mpsc;
use wacore_binary::Node;

use crate::clock::now_ms;
use crate::error::Result;
use crate::failures::Rule;
use crate::frame_log::{self, Direction, Line};
use crate::noise::ServerKeys;
use crate::offline::Drain;
use crate::pairing::Pairing;
use crate::seat::Seat;
use crate::testbed::Settings;
use crate::{failures, store};

/// A socket's number, never given twice, also over restarts.
pub(crate) type ConnId = u64;

/// What a socket's writer is told.
pub(crate) enum Out {
    /// Send this.
    Node(Node),
    /// Send a WebSocket close with this code, then end.
    Close(u16),
    /// End without a word.
    Drop,
}

/// How many stanzas may wait for a socket that does not take them before it is dropped.
pub(crate) const OUTBOX: usize = 4096;

/// A socket past its handshake.
pub(crate) struct Conn {
    pub out: mpsc::Sender<Out>,
    /// The device that logged in on it.
    pub seat: Option<Seat>,
    /// How far the offline queue is; `None` once everything goes straight out.
    pub drain: Option<Drain>,
    /// Told by the server to end; whatever it still sends is not handled.
    pub ending: bool,
    /// Half-open by this rule: it is read and nothing else.
    pub mute: Option<i64>,
}

/// What lives in memory only, because it ends with the process: sockets.
#[derive(Default)]
pub(crate) struct Live {
    pub conns: HashMap<ConnId, Conn>,
    /// The newest socket of each device.
    pub online: HashMap<Seat, ConnId>,
    /// Sockets that want to be linked.
    pub pairing: HashMap<ConnId, Pairing>,
    /// The scripted failures in force, as they stand in the database.
    pub rules: Vec<Rule>,
}

struct Inner {
    db: Connection,
    live: Live,
}

/// The testbed's state.
pub(crate) struct World {
    inner: Mutex<Inner>,
    pub keys: ServerKeys,
    pub settings: Settings,
    pub directory: PathBuf,
    /// `host:port` of the media host, known once it listens.
    pub media_host: OnceLock<String>,
    /// Where clients connect, known once it listens.
    pub url: OnceLock<String>,
    next_conn: AtomicU64,
    /// Held until the last socket has ended; the next testbed waits for it.
    _lock: std::fs::File,
}

impl World {
    /// Opens what `directory` holds, for whoever holds its lock.
    pub fn open(directory: &Path, lock: std::fs::File, settings: Settings) -> Result<Self> {
        let db = store::open(directory)?;
        let keys = ServerKeys::load(&db)?;
        let last: u64 = db.query_row("SELECT coalesce(max(conn), 0) FROM frame", [], |r| r.get(0))?;
        let live = Live { rules: failures::load(&db)?, ..Live::default() };
        Ok(Self {
            inner: Mutex::new(Inner { db, live }),
            keys,
            settings,
            directory: directory.to_owned(),
            media_host: OnceLock::new(),
            url: OnceLock::new(),
            next_conn: AtomicU64::new(last + 1),
            _lock: lock,
        })
    }

    /// A number for a new socket.
    pub fn next_conn(&self) -> ConnId {
        self.next_conn.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one thing: everything it writes is committed together, then what it sends goes out, in order.
    /// On an error nothing of it stays, except what it changed in `live`.
    pub fn turn<T>(self: &Arc<Self>, act: impl FnOnce(&mut Turn<'_>) -> Result<T>) -> Result<T> {
        let mut inner = self.lock();
        let Inner { db, live } = &mut *inner;
        if !db.is_autocommit() {
            // A turn that panicked left its transaction open.
            db.execute_batch("ROLLBACK")?;
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        let mut turn = Turn { db, live, world: self, now: now_ms(), outbox: Vec::new() };
        let result = act(&mut turn);
        let outbox = std::mem::take(&mut turn.outbox);
        match result {
            Ok(value) => {
                db.execute_batch("COMMIT")?;
                for (to, out) in outbox {
                    hand(live, to, out);
                }
                Ok(value)
            }
            Err(error) => {
                db.execute_batch("ROLLBACK")?;
                Err(error)
            }
        }
    }

    /// Reads without writing.
    pub fn read<T>(&self, look: impl FnOnce(&Connection, &Live) -> Result<T>) -> Result<T> {
        let inner = self.lock();
        look(&inner.db, &inner.live)
    }
}

/// Puts something into a socket's outbox. A socket that takes nothing is given up.
fn hand(live: &mut Live, to: ConnId, out: Out) {
    let Some(conn) = live.conns.get_mut(&to) else { return };
    if matches!(out, Out::Close(_) | Out::Drop) {
        conn.ending = true;
    }
    if conn.out.try_send(out).is_err() {
        // The writer ends when its queue has no sender left.
        live.conns.remove(&to);
    }
}

/// One step of the testbed.
pub(crate) struct Turn<'a> {
    pub db: &'a Connection,
    pub live: &'a mut Live,
    pub world: &'a Arc<World>,
    /// Milliseconds since 1970.
    pub now: i64,
    outbox: Vec<(ConnId, Out)>,
}

impl Turn<'_> {
    /// Seconds since 1970, as stanzas have them.
    pub fn t(&self) -> String {
        (self.now / 1000).to_string()
    }

    /// The device behind a socket.
    pub fn seat(&self, conn: ConnId) -> Option<Seat> {
        self.live.conns.get(&conn)?.seat
    }

    /// Hands a stanza to a socket, after the commit, and writes it down. A half-open socket gets nothing.
    pub fn send(&mut self, conn: ConnId, node: Node) -> Result<()> {
        if self.live.conns.get(&conn).is_some_and(|conn| conn.mute.is_some()) {
            return Ok(());
        }
        let seat = self.seat(conn);
        let line = Line { at: self.now, conn, seat, direction: Direction::Out, detail: None };
        frame_log::stanza(self.db, line, &node)?;
        self.outbox.push((conn, Out::Node(node)));
        Ok(())
    }

    /// Ends a socket after the commit.
    pub fn end(&mut self, conn: ConnId, how: Out) {
        self.outbox.push((conn, how));
    }

    /// Does something to a socket later, if it is still there.
    pub fn later(
        &self,
        delay: Duration,
        conn: ConnId,
        act: impl FnOnce(&mut Turn<'_>, ConnId) -> Result<()> + Send + 'static,
    ) {
        // A testbed that ends does not wait for what it meant to do.
        let world = Arc::downgrade(self.world);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let Some(world) = world.upgrade() else { return };
            let done =
                world.turn(|turn| if turn.live.conns.contains_key(&conn) { act(turn, conn) } else { Ok(()) });
            if let Err(error) = done {
                tracing::warn!(conn, %error, "a delayed step failed");
            }
        });
    }

    /// Writes an event down.
    pub fn note(&self, conn: ConnId, seat: Option<Seat>, what: &str, detail: Option<&str>) -> Result<()> {
        let line = Line { at: self.now, conn, seat, direction: Direction::Event, detail };
        frame_log::event(self.db, line, what, None, None)
    }
}
