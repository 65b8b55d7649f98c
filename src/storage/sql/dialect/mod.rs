//! Everything that SQLite and PostgreSQL say in different ways: how they are opened, how they fail, and the statements
//! that are not the same text on both.
//!
//! A statement has one constant text whatever the size of the batch: its rows come as one JSON array, which keeps the
//! cache of prepared statements small. Ids travel in JSON as hex digits, since JSON has no bytes.

mod postgres;
mod rows;
mod scoped;
pub(super) mod sqlite;

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, Value, sqlx,
};

pub(super) use self::rows::{go_on_behind, is_taken, one_state, open_alone, page, put};
pub(super) use self::scoped::{Scoped, scoped};
use super::Place;
use crate::failpoint::Tripped;
use crate::ports::store::StoreError;

/// Why the database did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It cannot work at all now: disk, lock, connection.
    Down(String),
    /// It refused what it was given. In a batch, one row is to blame.
    Row(String),
}

impl Fault {
    /// Something stored that this version cannot read.
    pub(super) fn unreadable(what: &'static str) -> Self {
        Self::Row(format!("a stored {what} cannot be read"))
    }
}

/// As an answer to a read: whatever it was, nothing is known.
impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Down(text) | Fault::Row(text) => Self::Unavailable(text),
        }
    }
}

impl From<Tripped> for Fault {
    fn from(tripped: Tripped) -> Self {
        Self::Down(tripped.to_string())
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        let text = error.to_string();
        let (DbErr::Exec(cause) | DbErr::Query(cause) | DbErr::Conn(cause)) = error else {
            return match error {
                DbErr::ConnectionAcquire(_) => Self::Down(text),
                _ => Self::Row(text),
            };
        };
        let RuntimeErr::SqlxError(cause) = cause else { return Self::Down(text) };
        match cause.as_ref() {
            sqlx::Error::Database(complaint) => match complaint.try_downcast_ref() {
                Some(complaint) => postgres::fault(complaint),
                None => sqlite::fault(complaint.code().as_deref(), text),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
                Self::Row(text)
            }
            _ => Self::Down(text),
        }
    }
}

/// The one connection that writes. On SQLite it creates the file; on PostgreSQL it waits for its lock, since nobody
/// else may write.
pub(super) async fn open_writer(place: &Place) -> Result<DatabaseConnection, StoreError> {
    match place {
        Place::File(path) => sqlite::open_writer(path).await,
        Place::Server(url) => postgres::open_writer(url).await,
    }
}

/// A connection that may change the schema. The database is made if that takes no more than a file.
pub(super) async fn open_owner(place: &Place) -> Result<DatabaseConnection, StoreError> {
    match place {
        Place::File(path) => sqlite::open_writer(path).await,
        Place::Server(url) => postgres::open_owner(url).await,
    }
}

/// The connections that read.
pub(super) async fn open_readers(place: &Place) -> Result<DatabaseConnection, StoreError> {
    match place {
        Place::File(path) => sqlite::open_readers(path).await,
        Place::Server(url) => postgres::open_readers(url).await,
    }
}

/// A connection that could not write if it wanted to, also to a database that no server has open.
pub(super) async fn open_witness(place: &Place) -> Result<DatabaseConnection, StoreError> {
    match place {
        Place::File(path) => sqlite::open_witness(path).await,
        Place::Server(url) => postgres::open_witness(url).await,
    }
}

/// One of our constant texts, in both tongues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) sqlite: &'static str,
    postgres: &'static str,
}

impl Text {
    fn on(self, backend: DbBackend) -> &'static str {
        match backend {
            DbBackend::Postgres => self.postgres,
            _ => self.sqlite,
        }
    }
}

/// The same on both.
impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// One of our constant texts with its values, as `db` takes it.
pub(super) fn statement<const N: usize>(
    db: &impl ConnectionTrait,
    text: impl Into<Text>,
    values: [Value; N],
) -> Statement {
    let backend = db.get_database_backend();
    Statement::from_sql_and_values(backend, text.into().on(backend), values)
}

