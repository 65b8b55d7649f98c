//! The first schema: tenants, plans and keys; sessions; messages with their attempts and usage; the feed.
//!
//! Pages decide the cost of a commit, so every index of a hot table either grows at its end or holds only what waits.
//! Ids are the 16 bytes of a uuid, times are milliseconds since 1970, numbers of people are E.164 text.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// The first schema.
#[derive(DeriveMigrationName)]
pub struct Start;

#[async_trait::async_trait]
impl MigrationTrait for Start {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, &postgres_up()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/start.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn postgres_up() -> String {
    include_str!("postgres/start.sql").to_owned()
        + &fenced(&[
            Fence::open("store_meta", "SELECT, UPDATE"),
            Fence::open("plan", "SELECT, INSERT, UPDATE"),
            Fence::open("message_place", "SELECT, UPDATE"),
            Fence::by("tenant", "id", "SELECT, INSERT, UPDATE"),
            Fence::by("api_key", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("session", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("session_tally", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("chat", "tenant_id", "SELECT, INSERT"),
            Fence::by("message", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("send_attempt", "tenant_id", "SELECT, INSERT, DELETE"),
            Fence::by("usage", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("idempotency", "owner", "SELECT, INSERT, UPDATE, DELETE"),
            Fence::by("feed_head", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("event", "tenant_id", "SELECT, INSERT, DELETE"),
        ])
}

const SQLITE_UP: &str = "
-- Facts about the store itself: the epoch of its feed, the version of its directory.
CREATE TABLE store_meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO store_meta (name, value)
VALUES ('feed_epoch', lower(hex(randomblob(8)))), ('directory_version', '0');

CREATE TABLE tenant (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    plan       TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

-- A PUT adds a version; the highest one binds.
CREATE TABLE plan (
    code       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (code, version)
) STRICT;

CREATE TABLE api_key (
    id         BLOB NOT NULL PRIMARY KEY,
    tenant_id  BLOB NOT NULL REFERENCES tenant (id),
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    last4      TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    test       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_key_tenant ON api_key (tenant_id, id);

CREATE TABLE session (
    id             BLOB NOT NULL PRIMARY KEY,
    tenant_id      BLOB NOT NULL REFERENCES tenant (id),
    label          TEXT NOT NULL,
    engine         TEXT NOT NULL,
    metadata       TEXT NOT NULL,
    epoch          INTEGER NOT NULL DEFAULT 0,
    desired        TEXT NOT NULL,
    status         TEXT NOT NULL,
    reason         TEXT,
    reason_code    INTEGER,
    since          INTEGER NOT NULL,
    paired         INTEGER NOT NULL,
    -- What the network holds against the account.
    failures       INTEGER NOT NULL,
    retry_at       INTEGER,
    retry_reason   TEXT,
    throttle_steps INTEGER NOT NULL,
    banned_until   INTEGER,
    timelock_until INTEGER,
    replaced_at    INTEGER,
    -- What the supervisor remembers over deaths of the process.
    starting_at    INTEGER,
    unclean_deaths INTEGER NOT NULL,
    probes         INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    deleted_at     INTEGER
) STRICT;
CREATE INDEX session_tenant ON session (tenant_id, id);

-- Counted in the transactions that change what is counted. Apart from `session`, whose rows are wide: every accept
-- rewrites one of these.
CREATE TABLE session_tally (
    session_id BLOB NOT NULL PRIMARY KEY REFERENCES session (id),
    tenant_id  BLOB NOT NULL,
    live       INTEGER NOT NULL DEFAULT 0 CHECK (live >= 0),
    sent       INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    received   INTEGER NOT NULL DEFAULT 0,
    reconnects INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Correspondents that have written to a session.
CREATE TABLE chat (
    session_id BLOB NOT NULL,
    phone      TEXT NOT NULL,
    tenant_id  BLOB NOT NULL,
    first_at   INTEGER NOT NULL,
    PRIMARY KEY (session_id, phone)
) STRICT, WITHOUT ROWID;

-- `ord` is the order of acceptance over all tenants.
CREATE TABLE message (
    ord          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB NOT NULL,
    tenant_id    BLOB NOT NULL,
    session_id   BLOB NOT NULL,
    direction    TEXT NOT NULL,
    chat         TEXT NOT NULL,
    content      TEXT NOT NULL,
    status       TEXT NOT NULL,
    reason       TEXT,
    wa_id        TEXT NOT NULL,
    category     TEXT NOT NULL,
    delivery     TEXT NOT NULL,
    reply_to     BLOB,
    client_ref   TEXT,
    send_at      INTEGER,
    not_before   INTEGER,
    expires_at   INTEGER,
    attempts     INTEGER NOT NULL,
    -- Who made the last attempt, and when it began.
    epoch        INTEGER NOT NULL,
    attempted_at INTEGER,
    charge       TEXT NOT NULL CHECK (charge IN ('none', 'held', 'charged', 'released')),
    period_start INTEGER,
    -- When each status was reached for the first time.
    queued_at    INTEGER,
    held_at      INTEGER,
    sending_at   INTEGER,
    sent_at      INTEGER,
    delivered_at INTEGER,
    read_at      INTEGER,
    failed_at    INTEGER,
    unknown_at   INTEGER,
    expired_at   INTEGER,
    canceled_at  INTEGER,
    dead_at      INTEGER,
    received_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX message_id ON message (id);
-- Lists. A tenant's list is put together from its sessions', which spares a second index.
CREATE INDEX message_session ON message (session_id, id);
-- Ids on the network begin with a time.
CREATE INDEX message_wa ON message (wa_id, session_id) WHERE direction = 'out';
CREATE UNIQUE INDEX message_heard ON message (session_id, chat, wa_id) WHERE direction = 'in';
-- What waits. `chat` rides along so that the order of a chat is checked inside the index.
CREATE INDEX message_live ON message (session_id, ord, chat) WHERE status IN ('queued', 'held', 'sending');
CREATE INDEX message_sending ON message (session_id, ord) WHERE status = 'sending';
CREATE INDEX message_expiring ON message (expires_at) WHERE status IN ('queued', 'held');
CREATE INDEX message_doubtful ON message (unknown_at) WHERE status = 'unknown' AND charge = 'held';

-- The truth of the rate window. Append only.
CREATE TABLE send_attempt (
    ord        INTEGER PRIMARY KEY,
    message_id BLOB NOT NULL,
    number     INTEGER NOT NULL,
    session_id BLOB NOT NULL,
    tenant_id  BLOB NOT NULL,
    epoch      INTEGER NOT NULL,
    boot_id    BLOB NOT NULL,
    moment     INTEGER NOT NULL,
    wall       INTEGER NOT NULL
) STRICT;
CREATE INDEX send_attempt_session ON send_attempt (session_id, wall);

-- `used + held` may pass `allowance` with a soft quota only; the batch decides.
CREATE TABLE usage (
    tenant_id    BLOB NOT NULL,
    period_start INTEGER NOT NULL,
    period_end   INTEGER NOT NULL,
    allowance    INTEGER NOT NULL,
    quota        TEXT NOT NULL,
    used         INTEGER NOT NULL CHECK (used >= 0),
    held         INTEGER NOT NULL CHECK (held >= 0),
    -- Highest threshold told, in percent.
    announced    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, period_start)
) STRICT, WITHOUT ROWID;

-- `owner` is a tenant, or all zeros for operators. A key used again after 24 h gets a new row, so rows stay in the
-- order of their age and the oldest are found without an index.
CREATE TABLE idempotency (
    ord         INTEGER PRIMARY KEY,
    owner       BLOB NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_key ON idempotency (owner, key);

CREATE TABLE feed_head (
    tenant_id BLOB NOT NULL PRIMARY KEY,
    seq       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Append only, read from its end. No index by tenant: it would dirty a page per tenant in every commit.
CREATE TABLE event (
    ord        INTEGER PRIMARY KEY,
    tenant_id  BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    session_id BLOB,
    kind       TEXT NOT NULL,
    message_id BLOB,
    code       TEXT NOT NULL
) STRICT;
";

const SQLITE_DOWN: &str = "
DROP TABLE event;
DROP TABLE feed_head;
DROP TABLE idempotency;
DROP TABLE usage;
DROP TABLE send_attempt;
DROP TABLE message;
DROP TABLE chat;
DROP TABLE session_tally;
DROP TABLE session;
DROP TABLE api_key;
DROP TABLE plan;
DROP TABLE tenant;
DROP TABLE store_meta;
";
