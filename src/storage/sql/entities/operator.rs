//! Operators besides `root`. What makes a token is not stored, only its hash.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{maybe_time, maybe_word, word};
use crate::domain::operator::{OperatorAccount, TokenHash};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operator")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub hash: Option<Vec<u8>>,
    pub role: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub email: Option<String>,
}

/// Without the hash, which recognises a token.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("operator").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<OperatorAccount, Fault> {
        Ok(OperatorAccount {
            id: self.id.into(),
            name: self.name,
            hash: self.hash.map(hash).transpose()?,
            role: word(&self.role, "role")?,
            email: maybe_word(self.email.as_deref(), "email")?,
            created_at: WallTime(self.created_at),
            expires_at: maybe_time(self.expires_at),
            revoked_at: maybe_time(self.revoked_at),
        })
    }
}

fn hash(bytes: Vec<u8>) -> Result<TokenHash, Fault> {
    bytes.try_into().map(TokenHash).map_err(|_| Fault::unreadable("token hash"))
}

/// The row of a new operator.
pub fn row(operator: &OperatorAccount) -> ActiveModel {
    ActiveModel {
        id: Set(operator.id.uuid()),
        name: Set(operator.name.clone()),
        hash: Set(operator.hash.map(|hash| hash.0.to_vec())),
        email: Set(operator.email.as_ref().map(|email| email.as_str().to_owned())),
        role: Set(operator.role.to_string()),
        created_at: Set(operator.created_at.0),
        expires_at: Set(operator.expires_at.map(|at| at.0)),
        revoked_at: Set(operator.revoked_at.map(|at| at.0)),
    }
}