/// Runs a constant text that answers nothing; how many rows it touched.
pub(super) async fn execute<const N: usize>(
    db: &impl ConnectionTrait,
    text: impl Into<Text>,
    values: [Value; N],
) -> Result<u64, Fault> {
    Ok(db.execute_raw(statement(db, text, values)).await?.rows_affected())
}

/// Runs a constant text that answers rows.
pub(super) async fn query<const N: usize>(
    db: &impl ConnectionTrait,
    text: impl Into<Text>,
    values: [Value; N],
) -> Result<Vec<QueryResult>, Fault> {
    Ok(db.query_all_raw(statement(db, text, values)).await?)
}

/// How the statements of a batch are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    /// Within a transaction that is open.
    Within,
    /// As a transaction of their own. An error may leave it open.
    Alone,
}

/// Rows of a batch without webhooks, in the order of its statements.
pub(super) const ROWS: usize = 14;

/// Rows of a batch with webhooks.
pub(super) const ROWS_WITH_WEBHOOKS: usize = 19;

/// Writes a batch. Each statement takes its own JSON array: messages accepted, other new messages, changed messages,
/// attempts, sessions, tallies, days that are over, months, remembered requests, correspondents, approaches, contacts, heads,
/// events; then events for webhooks, deliveries, attempts at them, the health of endpoints, and once more the attempts.
pub(super) async fn write<const N: usize>(
    db: &impl ConnectionTrait,
    batch: Batch,
    rows: [String; N],
) -> Result<(), Fault> {
    const { assert!(N == ROWS || N == ROWS_WITH_WEBHOOKS) };
    let with_webhooks = N == ROWS_WITH_WEBHOOKS;
    let text = match db.get_database_backend() {
        DbBackend::Postgres => postgres::batch(with_webhooks),
        _ => sqlite::batch(batch, with_webhooks),
    };
    execute(db, text, rows.map(Value::from)).await.map(drop)
}

/// What begins a transaction that may write at once, so that it never has to be upgraded.
pub(super) fn begin(db: &impl ConnectionTrait) -> &'static str {
    match db.get_database_backend() {
        DbBackend::Postgres => "BEGIN",
        _ => "BEGIN IMMEDIATE",
    }
}

/// What a database wants to hear from its writer before anything else, if anything: PostgreSQL gives it the lock that
/// only one can hold.
pub(super) fn greeting(db: &impl ConnectionTrait) -> Option<&'static str> {
    match db.get_database_backend() {
        DbBackend::Postgres => Some(postgres::WRITER_LOCK),
        _ => None,
    }
}

/// What a database wants to hear before its writer leaves, if anything: SQLite copies its log back and empties it.
pub(super) fn farewell(db: &impl ConnectionTrait) -> Option<&'static str> {
    match db.get_database_backend() {
        DbBackend::Postgres => None,
        _ => Some("PRAGMA wal_checkpoint(TRUNCATE)"),
    }
}

/// How long the writer waits for a transaction, if it may be let down without being told: a network does that, a file does
/// not. `hot`: a batch, and not errands, which may have much to do.
pub(super) fn patience(place: &Place, hot: bool) -> Option<Duration> {
    match place {
        Place::File(_) => None,
        Place::Server(_) if hot => Some(postgres::BATCH_PATIENCE),
        Place::Server(_) => Some(postgres::ERRANDS_PATIENCE),
    }
}

/// Whether a tenant's events are found by an index. SQLite has none: each commit would dirty a page of it a tenant.
pub(super) fn finds_events_by_tenant(db: &impl ConnectionTrait) -> bool {
    db.get_database_backend() == DbBackend::Postgres
}

