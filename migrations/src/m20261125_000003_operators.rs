//! Operators with tokens of their own, what they did, and what a key carries besides.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// Operators, audit, and more about keys.
#[derive(DeriveMigrationName)]
pub struct Operators;

#[async_trait::async_trait]
impl MigrationTrait for Operators {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, &postgres_up()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/operators.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn postgres_up() -> String {
    include_str!("postgres/operators.sql").to_owned()
        + &fenced(&[
            Fence::open("operator", "SELECT, INSERT, UPDATE"),
            Fence::open("audit", "SELECT, INSERT"),
        ])
}

const SQLITE_UP: &str = "
-- A JSON list; empty: from anywhere.
ALTER TABLE api_key ADD COLUMN allowed_addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE api_key ADD COLUMN replaced_by BLOB;
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

-- Besides `root`, whose token lies in the data directory.
CREATE TABLE operator (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

-- What operators did. Everything that is hashed is kept as it was hashed: text, and JSON to the byte.
CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    actor_id     TEXT,
    actor_name   TEXT NOT NULL,
    action       TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    before_json  TEXT,
    after_json   TEXT,
    address      TEXT,
    request_id   TEXT,
    hash         BLOB NOT NULL
) STRICT;

-- Against mistakes. What was done on purpose is found by the hashes.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append only'); END;

-- Number and hash of the last entry: an end that was cut off would fit without it.
INSERT INTO store_meta (name, value) VALUES ('audit_head', '0:' || hex(zeroblob(32)));
";

const SQLITE_DOWN: &str = "
DELETE FROM store_meta WHERE name = 'audit_head';
DROP TABLE audit;
DROP TABLE operator;
ALTER TABLE api_key DROP COLUMN last_used_at;
ALTER TABLE api_key DROP COLUMN replaced_by;
ALTER TABLE api_key DROP COLUMN allowed_addresses;
";
