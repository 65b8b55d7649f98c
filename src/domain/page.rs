//! Keyset pages. A cursor names the last row seen, so rows that come meanwhile shift nothing.

use schemars::JsonSchema;
use uuid::Uuid;

/// Which part of a list is wanted. Lists run from the newest to the oldest id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows wanted, 1 to 200.
    pub limit: u32,
    /// Only rows with ids below this one.
    pub before: Option<Uuid>,
}

/// One part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// At most `limit` rows, newest first.
    pub rows: Vec<T>,
    /// Whether older ones follow.
    pub has_more: bool,
}

impl<T> Slice<T> {
    /// Makes a slice of up to `limit` + 1 rows read.
    pub fn of(rows: Vec<T>, page: Page) -> Self {
        Self::within(rows, page.limit)
    }

    /// The same, of a list that is sorted by something else.
    pub fn within(mut rows: Vec<T>, limit: u32) -> Self {
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Self { rows, has_more }
    }
}

/// Which way a list runs, where that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename = "Order")]
pub enum Order {
    /// Newest or highest first.
    #[default]
    #[schemars(rename = "desc")]
    Descending,
    /// Oldest or lowest first.
    #[schemars(rename = "asc")]
    Ascending,
}
