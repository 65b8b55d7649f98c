//! Tenants, plans, keys and operators. Small and read on every request, so the whole of it is kept in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::store::{Created, StoreError, WriteError};
use crate::domain::audit::{Action, Actor};
use crate::domain::id::{KeyId, OperatorId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::operator::{OperatorAccount, Role, TokenHash};
use crate::domain::person::Person;
use crate::domain::plan::{Caps, Plan, SuspendedInbound};
use crate::domain::scope::SystemScope;
use crate::domain::tenant::{ApiKey, KeyHash, Minted, Tenant, TenantStanding, TenantStatus};
use crate::domain::time::WallTime;

/// Operators who may come in, at once, besides `root`.
pub const OPERATORS_MAX: usize = 100;

/// Everything at one instant. Deleted tenants and their keys are not in it.
#[derive(Default, Clone)]
pub struct Snapshot {
    /// By id.
    pub tenants: HashMap<TenantId, Tenant>,
    /// Newest version of each, by code.
    pub plans: BTreeMap<String, Plan>,
    /// Keys that are not revoked, by hash. Expiry is for the reader to judge. `last_used_at` is as it was when they
    /// were read.
    pub keys: HashMap<KeyHash, ApiKey>,
    /// Operators besides `root`. Revoked ones too, so that it is known whose token is refused.
    pub operators: HashMap<OperatorId, OperatorAccount>,
    /// Whose token each is, by hash.
    pub tokens: HashMap<TokenHash, OperatorId>,
}

impl Snapshot {
    /// Adds an operator.
    pub fn admit(&mut self, operator: OperatorAccount) {
        self.tokens.extend(operator.hash.map(|hash| (hash, operator.id)));
        self.operators.insert(operator.id, operator);
    }

    /// Whose token this is.
    pub fn operator_by(&self, token: &TokenHash) -> Option<&OperatorAccount> {
        self.operators.get(self.tokens.get(token)?)
    }

    /// The plan a tenant is under now.
    pub fn plan_of(&self, tenant: TenantId) -> Option<&Plan> {
        self.plans.get(&self.tenants.get(&tenant)?.plan)
    }

    /// What binds a tenant now; `None` when it does not exist.
    pub fn caps_of(&self, tenant: TenantId) -> Option<Caps> {
        let silent = self.standing_of(tenant) == TenantStanding::Stopped;
        self.plan_of(tenant).map(|plan| Caps { silent, ..plan.caps() })
    }

    /// What a tenant may do by what it has paid; nothing when it does not exist.
    pub fn standing_of(&self, tenant: TenantId) -> TenantStanding {
        self.tenants.get(&tenant).map_or(TenantStanding::Stopped, |tenant| tenant.standing)
    }

    /// Whether a tenant's sessions are stopped, whatever is wanted of them: the tenant may not act, or has not paid and its plan
    /// does not keep them connected meanwhile.
    pub fn is_at_rest(&self, tenant: TenantId) -> bool {
        let parks =
            || self.plan_of(tenant).is_none_or(|plan| plan.suspended_inbound == SuspendedInbound::Park);
        self.is_suspended(tenant) || (self.standing_of(tenant) == TenantStanding::Stopped && parks())
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

impl TenantPatch {
    /// What this change is called.
    pub fn action(&self) -> Action {
        match self.status {
            Some(TenantStatus::Suspended) => Action::TenantSuspend,
            Some(TenantStatus::Active) => Action::TenantResume,
            None => Action::TenantUpdate,
        }
    }
}

/// Changes to an operator; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new role.
    pub role: Option<Role>,
}

/// Reads are answered from memory; writes are durable before they are answered, and the next snapshot shows them.
///
/// Every write that changes something adds an entry to the audit, in the same transaction: both are there or neither.
/// It names whoever signed; what nobody signed is the server's own. What changes nothing adds none.
///
/// Refusals: 409 `conflict` for a plan code that exists, a key that cannot be rotated
/// ([`ApiKey::rotated`]) and an operator beyond [`OPERATORS_MAX`], 404 `not_found` for what does not, 422 `invalid_request` with
/// pointer `/plan` for an unknown plan code, and those of idempotency.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Everything now. Cheap, never fails; at most 1 s behind what other processes wrote.
    fn snapshot(&self) -> Arc<Snapshot>;

    /// The same directory; what is written through it is written by `actor`.
    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Directory>;

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

    /// Removes a plan with all its versions. 409 `conflict` while anybody holds on to it
    /// ([`Holders`](crate::domain::plan::Holders)).
    async fn delete_plan(&self, code: &str) -> Result<(), WriteError>;

    /// Adds a key. 409 `conflict` when the tenant's plan has no seat left ([`find_seat`](crate::domain::tenant::find_seat)).
    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError>;

    /// Every key of a tenant, newest first, revoked ones too.
    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError>;

    /// Puts a new key into the place of `id`, as [`ApiKey::rotated`] says; the new one.
    async fn rotate_key(
        &self,
        id: KeyId,
        minted: Minted,
        overlap: Duration,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError>;

    /// Revokes a key, at once and for good. Idempotent.
    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<(), WriteError>;

    /// Writes when keys were last used; a time that is older than the one written changes nothing. No operator does
    /// this, so it is not in the audit, and snapshots need not show it.
    async fn note_use(&self, scope: SystemScope, marks: Vec<(KeyId, WallTime)>) -> Result<(), StoreError>;

    /// Adds an operator, with what they sign in with if they are a person. 409 when another has the address.
    async fn create_operator(
        &self,
        operator: OperatorAccount,
        person: Option<Person>,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<OperatorAccount>, WriteError>;

    /// Adds the first person; 409 when there is one, whoever asked in.
    async fn found(&self, operator: OperatorAccount, person: Person) -> Result<(), WriteError>;

    /// Changes an operator. 409 for a lower role of the last owner who can sign in.
    async fn patch_operator(
        &self,
        id: OperatorId,
        patch: OperatorPatch,
    ) -> Result<OperatorAccount, WriteError>;

    /// Refuses an operator, at once and for good, and ends their sign-ins. Idempotent. 409 for the last owner who can sign in.
    async fn revoke_operator(&self, id: OperatorId, at: WallTime) -> Result<(), WriteError>;
}
