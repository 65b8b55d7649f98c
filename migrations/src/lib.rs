//! Columba's schema, one reviewed step a file. A step that was released is never edited: a later one corrects it.

pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

mod m20261122_000001_start;
mod m20261125_000003_operators;

/// Every step, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261122_000001_start::Start), Box::new(m20261125_000003_operators::Operators)]
    }
}
