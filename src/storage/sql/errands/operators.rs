//! Operators besides `root`.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _,
};

use super::{earlier, remember, touch_directory};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::OperatorId;
use crate::domain::idempotency::Idempotency;
use crate::domain::operator::OperatorAccount;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::directory::OPERATORS_MAX;
use crate::ports::store::{Created, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::operator;
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::subject;
use crate::storage::sql::writer::Errand;

/// Adds an operator.
pub struct CreateOperator {
    pub operator: OperatorAccount,
    pub idempotency: Option<Idempotency>,
    pub by: Actor,
}

#[async_trait]
impl Errand for CreateOperator {
    type Answer = Created<OperatorAccount>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<OperatorAccount>, WriteError>, Fault> {
        let Self { operator, idempotency, by } = self;
        let (asked, at) = (idempotency.as_ref(), operator.created_at);
        match earlier(desk, Owner::Operator, asked, Kind::Operator, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                return Ok(match operator::Entity::find_by_id(subject(&id)?).one(desk.txn).await? {
                    Some(row) => Ok(Created::Replayed(row.into_domain()?)),
                    None => Err(Refusal::not_found().into()),
                });
            }
            Ok(None) => {}
        }
        let unexpired = Condition::any()
            .add(operator::Column::ExpiresAt.is_null())
            .add(operator::Column::ExpiresAt.gt(at.0));
        let live = operator::Entity::find().filter(operator::Column::RevokedAt.is_null()).filter(unexpired);
        if live.count(desk.txn).await? >= OPERATORS_MAX as u64 {
            return Ok(Err(Refusal::too_many_operators(OPERATORS_MAX).into()));
        }
        operator::row(operator).insert(desk.txn).await?;
        let id = operator.id.uuid().simple().to_string();
        remember(desk, Owner::Operator, asked, Kind::Operator, id, at).await?;
        let act = Act::new(Action::OperatorCreate, "operator", operator.id).after(operator);
        audit::record(desk, by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(operator.clone())))
    }
}

/// Refuses an operator's token from now on. The first time counts.
pub struct RevokeOperator {
    pub id: OperatorId,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for RevokeOperator {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let Some(row) = operator::Entity::find_by_id(self.id.uuid()).one(desk.txn).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        if row.revoked_at.is_none() {
            let before = row.clone().into_domain()?;
            let mut row = row.into_active_model();
            row.revoked_at = Set(Some(self.at.0));
            let after = row.update(desk.txn).await?.into_domain()?;
            let act = Act::new(Action::OperatorDelete, "operator", self.id).before(&before).after(&after);
            audit::record(desk, &self.by, act).await?;
            touch_directory(desk).await?;
        }
        Ok(Ok(()))
    }
}
