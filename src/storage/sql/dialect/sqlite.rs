//! SQLite.
//!
//! `jsonb_each` hands each row on as it was parsed; `json_each` would make text of it, and parse that, for every column.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::{Batch, Fault};
use crate::ports::store::StoreError;

/// Connections that only read. They never wait for the writer.
const READERS: u32 = 4;

/// Pages of the log after which it is copied back. A log that may grow further is slower: its file has to grow too.
const CHECKPOINT_PAGES: &str = "2000";

/// How long a connection waits for another process that holds the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// What a complaint means. SQLite names tables, columns and codes in its messages, never values.
pub(super) fn fault(code: Option<&str>, text: String) -> Fault {
    match code.and_then(|code| code.parse().ok()) {
        Some(code) if !is_systemic(code) => Fault::Row(text),
        _ => Fault::Down(text),
    }
}

/// Whether a result code of SQLite speaks of the whole database: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR,
/// CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB. Its low byte tells.
fn is_systemic(code: i32) -> bool {
    matches!(code & 0xFF, 5..=11 | 13..=15 | 26)
}

/// The one connection that writes. Creates the file, readable by its owner only.
pub(in crate::storage::sql) async fn open_writer(path: &Path) -> Result<DatabaseConnection, StoreError> {
    let made = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    made.map_err(|error| StoreError::Unavailable(format!("the database file cannot be opened: {error}")))?;
    connect(path, 1, |options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    })
    .await
}

/// The connections that read.
pub(super) async fn open_readers(path: &Path) -> Result<DatabaseConnection, StoreError> {
    connect(path, READERS, |options| options.pragma("query_only", "on")).await
}

/// A connection that could not write if it wanted to, also to a database that no server has open.
pub(super) async fn open_witness(path: &Path) -> Result<DatabaseConnection, StoreError> {
    connect(path, 1, |options| options.read_only(true)).await
}

/// A connection to a file that exists and that nobody else has open: whoever works in WAL mode holds a lock on the file
/// for as long as they have it, and this one asks for the lock that excludes them all.
pub(super) async fn open_alone(path: &Path) -> Result<DatabaseConnection, StoreError> {
    let db = connect(path, 1, |options| {
        options
            .busy_timeout(Duration::ZERO)
            .locking_mode(SqliteLockingMode::Exclusive)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
    })
    .await?;
    // The first look takes the lock.
    match super::query(&db, "SELECT count(*) FROM sqlite_master", []).await {
        Ok(_) => Ok(db),
        Err(fault) => {
            // It is of no use; how it ends does not matter.
            db.close().await.unwrap_or(());
            Err(fault.into())
        }
    }
}

async fn connect(
    path: &Path,
    size: u32,
    more: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> Result<DatabaseConnection, StoreError> {
    // The path is given as a path, not as part of an address, so that it may hold any character.
    let mut options = ConnectOptions::new("sqlite://file");
    let path = path.to_owned();
    options
        .min_connections(size)
        .max_connections(size)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| more(options.filename(&path).busy_timeout(BUSY)));
    Database::connect(options).await.map_err(|error| Fault::from(error).into())
}

/// The statements of a batch without webhooks, and those of one with.
static WITHIN: LazyLock<[String; 2]> = LazyLock::new(|| {
    let numbered = |statements: &[&str]| {
        let numbered = statements.iter().zip(1..);
        numbered.map(|(text, number)| text.replace("$1", &format!("${number}"))).collect::<Vec<_>>().join(";")
    };
    let all = [&STATEMENTS[..], &WEBHOOK_STATEMENTS[..]].concat();
    [numbered(&STATEMENTS), numbered(&all)]
});

static ALONE: LazyLock<[String; 2]> =
    LazyLock::new(|| WITHIN.each_ref().map(|statements| format!("BEGIN IMMEDIATE;{statements};COMMIT")));

/// All statements in one text, so that a batch is one round trip to the database, and one hop to its thread.
pub(super) fn batch(batch: Batch, with_webhooks: bool) -> &'static str {
    let [plain, all] = match batch {
        Batch::Within => &*WITHIN,
        Batch::Alone => &*ALONE,
    };
    if with_webhooks { all } else { plain }
}

// What a batch reads. `$1` is a JSON array.

