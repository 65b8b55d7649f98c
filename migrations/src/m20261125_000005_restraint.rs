//! People who want no messages, what is known of numbers, and whom a session has written to first.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// Contacts and approaches.
#[derive(DeriveMigrationName)]
pub struct Restraint;

#[async_trait::async_trait]
impl MigrationTrait for Restraint {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fences = fenced(&[
            Fence::by("contact", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("approach", "tenant_id", "SELECT, INSERT"),
        ]);
        run(manager, SQLITE_UP, &(include_str!("postgres/restraint.sql").to_owned() + &fences)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/restraint.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- Since when it is linked; unknown for those that were before.
ALTER TABLE session ADD COLUMN paired_at INTEGER;

-- What a tenant knows of a number.
CREATE TABLE contact (
    tenant_id  BLOB NOT NULL,
    phone      TEXT NOT NULL,
    -- Its wish for no messages: its id, since when, and who said so.
    stop_id    BLOB,
    stopped_at INTEGER,
    stopped_by TEXT,
    -- Whether it has an account, and when the network said so.
    account    INTEGER,
    checked_at INTEGER,
    PRIMARY KEY (tenant_id, phone)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_stopped ON contact (tenant_id, stop_id) WHERE stop_id IS NOT NULL;

-- People who never wrote, and when a session wrote to them first.
CREATE TABLE approach (
    session_id BLOB NOT NULL,
    phone      TEXT NOT NULL,
    tenant_id  BLOB NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (session_id, phone)
) STRICT, WITHOUT ROWID;
CREATE INDEX approach_at ON approach (session_id, at);
";

const SQLITE_DOWN: &str = "
DROP TABLE approach;
DROP TABLE contact;
ALTER TABLE session DROP COLUMN paired_at;
";
