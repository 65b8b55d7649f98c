//! Files of tenants: their records, which the store keeps, and their bytes, which lie beside it.
//!
//! A record of state `stored` is written after its bytes are on disk, and forgotten after they are removed. So whatever a
//! crash interrupts leaves bytes without a record, which nobody can reach, and which the next start removes.

use std::fs::File;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

use super::store::{Created, StoreError, WriteError};
use crate::domain::id::{MediaId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::media::{Found, MediaFile};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::Lease;
use crate::domain::time::WallTime;

/// Bytes by whose look the type of a file is known.
pub const HEAD: usize = 4 * 1024;

/// Whose file, and which.
pub type MediaName = (TenantId, MediaId);

/// Records of files. One that was taken away is absent to all but those who remove its bytes.
#[async_trait]
pub trait Media: Send + Sync {
    /// Adds the record of a file whose bytes are kept. 409 `conflict` when all that is kept of the tenant would be more than
    /// `total` bytes. What waits to be removed still counts.
    async fn keep(
        &self,
        scope: TenantScope,
        file: MediaFile,
        total: u64,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<MediaFile>, WriteError>;

    /// Adds the record of a file that came in and lies with the network. Not fenced: it is true whoever reports it.
    /// Idempotent.
    async fn note(&self, lease: Lease, file: MediaFile) -> Result<(), StoreError>;

    /// One record; `None` when absent or somebody else's.
    async fn get(&self, scope: TenantScope, id: MediaId) -> Result<Option<MediaFile>, StoreError>;

    /// Bytes that are kept of the tenant.
    async fn usage(&self, scope: TenantScope) -> Result<u64, StoreError>;

    /// A message is about to use it: its retention counts from `from` at the earliest. `None` when absent or somebody else's.
    async fn hold(
        &self,
        scope: TenantScope,
        id: MediaId,
        from: WallTime,
    ) -> Result<Option<MediaFile>, StoreError>;

    /// The bytes of one that lay with the network are kept now. 404 when it is absent, 409 as [`keep`](Self::keep).
    async fn fetched(
        &self,
        scope: TenantScope,
        id: MediaId,
        found: Found,
        total: u64,
    ) -> Result<MediaFile, WriteError>;

    /// Takes one away; its bytes are to be removed next. Whether there was one.
    async fn delete(&self, scope: TenantScope, id: MediaId, at: WallTime) -> Result<bool, StoreError>;

    /// Takes away what its tenant's plan keeps no longer ([`Plan::retention`](crate::domain::plan::Plan::retention), from
    /// [`kept_from`](MediaFile::kept_from)), at most `limit`. How many.
    async fn expire(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;

    /// What was taken away and not forgotten, at most `limit`.
    async fn gone(&self, scope: SystemScope, limit: u32) -> Result<Vec<MediaName>, StoreError>;

    /// Forgets what was taken away: its bytes are removed. Leaves others as they are.
    async fn forget(&self, scope: SystemScope, ids: Vec<MediaId>) -> Result<(), StoreError>;

    /// Records of state `stored` behind `after`, by id, at most `limit`.
    async fn stored(
        &self,
        scope: SystemScope,
        after: Option<MediaId>,
        limit: u32,
    ) -> Result<Vec<MediaName>, StoreError>;

    /// Which of these have a record, taken away or not; at most 500.
    async fn known(&self, scope: SystemScope, ids: Vec<MediaId>) -> Result<Vec<MediaId>, StoreError>;

    /// The bytes of these are not there: what the network may still have is `remote` again, the others are taken away.
    async fn lost(&self, scope: SystemScope, ids: Vec<MediaId>, at: WallTime) -> Result<(), StoreError>;
}

/// Bytes that could not be had or kept. The text names the system's complaint, never a file of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilesError {
    /// They are not there.
    #[error("no such bytes")]
    Absent,
    /// The disk is full or broken.
    #[error("media folder: {0}")]
    Broken(String),
}

/// Bytes of files, by the ids of their records: no word of a tenant's becomes part of a path.
#[async_trait]
pub trait MediaFiles: Send + Sync {
    /// Begins a file of this tenant's.
    async fn begin(&self, tenant: TenantId) -> Result<Box<dyn Incoming>, FilesError>;

    /// The bytes, to be read from the start.
    async fn open(&self, tenant: TenantId, id: MediaId) -> Result<File, FilesError>;

    /// Gives the bytes another name, `to`, which must not exist: for a program that is to read them. Whoever asked removes it.
    async fn lend(&self, tenant: TenantId, id: MediaId, to: &Path) -> Result<(), FilesError>;

    /// Removes them. Idempotent.
    async fn remove(&self, tenant: TenantId, id: MediaId) -> Result<(), FilesError>;

    /// Whether they are there.
    async fn has(&self, tenant: TenantId, id: MediaId) -> Result<bool, FilesError>;

    /// Tenants of whom anything is kept.
    async fn tenants(&self) -> Result<Vec<TenantId>, FilesError>;

    /// What is kept of one.
    async fn of(&self, tenant: TenantId) -> Result<Vec<MediaId>, FilesError>;
}

/// Bytes that could not be kept or had, as an answer of the store beside which they lie.
impl From<FilesError> for StoreError {
    fn from(error: FilesError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What a file on its way in has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
    /// The first of them, at most [`HEAD`].
    pub head: Vec<u8>,
}

/// A file on its way in, in constant memory. Dropped before it is kept it leaves nothing, nor does a crash.
#[async_trait]
pub trait Incoming: Send {
    /// Appends. Bounds are the caller's business.
    async fn write(&mut self, chunk: Bytes) -> Result<(), FilesError>;

    /// Appends what can be read of `from`, at most `most` bytes; whether that was all.
    async fn fill(&mut self, from: File, most: u64) -> Result<bool, FilesError>;

    /// What has been written so far.
    async fn whole(&mut self) -> Result<Whole, FilesError>;

    /// Makes it durable under this id, in place of what may be there.
    async fn keep(self: Box<Self>, id: MediaId) -> Result<(), FilesError>;
}
