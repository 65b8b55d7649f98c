//! Tenants, plans, keys and operators.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::MemoryStore;
use super::state::{Made, Owner, State, TenantRow};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::{KeyId, OperatorId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::operator::{OperatorAccount, Role};
use crate::domain::person::Person;
use crate::domain::plan::{Allowance, Holders, Plan};
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::tenant::{ApiKey, Minted, Tenant, find_seat};
use crate::domain::time::WallTime;
use crate::ports::directory::{Directory, OPERATORS_MAX, OperatorPatch, Snapshot, TenantPatch};
use crate::ports::store::{Created, StoreError, WriteError};

fn known_plan<'a>(state: &'a State, code: &str) -> Result<&'a Plan, Refusal> {
    let unknown = || Fault::new("/plan", "not_allowed", "no plan has this code");
    state.plan(code).ok_or_else(|| Refusal::invalid(vec![unknown()]))
}

/// [`Directory`] over the state, as one actor writes it.
pub struct MemoryDirectory {
    store: Arc<MemoryStore>,
    by: Actor,
}

impl MemoryDirectory {
    /// What the server itself writes.
    pub fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, by: Actor::system() }
    }

    fn write<T>(&self, transaction: impl FnOnce(&mut State) -> T) -> T {
        self.store.write(transaction)
    }
}

