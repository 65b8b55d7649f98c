//! A row between two databases: JSON as a batch is written from it, and a sum of all rows of a table.

use sea_orm::{QueryResult, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::tables::{Kind, Table};
use crate::storage::sql::dialect::Fault;

/// The values of a row in the order of its columns. Ids and bytes are hex digits, so that one row is the same text
/// whatever database it came from.
pub(super) fn read(row: &QueryResult, table: &Table) -> Result<Vec<Json>, Fault> {
    let value = |(place, kind): (usize, Kind)| {
        Ok(match kind {
            Kind::Id => json!(row.try_get_by_index::<Option<Uuid>>(place)?.map(|id| id.simple().to_string())),
            Kind::Bytes => json!(row.try_get_by_index::<Option<Vec<u8>>>(place)?.map(hex::encode)),
            Kind::Number => json!(row.try_get_by_index::<Option<i64>>(place)?),
            Kind::Flag => json!(row.try_get_by_index::<Option<bool>>(place)?),
            Kind::Text => json!(row.try_get_by_index::<Option<String>>(place)?),
        })
    };
    table.columns.iter().map(|column| column.kind).enumerate().map(value).collect()
}

/// The values of a key, as a database takes them.
pub(super) fn key(table: &Table, key: &[Json]) -> Result<Vec<Value>, Fault> {
    let unreadable = || Fault::unreadable("place of a copy");
    let value = |(kind, value): (Kind, &Json)| match (kind, value) {
        (Kind::Id, Json::String(text)) => Ok(Uuid::try_parse(text).map_err(|_| unreadable())?.into()),
        (Kind::Text, Json::String(text)) => Ok(text.clone().into()),
        (Kind::Number, Json::Number(number)) => Ok(number.as_i64().ok_or_else(unreadable)?.into()),
        _ => Err(unreadable()),
    };
    table.key().iter().map(|column| column.kind).zip(key).map(value).collect()
}

/// How many rows, and the sum of their hashes. A sum asks for no order: two databases may order text in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    words: [u64; 4],
}

impl Sum {
    pub(super) fn add(&mut self, row: &[Json]) -> Result<(), Fault> {
        let text = serde_json::to_vec(row).map_err(|_| Fault::unreadable("row"))?;
        let hash = Sha256::digest(text);
        for (word, bytes) in self.words.iter_mut().zip(hash.chunks_exact(8)) {
            let bytes = bytes.try_into().map_err(|_| Fault::unreadable("hash"))?;
            *word = word.wrapping_add(u64::from_be_bytes(bytes));
        }
        self.rows += 1;
        Ok(())
    }

    /// The sum without the count, as 64 hex digits.
    pub fn digits(&self) -> String {
        self.words.iter().map(|word| format!("{word:016x}")).collect()
    }

    pub(super) fn from_digits(rows: u64, digits: &str) -> Option<Self> {
        let bytes: [u8; 32] = hex::decode(digits).ok()?.try_into().ok()?;
        let mut sum = Self { rows, ..Self::default() };
        for (word, bytes) in sum.words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_be_bytes(bytes.try_into().ok()?);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_asks_for_no_order_notices_every_change_and_is_read_back() {
        let rows = [vec![json!("a"), json!(1)], vec![json!("b"), json!(null)], vec![json!("a"), json!(1)]];
        let sum = |rows: &[&Vec<Json>]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(row).expect("rows are JSON"));
            sum
        };
        let all = sum(&[&rows[0], &rows[1], &rows[2]]);
        assert_eq!(all, sum(&[&rows[1], &rows[0], &rows[2]]));
        assert_ne!(all, sum(&[&rows[1], &rows[1], &rows[2]]));
        assert_ne!(sum(&[&rows[0]]), sum(&[&rows[0], &rows[2]]), "the same row twice is another sum");
        assert_eq!(Sum::from_digits(3, &all.digits()), Some(all));
        assert_eq!(Sum::from_digits(3, "xyz"), None);
    }
}
