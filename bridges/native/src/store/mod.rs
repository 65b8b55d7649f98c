//! The library's storage over a session's vault.
//!
//! A record describes itself: protobuf as the library writes it, JSON elsewhere, so that the version before can read it. What
//! must survive before the wire is *strict* and answered after its commit; what can be fetched or missed is *lazy* and
//! rides along. What expires does so in the vault: nothing is listed to be swept.

mod app_sync;
mod device;
mod protocol;
mod secrets;
mod signal;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use wacore::store::error::{Result, StoreError};
use wacore::store::traits::TcTokenEntry;

use crate::vault::{Lost, Vault};

/// Messages whose secrets were written of late, so that a second write of one is merged with the first.
const RECENT_SECRETS: usize = 512;

/// Storage of one session. The only writer of its vault.
pub struct Store {
    vault: Arc<Vault>,
    known: Mutex<Known>,
}

/// What the bridge knows without asking: which records there are of what is mostly missed, and small things that are
/// read with every message.
#[derive(Default)]
struct Known {
    sessions: HashSet<String>,
    identities: HashSet<String>,
    tokens: HashMap<String, TcTokenEntry>,
    secrets: VecDeque<Vec<u8>>,
}

impl Store {
    /// Reads the indexes: four pages for a small account.
    pub async fn open(vault: Arc<Vault>) -> std::result::Result<Self, Lost> {
        let mut known = Known::default();
        let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        for record in vault.list("session", "", false).await? {
            known.sessions.insert(text(record.key.as_slice()));
        }
        for record in vault.list("identity", "", false).await? {
            known.identities.insert(text(record.key.as_slice()));
        }
        for record in vault.list("tctoken", "", true).await? {
            let entry = record.value.as_ref().and_then(|value| serde_json::from_slice(value.as_slice()).ok());
            if let Some(entry) = entry {
                known.tokens.insert(text(record.key.as_slice()), entry);
            }
        }
        Ok(Self { vault, known: Mutex::new(known) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, kind: &'static str, key: impl Into<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        let value = self.vault.get_one(kind, key).await.map_err(lost)?;
        Ok(value.map(|value| value.as_slice().to_vec()))
    }

    async fn read_json<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        key: impl Into<Vec<u8>>,
    ) -> Result<Option<T>> {
        let value = self.vault.get_one(kind, key).await.map_err(lost)?;
        value.map(|value| serde_json::from_slice(value.as_slice()).map_err(unreadable)).transpose()
    }

    async fn commit(&self, changes: Vec<columba_bridge_protocol::Change>) -> Result<()> {
        self.vault.commit(changes).await.map_err(lost)
    }

    fn later(&self, kind: &'static str, change: columba_bridge_protocol::Change) -> Result<()> {
        self.vault.later([(kind, change)]).map_err(lost)
    }
}

/// The session is ending, and writes nothing to the network any more: see `net::gate`.
fn lost(lost: Lost) -> StoreError {
    StoreError::Connection(Box::new(lost))
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Serialization(Box::new(error))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(unreadable)
}

/// Parts of a key; no part holds a zero byte.
fn joined(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

/// So long from now, as the vault takes it.
fn in_secs(secs: i64) -> i64 {
    (now_secs() + secs) * 1_000
}

fn now_secs() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
