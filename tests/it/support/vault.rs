//! A vault without a disk and without seals.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use columba::ports::vault::{Change, Header, Secret, Vault, VaultError};

/// One session's state in memory. Can be told to fail.
#[derive(Default)]
pub struct MemoryVault {
    records: Mutex<BTreeMap<(&'static str, Vec<u8>), Secret>>,
    fails_with: Mutex<Option<VaultError>>,
}

impl MemoryVault {
    /// Every call answers `error` from now on, or works again.
    pub fn fail(&self, error: impl Into<Option<VaultError>>) {
        *self.fails_with.lock().unwrap() = error.into();
    }

    fn check(&self) -> Result<(), VaultError> {
        self.fails_with.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Vault for MemoryVault {
    fn header(&self) -> Header {
        Header { writer: None, clean: false }
    }

    async fn get(&self, kind: &'static str, keys: &[&[u8]]) -> Result<Vec<Option<Secret>>, VaultError> {
        self.check()?;
        let records = self.records.lock().unwrap();
        Ok(keys.iter().map(|key| records.get(&(kind, key.to_vec())).cloned()).collect())
    }

    async fn commit(&self, batch: Vec<Change>) -> Result<(), VaultError> {
        self.check()?;
        let mut records = self.records.lock().unwrap();
        for change in batch {
            match change {
                Change::Put { kind, key, value, .. } => records.insert((kind, key), value),
                Change::Delete { kind, key } => records.remove(&(kind, key)),
            };
        }
        Ok(())
    }

    async fn list(
        &self,
        kind: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, VaultError> {
        self.check()?;
        let records = self.records.lock().unwrap();
        let keys = records.keys().filter(|(of, key)| *of == kind && key.starts_with(prefix));
        let beyond = keys.filter(|(_, key)| after.is_none_or(|after| key.as_slice() > after));
        Ok(beyond.map(|(_, key)| key.clone()).take(limit as usize).collect())
    }

    async fn wipe(&self) -> Result<(), VaultError> {
        self.check()?;
        self.records.lock().unwrap().clear();
        Ok(())
    }

    async fn close(&self) -> Result<(), VaultError> {
        self.check()
    }
}
