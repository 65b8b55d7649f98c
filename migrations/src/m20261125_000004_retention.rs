//! Erasing messages that a plan keeps no longer, with what webhooks were told of them.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::run;

/// Retention.
#[derive(DeriveMigrationName)]
pub struct Retention;

#[async_trait::async_trait]
impl MigrationTrait for Retention {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, include_str!("postgres/retention.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/retention.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
-- Ids begin with a time, so it grows near its end.
CREATE INDEX webhook_event_message ON webhook_event (message_id) WHERE message_id IS NOT NULL;
";

const SQLITE_DOWN: &str = "
DROP INDEX webhook_event_message;
";
