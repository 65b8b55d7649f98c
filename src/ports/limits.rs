//! The sum of a tenant's attempts over all its sessions, where its plan sets one.

use std::num::NonZeroU32;

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::session::Lease;
use crate::domain::time::{Moment, Reading};

/// A sliding window per tenant, shared by its sessions.
#[async_trait]
pub trait TenantWindows: Send + Sync {
    /// Takes one slot of any 61 s of the lease's tenant, or says when one opens. A slot taken stays taken, even if nothing
    /// is sent. May refuse an owner that a newer one has asked after with [`StoreError::Fenced`]; need not.
    async fn take(
        &self,
        lease: Lease,
        cap: NonZeroU32,
        at: Reading,
    ) -> Result<Result<(), Moment>, StoreError>;
}
