//! On whose behalf a store is asked. There is no third kind: a store method takes one of these or is not tenant data.

use super::id::TenantId;

/// The right to read and write one tenant's rows. Only authentication builds one (`tests/it/layers.rs` looks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantScope(TenantId);

impl TenantScope {
    /// For the authenticated key of `tenant`.
    pub const fn authenticated(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// Whose rows.
    pub const fn tenant(self) -> TenantId {
        self.0
    }
}

/// The right to read across tenants: supervision, sweeps and the operator. Greppable on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemScope;