/// `[{owner, key}]`
pub(in crate::storage::sql) const REMEMBERED: &str = "
    SELECT r.owner, r.key, r.fingerprint, r.kind, r.subject, r.created_at
    FROM jsonb_each($1) AS w
    CROSS JOIN idempotency AS r ON r.owner = unhex(w.value->>'owner') AND r.key = w.value->>'key'";

/// `[id]`
pub(in crate::storage::sql) const MESSAGES: &str = "
    SELECT m.* FROM jsonb_each($1) AS w CROSS JOIN message AS m ON m.id = unhex(w.value)";

/// `[{session, wa_id}]`
pub(in crate::storage::sql) const MESSAGES_BY_WA: &str = "
    SELECT m.* FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.wa_id = w.value->>'wa_id' AND m.session_id = unhex(w.value->>'session')
        AND m.direction = 'out'";

/// `[{session, wa_id, chat}]`: which of them have come in before.
pub(in crate::storage::sql) const HEARD: &str = "
    SELECT m.session_id, m.chat, m.author, m.wa_id FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.session_id = unhex(w.value->>'session') AND m.chat = w.value->>'chat'
        AND m.wa_id = w.value->>'wa_id' AND m.direction <> 'out'";

pub(in crate::storage::sql) const REFERRED: &str = "
    SELECT m.session_id, m.chat, m.wa_id, m.id FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.wa_id = w.value->>'wa_id' AND m.session_id = unhex(w.value->>'session')
        AND m.chat = w.value->>'chat' AND m.direction = 'out'
    UNION ALL
    SELECT m.session_id, m.chat, m.wa_id, m.id FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.session_id = unhex(w.value->>'session') AND m.chat = w.value->>'chat'
        AND m.wa_id = w.value->>'wa_id' AND m.direction <> 'out'";

pub(in crate::storage::sql) const HELD_IN: &str = "
    SELECT m.* FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.session_id = unhex(w.value->>'session')
        AND m.status IN ('queued', 'held', 'sending') AND m.status = 'held' AND m.chat = w.value->>'chat'";

/// `[id]`, the latest time of the batch, and a bound: the messages that may stand before each in its chat, oldest
/// first, and those of its chat that are under way.
pub(in crate::storage::sql) const NEIGHBOURS: &str = "
    SELECT n.* FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.id = unhex(w.value)
    CROSS JOIN message AS n ON n.ord IN (
        SELECT e.ord FROM message AS e
        WHERE e.session_id = m.session_id AND e.status IN ('queued', 'held', 'sending')
            AND e.ord < m.ord AND e.chat = m.chat
            AND (e.status = 'sending'
                OR (e.send_at IS NULL OR e.send_at <= $2) AND (e.expires_at IS NULL OR e.expires_at > $2))
        ORDER BY e.ord LIMIT $3)
    UNION
    SELECT n.* FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.id = unhex(w.value)
    CROSS JOIN message AS n ON n.session_id = m.session_id AND n.status = 'sending' AND n.chat = m.chat";

/// `[id]`: those whose chat has written to their session.
pub(in crate::storage::sql) const MET: &str = "
    SELECT m.session_id, m.chat FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.id = unhex(w.value)
    CROSS JOIN chat AS c ON c.session_id = m.session_id AND c.phone = m.chat";

pub(in crate::storage::sql) const ACQUAINTED: &str = "
    SELECT unhex(w.value) FROM jsonb_each($1) AS w
    WHERE EXISTS (SELECT 1 FROM contact AS c WHERE c.tenant_id = unhex(w.value))";

pub(in crate::storage::sql) const CONTACTS: &str = "
    SELECT c.* FROM jsonb_each($1) AS w
    CROSS JOIN contact AS c ON c.tenant_id = unhex(w.value->>'tenant') AND c.phone = w.value->>'phone'";

pub(in crate::storage::sql) const APPROACHED: &str = "
    SELECT m.session_id, m.chat, a.at FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.id = unhex(w.value)
    CROSS JOIN approach AS a ON a.session_id = m.session_id AND a.phone = m.chat";

pub(in crate::storage::sql) const APPROACHES: &str = "
    SELECT a.session_id, a.phone, a.at FROM jsonb_each($1) AS w
    CROSS JOIN approach AS a ON a.session_id = unhex(w.value) AND a.at > $2";

