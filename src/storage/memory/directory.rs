//! Tenants, plans and keys.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Made, Owner, State, TenantRow};
use crate::domain::id::{KeyId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::plan::{Allowance, Plan};
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::tenant::{ApiKey, Tenant};
use crate::domain::time::WallTime;
use crate::ports::directory::{Directory, Snapshot, TenantPatch};
use crate::ports::store::{Created, StoreError, WriteError};

fn known_plan<'a>(state: &'a State, code: &str) -> Result<&'a Plan, Refusal> {
    let unknown = || Fault::new("/plan", "not_allowed", "no plan has this code");
    state.plan(code).ok_or_else(|| Refusal::invalid(vec![unknown()]))
}

#[async_trait]
impl Directory for MemoryStore {
    fn snapshot(&self) -> Arc<Snapshot> {
        let state = self.read();
        let tenants = state.tenants.iter().filter(|(_, row)| !row.deleted);
        let newest = |(code, versions): (&String, &Vec<Plan>)| Some((code.clone(), versions.last()?.clone()));
        let usable = |key: &&ApiKey| key.revoked_at.is_none() && state.tenant(key.tenant).is_some();
        Arc::new(Snapshot {
            tenants: tenants.map(|(&id, row)| (id, row.tenant.clone())).collect(),
            plans: state.plans.iter().filter_map(newest).collect(),
            keys: state.keys.values().filter(usable).map(|key| (key.hash, key.clone())).collect(),
        })
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn create_tenant(
        &self,
        tenant: Tenant,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Tenant>, WriteError> {
        self.write(|state| {
            match state.replay(Owner::Operators, idempotency.as_ref(), tenant.created_at)? {
                Some(Made::Tenant(first)) => {
                    let first = state.tenant(*first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(first.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            known_plan(state, &tenant.plan)?;
            state.remember(Owner::Operators, idempotency, Made::Tenant(tenant.id), tenant.created_at);
            state.tenants.insert(tenant.id, TenantRow { tenant: tenant.clone(), deleted: false });
            Ok(Created::New(tenant))
        })
    }

    async fn patch_tenant(
        &self,
        id: TenantId,
        patch: TenantPatch,
        at: WallTime,
    ) -> Result<Tenant, WriteError> {
        self.write(|state| {
            state.tenant(id).ok_or_else(Refusal::not_found)?;
            let allowance = match &patch.plan {
                Some(code) => {
                    let plan = known_plan(state, code)?;
                    Some(Allowance { limit: plan.messages_per_month, quota: plan.quota })
                }
                None => None,
            };
            if let Some(allowance) = allowance {
                // Another plan is another contract: it binds this month already.
                let months = state.usage.iter_mut().filter(|((tenant, _), _)| *tenant == id);
                for (_, row) in months.filter(|((_, start), row)| (*start..row.end).contains(&at)) {
                    row.allowance = allowance;
                }
            }
            let row = state.tenants.get_mut(&id).ok_or_else(Refusal::not_found)?;
            let TenantPatch { name, plan, status } = patch;
            row.tenant.name = name.unwrap_or_else(|| row.tenant.name.clone());
            row.tenant.plan = plan.unwrap_or_else(|| row.tenant.plan.clone());
            row.tenant.status = status.unwrap_or(row.tenant.status);
            Ok(row.tenant.clone())
        })
    }

    async fn delete_tenant(&self, id: TenantId, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            let row = state.tenants.get_mut(&id).filter(|row| !row.deleted);
            row.ok_or_else(Refusal::not_found)?.deleted = true;
            for key in state.keys.values_mut().filter(|key| key.tenant == id) {
                key.revoked_at.get_or_insert(at);
            }
            for row in state.webhooks.endpoints.values_mut().filter(|row| row.webhook.tenant == id) {
                row.deleted = true;
            }
            let own = state.sessions.values().filter(|row| row.session.tenant == id && !row.deleted);
            let own: Vec<_> = own.map(|row| row.session.id).collect();
            own.into_iter().for_each(|session| state.delete_session(session, at));
            Ok(())
        })
    }

    async fn create_plan(
        &self,
        plan: Plan,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Created<Plan>, WriteError> {
        self.write(|state| {
            match state.replay(Owner::Operators, idempotency.as_ref(), at)? {
                Some(Made::Plan(first)) => {
                    let first = state.plan(first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(first.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            if state.plans.contains_key(&plan.code) {
                return Err(Refusal::conflict("a plan of this code exists; PUT writes a new version").into());
            }
            state.remember(Owner::Operators, idempotency, Made::Plan(plan.code.clone()), at);
            state.plans.insert(plan.code.clone(), vec![plan.clone()]);
            Ok(Created::New(plan))
        })
    }

    async fn put_plan(&self, plan: Plan, _: WallTime) -> Result<Plan, WriteError> {
        self.write(|state| {
            let versions = state.plans.get_mut(&plan.code).ok_or_else(Refusal::not_found)?;
            versions.push(plan.clone());
            Ok(plan)
        })
    }

    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        self.write(|state| {
            match state.replay(Owner::Operators, idempotency.as_ref(), key.created_at)? {
                Some(Made::Key(first)) => {
                    let first = state.keys.get(first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(first.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            state.tenant(key.tenant).ok_or_else(Refusal::not_found)?;
            state.remember(Owner::Operators, idempotency, Made::Key(key.id), key.created_at);
            state.keys.insert(key.id, key.clone());
            Ok(Created::New(key))
        })
    }

    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.read().keys.values().rev().filter(|key| key.tenant == tenant).cloned().collect())
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            let key = state.keys.get_mut(&id).ok_or_else(Refusal::not_found)?;
            key.revoked_at.get_or_insert(at);
            Ok(())
        })
    }
}
