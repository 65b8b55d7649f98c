//! The form of every list.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::cursor;
use crate::domain::page::{Page, Slice};

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Listing<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins; null at the end.
    pub next_cursor: Option<String>,
    /// Whether there is one.
    pub has_more: bool,
}

impl<T> Listing<T> {
    /// The only page of a short list.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, has_more: false }
    }

    /// Renders a slice that is sorted by id.
    pub fn by_id<'a, R>(slice: &'a Slice<R>, id: impl Fn(&R) -> Uuid, render: impl Fn(&'a R) -> T) -> Self {
        let last = slice.rows.last().filter(|_| slice.has_more);
        Self {
            next_cursor: last.map(|row| cursor::of_id(id(row))),
            has_more: slice.has_more,
            data: slice.rows.iter().map(render).collect(),
        }
    }
}

/// One page of rows that are in memory, as a store would cut it.
pub fn cut<R>(rows: impl IntoIterator<Item = R>, id: impl Fn(&R) -> Uuid, page: Page) -> Slice<R> {
    let mut rows: Vec<R> =
        rows.into_iter().filter(|row| page.before.is_none_or(|before| id(row) < before)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(id(row)));
    Slice::of(rows, page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn following_the_cursors_reads_every_row_once_newest_first(
            rows in proptest::collection::btree_set(any::<u128>(), 0..30), limit in 1..10_u32,
        ) {
            let mut seen = Vec::new();
            let mut before = None;
            loop {
                let all = rows.iter().map(|&bits| Uuid::from_u128(bits));
                let slice = cut(all, |&id| id, Page { limit, before });
                let listing = Listing::by_id(&slice, |&id| id, |id| id.as_u128());
                prop_assert!(listing.data.len() <= limit as usize);
                prop_assert_eq!(listing.has_more, listing.next_cursor.is_some());
                seen.extend(listing.data);
                let Some(cursor) = listing.next_cursor else { break };
                before = cursor::id(&cursor);
            }
            prop_assert_eq!(seen, rows.into_iter().rev().collect::<Vec<_>>());
        }
    }
}
