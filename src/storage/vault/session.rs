//! One session's vault, for one owner. Sealing happens here, so that the writer never sees a value.

use std::sync::{Arc, Mutex as Cell, PoisonError};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr, QueryResult, Value};
use serde_json::json;
use tokio::sync::Mutex;

use super::group::{Sealed, Shared};
use super::seal::{Addresses, Key};
use super::writer::{Alone, Turn, WriterHandle, id, statement, unavailable};
use crate::domain::session::{Epoch, Lease};
use crate::ports::clock::Clock;
use crate::ports::vault::{Change, Header, Secret, Vault, VaultError, Writer};

const VALUE_BYTES: usize = 4 << 20;
const BATCH_RECORDS: usize = 10_000;
const BATCH_BYTES: usize = 16 << 20;
const KEY_BYTES: usize = 512;
const KIND_BYTES: usize = 32;

/// The epoch and the records come from one snapshot: what is answered was true while this owner was the owner. `CROSS JOIN` has
/// SQLite look up each key; left to itself it goes through the whole kind, and through all keys for each record of it.
pub(super) const GET: &str = "
SELECT epoch, NULL AS place, NULL AS sealed FROM session_header WHERE session = ?1
UNION ALL
SELECT NULL, wanted.key, record.sealed FROM jsonb_each(?2) AS wanted
  CROSS JOIN record ON record.session = ?1 AND record.kind = ?3 AND record.key = unhex(wanted.value)
  WHERE record.expires_at IS NULL OR record.expires_at > ?4";

/// `?3` and `?4` bound the key: at or beyond, and below. `?5` is the last one seen.
const LIST: &str = "
SELECT epoch, NULL AS key FROM session_header WHERE session = ?1
UNION ALL
SELECT NULL, key FROM (
  SELECT key FROM record
  WHERE session = ?1 AND kind = ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4) AND (?5 IS NULL OR key > ?5)
    AND (expires_at IS NULL OR expires_at > ?6)
  ORDER BY key LIMIT ?7)";

/// What a session's vault is opened with.
pub struct SessionVault {
    pub(super) lease: Lease,
    pub(super) writer: Writer,
    pub(super) header: Cell<Header>,
    pub(super) key: Arc<Key>,
    pub(super) addresses: Addresses,
    pub(super) writes: WriterHandle,
    pub(super) reads: DatabaseConnection,
    pub(super) clock: Arc<dyn Clock>,
    /// One call at a time, in the order they were made. Other sessions share the commit, this one waits its turn.
    pub(super) turns: Arc<Mutex<()>>,
}

impl SessionVault {
    async fn turn(&self) -> Turn {
        self.turns.clone().lock_owned().await
    }

    fn note(&self, header: Header) {
        *self.header.lock().unwrap_or_else(PoisonError::into_inner) = header;
    }

    fn seal(&self, change: Change) -> Sealed {
        match change {
            Change::Delete { kind, key } => Sealed::Delete { kind, key },
            Change::Put { kind, key, value, expires_at } => {
                let sealed = self.key.seal(&self.addresses.record(kind, &key), &value);
                Sealed::Put { kind, key, sealed, expires_at }
            }
        }
    }

    /// The rows of a read but for the header's, unless they were read as a former owner. A header that is gone was
    /// destroyed, and its owner is none any more.
    async fn read<const N: usize>(
        &self,
        text: &'static str,
        values: [Value; N],
    ) -> Result<Vec<QueryResult>, VaultError> {
        let rows = self.reads.query_all_raw(statement(text, values)).await;
        let (mut epoch, mut records) = (None, vec![]);
        for row in rows.map_err(|error| unavailable(&error))? {
            match row.try_get("", "epoch").map_err(|error| unavailable(&error))? {
                Some(found) => epoch = Some(Epoch(found)),
                None => records.push(row),
            }
        }
        match epoch {
            Some(epoch) if epoch <= self.lease.epoch => Ok(records),
            Some(_) | None => Err(VaultError::Fenced),
        }
    }
}