pub(in crate::storage::sql) const WAITING_FOR: &str = "
    SELECT m.* FROM jsonb_each($1) AS w
    CROSS JOIN session AS s ON s.tenant_id = unhex(w.value->>'tenant')
    CROSS JOIN message AS m ON m.session_id = s.id AND m.status IN ('queued', 'held', 'sending')
        AND m.status <> 'sending' AND m.chat = w.value->>'phone'";

/// `[id]`
pub(in crate::storage::sql) const SESSIONS: &str = "
    SELECT s.*, t.live, t.sent, t.failed, t.received, t.reconnects, t.day, t.day_sent, t.day_failed,
        t.day_received
    FROM jsonb_each($1) AS w
    CROSS JOIN session AS s ON s.id = unhex(w.value)
    CROSS JOIN session_tally AS t ON t.session_id = s.id";

/// `[{tenant, period}]`
pub(in crate::storage::sql) const USAGE: &str = "
    SELECT u.* FROM jsonb_each($1) AS w
    CROSS JOIN usage AS u ON u.tenant_id = unhex(w.value->>'tenant') AND u.period_start = w.value->>'period'";

/// `[tenant]`
pub(in crate::storage::sql) const HEADS: &str = "
    SELECT h.tenant_id, h.seq FROM jsonb_each($1) AS w
    CROSS JOIN feed_head AS h ON h.tenant_id = unhex(w.value)";

/// The place of the message accepted last. Places are never used again, whatever is deleted.
pub(super) const LAST_ORD: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'message'";

// What a batch writes. `$1` is a JSON array of the rows, in order.

pub(super) const PUT_REMEMBERED: &str = "
    INSERT OR REPLACE INTO idempotency (owner, key, fingerprint, kind, subject, created_at)
    SELECT unhex(value->>'owner'), value->>'key', unhex(value->>'fingerprint'), value->>'kind',
        value->>'subject', value->>'created_at'
    FROM jsonb_each($1)";

pub(super) const INSERT_MESSAGES: &str = "
    INSERT INTO message (ord, id, tenant_id, session_id, direction, chat, content, status, reason, wa_id, category,
        delivery, reply_to, client_ref, send_at, not_before, expires_at, attempts, epoch, attempted_at, charge,
        period_start, queued_at, held_at, sending_at, sent_at, delivered_at, read_at, failed_at, unknown_at,
        expired_at, canceled_at, dead_at, received_at, author, quoted)
    SELECT value->>'ord', unhex(value->>'id'), unhex(value->>'tenant'), unhex(value->>'session'),
        value->>'direction',
        value->>'chat', value->>'content', value->>'status', value->>'reason', value->>'wa_id',
        value->>'category', value->>'delivery', unhex(value->>'reply_to'), value->>'client_ref',
        value->>'send_at', value->>'not_before', value->>'expires_at', value->>'attempts', value->>'epoch',
        value->>'attempted_at', value->>'charge', value->>'period',
        value->>'queued', value->>'held', value->>'sending', value->>'sent',
        value->>'delivered', value->>'read', value->>'failed',
        value->>'unknown', value->>'expired', value->>'canceled',
        value->>'dead', value->>'received', value->>'author', value->>'quoted'
    FROM jsonb_each($1)";

/// Messages that were accepted and nothing else. What a column is not given is as it is for all of them.
pub(super) const INSERT_ACCEPTED: &str = "
    INSERT INTO message (ord, id, tenant_id, session_id, direction, chat, content, status, wa_id, category, delivery,
        reply_to, client_ref, send_at, not_before, expires_at, attempts, epoch, charge, period_start, queued_at)
    SELECT value->>'ord', unhex(value->>'id'), unhex(value->>'tenant'), unhex(value->>'session'), 'out',
        value->>'chat', value->>'content', 'queued', value->>'wa_id', value->>'category', value->>'delivery',
        unhex(value->>'reply_to'), value->>'client_ref', value->>'send_at', value->>'send_at',
        value->>'expires_at', 0, 0, value->>'charge', value->>'period', value->>'at'
    FROM jsonb_each($1)";