macro_rules! in_both_tongues {
    ($($(#[$about:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$about])*
            pub(super) const $name: Text = Text { sqlite: sqlite::$name, postgres: postgres::$name };
        )*
    };
}

in_both_tongues! {
    // What a batch reads. `$1` is a JSON array.
    /// `[{owner, key}]`
    REMEMBERED,
    /// `[id]`
    MESSAGES,
    /// `[{session, wa_id}]`
    MESSAGES_BY_WA,
    /// `[{session, wa_id, chat}]`: which of them have come in before, with their authors.
    HEARD,
    /// `[{session, wa_id, chat}]`: the messages of a chat by their ids on the network, whoever wrote them.
    REFERRED,
    /// `[{session, chat}]`: what is held there.
    HELD_IN,
    /// `[id]`, the latest time of the batch, and a bound: the messages that may stand before each in its chat, oldest
    /// first, and those of its chat that are under way.
    NEIGHBOURS,
    /// `[id]`: those whose chat has written to their session.
    MET,
    /// `[tenant]`: those that know anything of any number.
    ACQUAINTED,
    /// `[{tenant, phone}]`
    CONTACTS,
    /// `[id]`: when the session of each wrote to its chat first, of those that never wrote.
    APPROACHED,
    /// `[session]`, since when: the same of all chats.
    APPROACHES,
    /// `[{tenant, phone}]`: what waits for them on every session of the tenant.
    WAITING_FOR,
    /// `[id]`
    SESSIONS,
    /// `[{tenant, period}]`
    USAGE,
    /// `[tenant]`
    HEADS,
    /// The place of the message accepted last. Places are never used again, whatever is deleted.
    LAST_ORD,
    /// `[tenant]`
    SUBSCRIPTIONS,

    // What is written outside of batches too.
    PUT_REMEMBERED,
    INSERT_WEBHOOK_EVENTS,
    INSERT_DELIVERIES,

    // The rest of what differs.
    /// Session ids as a JSON array, the newest id wanted below, the tenant, the filters (null: not narrowed), how many.
    /// A page of each session, put together.
    LIST_MESSAGES,
    /// Of the log of all tenants (`log`), with session ids as a JSON array behind its values: the messages of these sessions, a
    /// share of each.
    LOG_OF_SESSIONS,
    /// Bounds, an offset, sessions: where the share of each ends.
    LOG_OF_SESSIONS_END,
    /// As `LOG_OF_SESSIONS`: what waits on these sessions, all of it.
    LOG_OF_LIVE,
    /// A tenant or null, and how many: sessions on which something waits, and how much.
    LIVE_SESSIONS,
    /// An endpoint's deliveries that are due, but for those whose ids are in a JSON array.
    DUE_DELIVERIES,
    /// The newest delivery of each event in a range, oldest event first. No delivery is older than its event, nor its id.
    RANGE_OF_DELIVERIES,
    /// `[event]`
    FORGET_ATTEMPTS_AT_WEBHOOKS,
    /// `[event]`
    FORGET_DELIVERIES,
    /// `[event]`
    FORGET_WEBHOOK_EVENTS,
    /// `[message]`: events for webhooks that are about them.
    WEBHOOK_EVENTS_ABOUT,
    /// `[{tenant, below, before}]`, how many: messages whose ids are below, and that were not to wait until later; what
    /// waits, is under way or holds a place is left out.
    ERASABLE,
    /// `[message]`: deletes them, but for the same.
    ERASE,
    /// `[{tenant, before}]`, how many: files that are kept from an earlier time, each with that time.
    EXPIRED_MEDIA,
    /// `[{id, at}]`
    NOTE_USE_OF_KEYS,
    /// How many messages of a tenant wait.
    LIVE_OF,
    /// `[session]`: the newest message of each.
    ACTIVITY,
    /// Attempts of each of a tenant's sessions since a time.
    ATTEMPTS_SINCE,
    /// A tenant's part of the log that the rate window reads; see `attempts`.
    ATTEMPTS_OF_TENANT,
    /// Whether any step of the schema was taken.
    HAS_STEPS,
}
