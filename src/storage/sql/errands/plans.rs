//! Plans: a change is a new version.

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};
use uuid::Uuid;

use super::{earlier, remember, touch_directory};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::idempotency::Idempotency;
use crate::domain::plan::{Holders, Plan};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::store::{Created, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::plan;
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::ledger::subscription;
use crate::storage::sql::writer::Errand;

/// The newest version of a plan.
pub(super) async fn newest(db: &impl ConnectionTrait, code: &str) -> Result<Option<plan::Model>, Fault> {
    let versions = plan::Entity::find().filter(plan::Column::Code.eq(code));
    Ok(versions.order_by_desc(plan::Column::Version).one(db).await?)
}

/// Adds a plan.
pub struct CreatePlan {
    pub plan: Plan,
    pub idempotency: Option<Idempotency>,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for CreatePlan {
    type Answer = Created<Plan>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Plan>, WriteError>, Fault> {
        let (asked, code) = (self.idempotency.as_ref(), &self.plan.code);
        match earlier(desk, Owner::Operator, asked, Kind::Plan, self.at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(code)) => {
                return Ok(match newest(desk.txn, &code).await? {
                    Some(row) => Ok(Created::Replayed(row.into_domain()?)),
                    None => Err(Refusal::not_found().into()),
                });
            }
            Ok(None) => {}
        }
        if newest(desk.txn, code).await?.is_some() {
            return Ok(Err(Refusal::conflict("a plan of this code exists; PUT changes it").into()));
        }
        plan::row(&self.plan, 1, self.at)?.insert(desk.txn).await?;
        remember(desk, Owner::Operator, asked, Kind::Plan, code.clone(), self.at).await?;
        let act = Act::new(Action::PlanCreate, "plan", code).after(&self.plan);
        audit::record(desk, &self.by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(self.plan.clone())))
    }
}

/// Removes a plan that nobody has.
pub struct DeletePlan {
    pub code: String,
    pub by: Actor,
}

#[async_trait]
impl Errand for DeletePlan {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let Some(last) = newest(desk.txn, &self.code).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        if let Err(refusal) = self.holders(desk).await?.let_go() {
            return Ok(Err(refusal.into()));
        }
        plan::Entity::delete_many().filter(plan::Column::Code.eq(&self.code)).exec(desk.txn).await?;
        let act = Act::new(Action::PlanDelete, "plan", &self.code).before(&last.into_domain()?);
        audit::record(desk, &self.by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(()))
    }
}

impl DeletePlan {
    async fn holders(&self, desk: &Desk<'_>) -> Result<Holders, Fault> {
        const HAVE: &str = "SELECT count(*) FROM tenant WHERE plan = $1 AND deleted_at IS NULL";
        const REMAIN: &str = "
            SELECT count(*) FROM tenant AS t WHERE t.plan = $1 AND t.deleted_at IS NOT NULL AND (
                EXISTS (SELECT 1 FROM media AS f WHERE f.tenant_id = t.id)
                OR EXISTS (SELECT 1 FROM session AS s JOIN message AS m ON m.session_id = s.id WHERE s.tenant_id = t.id))";
        Ok(Holders {
            have: self.count(desk, HAVE).await?,
            begin_next: self.begin_next(desk).await?,
            remain: self.count(desk, REMAIN).await?,
        })
    }

    async fn count(&self, desk: &Desk<'_>, text: &'static str) -> Result<u64, Fault> {
        let rows = dialect::query(desk.txn, text, [self.code.as_str().into()]).await?;
        let row = rows.first().ok_or_else(|| Fault::unreadable("count of tenants"))?;
        Ok(row.try_get_by_index::<i64>(0)?.unsigned_abs())
    }

    /// Tenants that begin with the plan next.
    async fn begin_next(&self, desk: &Desk<'_>) -> Result<u64, Fault> {
        // An underscore of a code fits any letter here, so what is found is looked at.
        const MAY: &str = "
            SELECT s.tenant_id FROM subscription AS s JOIN tenant AS t ON t.id = s.tenant_id
            WHERE t.deleted_at IS NULL AND s.body LIKE '%\"next_plan\":\"' || $1 || '\"%'";
        let mut count = 0;
        for row in dialect::query(desk.txn, MAY, [self.code.as_str().into()]).await? {
            let tenant = row.try_get_by_index::<Uuid>(0)?.into();
            let agreed = subscription(desk.txn, tenant).await?;
            count += u64::from(agreed.is_some_and(|agreed| agreed.next_plan.as_ref() == Some(&self.code)));
        }
        Ok(count)
    }
}

/// Writes a new version of a plan.
pub struct PutPlan {
    pub plan: Plan,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for PutPlan {
    type Answer = Plan;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Plan, WriteError>, Fault> {
        let Some(last) = newest(desk.txn, &self.plan.code).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        plan::row(&self.plan, last.version + 1, self.at)?.insert(desk.txn).await?;
        let act = Act::new(Action::PlanReplace, "plan", &self.plan.code);
        let act = act.before(&last.into_domain()?).after(&self.plan);
        audit::record(desk, &self.by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(self.plan.clone()))
    }
}