pub(in crate::storage::sql) const UPDATE_MESSAGES: &str = "
    UPDATE message SET
        status = w.value->>'status', reason = w.value->>'reason', not_before = w.value->>'not_before',
        attempts = w.value->>'attempts', epoch = w.value->>'epoch', attempted_at = w.value->>'attempted_at',
        charge = w.value->>'charge', held_at = w.value->>'held',
        sending_at = w.value->>'sending', sent_at = w.value->>'sent',
        delivered_at = w.value->>'delivered', read_at = w.value->>'read',
        failed_at = w.value->>'failed', unknown_at = w.value->>'unknown',
        expired_at = w.value->>'expired', canceled_at = w.value->>'canceled',
        dead_at = w.value->>'dead'
    FROM jsonb_each($1) AS w
    WHERE message.ord = w.value->>'ord'";

pub(super) const INSERT_ATTEMPTS: &str = "
    INSERT INTO send_attempt (message_id, number, session_id, tenant_id, epoch, boot_id, moment, wall)
    SELECT unhex(value->>'message'), value->>'number', unhex(value->>'session'), unhex(value->>'tenant'),
        value->>'epoch', unhex(value->>'boot'), value->>'moment', value->>'wall'
    FROM jsonb_each($1)";

pub(in crate::storage::sql) const UPDATE_SESSIONS: &str = "
    UPDATE session SET
        epoch = w.value->>'epoch', desired = w.value->>'desired', status = w.value->>'status',
        reason = w.value->>'reason', reason_code = w.value->>'reason_code', since = w.value->>'since',
        paired = w.value->>'paired', paired_at = w.value->>'paired_at', failures = w.value->>'failures', retry_at = w.value->>'retry_at',
        retry_reason = w.value->>'retry_reason', throttle_steps = w.value->>'throttle_steps',
        banned_until = w.value->>'banned_until', timelock_until = w.value->>'timelock_until',
        new_chats_until = w.value->>'new_chats_until',
        replaced_at = w.value->>'replaced_at', starting_at = w.value->>'starting_at',
        unclean_deaths = w.value->>'unclean_deaths', probes = w.value->>'probes',
        deleted_at = w.value->>'deleted_at'
    FROM jsonb_each($1) AS w
    WHERE session.id = unhex(w.value->>'id')";

pub(in crate::storage::sql) const UPDATE_TALLIES: &str = "
    UPDATE session_tally SET
        live = w.value->>'live', sent = w.value->>'sent', failed = w.value->>'failed',
        received = w.value->>'received', reconnects = w.value->>'reconnects', day = w.value->>'day',
        day_sent = w.value->>'day_sent', day_failed = w.value->>'day_failed', day_received = w.value->>'day_received'
    FROM jsonb_each($1) AS w
    WHERE session_tally.session_id = unhex(w.value->>'id')";

const PUT_DAYS: &str = "
    INSERT INTO usage_day (session_id, day, tenant_id, sent, failed, received)
    SELECT unhex(value->>'session'), value->>'day', unhex(value->>'tenant'), value->>'sent', value->>'failed',
        value->>'received'
    FROM jsonb_each($1) WHERE true
    ON CONFLICT (session_id, day) DO UPDATE SET
        sent = sent + excluded.sent, failed = failed + excluded.failed, received = received + excluded.received";

pub(super) const PUT_USAGE: &str = "
    INSERT INTO usage (tenant_id, period_start, period_end, allowance, quota, used, held, announced)
    SELECT unhex(value->>'tenant'), value->>'period', value->>'period_end', value->>'allowance', value->>'quota',
        value->>'used', value->>'held', value->>'announced'
    FROM jsonb_each($1) WHERE true
    ON CONFLICT (tenant_id, period_start) DO UPDATE SET
        used = excluded.used, held = excluded.held, announced = excluded.announced";

pub(super) const INSERT_MET: &str = "
    INSERT INTO chat (session_id, phone, tenant_id, first_at)
    SELECT unhex(value->>'session'), value->>'chat', unhex(value->>'tenant'), value->>'at'
    FROM jsonb_each($1) WHERE true
    ON CONFLICT DO NOTHING";

const INSERT_APPROACHES: &str = "
    INSERT INTO approach (session_id, phone, tenant_id, at)
    SELECT unhex(value->>'session'), value->>'chat', unhex(value->>'tenant'), value->>'at'
    FROM jsonb_each($1) WHERE true
    ON CONFLICT DO NOTHING";

