//! Facts about the store itself.

use sea_orm::entity::prelude::*;

use crate::storage::sql::dialect::{self, Fault};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "store_meta")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Name of the row that holds the epoch of the feed.
pub const FEED_EPOCH: &str = "feed_epoch";

/// Name of the row that counts writes to tenants, plans and keys.
pub const DIRECTORY_VERSION: &str = "directory_version";

const GET: &str = "SELECT value FROM store_meta WHERE name = $1";
const PUT: &str = "INSERT INTO store_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const CHANGE: &str = "UPDATE store_meta SET value = $1 WHERE name = $2";
const REMOVE: &str = "DELETE FROM store_meta WHERE name = $1";

/// What is known under a name.
pub async fn get(db: &impl ConnectionTrait, name: &'static str) -> Result<Option<String>, Fault> {
    let rows = dialect::query(db, GET, [name.into()]).await?;
    rows.first().map(|row| row.try_get_by_index(0)).transpose().map_err(Fault::from)
}

/// Writes it down, anew or again. Takes the owner of the tables.
pub async fn put(db: &impl ConnectionTrait, name: &'static str, value: String) -> Result<(), Fault> {
    dialect::execute(db, PUT, [name.into(), value.into()]).await.map(drop)
}

/// Writes something else where it is known already; all that the writer may do.
pub async fn change(db: &impl ConnectionTrait, name: &'static str, value: String) -> Result<(), Fault> {
    dialect::execute(db, CHANGE, [value.into(), name.into()]).await.map(drop)
}

/// Forgets it; whether it was known. Takes the owner of the tables.
pub async fn remove(db: &impl ConnectionTrait, name: &'static str) -> Result<bool, Fault> {
    dialect::execute(db, REMOVE, [name.into()]).await.map(|removed| removed > 0)
}
