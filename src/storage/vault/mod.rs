//! The sealed vault over its own SQLite file, `<data>/vault.db`.
//!
//! Commits of all sessions share one fsync (`writer`, decided by `group`), reads go beside them. Values are sealed by
//! the session's handle before they leave it (`session`, `seal`); the keys are `keyring`'s. A rollback of the whole
//! file is not noticed by it: no backup of this file is ever live state.

mod files;
mod group;
mod keyring;
mod schema;
mod seal;
mod session;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Cell};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use tokio::sync::Mutex;

use self::group::Shared;
pub use self::keyring::KeyFile;
use self::keyring::Keyring;
use self::seal::{Addresses, Key};
use self::session::SessionVault;
use self::writer::{Alone, WriterHandle, unavailable};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::scope::SystemScope;
use crate::domain::session::Lease;
use crate::domain::time::WallTime;
use crate::ports::clock::Clock;
use crate::ports::sealer::Sealer;
use crate::ports::vault::{Secret, Vault, VaultError, Vaults, Writer};

/// How long an archive is kept.
const ARCHIVED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Rows one sweep transaction removes; other sessions' commits go between two of them.
const SWEPT_AT_ONCE: u32 = 1_000;

/// Where the vault lives.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// Holds `vault.db` and `tenants/<tenant id>/data.key`. Has to exist; one process at a time.
    pub data_dir: PathBuf,
    /// Holds the key-encryption key, 64 hex digits; made if neither it nor any tenant's key exists. Belongs outside
    /// the data directory: whoever has both has every account.
    pub key_file: PathBuf,
}

/// Vaults in one SQLite file.
pub struct SqliteVaults {
    keys: Arc<Keyring>,
    writes: WriterHandle,
    reads: DatabaseConnection,
    clock: Arc<dyn Clock>,
}

/// Opens the file, making it and the key-encryption key if need be. Its writer runs on the current tokio runtime until
/// the last vault of it is dropped.
///
/// Fails with `Unavailable` when a file cannot be read, and when the key file does not fit the tenants' keys.
pub async fn open(options: VaultOptions, clock: Arc<dyn Clock>) -> Result<Arc<SqliteVaults>, VaultError> {
    let file = options.data_dir.join("vault.db");
    let keys = blocking({
        let file = file.clone();
        move || prepare(&options, &file)
    })
    .await?;
    let writes = schema::writer(&file).await.map_err(|error| unavailable(&error))?;
    let reads = schema::readers(&file).await.map_err(|error| unavailable(&error))?;
    Ok(Arc::new(SqliteVaults { keys: Arc::new(keys), writes: WriterHandle::spawn(writes), reads, clock }))
}

/// Looks at the key file that `options` name, without making or changing anything. Reads files: not for an async thread
/// that serves others.
pub fn look(options: &VaultOptions) -> Result<KeyFile, VaultError> {
    keyring::look(&options.data_dir.join("tenants"), &options.key_file)
}

fn prepare(options: &VaultOptions, file: &Path) -> Result<Keyring, VaultError> {
    let tenants = options.data_dir.join("tenants");
    files::private_dir(&tenants).map_err(|error| keyring::failed("make", &tenants, &error))?;
    // SQLite gives its log and its index the mode of the file they belong to.
    files::private_file(file).map_err(|error| keyring::failed("make", file, &error))?;
    Keyring::open(tenants, &options.key_file)
}

impl SqliteVaults {
    /// Transactions committed since the start, each one fsync. For metrics.
    pub fn transactions(&self) -> u64 {
        self.writes.transactions()
    }

    async fn key_of(&self, tenant: TenantId) -> Result<Arc<Key>, VaultError> {
        let keys = self.keys.clone();
        blocking(move || keys.of(tenant)).await
    }
}

#[async_trait]
impl Vaults for SqliteVaults {
    async fn open(&self, lease: Lease, writer: Writer) -> Result<Arc<dyn Vault>, VaultError> {
        let key = self.key_of(lease.tenant).await?;
        let header = self.writes.share(Shared::Open(lease), None).await?;
        Ok(Arc::new(SessionVault {
            lease,
            writer,
            header: Cell::new(header),
            key,
            addresses: Addresses::of(lease.tenant, lease.session),
            writes: self.writes.clone(),
            reads: self.reads.clone(),
            clock: self.clock.clone(),
            turns: Arc::new(Mutex::new(())),
        }))
    }

    async fn archive(&self, lease: Lease, at: WallTime) -> Result<(), VaultError> {
        self.writes.alone(Alone::Archive(lease, at), None).await.map(drop)
    }

    async fn destroy(&self, _: SystemScope, _: TenantId, session: SessionId) -> Result<(), VaultError> {
        self.writes.alone(Alone::Destroy(session), None).await.map(drop)
    }

    async fn destroy_tenant(&self, _: SystemScope, tenant: TenantId) -> Result<(), VaultError> {
        // The key first: without it the rows are noise, whatever becomes of the rest.
        let keys = self.keys.clone();
        blocking(move || keys.destroy(tenant)).await?;
        self.writes.alone(Alone::DestroyTenant(tenant), None).await.map(drop)
    }

    async fn sweep(&self, _: SystemScope, at: WallTime) -> Result<u64, VaultError> {
        let mut total = 0;
        loop {
            let part = Alone::Sweep { now: at, archived_before: at - ARCHIVED, limit: SWEPT_AT_ONCE };
            let gone = self.writes.alone(part, None).await?;
            total += gone;
            if gone < u64::from(SWEPT_AT_ONCE) {
                return Ok(total);
            }
        }
    }
}

#[async_trait]
impl Sealer for SqliteVaults {
    async fn seal(&self, tenant: TenantId, place: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.key_of(tenant).await?.seal(&Addresses::beside(tenant, place), secret))
    }

    async fn open(&self, tenant: TenantId, place: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
        let key = self.key_of(tenant).await?;
        key.open(&Addresses::beside(tenant, place), sealed).ok_or(VaultError::Sealed)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(VaultError::Unavailable(error.to_string())),
    }
}
