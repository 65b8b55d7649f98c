//! Keys of tenants.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};

use super::tenants::find_tenant;
use super::{earlier, remember, touch_directory};
use crate::domain::id::KeyId;
use crate::domain::idempotency::Idempotency;
use crate::domain::refusal::Refusal;
use crate::domain::tenant::ApiKey;
use crate::domain::time::WallTime;
use crate::ports::store::{Created, WriteError};
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::api_key;
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::subject;
use crate::storage::sql::writer::Errand;

/// Adds a key.
pub struct CreateKey {
    pub key: ApiKey,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for CreateKey {
    type Answer = Created<ApiKey>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<ApiKey>, WriteError>, Fault> {
        let Self { key, idempotency } = self;
        let (asked, at) = (idempotency.as_ref(), key.created_at);
        if find_tenant(desk.txn, key.tenant).await?.is_none() {
            return Ok(Err(Refusal::not_found().into()));
        }
        match earlier(desk, Owner::Operator, asked, Kind::Key, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                return Ok(match api_key::Entity::find_by_id(subject(&id)?).one(desk.txn).await? {
                    Some(row) => Ok(Created::Replayed(row.into_domain()?)),
                    None => Err(Refusal::not_found().into()),
                });
            }
            Ok(None) => {}
        }
        api_key::row(key)?.insert(desk.txn).await?;
        remember(desk, Owner::Operator, asked, Kind::Key, key.id.uuid().simple().to_string(), at).await?;
        touch_directory(desk).await?;
        Ok(Ok(Created::New(key.clone())))
    }
}

/// Revokes a key. The first time counts.
pub struct RevokeKey {
    pub id: KeyId,
    pub at: WallTime,
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
            let mut row = row.into_active_model();
            row.revoked_at = Set(Some(self.at.0));
            row.update(desk.txn).await?;
            touch_directory(desk).await?;
        }
        Ok(Ok(()))
    }
}
