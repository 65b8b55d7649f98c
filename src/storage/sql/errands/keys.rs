//! Keys of tenants.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
};
use serde_json::json;

use super::plans::newest;
use super::tenants::find_tenant;
use super::{earlier, remember, touch_directory};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::KeyId;
use crate::domain::idempotency::Idempotency;
use crate::domain::refusal::Refusal;
use crate::domain::tenant::{ApiKey, Minted, find_seat};
use crate::domain::time::WallTime;
use crate::ports::store::{Created, StoreError, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{api_key, tenant};
use crate::storage::sql::idempotency::{self as asked_before, Kind, Owner};
use crate::storage::sql::load::subject;
use crate::storage::sql::writer::Errand;

/// The key that an earlier request with this key made.
async fn made_before(
    desk: &Desk<'_>,
    asked: Option<&Idempotency>,
    at: WallTime,
) -> Result<Result<Option<ApiKey>, Refusal>, Fault> {
    match earlier(desk, Owner::Operator, asked, Kind::Key, at).await? {
        Err(refusal) => Ok(Err(refusal)),
        Ok(None) => Ok(Ok(None)),
        Ok(Some(id)) => match api_key::Entity::find_by_id(subject(&id)?).one(desk.txn).await? {
            Some(row) => Ok(Ok(Some(row.into_domain()?))),
            None => Ok(Err(Refusal::not_found())),
        },
    }
}

/// Whether the plan of `tenant` has a seat for one more key.
async fn seat(desk: &Desk<'_>, tenant: &tenant::Model, at: WallTime) -> Result<Result<(), Refusal>, Fault> {
    let Some(plan) = newest(desk.txn, &tenant.plan).await? else { return Ok(Ok(())) };
    let live = api_key::Entity::find()
        .filter(api_key::Column::TenantId.eq(tenant.id))
        .filter(api_key::Column::RevokedAt.is_null());
    let keys = live.all(desk.txn).await?.into_iter().map(api_key::Model::into_domain);
    Ok(find_seat(&keys.collect::<Result<Vec<_>, _>>()?, plan.into_domain()?.seats_max, at))
}

/// Adds a key.
pub struct CreateKey {
    pub key: ApiKey,
    pub idempotency: Option<Idempotency>,
    pub by: Actor,
}

#[async_trait]
impl Errand for CreateKey {
    type Answer = Created<ApiKey>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<ApiKey>, WriteError>, Fault> {
        let Self { key, idempotency, by } = self;
        let (asked, at) = (idempotency.as_ref(), key.created_at);
        let Some(tenant) = find_tenant(desk.txn, key.tenant).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        match made_before(desk, asked, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(first)) => return Ok(Ok(Created::Replayed(first))),
            Ok(None) => {}
        }
        if !key.test
            && let Err(refusal) = seat(desk, &tenant, at).await?
        {
            return Ok(Err(refusal.into()));
        }
        api_key::row(key)?.insert(desk.txn).await?;
        remember(desk, Owner::Operator, asked, Kind::Key, key.id.uuid().simple().to_string(), at).await?;
        audit::record(desk, by, Act::new(Action::KeyCreate, "key", key.id).of(key.tenant).after(key)).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(key.clone())))
    }
}

/// Puts a new key into the place of one.
pub struct RotateKey {
    pub id: KeyId,
    pub minted: Minted,
    pub overlap: Duration,
    pub idempotency: Option<Idempotency>,
    pub by: Actor,
}

#[async_trait]
impl Errand for RotateKey {
    type Answer = Created<ApiKey>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<ApiKey>, WriteError>, Fault> {
        let (asked, at) = (self.idempotency.as_ref(), self.minted.at);
        let Some(row) = api_key::Entity::find_by_id(self.id.uuid()).one(desk.txn).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        match made_before(desk, asked, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(first)) => return Ok(Ok(Created::Replayed(first))),
            Ok(None) => {}
        }
        let before = api_key::Entity::find()
            .filter(api_key::Column::TenantId.eq(row.tenant_id))
            .filter(api_key::Column::ReplacedBy.eq(row.id))
            .one(desk.txn)
            .await?;
        let before = before.map(api_key::Model::into_domain).transpose()?;
        let key = row.clone().into_domain()?;
        let (old, new) = match key.rotated(self.minted.clone(), self.overlap, before.as_ref()) {
            Ok(rotated) => rotated,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        api_key::row(&new)?.insert(desk.txn).await?;
        let mut row = row.into_active_model();
        row.expires_at = Set(old.expires_at.map(|at| at.0));
        row.replaced_by = Set(old.replaced_by.map(KeyId::uuid));
        row.update(desk.txn).await?;
        remember(desk, Owner::Operator, asked, Kind::Key, new.id.uuid().simple().to_string(), at).await?;
        let act = Act::new(Action::KeyRotate, "key", self.id).of(key.tenant);
        let act = act.before(&json!({"old": key})).after(&json!({"old": old, "new": new}));
        audit::record(desk, &self.by, act).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(new)))
    }
}

/// Revokes a key. The first time counts.
pub struct RevokeKey {
    pub id: KeyId,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for RevokeKey {
    type Answer = ();
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), WriteError>, Fault> {
        let Some(row) = api_key::Entity::find_by_id(self.id.uuid()).one(desk.txn).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        if row.revoked_at.is_none() {
            let before = row.clone().into_domain()?;
            let mut row = row.into_active_model();
            row.revoked_at = Set(Some(self.at.0));
            let after = row.update(desk.txn).await?.into_domain()?;
            let act =
                Act::new(Action::KeyRevoke, "key", self.id).of(before.tenant).before(&before).after(&after);
            audit::record(desk, &self.by, act).await?;
            touch_directory(desk).await?;
        }
        Ok(Ok(()))
    }
}

/// Writes when keys were last used. Nobody reads that to decide, so the directory is not read again for it.
pub struct NoteUse {
    pub marks: Vec<(KeyId, WallTime)>,
}

#[async_trait]
impl Errand for NoteUse {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        let mark = |(key, at): &(KeyId, WallTime)| json!({"id": key.uuid().simple().to_string(), "at": at.0});
        let marks: Vec<_> = self.marks.iter().map(mark).collect();
        let marks = asked_before::json(&marks)?;
        dialect::execute(desk.txn, dialect::NOTE_USE_OF_KEYS, [marks.into()]).await.map(|_| Ok(()))
    }
}
