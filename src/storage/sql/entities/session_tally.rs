//! What has happened on each session, counted.

use sea_orm::entity::prelude::*;

use super::count;
use crate::domain::session::SessionCounters;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session_tally")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub session_id: Uuid,
    pub tenant_id: Uuid,
    pub live: i64,
    pub sent: i64,
    pub failed: i64,
    pub received: i64,
    pub reconnects: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::session::Entity",
        from = "Column::SessionId",
        to = "super::session::Column::Id"
    )]
    Session,
}

impl Related<super::session::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Session.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> SessionCounters {
        SessionCounters {
            queued: count(self.live),
            sent: count(self.sent),
            failed: count(self.failed),
            received: count(self.received),
            reconnects: count(self.reconnects),
        }
    }
}
