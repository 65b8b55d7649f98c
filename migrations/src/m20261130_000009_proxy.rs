//! A proxy per session, set by operators.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::run;

/// A proxy per session.
#[derive(DeriveMigrationName)]
pub struct Proxy;

#[async_trait::async_trait]
impl MigrationTrait for Proxy {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, include_str!("postgres/proxy.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/proxy.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- The address of its proxy, sealed under the tenant's key; none: it connects directly.
ALTER TABLE session ADD COLUMN proxy BLOB;
";

/// The version before knows no proxy and would connect without it: those sessions are stopped. Nor does it know the words.
const SQLITE_DOWN: &str = "
UPDATE session SET desired = 'stopped', status = 'stopped', reason = NULL, reason_code = NULL
WHERE proxy IS NOT NULL AND desired = 'running';
UPDATE session SET reason = 'transport_lost' WHERE reason = 'proxy_failed';
UPDATE session SET retry_reason = 'transport_lost' WHERE retry_reason = 'proxy_failed';
UPDATE session SET reason = 'pairing_timeout'
WHERE reason IN ('passkey_requested', 'passkey_confirm', 'passkey_failed');
UPDATE webhook_event SET snapshot = replace(replace(replace(replace(snapshot,
    '\"proxy_failed\"', '\"transport_lost\"'), '\"passkey_requested\"', '\"pairing_timeout\"'),
    '\"passkey_confirm\"', '\"pairing_timeout\"'), '\"passkey_failed\"', '\"pairing_timeout\"')
WHERE snapshot LIKE '%\"proxy_failed\"%' OR snapshot LIKE '%\"passkey_%';
ALTER TABLE session DROP COLUMN proxy;
";
