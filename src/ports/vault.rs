//! Auth state: a small sealed key-value store per session. Losing or rolling back an acknowledged commit re-uses
//! message keys and the peer drops what follows silently, so every answer means a real fsync.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::scope::SystemScope;
use crate::domain::session::Lease;
use crate::domain::time::WallTime;

/// Bytes that are wiped from memory when dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// A vault call that did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    /// Nothing is known to have happened; ask again.
    #[error("vault unavailable: {0}")]
    Unavailable(String),
    /// A newer owner has opened it; this one must leave.
    #[error("fenced by a newer owner")]
    Fenced,
    /// A record does not open with the tenant's key at this address: it was moved, altered, or the key destroyed.
    #[error("record cannot be opened")]
    Sealed,
    /// Beyond a bound: a value of 4 MiB, a batch of 10,000 records or 16 MiB, a key of 512 bytes.
    #[error("beyond the vault's bounds: {0}")]
    TooLarge(&'static str),
}

/// Who writes a session's state. Two engines' states are not interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Writer {
    /// The engine's name.
    pub engine: String,
    /// Its exact version.
    pub version: String,
    /// Version of the form of its records.
    pub format: u32,
}

/// What is known about a session's state without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Who wrote last; `None` when nothing was ever written.
    pub writer: Option<Writer>,
    /// Whether that one closed in an orderly way, so that an older version may open it.
    pub clean: bool,
}

/// One change of a batch.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, sealed.
    Put {
        /// Namespace, such as `device` or `session`: `[a-z_]{1,32}`.
        kind: &'static str,
        /// Any bytes, at most 512.
        key: Vec<u8>,
        /// At most 4 MiB.
        value: Secret,
        /// Gone from then on.
        expires_at: Option<WallTime>,
    },
    /// Removes a record; absent is fine.
    Delete {
        /// Namespace.
        kind: &'static str,
        /// Key.
        key: Vec<u8>,
    },
}

/// Opens vaults.
#[async_trait]
pub trait Vaults: Send + Sync {
    /// Opens a session's state for `lease`; every older lease is fenced from here on.
    async fn open(&self, lease: Lease, writer: Writer) -> Result<Arc<dyn Vault>, VaultError>;

    /// Puts a session's state away, sealed, for 7 days, and leaves an empty one. Idempotent.
    async fn archive(&self, lease: Lease, at: WallTime) -> Result<(), VaultError>;

    /// Destroys a session's state, archive included. Idempotent.
    async fn destroy(
        &self,
        scope: SystemScope,
        tenant: crate::domain::id::TenantId,
        session: crate::domain::id::SessionId,
    ) -> Result<(), VaultError>;

    /// Destroys a tenant's data key, and with it every state of theirs. Idempotent.
    async fn destroy_tenant(
        &self,
        scope: SystemScope,
        tenant: crate::domain::id::TenantId,
    ) -> Result<(), VaultError>;

    /// Deletes expired records and archives older than 7 days. How many.
    async fn sweep(&self, scope: SystemScope, at: WallTime) -> Result<u64, VaultError>;
}

/// One session's state, for one owner. Calls take effect in the order they were made.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Who wrote last.
    fn header(&self) -> Header;

    /// The values of `keys`, in their order; expired ones are absent.
    async fn get(&self, kind: &'static str, keys: &[&[u8]]) -> Result<Vec<Option<Secret>>, VaultError>;

    /// Applies a batch, all or nothing. Answered after fsync.
    async fn commit(&self, batch: Vec<Change>) -> Result<(), VaultError>;

    /// Keys of a kind that begin with `prefix`, in order, at most `limit`, beyond `after`.
    async fn list(
        &self,
        kind: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, VaultError>;

    /// Removes every record.
    async fn wipe(&self) -> Result<(), VaultError>;

    /// Marks an orderly close.
    async fn close(&self) -> Result<(), VaultError>;
}