#[async_trait]
impl Vault for SessionVault {
    fn header(&self) -> Header {
        self.header.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn get(&self, kind: &'static str, keys: &[&[u8]]) -> Result<Vec<Option<Secret>>, VaultError> {
        check_kind(kind)?;
        check(keys.len() <= BATCH_RECORDS, "at most 10,000 records")?;
        keys.iter().try_for_each(|key| check_key(key))?;
        let wanted: Vec<_> = keys.iter().map(hex::encode).collect();
        let _turn = self.turn().await;
        let values = [
            id(self.lease.session),
            json!(wanted).to_string().into(),
            kind.into(),
            self.clock.wall().0.into(),
        ];
        let mut found: Vec<_> = keys.iter().map(|_| None).collect();
        for row in self.read(GET, values).await? {
            let (place, sealed) = sealed_at(&row).map_err(|error| unavailable(&error))?;
            let address = self.addresses.record(kind, keys[place]);
            found[place] = Some(self.key.open(&address, &sealed).ok_or(VaultError::Sealed)?);
        }
        Ok(found)
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<(), VaultError> {
        check_batch(&batch)?;
        let turn = self.turn().await;
        let batch = batch.into_iter().map(|change| self.seal(change)).collect();
        let call = Shared::Commit(self.lease, self.writer.clone(), batch);
        self.note(self.writes.share(call, Some(turn)).await?);
        Ok(())
    }

    async fn list(
        &self,
        kind: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, VaultError> {
        check_kind(kind)?;
        check_key(prefix)?;
        let _turn = self.turn().await;
        let values = [
            id(self.lease.session),
            kind.into(),
            prefix.to_vec().into(),
            end_of(prefix).into(),
            after.map(<[u8]>::to_vec).into(),
            self.clock.wall().0.into(),
            limit.into(),
        ];
        let rows = self.read(LIST, values).await?;
        let keys: Result<_, _> = rows.iter().map(|row| row.try_get("", "key")).collect();
        keys.map_err(|error| unavailable(&error))
    }

    async fn wipe(&self) -> Result<(), VaultError> {
        let turn = self.turn().await;
        self.writes.alone(Alone::Wipe(self.lease), Some(turn)).await?;
        self.note(Header { writer: None, clean: true });
        Ok(())
    }

    async fn close(&self) -> Result<(), VaultError> {
        let turn = self.turn().await;
        let call = Shared::Close(self.lease, self.writer.clone());
        self.note(self.writes.share(call, Some(turn)).await?);
        Ok(())
    }
}

fn sealed_at(row: &QueryResult) -> Result<(usize, Vec<u8>), DbErr> {
    Ok((row.try_get::<i64>("", "place")? as usize, row.try_get("", "sealed")?))
}

/// The first key beyond all that begin with `prefix`; none when there is no such key.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn check_batch(batch: &[Change]) -> Result<(), VaultError> {
    check(batch.len() <= BATCH_RECORDS, "at most 10,000 records")?;
    let mut bytes = 0;
    for change in batch {
        let (kind, key, value) = match change {
            Change::Put { kind, key, value, .. } => (kind, key, value.len()),
            Change::Delete { kind, key } => (kind, key, 0),
        };
        check_kind(kind)?;
        check_key(key)?;
        check(value <= VALUE_BYTES, "a value of at most 4 MiB")?;
        bytes += key.len() + value;
    }
    check(bytes <= BATCH_BYTES, "a batch of at most 16 MiB")
}

/// A slash in a kind would let two records share an address.
fn check_kind(kind: &str) -> Result<(), VaultError> {
    let formed = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    check(formed && (1..=KIND_BYTES).contains(&kind.len()), "a kind of 1 to 32 characters, a-z and _")
}

fn check_key(key: &[u8]) -> Result<(), VaultError> {
    check(key.len() <= KEY_BYTES, "a key of at most 512 bytes")
}

fn check(within: bool, bound: &'static str) -> Result<(), VaultError> {
    if within { Ok(()) } else { Err(VaultError::TooLarge(bound)) }
}
