//! Keys of tenants. What makes a key is not stored, only its hash.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::maybe_time;
use crate::domain::id::KeyId;
use crate::domain::tenant::{ApiKey, KeyHash};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub name: String,
    pub hash: Vec<u8>,
    pub last4: String,
    pub scopes: String,
    pub test: bool,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub allowed_addresses: String,
    pub replaced_by: Option<Uuid>,
    pub last_used_at: Option<i64>,
}

/// Without the hash, which recognises a key.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("api_key").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<ApiKey, Fault> {
        Ok(ApiKey {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            name: self.name,
            hash: KeyHash(self.hash.try_into().map_err(|_| Fault::unreadable("key hash"))?),
            last4: self.last4,
            scopes: serde_json::from_str(&self.scopes).map_err(|_| Fault::unreadable("key scope"))?,
            test: self.test,
            allowed_addresses: serde_json::from_str(&self.allowed_addresses)
                .map_err(|_| Fault::unreadable("key's list of addresses"))?,
            created_at: WallTime(self.created_at),
            expires_at: maybe_time(self.expires_at),
            revoked_at: maybe_time(self.revoked_at),
            replaced_by: self.replaced_by.map(KeyId::from),
            last_used_at: maybe_time(self.last_used_at),
        })
    }
}

/// The row of a new key.
pub fn row(key: &ApiKey) -> Result<ActiveModel, Fault> {
    let unwritable = |_| Fault::Row("a key's scopes or addresses cannot be written".into());
    let scopes = serde_json::to_string(&key.scopes).map_err(unwritable)?;
    let allowed_addresses = serde_json::to_string(&key.allowed_addresses).map_err(unwritable)?;
    Ok(ActiveModel {
        id: Set(key.id.uuid()),
        tenant_id: Set(key.tenant.uuid()),
        name: Set(key.name.clone()),
        hash: Set(key.hash.0.to_vec()),
        last4: Set(key.last4.clone()),
        scopes: Set(scopes),
        test: Set(key.test),
        created_at: Set(key.created_at.0),
        expires_at: Set(key.expires_at.map(|at| at.0)),
        revoked_at: Set(key.revoked_at.map(|at| at.0)),
        allowed_addresses: Set(allowed_addresses),
        replaced_by: Set(key.replaced_by.map(KeyId::uuid)),
        last_used_at: Set(key.last_used_at.map(|at| at.0)),
    })
}
