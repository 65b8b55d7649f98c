//! Small secrets of a tenant that lie in rows: sealed under the tenant's own key, which the vault keeps.

use async_trait::async_trait;

use super::vault::{Secret, VaultError};
use crate::domain::id::TenantId;

/// Seals and opens a tenant's secrets.
#[async_trait]
pub trait Sealer: Send + Sync {
    /// Seals `secret` for one `place`, such as `webhooks/whk_…`: it opens nowhere else.
    async fn seal(&self, tenant: TenantId, place: &str, secret: &[u8]) -> Result<Vec<u8>, VaultError>;

    /// Opens what was sealed for this place; `Sealed` when it was altered, moved, or the tenant's key destroyed.
    async fn open(&self, tenant: TenantId, place: &str, sealed: &[u8]) -> Result<Secret, VaultError>;
}