const PUT_CONTACTS: &str = "
    INSERT INTO contact (tenant_id, phone, stop_id, stopped_at, stopped_by, account, checked_at)
    SELECT unhex(value->>'tenant'), value->>'phone', unhex(value->>'stop_id'), value->>'stopped_at', value->>'stopped_by', value->>'account',
        value->>'checked_at'
    FROM jsonb_each($1) WHERE true
    ON CONFLICT (tenant_id, phone) DO UPDATE SET
        stop_id = excluded.stop_id, stopped_at = excluded.stopped_at, stopped_by = excluded.stopped_by, account = excluded.account,
        checked_at = excluded.checked_at";

pub(super) const PUT_HEADS: &str = "
    INSERT INTO feed_head (tenant_id, seq)
    SELECT unhex(value->>'tenant'), value->>'seq' FROM jsonb_each($1) WHERE true
    ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq";

pub(super) const INSERT_EVENTS: &str = "
    INSERT INTO event (tenant_id, seq, at, session_id, kind, message_id, webhook_id, code)
    SELECT unhex(value->>'tenant'), value->>'seq', value->>'at', unhex(value->>'session'), value->>'kind',
        unhex(value->>'message'), unhex(value->>'webhook'), value->>'code'
    FROM jsonb_each($1)";

/// The statements of a batch in their order; each takes its own JSON array.
const STATEMENTS: [&str; super::ROWS] = [
    INSERT_ACCEPTED,
    INSERT_MESSAGES,
    UPDATE_MESSAGES,
    INSERT_ATTEMPTS,
    UPDATE_SESSIONS,
    UPDATE_TALLIES,
    PUT_DAYS,
    PUT_USAGE,
    PUT_REMEMBERED,
    INSERT_MET,
    INSERT_APPROACHES,
    PUT_CONTACTS,
    PUT_HEADS,
    INSERT_EVENTS,
];

// Webhooks. These stand behind the others in batches that have something for them.

/// `[tenant]`
pub(in crate::storage::sql) const SUBSCRIPTIONS: &str = "
    SELECT h.tenant_id, h.id, h.status, h.events, h.sessions FROM jsonb_each($1) AS w
    CROSS JOIN webhook AS h ON h.tenant_id = unhex(w.value) AND h.deleted_at IS NULL";

pub(super) const INSERT_WEBHOOK_EVENTS: &str = "
    INSERT INTO webhook_event (id, tenant_id, seq, at, kind, session_id, message_id, webhook_id, snapshot)
    SELECT unhex(value->>'id'), unhex(value->>'tenant'), value->>'seq', value->>'at', value->>'kind',
        unhex(value->>'session'), unhex(value->>'message'), unhex(value->>'webhook'), value->>'snapshot'
    FROM jsonb_each($1)";

pub(super) const INSERT_DELIVERIES: &str = "
    INSERT INTO webhook_delivery (id, tenant_id, webhook_id, event_id, kind, event_at, status, attempts, due_at,
        created_at, settled_at, repeats)
    SELECT unhex(value->>'id'), unhex(value->>'tenant'), unhex(value->>'webhook'), unhex(value->>'event'),
        value->>'kind', value->>'event_at', value->>'status', 0, value->>'due_at', value->>'created_at',
        value->>'settled_at', unhex(value->>'repeats')
    FROM jsonb_each($1)";

const INSERT_ATTEMPTS_AT_WEBHOOKS: &str = "
    INSERT INTO webhook_attempt (delivery_id, tenant_id, number, at, duration_ms, url, status, error, body)
    SELECT d.id, d.tenant_id, w.value->>'attempts', w.value->>'at', w.value->>'duration_ms', w.value->>'url',
        w.value->>'answer', w.value->>'error', w.value->>'body'
    FROM jsonb_each($1) AS w CROSS JOIN webhook_delivery AS d ON d.id = unhex(w.value->>'delivery')";

const UPDATE_HEALTH: &str = "
    UPDATE webhook SET
        failures = w.value->>'failures', failing_since = w.value->>'failing_since',
        open_until = w.value->>'open_until', trips = w.value->>'trips'
    FROM jsonb_each($1) AS w
    WHERE webhook.id = unhex(w.value->>'webhook')";

/// What has come to rest meanwhile stays as it is.
const UPDATE_DELIVERIES: &str = "
    UPDATE webhook_delivery SET
        status = w.value->>'status', reason = w.value->>'reason', attempts = w.value->>'attempts',
        due_at = w.value->>'due_at', settled_at = w.value->>'settled_at'
    FROM jsonb_each($1) AS w
    WHERE webhook_delivery.id = unhex(w.value->>'delivery') AND webhook_delivery.status = 'pending'";

