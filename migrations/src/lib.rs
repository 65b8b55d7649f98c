//! Columba's schema, one reviewed step a file. A step that was released is never edited: a later one corrects it.

use sea_orm_migration::prelude::{DbErr, SchemaManager};
pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

mod fence;
mod m20261122_000001_start;
mod m20261125_000002_webhooks;
mod m20261125_000003_operators;
mod m20261125_000004_retention;
mod m20261125_000005_restraint;
mod m20261130_000006_content;
mod m20261130_000007_media;
mod m20261130_000008_billing;
mod m20261130_000009_proxy;
mod m20261130_000010_doors;
mod m20261130_000011_fleet;
mod m20261201_000012_seats;

/// Every step, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_start::Start),
            Box::new(m20261125_000002_webhooks::Webhooks),
            Box::new(m20261125_000003_operators::Operators),
            Box::new(m20261125_000004_retention::Retention),
            Box::new(m20261125_000005_restraint::Restraint),
            Box::new(m20261130_000006_content::Content),
            Box::new(m20261130_000007_media::Media),
            Box::new(m20261130_000008_billing::Billing),
            Box::new(m20261130_000009_proxy::Proxy),
            Box::new(m20261130_000010_doors::Doors),
            Box::new(m20261130_000011_fleet::Fleet),
            Box::new(m20261201_000012_seats::Seats),
        ]
    }
}

async fn run(manager: &SchemaManager<'_>, sqlite: &str, postgres: &str) -> Result<(), DbErr> {
    let text = match manager.get_database_backend() {
        DbBackend::Sqlite => sqlite,
        DbBackend::Postgres => postgres,
        other => return Err(DbErr::Migration(format!("this schema is not written for {other:?}"))),
    };
    manager.get_connection().execute_unprepared(text).await.map(drop)
}
