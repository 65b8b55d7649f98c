//! Webhooks: endpoints, the events they were to be told, deliveries and the log of their attempts.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// Webhooks.
#[derive(DeriveMigrationName)]
pub struct Webhooks;

#[async_trait::async_trait]
impl MigrationTrait for Webhooks {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, &postgres_up()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/webhooks.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn postgres_up() -> String {
    include_str!("postgres/webhooks.sql").to_owned()
        + &fenced(&[
            Fence::by("webhook", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("webhook_event", "tenant_id", "SELECT, INSERT, DELETE"),
            Fence::by("webhook_delivery", "tenant_id", "SELECT, INSERT, UPDATE, DELETE"),
            Fence::by("webhook_attempt", "tenant_id", "SELECT, INSERT, DELETE"),
        ])
}

const SQLITE_UP: &str = "
ALTER TABLE event ADD COLUMN webhook_id BLOB;

CREATE TABLE webhook (
    id            BLOB NOT NULL PRIMARY KEY,
    tenant_id     BLOB NOT NULL REFERENCES tenant (id),
    url           TEXT NOT NULL,
    description   TEXT NOT NULL,
    events        TEXT NOT NULL,
    sessions      TEXT NOT NULL,
    -- Secrets and custom headers, under the tenant's own key.
    sealed        BLOB NOT NULL,
    status        TEXT NOT NULL,
    reason        TEXT,
    since         INTEGER NOT NULL,
    -- How it has answered lately.
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    open_until    INTEGER,
    trips         INTEGER NOT NULL,
    revision      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;
CREATE INDEX webhook_tenant ON webhook (tenant_id, id);

-- Only events that an endpoint wanted. `snapshot` is what may have changed since of the record it is about.
CREATE TABLE webhook_event (
    ord        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL,
    tenant_id  BLOB NOT NULL,
    seq        INTEGER,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    session_id BLOB,
    message_id BLOB,
    webhook_id BLOB,
    snapshot   TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX webhook_event_id ON webhook_event (id);

CREATE TABLE webhook_delivery (
    ord        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL,
    tenant_id  BLOB NOT NULL,
    webhook_id BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    kind       TEXT NOT NULL,
    -- When the event was committed; `created_at` of one that repeats another is later.
    event_at   INTEGER NOT NULL,
    status     TEXT NOT NULL,
    reason     TEXT,
    attempts   INTEGER NOT NULL,
    due_at     INTEGER,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    repeats    BLOB
) STRICT;
CREATE UNIQUE INDEX webhook_delivery_id ON webhook_delivery (id);
CREATE INDEX webhook_delivery_list ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, due_at, ord) WHERE status = 'pending';

-- Append only.
CREATE TABLE webhook_attempt (
    ord         INTEGER PRIMARY KEY,
    delivery_id BLOB NOT NULL,
    tenant_id   BLOB NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    url         TEXT NOT NULL,
    status      INTEGER,
    error       TEXT,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (delivery_id, number);
";

const SQLITE_DOWN: &str = "
DROP TABLE webhook_attempt;
DROP TABLE webhook_delivery;
DROP TABLE webhook_event;
DROP TABLE webhook;
ALTER TABLE event DROP COLUMN webhook_id;
";
