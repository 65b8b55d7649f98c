//! How far a copy has come, kept in its target: what a table has got is written in the transaction of its last batch.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::rows::Sum;
use crate::storage::sql::Place;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::store_meta;

/// Name of its row among the facts about a store. As long as it is there the database is no store.
const NAME: &str = "unfinished_copy";

/// Name of the row that says where a store went. As long as it is there no server opens what was left behind.
const MOVED: &str = "moved_to";

/// How far a copy has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// What the source looked like. Another state of it, or another source, cannot be gone on with.
    pub(super) source: String,
    /// By name.
    pub(super) tables: BTreeMap<String, Part>,
}

/// What a table has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    rows: u64,
    sum: String,
    /// The key of the last row.
    pub(super) after: Vec<Json>,
    pub(super) done: bool,
}

/// Nothing yet.
impl Default for Part {
    fn default() -> Self {
        Self::new(Sum::default(), vec![], false)
    }
}

impl Part {
    pub(super) fn new(sum: Sum, after: Vec<Json>, done: bool) -> Self {
        Self { rows: sum.rows, sum: sum.digits(), after, done }
    }

    pub(super) fn sum(&self) -> Result<Sum, Fault> {
        Sum::from_digits(self.rows, &self.sum).ok_or_else(|| Fault::unreadable("sum of a copy"))
    }
}

impl Mark {
    pub(super) async fn read(db: &impl ConnectionTrait) -> Result<Option<Self>, Fault> {
        let Some(text) = store_meta::get(db, NAME).await? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| Fault::unreadable("place of a copy"))
    }

    pub(super) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), Fault> {
        let text = serde_json::to_string(self).map_err(|_| Fault::unreadable("place of a copy"))?;
        store_meta::put(db, NAME, text).await
    }

    pub(super) async fn remove(db: &impl ConnectionTrait) -> Result<(), Fault> {
        store_meta::remove(db, NAME).await.map(drop)
    }
}

/// Whether a row of `store_meta` is a mark, by its name.
pub(super) fn is_mark(name: &Json) -> bool {
    name == NAME || name == MOVED
}

/// Whether a copy into this database was begun and not ended.
pub(in crate::storage::sql) async fn is_unfinished(db: &impl ConnectionTrait) -> Result<bool, Fault> {
    Ok(store_meta::get(db, NAME).await?.is_some())
}

/// Where the store went that once was here.
pub(in crate::storage::sql) async fn moved_to(db: &impl ConnectionTrait) -> Result<Option<String>, Fault> {
    store_meta::get(db, MOVED).await
}

/// Writes down where it went, without what is secret in an address.
pub(super) async fn note_moved(db: &impl ConnectionTrait, to: &Place) -> Result<(), Fault> {
    store_meta::put(db, MOVED, to.to_string()).await
}

/// Takes that back; whether it had been written down.
pub(super) async fn take_back(db: &impl ConnectionTrait) -> Result<bool, Fault> {
    store_meta::remove(db, MOVED).await
}
