//! Operators besides `root`.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _,
};

use super::people::end_all;
use super::{earlier, remember, touch_directory};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::OperatorId;
use crate::domain::idempotency::Idempotency;
use crate::domain::operator::{OperatorAccount, Role};
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::directory::{OPERATORS_MAX, OperatorPatch};
use crate::ports::store::{Created, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::operator;
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::subject;
use crate::storage::sql::people;
use crate::storage::sql::writer::Errand;

/// Whether this is the last owner who can sign in.
async fn is_last_owner(desk: &Desk<'_>, id: OperatorId) -> Result<bool, Fault> {
    let owners = operator::Entity::find()
        .filter(operator::Column::RevokedAt.is_null())
        .filter(operator::Column::Role.eq(Role::Owner.to_string()))
        .filter(operator::Column::Email.is_not_null());
    let mut able = vec![];
    for owner in owners.all(desk.txn).await? {
        let person = people::read_person(desk.txn, owner.id.into()).await?;
        able.extend(person.filter(|person| person.password.is_some()).map(|person| person.id));
    }
    Ok(able == [id])
}

/// Adds an operator, with what they sign in with if they are a person.
pub struct CreateOperator {
    pub operator: OperatorAccount,
    pub person: Option<Person>,
    pub idempotency: Option<Idempotency>,
    pub by: Actor,
}

#[async_trait]
impl Errand for CreateOperator {
    type Answer = Created<OperatorAccount>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<OperatorAccount>, WriteError>, Fault> {
        let Self { operator, person, idempotency, by } = self;
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
        if let Some(email) = &operator.email {
            let same = operator::Entity::find()
                .filter(operator::Column::Email.eq(email.as_str()))
                .filter(operator::Column::RevokedAt.is_null());
            if same.count(desk.txn).await? > 0 {
                return Ok(Err(Refusal::email_is_taken().into()));
            }
        }
        operator::row(operator).insert(desk.txn).await?;
        if let Some(person) = person {
            people::put(desk.txn, person).await?;
        }
        let id = operator.id.uuid().simple().to_string();
        remember(desk, Owner::Operator, asked, Kind::Operator, id, at).await?;
        let act = Act::new(Action::OperatorCreate, "operator", operator.id).after(operator);
        audit::record(desk, by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(operator.clone())))
    }
}

/// Adds the first person.
pub struct Found {
    pub operator: OperatorAccount,
    pub person: Person,
    pub by: Actor,
}

#[async_trait]
impl Errand for Found {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let people = operator::Entity::find()
            .filter(operator::Column::RevokedAt.is_null())
            .filter(operator::Column::Email.is_not_null());
        if people.count(desk.txn).await? > 0 {
            return Ok(Err(Refusal::not_the_first().into()));
        }
        let Self { operator, person, by } = self;
        operator::row(operator).insert(desk.txn).await?;
        people::put(desk.txn, person).await?;
        let act = Act::new(Action::OperatorCreate, "operator", operator.id).after(operator);
        audit::record(desk, by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(()))
    }
}

/// Changes an operator.
pub struct PatchOperator {
    pub id: OperatorId,
    pub patch: OperatorPatch,
    pub by: Actor,
}

#[async_trait]
impl Errand for PatchOperator {
    type Answer = OperatorAccount;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<OperatorAccount, WriteError>, Fault> {
        let Self { id, patch, by } = self;
        let row = operator::Entity::find_by_id(id.uuid()).one(desk.txn).await?;
        let Some(row) = row.filter(|row| row.revoked_at.is_none()) else {
            return Ok(Err(Refusal::not_found().into()));
        };
        let before = row.clone().into_domain()?;
        let role = patch.role.unwrap_or(before.role);
        if role != Role::Owner && is_last_owner(desk, *id).await? {
            return Ok(Err(Refusal::last_owner().into()));
        }
        let name = patch.name.clone().unwrap_or_else(|| before.name.clone());
        if (role, &name) == (before.role, &before.name) {
            return Ok(Ok(before));
        }
        let mut row = row.into_active_model();
        (row.role, row.name) = (Set(role.to_string()), Set(name));
        let after = row.update(desk.txn).await?.into_domain()?;
        let act = Act::new(Action::OperatorUpdate, "operator", id).before(&before).after(&after);
        audit::record(desk, by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(after))
    }
}

/// Refuses an operator from now on, wherever they are signed in. The first time counts.
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
            if is_last_owner(desk, self.id).await? {
                return Ok(Err(Refusal::last_owner().into()));
            }
            end_all(desk, self.id).await?;
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
