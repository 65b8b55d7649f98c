//! Operators who are people: what they sign in with, and where. And whose business an entry of the audit is.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// People, sign-ins, and the audit of each tenant.
#[derive(DeriveMigrationName)]
pub struct Doors;

#[async_trait::async_trait]
impl MigrationTrait for Doors {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fences = fenced(&[
            Fence::open("person", "SELECT, INSERT, UPDATE"),
            Fence::open("sign_in", "SELECT, INSERT, UPDATE, DELETE"),
            Fence::by("audit", "tenant_id", "SELECT, INSERT"),
        ]);
        run(manager, SQLITE_UP, &(include_str!("postgres/doors.sql").to_owned() + &fences)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/doors.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- A person has an address and no token.
CREATE TABLE operator_with_email (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    email      TEXT
) STRICT;
INSERT INTO operator_with_email
    SELECT id, name, hash, role, created_at, expires_at, revoked_at, NULL FROM operator;
DROP TABLE operator;
ALTER TABLE operator_with_email RENAME TO operator;
CREATE UNIQUE INDEX operator_email ON operator (email) WHERE email IS NOT NULL AND revoked_at IS NULL;

-- What a person signs in with, as JSON: a hashed password, a sealed secret, hashed codes.
CREATE TABLE person (
    operator_id BLOB NOT NULL PRIMARY KEY,
    invitation  BLOB UNIQUE,
    body        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where people are signed in. A cookie is recognised by its hash.
CREATE TABLE sign_in (
    id            BLOB NOT NULL PRIMARY KEY,
    operator_id   BLOB NOT NULL,
    hash          BLOB NOT NULL UNIQUE,
    created_at    INTEGER NOT NULL,
    seen_at       INTEGER NOT NULL,
    stepped_up_at INTEGER NOT NULL,
    address       TEXT,
    agent         TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_operator ON sign_in (operator_id);

-- Whose business an entry is. It is hashed with the rest, so what was written before stays nobody's.
ALTER TABLE audit ADD COLUMN tenant_id BLOB;
CREATE INDEX audit_tenant ON audit (tenant_id, seq) WHERE tenant_id IS NOT NULL;
";

const SQLITE_DOWN: &str = "
DROP INDEX audit_tenant;
ALTER TABLE audit DROP COLUMN tenant_id;
DROP TABLE sign_in;
DROP TABLE person;
-- People stay by name, with a token that nobody has.
CREATE TABLE operator_without_email (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
INSERT INTO operator_without_email
    SELECT id, name, coalesce(hash, randomblob(32)), CASE role WHEN 'owner' THEN role ELSE 'viewer' END, created_at,
        expires_at, revoked_at FROM operator;
DROP TABLE operator;
ALTER TABLE operator_without_email RENAME TO operator;
";
