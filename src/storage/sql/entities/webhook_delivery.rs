//! Events on their way to endpoints.

use sea_orm::entity::prelude::*;

use super::{count, maybe_time, maybe_word, word};
use crate::domain::time::WallTime;
use crate::domain::webhook::Delivery;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub ord: i64,
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub webhook_id: Uuid,
    pub event_id: Uuid,
    pub kind: String,
    pub event_at: i64,
    pub status: String,
    pub reason: Option<String>,
    pub attempts: i64,
    pub due_at: Option<i64>,
    pub created_at: i64,
    pub settled_at: Option<i64>,
    pub repeats: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<Delivery, Fault> {
        Ok(Delivery {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            webhook: self.webhook_id.into(),
            event: self.event_id.into(),
            kind: self.kind,
            status: word(&self.status, "delivery status")?,
            reason: maybe_word(self.reason.as_deref(), "delivery reason")?,
            attempts: count(self.attempts) as u32,
            due_at: maybe_time(self.due_at),
            created_at: WallTime(self.created_at),
            settled_at: maybe_time(self.settled_at),
            repeats: self.repeats.map(Into::into),
        })
    }
}