#[async_trait]
impl Directory for MemoryDirectory {
    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Directory> {
        Arc::new(Self { store: Arc::clone(&self.store), by: actor })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        let state = self.store.read();
        let tenants = state.tenants.iter().filter(|(_, row)| row.deleted_at.is_none());
        let newest = |(code, versions): (&String, &Vec<Plan>)| Some((code.clone(), versions.last()?.clone()));
        let usable = |key: &&ApiKey| key.revoked_at.is_none() && state.tenant(key.tenant).is_some();
        let mut snapshot = Snapshot {
            tenants: tenants.map(|(&id, row)| (id, row.tenant.clone())).collect(),
            plans: state.plans.iter().filter_map(newest).collect(),
            keys: state.keys.values().filter(usable).map(|key| (key.hash, key.clone())).collect(),
            ..Snapshot::default()
        };
        state.operators.values().for_each(|operator| snapshot.admit(operator.clone()));
        Arc::new(snapshot)
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
            state.tenants.insert(tenant.id, TenantRow { tenant: tenant.clone(), deleted_at: None });
            state.record(
                &self.by,
                Act::new(Action::TenantCreate, "tenant", tenant.id).of(tenant.id).after(&tenant),
            );
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
            let before = state.tenant(id).ok_or_else(Refusal::not_found)?.clone();
            let allowance = match &patch.plan {
                Some(code) => {
                    let plan = known_plan(state, code)?;
                    Some(Allowance { limit: plan.messages_per_month, quota: plan.quota })
                }
                None => None,
            };
            if let Some(allowance) = allowance {
                state.rewrite_month(id, allowance, at);
            }
            let row = state.tenants.get_mut(&id).ok_or_else(Refusal::not_found)?;
            let action = patch.action();
            let TenantPatch { name, plan, status } = patch;
            row.tenant.name = name.unwrap_or_else(|| row.tenant.name.clone());
            row.tenant.plan = plan.unwrap_or_else(|| row.tenant.plan.clone());
            row.tenant.status = status.unwrap_or(row.tenant.status);
            let after = row.tenant.clone();
            if after != before {
                let act = Act::new(action, "tenant", id).of(id).before(&before).after(&after);
                state.record(&self.by, act);
            }
            Ok(after)
        })
    }

    async fn delete_tenant(&self, id: TenantId, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            let row = state.tenants.get_mut(&id).filter(|row| row.deleted_at.is_none());
            let row = row.ok_or_else(Refusal::not_found)?;
            row.deleted_at = Some(at);
            let act = Act::new(Action::TenantDelete, "tenant", id).of(id).before(&row.tenant);
            state.record(&self.by, act);
            state.ledger.end(id, at);
            for key in state.keys.values_mut().filter(|key| key.tenant == id) {
                key.revoked_at.get_or_insert(at);
            }
            for row in state.webhooks.endpoints.values_mut().filter(|row| row.webhook.tenant == id) {
                row.deleted = true;
            }
            let own = state.sessions.values().filter(|row| row.session.tenant == id && !row.deleted);
            let own: Vec<_> = own.map(|row| row.session.id).collect();
            own.into_iter().for_each(|session| state.delete_session(session, at));
            state.take_media_away(usize::MAX, |file| file.tenant == id);
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
            state.record(&self.by, Act::new(Action::PlanCreate, "plan", &plan.code).after(&plan));
            Ok(Created::New(plan))
        })
    }

    async fn put_plan(&self, plan: Plan, _: WallTime) -> Result<Plan, WriteError> {
        self.write(|state| {
            let versions = state.plans.get_mut(&plan.code).ok_or_else(Refusal::not_found)?;
            let act = Act::new(Action::PlanReplace, "plan", &plan.code);
            let act = match versions.last() {
                Some(last) => act.before(last),
                None => act,
            };
            versions.push(plan.clone());
            state.record(&self.by, act.after(&plan));
            Ok(plan)
        })
    }

    async fn delete_plan(&self, code: &str) -> Result<(), WriteError> {
        self.write(|state| {
            let last = state.plan(code).cloned().ok_or_else(Refusal::not_found)?;
            let count = |holds: &dyn Fn(&TenantRow) -> bool| {
                state.tenants.values().filter(|row| holds(row)).count() as u64
            };
            let remains = |tenant| {
                state.messages.values().any(|row| row.message.tenant == tenant)
                    || state.media.values().any(|row| row.file.tenant == tenant)
            };
            let is_here = |row: &TenantRow| row.deleted_at.is_none();
            let holders = Holders {
                have: count(&|row| is_here(row) && row.tenant.plan == code),
                begin_next: count(&|row| is_here(row) && state.ledger.next_plan(row.tenant.id) == Some(code)),
                remain: count(&|row| !is_here(row) && row.tenant.plan == code && remains(row.tenant.id)),
            };
            holders.let_go()?;
            state.plans.remove(code);
            state.record(&self.by, Act::new(Action::PlanDelete, "plan", code).before(&last));
            Ok(())
        })
    }

    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        self.write(|state| {
            if let Some(first) = made_before(state, idempotency.as_ref(), key.created_at)? {
                return Ok(Created::Replayed(first));
            }
            let code = &state.tenant(key.tenant).ok_or_else(Refusal::not_found)?.plan;
            let most = state.plan(code).and_then(|plan| plan.seats_max);
            if !key.test {
                let theirs = state.keys.values().filter(|other| other.tenant == key.tenant);
                find_seat(theirs, most, key.created_at)?;
            }
            state.remember(Owner::Operators, idempotency, Made::Key(key.id), key.created_at);
            state.keys.insert(key.id, key.clone());
            state.record(&self.by, Act::new(Action::KeyCreate, "key", key.id).of(key.tenant).after(&key));
            Ok(Created::New(key))
        })
    }

    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.store.read().keys.values().rev().filter(|key| key.tenant == tenant).cloned().collect())
    }

    async fn rotate_key(
        &self,
        id: KeyId,
        minted: Minted,
        overlap: Duration,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        self.write(|state| {
            let at = minted.at;
            let key = state.keys.get(&id).ok_or_else(Refusal::not_found)?.clone();
            if let Some(first) = made_before(state, idempotency.as_ref(), at)? {
                return Ok(Created::Replayed(first));
            }
            let before = state.keys.values().find(|other| other.replaced_by == Some(id));
            let (old, new) = key.rotated(minted, overlap, before)?;
            state.remember(Owner::Operators, idempotency, Made::Key(new.id), at);
            let act = Act::new(Action::KeyRotate, "key", id).of(key.tenant);
            let act = act.before(&json!({"old": key})).after(&json!({"old": old, "new": new}));
            state.record(&self.by, act);
            state.keys.insert(id, old);
            state.keys.insert(new.id, new.clone());
            Ok(Created::New(new))
        })
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            let key = state.keys.get_mut(&id).ok_or_else(Refusal::not_found)?;
            if key.revoked_at.is_none() {
                let act = Act::new(Action::KeyRevoke, "key", id).of(key.tenant).before(key);
                key.revoked_at = Some(at);
                let act = act.after(key);
                state.record(&self.by, act);
            }
            Ok(())
        })
    }

    async fn note_use(&self, _: SystemScope, marks: Vec<(KeyId, WallTime)>) -> Result<(), StoreError> {
        self.write(|state| {
            for (id, at) in marks {
                if let Some(key) = state.keys.get_mut(&id) {
                    key.last_used_at = key.last_used_at.max(Some(at));
                }
            }
            Ok(())
        })
    }

    async fn create_operator(
        &self,
        operator: OperatorAccount,
        person: Option<Person>,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<OperatorAccount>, WriteError> {
        self.write(|state| {
            let at = operator.created_at;
            match state.replay(Owner::Operators, idempotency.as_ref(), at)? {
                Some(Made::Operator(first)) => {
                    let first = state.operators.get(first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(first.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            if state.operators.values().filter(|known| known.is_live(at)).count() >= OPERATORS_MAX {
                return Err(Refusal::too_many_operators(OPERATORS_MAX).into());
            }
            let is_taken =
                |known: &OperatorAccount| known.revoked_at.is_none() && known.email == operator.email;
            if operator.email.is_some() && state.operators.values().any(is_taken) {
                return Err(Refusal::email_is_taken().into());
            }
            state.people.extend(person.map(|person| (person.id, person)));
            state.remember(Owner::Operators, idempotency, Made::Operator(operator.id), at);
            let act = Act::new(Action::OperatorCreate, "operator", operator.id).after(&operator);
            state.record(&self.by, act);
            state.operators.insert(operator.id, operator.clone());
            Ok(Created::New(operator))
        })
    }

    async fn found(&self, operator: OperatorAccount, person: Person) -> Result<(), WriteError> {
        self.write(|state| {
            if state.operators.values().any(|known| known.revoked_at.is_none() && known.email.is_some()) {
                return Err(Refusal::not_the_first().into());
            }
            let act = Act::new(Action::OperatorCreate, "operator", operator.id).after(&operator);
            state.record(&self.by, act);
            state.people.insert(person.id, person);
            state.operators.insert(operator.id, operator);
            Ok(())
        })
    }

    async fn patch_operator(
        &self,
        id: OperatorId,
        patch: OperatorPatch,
    ) -> Result<OperatorAccount, WriteError> {
        self.write(|state| {
            let before = state.operators.get(&id).filter(|known| known.revoked_at.is_none());
            let before = before.ok_or_else(Refusal::not_found)?.clone();
            let after = OperatorAccount {
                name: patch.name.unwrap_or_else(|| before.name.clone()),
                role: patch.role.unwrap_or(before.role),
                ..before.clone()
            };
            if after.role != Role::Owner && is_last_owner(state, id) {
                return Err(Refusal::last_owner().into());
            }
            if after != before {
                let act = Act::new(Action::OperatorUpdate, "operator", id).before(&before).after(&after);
                state.record(&self.by, act);
                state.operators.insert(id, after.clone());
            }
            Ok(after)
        })
    }

    async fn revoke_operator(&self, id: OperatorId, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            if is_last_owner(state, id) {
                return Err(Refusal::last_owner().into());
            }
            state.sign_ins.retain(|_, one| one.operator != id);
            let operator = state.operators.get_mut(&id).ok_or_else(Refusal::not_found)?;
            if operator.revoked_at.is_none() {
                let act = Act::new(Action::OperatorDelete, "operator", id).before(operator);
                operator.revoked_at = Some(at);
                let act = act.after(operator);
                state.record(&self.by, act);
            }
            Ok(())
        })
    }
}

/// Whether this is the last owner who can sign in.
fn is_last_owner(state: &State, id: OperatorId) -> bool {
    let owns = |id: &OperatorId| {
        let known = state.operators.get(id);
        known.is_some_and(|known| known.revoked_at.is_none() && known.role == Role::Owner)
    };
    let able = state.people.values().filter(|person| person.password.is_some()).map(|person| person.id);
    able.filter(owns).collect::<Vec<_>>() == [id]
}

/// The key that an earlier request with this key made.
fn made_before(state: &State, asked: Option<&Idempotency>, at: WallTime) -> Result<Option<ApiKey>, Refusal> {
    match state.replay(Owner::Operators, asked, at)? {
        Some(Made::Key(first)) => state.keys.get(first).cloned().map(Some).ok_or_else(Refusal::not_found),
        Some(_) => Err(Refusal::idempotency_mismatch()),
        None => Ok(None),
    }
}
