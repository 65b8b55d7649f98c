//! The feed, as it was committed.

use sea_orm::entity::prelude::*;

use super::{count, word};
use crate::domain::event::{Change, StatusEvent};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub ord: i64,
    pub tenant_id: Uuid,
    pub seq: i64,
    pub at: i64,
    pub session_id: Option<Uuid>,
    pub kind: String,
    pub message_id: Option<Uuid>,
    pub code: String,
    pub webhook_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<StatusEvent, Fault> {
        let kind = word(&self.kind, "event kind")?;
        let change = Change::from_parts(
            kind,
            self.message_id.map(Into::into),
            self.webhook_id.map(Into::into),
            &self.code,
        );
        Ok(StatusEvent {
            tenant: self.tenant_id.into(),
            seq: count(self.seq),
            session: self.session_id.map(Into::into),
            change: change.ok_or_else(|| Fault::unreadable("event"))?,
            at: WallTime(self.at),
        })
    }
}
