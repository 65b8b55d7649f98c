//! Vaults without a disk and without seals.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use columba::domain::id::{SessionId, TenantId};
use columba::domain::scope::SystemScope;
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::WallTime;
use columba::ports::vault::{Change, Header, Secret, Vault, VaultError, Vaults, Writer};

/// What a vault holds.
pub type Records = BTreeMap<(&'static str, Vec<u8>), Secret>;

/// One session's state in memory. Can be told to fail.
#[derive(Default)]
pub struct MemoryVault {
    records: Mutex<Records>,
    writes: AtomicUsize,
    fails_with: Mutex<Option<VaultError>>,
}

impl MemoryVault {
    /// Every call answers `error` from now on, or works again.
    pub fn fail(&self, error: impl Into<Option<VaultError>>) {
        *self.fails_with.lock().unwrap() = error.into();
    }

    /// Everything in it, and how often it was written, marked or wiped.
    pub fn content(&self) -> (Records, usize) {
        (self.records.lock().unwrap().clone(), self.writes.load(Ordering::SeqCst))
    }

    fn check_write(&self) -> Result<(), VaultError> {
        self.check()?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        Ok(())
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
        self.check_write()?;
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
        self.check_write()?;
        self.records.lock().unwrap().clear();
        Ok(())
    }

    async fn close(&self) -> Result<(), VaultError> {
        self.check_write()
    }
}

/// Vaults of many sessions. An older owner's is fenced, and what was destroyed or archived is remembered.
#[derive(Default)]
pub struct MemoryVaults {
    open: Mutex<BTreeMap<SessionId, (Epoch, Arc<MemoryVault>)>>,
    archived: Mutex<Vec<SessionId>>,
    destroyed: Mutex<Vec<SessionId>>,
}

impl MemoryVaults {
    /// A session's state.
    pub fn of(&self, session: SessionId) -> Arc<MemoryVault> {
        self.open.lock().unwrap().entry(session).or_default().1.clone()
    }

    /// Sessions whose state was put away, in order.
    pub fn archived(&self) -> Vec<SessionId> {
        self.archived.lock().unwrap().clone()
    }

    /// Sessions whose state was destroyed, in order.
    pub fn destroyed(&self) -> Vec<SessionId> {
        self.destroyed.lock().unwrap().clone()
    }
}

#[async_trait]
impl Vaults for MemoryVaults {
    async fn open(&self, lease: Lease, _: Writer) -> Result<Arc<dyn Vault>, VaultError> {
        let mut open = self.open.lock().unwrap();
        let (epoch, vault) = open.entry(lease.session).or_default();
        if *epoch > lease.epoch {
            return Err(VaultError::Fenced);
        }
        *epoch = lease.epoch;
        Ok(vault.clone())
    }

    async fn archive(&self, lease: Lease, _: WallTime) -> Result<(), VaultError> {
        match self.open.lock().unwrap().get(&lease.session) {
            Some((epoch, _)) if *epoch > lease.epoch => return Err(VaultError::Fenced),
            _ => self.archived.lock().unwrap().push(lease.session),
        }
        Ok(())
    }

    async fn destroy(&self, _: SystemScope, _: TenantId, session: SessionId) -> Result<(), VaultError> {
        self.open.lock().unwrap().remove(&session);
        self.destroyed.lock().unwrap().push(session);
        Ok(())
    }

    async fn destroy_tenant(&self, _: SystemScope, _: TenantId) -> Result<(), VaultError> {
        Ok(())
    }

    async fn sweep(&self, _: SystemScope, _: WallTime) -> Result<u64, VaultError> {
        Ok(0)
    }
}
