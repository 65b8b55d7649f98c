//! What operators look at: the past of sessions, and indexes for their lists. An index of a hot table holds only what is
//! rare, so that the way of a message that goes well is not a page dearer.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// What operators look at.
#[derive(DeriveMigrationName)]
pub struct Fleet;

#[async_trait::async_trait]
impl MigrationTrait for Fleet {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fence = fenced(&[Fence::by("session_past", "tenant_id", "SELECT, INSERT, DELETE")]);
        run(manager, SQLITE_UP, &(include_str!("postgres/fleet.sql").to_owned() + &fence)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/fleet.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- Statuses of sessions as commits left them; `was` is null at its making, `status` at its end.
CREATE TABLE session_past (
    ord         INTEGER PRIMARY KEY,
    session_id  BLOB NOT NULL,
    tenant_id   BLOB NOT NULL,
    was         TEXT,
    status      TEXT,
    reason      TEXT,
    reason_code INTEGER,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX session_past_session ON session_past (session_id, ord);
CREATE INDEX session_past_at ON session_past (at, was, status);

-- Whoever changes a session's status, its past is told: no writer can forget it.
CREATE TRIGGER session_took_a_status AFTER UPDATE OF status, reason, since ON session
WHEN NEW.status <> OLD.status OR NEW.reason IS NOT OLD.reason OR NEW.since <> OLD.since
BEGIN
    INSERT INTO session_past (session_id, tenant_id, was, status, reason, reason_code, at)
    VALUES (NEW.id, NEW.tenant_id, OLD.status, NEW.status, NEW.reason, NEW.reason_code, NEW.since);
END;
CREATE TRIGGER session_was_deleted AFTER UPDATE OF deleted_at ON session
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL
BEGIN
    INSERT INTO session_past (session_id, tenant_id, was, at)
    VALUES (NEW.id, NEW.tenant_id, NEW.status, NEW.deleted_at);
END;

CREATE INDEX session_since ON session (since, id) WHERE deleted_at IS NULL;
CREATE INDEX session_label ON session (lower(label), id) WHERE deleted_at IS NULL;
CREATE INDEX session_status ON session (status, id) WHERE deleted_at IS NULL;
CREATE INDEX session_restricted ON session (tenant_id, id)
    WHERE deleted_at IS NULL AND coalesce(banned_until, timelock_until, new_chats_until) IS NOT NULL;

CREATE INDEX message_held ON message (id, session_id, reason) WHERE status = 'held';
CREATE INDEX message_trouble ON message (status, id)
    WHERE status IN ('failed', 'unknown', 'expired', 'canceled', 'dead');
";

const SQLITE_DOWN: &str = "
DROP INDEX message_trouble;
DROP INDEX message_held;
DROP INDEX session_restricted;
DROP INDEX session_status;
DROP INDEX session_label;
DROP INDEX session_since;
DROP TRIGGER session_was_deleted;
DROP TRIGGER session_took_a_status;
DROP TABLE session_past;
";
