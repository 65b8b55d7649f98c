//! Facts about the store itself.

use sea_orm::entity::prelude::*;

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