/// Behind the statements of a batch; the rows that `posting` makes for them.
pub(in crate::storage::sql) const WEBHOOK_STATEMENTS: [&str; 5] =
    [INSERT_WEBHOOK_EVENTS, INSERT_DELIVERIES, INSERT_ATTEMPTS_AT_WEBHOOKS, UPDATE_HEALTH, UPDATE_DELIVERIES];

// Reads outside of batches that need a list or a shape of their own.

/// Session ids as a JSON array, the newest id wanted below, the tenant, the filters (null: not narrowed), how many.
/// A page of each session, put together.
pub(in crate::storage::sql) const LIST_MESSAGES: &str = "
    SELECT m.* FROM jsonb_each($1) AS w
    CROSS JOIN message AS m ON m.ord IN (
        SELECT e.ord FROM message AS e
        WHERE e.session_id = unhex(w.value) AND e.id < $2 AND e.tenant_id = $3
            AND ($4 IS NULL OR e.chat = $4) AND ($5 IS NULL OR e.status = $5)
            AND ($6 IS NULL OR e.direction = $6) AND ($7 IS NULL OR e.client_ref = $7)
        ORDER BY e.id DESC LIMIT $8)
    ORDER BY m.id DESC LIMIT $8";

pub(in crate::storage::sql) const LOG_OF_SESSIONS: &str = "
    SELECT m.* FROM jsonb_each($10) AS w
    CROSS JOIN message AS m ON m.ord IN (
        SELECT e.ord FROM (
            SELECT ord, id, tenant_id, chat, status, direction, client_ref FROM message
            WHERE session_id = unhex(w.value) AND id < $1 AND id >= $2 ORDER BY id DESC LIMIT $9) AS e
        WHERE ($3 IS NULL OR e.tenant_id = $3) AND ($4 IS NULL OR e.chat = $4) AND ($5 IS NULL OR e.status = $5)
            AND ($6 IS NULL OR e.direction = $6) AND ($7 IS NULL OR e.client_ref = $7)
        ORDER BY e.id DESC LIMIT $8)
    ORDER BY m.id DESC LIMIT $8";

pub(in crate::storage::sql) const LOG_OF_SESSIONS_END: &str = "
    SELECT (SELECT e.id FROM message AS e WHERE e.session_id = unhex(w.value) AND e.id < $1 AND e.id >= $2
        ORDER BY e.id DESC LIMIT 1 OFFSET $3) FROM jsonb_each($4) AS w";

/// Without the index's name all of a session's messages would be walked through.
pub(in crate::storage::sql) const LOG_OF_LIVE: &str = "
    SELECT m.* FROM jsonb_each($10) AS w
    CROSS JOIN message AS m INDEXED BY message_live
        ON m.session_id = unhex(w.value) AND m.status IN ('queued', 'held', 'sending')
    WHERE m.id < $1 AND m.id >= $2 AND ($3 IS NULL OR m.tenant_id = $3) AND ($4 IS NULL OR m.chat = $4)
        AND ($5 IS NULL OR m.status = $5) AND ($6 IS NULL OR m.direction = $6) AND ($7 IS NULL OR m.client_ref = $7)
        AND $9 > 0
    ORDER BY m.id DESC LIMIT $8";

pub(in crate::storage::sql) const LIVE_SESSIONS: &str = "
    SELECT session_id, live FROM session_tally WHERE live > 0 AND ($1 IS NULL OR tenant_id = $1) LIMIT $2";

pub(in crate::storage::sql) const DUE_DELIVERIES: &str = "
    SELECT e.id AS event_id, e.tenant_id, e.seq, e.at, e.kind, e.session_id, e.message_id, e.webhook_id, e.snapshot,
        d.id, d.attempts, d.created_at
    FROM webhook_delivery AS d CROSS JOIN webhook_event AS e ON e.id = d.event_id
    WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.due_at <= $2
        AND d.id NOT IN (SELECT unhex(value) FROM json_each($3))
    ORDER BY d.due_at, d.ord LIMIT $4";

