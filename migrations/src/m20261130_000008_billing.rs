//! What tenants have agreed to pay, what they were asked for, and the ledger. Usage by day.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// Subscriptions, invoices, the ledger.
#[derive(DeriveMigrationName)]
pub struct Billing;

#[async_trait::async_trait]
impl MigrationTrait for Billing {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // What must not change is not granted: entries and credit notes are added, of invoices only what became of them is
        // written.
        let fences = fenced(&[
            Fence::by("subscription", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("billing_profile", "tenant_id", "SELECT, INSERT, UPDATE"),
            Fence::by("invoice", "tenant_id", "SELECT, INSERT, UPDATE (status, account, settled_at)"),
            Fence::by("credit_note", "tenant_id", "SELECT, INSERT"),
            Fence::by("ledger_entry", "tenant_id", "SELECT, INSERT"),
            Fence::by("payment", "tenant_id", "SELECT, INSERT"),
            Fence::open("number_series", "SELECT, INSERT, UPDATE"),
            Fence::by("usage_day", "tenant_id", "SELECT, INSERT, UPDATE"),
        ]);
        run(manager, SQLITE_UP, &(include_str!("postgres/billing.sql").to_owned() + &fences)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/billing.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- What billing lets a tenant do, copied from its subscription.
ALTER TABLE tenant ADD COLUMN standing TEXT NOT NULL DEFAULT 'active';

-- Messages beyond the quota that are on an invoice, or were waived.
ALTER TABLE usage ADD COLUMN billed INTEGER NOT NULL DEFAULT 0;

-- What a tenant has agreed to, as JSON, and when the clock has to look at it next.
CREATE TABLE subscription (
    tenant_id BLOB NOT NULL PRIMARY KEY,
    status    TEXT NOT NULL,
    body      TEXT NOT NULL,
    wakes_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_wakes ON subscription (wakes_at) WHERE wakes_at IS NOT NULL;

-- Whom a tenant's invoices are for, as JSON.
CREATE TABLE billing_profile (
    tenant_id BLOB NOT NULL PRIMARY KEY,
    body      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An invoice: the paper as it was issued, and beside it what has become of it. Both are JSON.
CREATE TABLE invoice (
    id         BLOB NOT NULL PRIMARY KEY,
    tenant_id  BLOB NOT NULL,
    number     TEXT NOT NULL UNIQUE,
    paper      TEXT NOT NULL,
    status     TEXT NOT NULL,
    account    TEXT NOT NULL,
    settled_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX invoice_tenant ON invoice (tenant_id, id);
CREATE INDEX invoice_open ON invoice (tenant_id, status, id);
CREATE INDEX invoice_status ON invoice (status, id);

CREATE TRIGGER invoice_is_not_removed BEFORE DELETE ON invoice
BEGIN SELECT RAISE(ABORT, 'invoices are never removed'); END;
CREATE TRIGGER invoice_is_not_edited BEFORE UPDATE OF id, tenant_id, number, paper ON invoice
BEGIN SELECT RAISE(ABORT, 'an invoice that was issued is not edited'); END;

CREATE TABLE credit_note (
    id         BLOB NOT NULL PRIMARY KEY,
    tenant_id  BLOB NOT NULL,
    invoice_id BLOB NOT NULL REFERENCES invoice (id),
    number     TEXT NOT NULL UNIQUE,
    paper      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX credit_note_invoice ON credit_note (invoice_id, id);

CREATE TRIGGER credit_note_is_not_removed BEFORE DELETE ON credit_note
BEGIN SELECT RAISE(ABORT, 'credit notes are never removed'); END;
CREATE TRIGGER credit_note_is_not_edited BEFORE UPDATE ON credit_note
BEGIN SELECT RAISE(ABORT, 'a credit note that was issued is not edited'); END;

-- Positive: owed by the tenant.
CREATE TABLE ledger_entry (
    ord          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    BLOB NOT NULL,
    kind         TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    invoice_id   BLOB REFERENCES invoice (id),
    reference    TEXT,
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_entry_tenant ON ledger_entry (tenant_id, ord);

CREATE TRIGGER ledger_is_not_shortened BEFORE DELETE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE ON ledger_entry
BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;

-- Payments by the names their providers have for them: each is written down once.
CREATE TABLE payment (
    provider   TEXT NOT NULL,
    id         TEXT NOT NULL,
    tenant_id  BLOB NOT NULL,
    invoice_id BLOB REFERENCES invoice (id),
    at         INTEGER NOT NULL,
    PRIMARY KEY (provider, id)
) STRICT, WITHOUT ROWID;

-- The number that comes next.
CREATE TABLE number_series (
    series TEXT NOT NULL PRIMARY KEY,
    next   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The day under way of each session, which is in its tally, and the days before it.
ALTER TABLE session_tally ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_tally ADD COLUMN day_sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_tally ADD COLUMN day_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session_tally ADD COLUMN day_received INTEGER NOT NULL DEFAULT 0;

CREATE TABLE usage_day (
    session_id BLOB NOT NULL,
    day        INTEGER NOT NULL,
    tenant_id  BLOB NOT NULL,
    sent       INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    PRIMARY KEY (session_id, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_day_tenant ON usage_day (tenant_id, day);
";

const SQLITE_DOWN: &str = "
DROP TABLE usage_day;
ALTER TABLE session_tally DROP COLUMN day_received;
ALTER TABLE session_tally DROP COLUMN day_failed;
ALTER TABLE session_tally DROP COLUMN day_sent;
ALTER TABLE session_tally DROP COLUMN day;
DROP TABLE number_series;
DROP TABLE payment;
DROP TABLE ledger_entry;
DROP TABLE credit_note;
DROP TABLE invoice;
DROP TABLE billing_profile;
DROP TABLE subscription;
ALTER TABLE usage DROP COLUMN billed;
ALTER TABLE tenant DROP COLUMN standing;
";
