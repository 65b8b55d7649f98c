//! Endpoints of tenants.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{count, maybe_time, maybe_word, word};
use crate::domain::time::WallTime;
use crate::domain::webhook::{EventFilter, Health, Webhook};
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::idempotency::json;
use crate::storage::sql::posting::names;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub url: String,
    pub description: String,
    pub events: String,
    pub sessions: String,
    pub sealed: Vec<u8>,
    pub status: String,
    pub reason: Option<String>,
    pub since: i64,
    pub failures: i64,
    pub failing_since: Option<i64>,
    pub open_until: Option<i64>,
    pub trips: i64,
    pub revision: i64,
    pub created_at: i64,
    pub deleted_at: Option<i64>,
}

/// Without the address and what is sealed.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("webhook").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<Webhook, Fault> {
        Ok(Webhook {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            url: self.url,
            description: self.description,
            events: EventFilter(names(&self.events)?),
            sessions: names(&self.sessions)?,
            sealed: self.sealed,
            status: word(&self.status, "webhook status")?,
            reason: maybe_word(self.reason.as_deref(), "webhook reason")?,
            since: WallTime(self.since),
            health: Health {
                failures: count(self.failures) as u32,
                failing_since: maybe_time(self.failing_since),
                open_until: maybe_time(self.open_until),
                trips: count(self.trips) as u32,
            },
            revision: self.revision,
            created_at: WallTime(self.created_at),
        })
    }
}

/// The row of an endpoint.
pub fn row(webhook: &Webhook) -> Result<ActiveModel, Fault> {
    Ok(ActiveModel {
        id: Set(webhook.id.uuid()),
        tenant_id: Set(webhook.tenant.uuid()),
        url: Set(webhook.url.clone()),
        description: Set(webhook.description.clone()),
        events: Set(json(&webhook.events)?),
        sessions: Set(json(&webhook.sessions)?),
        sealed: Set(webhook.sealed.clone()),
        status: Set(webhook.status.to_string()),
        reason: Set(webhook.reason.map(|reason| reason.to_string())),
        since: Set(webhook.since.0),
        failures: Set(i64::from(webhook.health.failures)),
        failing_since: Set(webhook.health.failing_since.map(|at| at.0)),
        open_until: Set(webhook.health.open_until.map(|at| at.0)),
        trips: Set(i64::from(webhook.health.trips)),
        revision: Set(webhook.revision),
        created_at: Set(webhook.created_at.0),
        deleted_at: Set(None),
    })
}