pub(in crate::storage::sql) const RANGE_OF_DELIVERIES: &str = "
    SELECT d.* FROM webhook_delivery AS d
    WHERE d.webhook_id = $1 AND d.id >= $2 AND d.event_at >= $3 AND d.event_at < $4 AND d.kind <> 'webhook.test'
        AND d.status IN (SELECT value FROM json_each($5))
        AND NOT EXISTS (
            SELECT 1 FROM webhook_delivery AS later
            WHERE later.event_id = d.event_id AND later.webhook_id = d.webhook_id AND later.ord > d.ord)
    ORDER BY d.event_at, d.ord LIMIT $6";

pub(super) const FORGET_ATTEMPTS_AT_WEBHOOKS: &str = "
    DELETE FROM webhook_attempt WHERE delivery_id IN (
        SELECT d.id FROM json_each($1) AS w
        CROSS JOIN webhook_delivery AS d ON d.event_id = unhex(w.value))";

pub(super) const FORGET_DELIVERIES: &str =
    "DELETE FROM webhook_delivery WHERE event_id IN (SELECT unhex(value) FROM json_each($1))";

pub(super) const FORGET_WEBHOOK_EVENTS: &str =
    "DELETE FROM webhook_event WHERE id IN (SELECT unhex(value) FROM json_each($1))";

pub(in crate::storage::sql) const WEBHOOK_EVENTS_ABOUT: &str = "
    SELECT e.id FROM jsonb_each($1) AS w CROSS JOIN webhook_event AS e ON e.message_id = unhex(w.value)";

pub(in crate::storage::sql) const ERASABLE: &str = "
    SELECT m.id FROM jsonb_each($1) AS w
    CROSS JOIN session AS s ON s.tenant_id = unhex(w.value->>'tenant')
    CROSS JOIN message AS m ON m.session_id = s.id AND m.id < unhex(w.value->>'below')
    WHERE m.status NOT IN ('queued', 'held', 'sending') AND m.charge <> 'held'
        AND (m.send_at IS NULL OR m.send_at < w.value->>'before')
    LIMIT $2";

pub(in crate::storage::sql) const ERASE: &str = "
    DELETE FROM message
    WHERE id IN (SELECT unhex(value) FROM json_each($1))
        AND status NOT IN ('queued', 'held', 'sending') AND charge <> 'held'";

pub(in crate::storage::sql) const EXPIRED_MEDIA: &str = "
    SELECT m.id, m.kept_from FROM jsonb_each($1) AS w
    CROSS JOIN media AS m ON m.tenant_id = unhex(w.value->>'tenant') AND m.kept_from < w.value->>'before'
    WHERE m.deleted_at IS NULL
    LIMIT $2";

pub(super) const NOTE_USE_OF_KEYS: &str = "
    UPDATE api_key SET last_used_at = w.value->>'at'
    FROM jsonb_each($1) AS w
    WHERE api_key.id = unhex(w.value->>'id')
        AND (api_key.last_used_at IS NULL OR api_key.last_used_at < w.value->>'at')";

pub(super) const HAS_STEPS: &str =
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'";

// `CROSS JOIN` here tells the planner where to begin.

pub(in crate::storage::sql) const LIVE_OF: &str = "
    SELECT CAST(coalesce(sum(t.live), 0) AS BIGINT) FROM session AS s
    CROSS JOIN session_tally AS t ON t.session_id = s.id
    WHERE s.tenant_id = $1";

pub(in crate::storage::sql) const ACTIVITY: &str = "
    SELECT unhex(w.value), (SELECT m.id FROM message AS m WHERE m.session_id = unhex(w.value) ORDER BY m.id DESC LIMIT 1)
    FROM jsonb_each($1) AS w";

pub(in crate::storage::sql) const ATTEMPTS_SINCE: &str = "
    SELECT s.id, count(*) FROM session AS s
    CROSS JOIN send_attempt AS a ON a.session_id = s.id AND a.wall >= $2
    WHERE s.tenant_id = $1
    GROUP BY s.id";

pub(in crate::storage::sql) const ATTEMPTS_OF_TENANT: &str = "
    SELECT a.boot_id, a.moment FROM session AS s
    CROSS JOIN send_attempt AS a ON a.session_id = s.id
    WHERE s.tenant_id = $1 AND ((a.boot_id = $2 AND a.moment >= $3) OR (a.boot_id <> $2 AND a.wall >= $4))";
