//! Customers of the operator.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, sea_query::Expr,
};

use super::ledger;
use super::media::take_away;
use super::plans::newest;
use super::waiting::cancel_waiting;
use super::{earlier, remember, touch_directory};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::MessageReason;
use crate::domain::plan::Plan;
use crate::domain::refusal::{Fault as Flaw, Refusal};
use crate::domain::tenant::Tenant;
use crate::domain::time::WallTime;
use crate::ports::directory::TenantPatch;
use crate::ports::store::{Created, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::book::passed;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{api_key, media, session, tenant};
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::{Needs, subject, usage_row};
use crate::storage::sql::writer::Errand;

/// A tenant that is not deleted.
pub(super) async fn find_tenant(
    db: &impl ConnectionTrait,
    id: TenantId,
) -> Result<Option<tenant::Model>, Fault> {
    let row = tenant::Entity::find_by_id(id.uuid()).one(db).await?;
    Ok(row.filter(|row| row.deleted_at.is_none()))
}

fn unknown_plan() -> WriteError {
    Refusal::invalid(vec![Flaw::new("/plan", "not_allowed", "no plan has this code")]).into()
}

/// Adds a tenant.
pub struct CreateTenant {
    pub tenant: Tenant,
    pub idempotency: Option<Idempotency>,
    pub by: Actor,
}

#[async_trait]
impl Errand for CreateTenant {
    type Answer = Created<Tenant>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Tenant>, WriteError>, Fault> {
        let Self { tenant, idempotency, by } = self;
        let (asked, at) = (idempotency.as_ref(), tenant.created_at);
        match earlier(desk, Owner::Operator, asked, Kind::Tenant, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                return Ok(match find_tenant(desk.txn, subject(&id)?.into()).await? {
                    Some(row) => Ok(Created::Replayed(row.into_domain()?)),
                    None => Err(Refusal::not_found().into()),
                });
            }
            Ok(None) => {}
        }
        if newest(desk.txn, &tenant.plan).await?.is_none() {
            return Ok(Err(unknown_plan()));
        }
        tenant::row(tenant).insert(desk.txn).await?;
        let id = tenant.id.uuid().simple().to_string();
        remember(desk, Owner::Operator, asked, Kind::Tenant, id, at).await?;
        audit::record(
            desk,
            by,
            Act::new(Action::TenantCreate, "tenant", tenant.id).of(tenant.id).after(tenant),
        )
        .await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(tenant.clone())))
    }
}

/// Changes a tenant.
pub struct PatchTenant {
    pub id: TenantId,
    pub patch: TenantPatch,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for PatchTenant {
    type Answer = Tenant;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Tenant, WriteError>, Fault> {
        let Some(row) = find_tenant(desk.txn, self.id).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        if self.patch == TenantPatch::default() {
            return Ok(Ok(row.into_domain()?));
        }
        let before = row.clone().into_domain()?;
        let other_plan = self.patch.plan.as_ref().filter(|&code| *code != row.plan);
        let mut changed = row.into_active_model();
        if let Some(code) = other_plan {
            let Some(plan) = newest(desk.txn, code).await? else { return Ok(Err(unknown_plan())) };
            rewrite_month(desk, self.id, &plan.into_domain()?, self.at).await?;
            changed.plan = Set(code.clone());
        }
        if let Some(name) = &self.patch.name {
            changed.name = Set(name.clone());
        }
        if let Some(status) = self.patch.status {
            changed.status = Set(status.to_string());
        }
        let row = if changed.is_changed() { changed.update(desk.txn).await? } else { changed.try_into()? };
        touch_directory(desk).await?;
        let after = row.into_domain()?;
        if after != before {
            let act =
                Act::new(self.patch.action(), "tenant", self.id).of(self.id).before(&before).after(&after);
            audit::record(desk, &self.by, act).await?;
        }
        Ok(Ok(after))
    }
}

/// The new plan's quota binds the month that runs, if anything was sent in it. A threshold that is no longer passed will be
/// told again.
pub(super) async fn rewrite_month(
    desk: &Desk<'_>,
    tenant: TenantId,
    plan: &Plan,
    at: WallTime,
) -> Result<(), Fault> {
    const FIND: &str = "SELECT * FROM usage WHERE tenant_id = $1 AND period_start <= $2 AND period_end > $2";
    const WRITE: &str = "UPDATE usage SET allowance = $1, quota = $2, announced = $3
        WHERE tenant_id = $4 AND period_start = $5";
    let tenant = tenant.uuid();
    for row in dialect::query(desk.txn, FIND, [tenant.into(), at.0.into()]).await? {
        let (_, month) = usage_row(&row)?;
        let limit = plan.messages_per_month;
        let announced = passed(month.used + month.held, limit);
        let values = [
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
            plan.quota.to_string().into(),
            i64::from(announced).into(),
            tenant.into(),
            month.period.start.0.into(),
        ];
        dialect::execute(desk.txn, WRITE, values).await?;
    }
    Ok(())
}

/// Removes a tenant, its keys, its sessions and its files.
pub struct DeleteTenant {
    pub id: TenantId,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for DeleteTenant {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let Some(row) = find_tenant(desk.txn, self.id).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        let before = row.clone().into_domain()?;
        let mut gone = row.into_active_model();
        gone.deleted_at = Set(Some(self.at.0));
        gone.update(desk.txn).await?;
        api_key::Entity::update_many()
            .col_expr(api_key::Column::RevokedAt, Expr::value(self.at.0))
            .filter(api_key::Column::TenantId.eq(self.id.uuid()))
            .filter(api_key::Column::RevokedAt.is_null())
            .exec(desk.txn)
            .await?;
        // Nobody is there to be told any more.
        const WEBHOOKS: &str =
            "UPDATE webhook SET deleted_at = $1, sealed = $3 WHERE tenant_id = $2 AND deleted_at IS NULL";
        dialect::execute(
            desk.txn,
            WEBHOOKS,
            [self.at.0.into(), self.id.uuid().into(), Vec::<u8>::new().into()],
        )
        .await?;
        for session in self.delete_sessions(desk).await? {
            cancel_waiting(desk, session, MessageReason::SessionGone, self.at).await?;
        }
        take_away(desk, media::Column::TenantId.eq(self.id.uuid()), self.at).await?;
        ledger::end(desk, self.id, self.at).await?;
        let act = Act::new(Action::TenantDelete, "tenant", self.id).of(self.id).before(&before);
        audit::record(desk, &self.by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(()))
    }
}

impl DeleteTenant {
    async fn delete_sessions(&self, desk: &mut Desk<'_>) -> Result<Vec<SessionId>, Fault> {
        let sessions: Vec<SessionId> = session::Entity::find()
            .filter(session::Column::TenantId.eq(self.id.uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .all(desk.txn)
            .await?
            .into_iter()
            .map(|row| row.id.into())
            .collect();
        let mut needs = Needs::default();
        for &id in &sessions {
            needs.session(id);
        }
        let mut book = desk.open(needs).await?;
        for &id in &sessions {
            if let Some(row) = book.edit_session(id) {
                row.deleted_at = Some(self.at);
            }
        }
        desk.close(book).await?;
        Ok(sessions)
    }
}
