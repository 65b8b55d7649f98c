//! Customers of the operator.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::word;
use crate::domain::tenant::Tenant;
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tenant")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub plan: String,
    pub status: String,
    pub created_at: i64,
    pub deleted_at: Option<i64>,
    pub standing: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<Tenant, Fault> {
        Ok(Tenant {
            id: self.id.into(),
            name: self.name,
            plan: self.plan,
            status: word(&self.status, "tenant status")?,
            standing: word(&self.standing, "standing of a tenant")?,
            created_at: WallTime(self.created_at),
        })
    }
}

/// The row of a new tenant.
pub fn row(tenant: &Tenant) -> ActiveModel {
    ActiveModel {
        id: Set(tenant.id.uuid()),
        name: Set(tenant.name.clone()),
        plan: Set(tenant.plan.clone()),
        status: Set(tenant.status.to_string()),
        created_at: Set(tenant.created_at.0),
        deleted_at: Set(None),
        standing: Set(tenant.standing.to_string()),
    }
}
