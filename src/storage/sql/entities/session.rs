//! Connected numbers.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{count, maybe_time, maybe_word, word};
use crate::domain::session::{Retry, Session, SessionCounters, Standing, Supervision};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub label: String,
    pub engine: String,
    pub metadata: String,
    pub epoch: i64,
    pub desired: String,
    pub status: String,
    pub reason: Option<String>,
    pub reason_code: Option<i64>,
    pub since: i64,
    pub paired: bool,
    pub failures: i64,
    pub retry_at: Option<i64>,
    pub retry_reason: Option<String>,
    pub throttle_steps: i64,
    pub banned_until: Option<i64>,
    pub timelock_until: Option<i64>,
    pub replaced_at: Option<i64>,
    pub starting_at: Option<i64>,
    pub unclean_deaths: i64,
    pub probes: i64,
    pub created_at: i64,
    pub deleted_at: Option<i64>,
    pub new_chats_until: Option<i64>,
    /// Sealed.
    pub proxy: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(has_one = "super::session_tally::Entity")]
    Tally,
}

impl Related<super::session_tally::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Tally.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self, counters: SessionCounters) -> Result<Session, Fault> {
        Ok(Session {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            label: self.label,
            engine: word(&self.engine, "engine")?,
            metadata: serde_json::from_str(&self.metadata)
                .map_err(|_| Fault::unreadable("session's metadata"))?,
            desired: word(&self.desired, "wish for a session")?,
            status: word(&self.status, "session status")?,
            reason: maybe_word(self.reason.as_deref(), "session reason")?,
            reason_code: self.reason_code.and_then(|code| u16::try_from(code).ok()),
            since: WallTime(self.since),
            paired: self.paired,
            proxy: self.proxy.is_some(),
            standing: Standing {
                failures: count(self.failures) as u32,
                retry: retry(maybe_time(self.retry_at), self.retry_reason.as_deref())?,
                throttle_steps: count(self.throttle_steps) as u32,
                banned_until: maybe_time(self.banned_until),
                timelock_until: maybe_time(self.timelock_until),
                new_chats_until: maybe_time(self.new_chats_until),
                replaced_at: maybe_time(self.replaced_at),
            },
            supervision: Supervision {
                starting_at: maybe_time(self.starting_at),
                unclean_deaths: count(self.unclean_deaths) as u32,
                probes: count(self.probes) as u32,
            },
            counters,
            created_at: WallTime(self.created_at),
        })
    }
}

/// A back-off, from its two columns.
pub fn retry(at: Option<WallTime>, reason: Option<&str>) -> Result<Option<Retry>, Fault> {
    let reason = maybe_word(reason, "reason of a back-off")?;
    Ok(at.zip(reason).map(|(at, reason)| Retry { at, reason }))
}

/// The row of a new session, that nobody has owned yet.
pub fn row(session: &Session) -> Result<ActiveModel, Fault> {
    let metadata = serde_json::to_string(&session.metadata)
        .map_err(|_| Fault::Row("a session's metadata cannot be written".into()))?;
    Ok(ActiveModel {
        id: Set(session.id.uuid()),
        tenant_id: Set(session.tenant.uuid()),
        label: Set(session.label.clone()),
        engine: Set(session.engine.to_string()),
        metadata: Set(metadata),
        epoch: Set(0),
        desired: Set(session.desired.to_string()),
        status: Set(session.status.to_string()),
        reason: Set(session.reason.map(|reason| reason.to_string())),
        reason_code: Set(session.reason_code.map(i64::from)),
        since: Set(session.since.0),
        paired: Set(session.paired),
        failures: Set(i64::from(session.standing.failures)),
        retry_at: Set(session.standing.retry.map(|retry| retry.at.0)),
        retry_reason: Set(session.standing.retry.map(|retry| retry.reason.to_string())),
        throttle_steps: Set(i64::from(session.standing.throttle_steps)),
        banned_until: Set(session.standing.banned_until.map(|at| at.0)),
        timelock_until: Set(session.standing.timelock_until.map(|at| at.0)),
        replaced_at: Set(session.standing.replaced_at.map(|at| at.0)),
        starting_at: Set(session.supervision.starting_at.map(|at| at.0)),
        unclean_deaths: Set(i64::from(session.supervision.unclean_deaths)),
        probes: Set(i64::from(session.supervision.probes)),
        created_at: Set(session.created_at.0),
        deleted_at: Set(None),
        new_chats_until: Set(session.standing.new_chats_until.map(|at| at.0)),
        proxy: Set(None),
    })
}
