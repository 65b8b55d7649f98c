//! Plans, every version of each. The body is the plan as JSON: it is read and written as a whole.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::domain::plan::Plan;
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plan")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    pub body: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<Plan, Fault> {
        serde_json::from_str(&self.body).map_err(|_| Fault::unreadable("plan"))
    }
}

/// The row of one version of a plan.
pub fn row(plan: &Plan, version: i64, at: WallTime) -> Result<ActiveModel, Fault> {
    let body = serde_json::to_string(plan).map_err(|_| Fault::Row("a plan cannot be written".into()))?;
    Ok(ActiveModel {
        code: Set(plan.code.clone()),
        version: Set(version),
        body: Set(body),
        created_at: Set(at.0),
    })
}
