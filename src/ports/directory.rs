//! Tenants, plans and keys. Small and read on every request, so the whole of it is kept in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;

use super::store::{Created, StoreError, WriteError};
use crate::domain::id::{KeyId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::plan::{Caps, Plan};
use crate::domain::tenant::{ApiKey, KeyHash, Tenant, TenantStatus};
use crate::domain::time::WallTime;

/// Everything at one instant. Deleted tenants and their keys are not in it.
#[derive(Default, Clone)]
pub struct Snapshot {
    /// By id.
    pub tenants: HashMap<TenantId, Tenant>,
    /// Newest version of each, by code.
    pub plans: BTreeMap<String, Plan>,
    /// Keys that are not revoked, by hash. Expiry is for the reader to judge.
    pub keys: HashMap<KeyHash, ApiKey>,
}

impl Snapshot {
    /// The plan a tenant is under now.
    pub fn plan_of(&self, tenant: TenantId) -> Option<&Plan> {
        self.plans.get(&self.tenants.get(&tenant)?.plan)
    }

    /// What binds a tenant now; `None` when it does not exist.
    pub fn caps_of(&self, tenant: TenantId) -> Option<Caps> {
        self.plan_of(tenant).map(Plan::caps)
    }

    /// Whether a tenant may not act: the operator suspended it, or it does not exist.
    pub fn is_suspended(&self, tenant: TenantId) -> bool {
        self.tenants.get(&tenant).is_none_or(|tenant| tenant.status == TenantStatus::Suspended)
    }
}

/// Changes to a tenant; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new plan, by code. Its quota binds this month already; `usage` keeps what was used.
    pub plan: Option<String>,
    /// A new standing.
    pub status: Option<TenantStatus>,
}

/// Reads are answered from memory; writes are durable before they are answered, and the next snapshot shows them.
///
/// Refusals: 409 `conflict` for a plan code that exists, 404 `not_found` for what does not, 422 `invalid_request` with
/// pointer `/plan` for an unknown plan code, and those of idempotency.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Everything now. Cheap, never fails; at most 1 s behind what other processes wrote.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// Reads what other processes have written since.
    async fn refresh(&self) -> Result<(), StoreError>;

    /// Adds a tenant. A replay answers the tenant as it is now.
    async fn create_tenant(
        &self,
        tenant: Tenant,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Tenant>, WriteError>;

    /// Changes a tenant.
    async fn patch_tenant(
        &self,
        id: TenantId,
        patch: TenantPatch,
        at: WallTime,
    ) -> Result<Tenant, WriteError>;

    /// Removes a tenant, its keys and its sessions. What waits is canceled; records stay until their retention ends.
    async fn delete_tenant(&self, id: TenantId, at: WallTime) -> Result<(), WriteError>;

    /// Adds a plan.
    async fn create_plan(
        &self,
        plan: Plan,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Created<Plan>, WriteError>;

    /// Writes a new version of a plan.
    async fn put_plan(&self, plan: Plan, at: WallTime) -> Result<Plan, WriteError>;

    /// Adds a key.
    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError>;

    /// Every key of a tenant, newest first, revoked ones too.
    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key, at once and for good. Idempotent.
    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<(), WriteError>;
}
