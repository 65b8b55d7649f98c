//! Plans bound webhooks and seats, and one that nobody has can be removed.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::run;

/// Webhooks and seats by plan; plans that go.
#[derive(DeriveMigrationName)]
pub struct Seats;

#[async_trait::async_trait]
impl MigrationTrait for Seats {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_UP, include_str!("postgres/seats.sql")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/seats.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// SQLite has no roles, and a plan that does not say a bound has the one it always had.
const SQLITE_UP: &str = "";

/// The version before reads no plan that says more than it knows.
const SQLITE_DOWN: &str = "UPDATE plan SET body = json_remove(body, '$.webhooks_max', '$.seats_max');";
