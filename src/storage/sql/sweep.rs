//! What the clock asks for. What is due is looked up among readers, so that an empty sweep writes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{DatabaseConnection, QueryResult};
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::commands::{ABANDONED_AFTER, Abandon, DOUBT_ENDS_AFTER, Due, Expire, Release};
use super::dialect::{self, Fault};
use super::errands::{Erase, Forget};
use super::idempotency::json;
use super::outbox::message_ids;
use super::writer::WriterHandle;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::plan::Plan;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::failpoint::{self, Point};
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;
use crate::ports::sweep::Sweep;

pub(super) const EXPIRED: &str = "
    SELECT id FROM message WHERE status IN ('queued', 'held') AND expires_at <= $1
    ORDER BY expires_at, ord LIMIT $2";

pub(super) const ABANDONED: &str = "
    SELECT id FROM message WHERE status = 'sending' AND attempted_at < $1
    ORDER BY attempted_at, ord LIMIT $2";

pub(super) const DOUBTFUL: &str = "
    SELECT id FROM message WHERE status = 'unknown' AND charge = 'held' AND unknown_at < $1
    ORDER BY unknown_at, ord LIMIT $2";

/// Session by session, so that one long queue is left at its first message that is due.
pub(super) const DUE: &str = "
    SELECT t.session_id FROM session_tally AS t
    WHERE t.live > 0 AND EXISTS (
        SELECT 1 FROM message AS m
        WHERE m.session_id = t.session_id AND m.status IN ('queued', 'held', 'sending')
            AND m.status <> 'sending' AND (m.not_before IS NULL OR m.not_before <= $1))";

/// The plan that binds each tenant, deleted ones too.
const PLANS: &str = "
    SELECT t.id, p.body FROM tenant AS t JOIN plan AS p ON p.code = t.plan
    WHERE p.version = (SELECT max(n.version) FROM plan AS n WHERE n.code = p.code)";

/// Reads it.
pub(super) async fn plans(readers: &DatabaseConnection) -> Result<Vec<(Uuid, Plan)>, Fault> {
    let rows = dialect::query(readers, PLANS, []).await?;
    let read = |row: &QueryResult| {
        let body: String = row.try_get_by_index(1)?;
        let plan = serde_json::from_str(&body).map_err(|_| Fault::unreadable("plan"))?;
        Ok((row.try_get_by_index(0)?, plan))
    };
    rows.iter().map(read).collect()
}

/// What a tenant's plan keeps no longer.
#[derive(Serialize)]
struct Kept {
    tenant: Simple,
    /// Ids of messages begin with their time; those that are made from then on are not below.
    below: Simple,
    before: i64,
}

/// [`Sweep`] over SQL.
pub(super) struct SqlSweep {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
    pub(super) clock: Arc<dyn Clock>,
}

impl SqlSweep {
    /// Messages that are due by `deadline`, at most `limit`; `None` for none.
    async fn find(
        &self,
        text: &'static str,
        deadline: WallTime,
        at: WallTime,
        limit: u32,
    ) -> Result<Option<Due>, StoreError> {
        let values = [deadline.0.into(), i64::from(limit).into()];
        let messages = message_ids(&self.readers, text, values).await?;
        Ok((!messages.is_empty()).then_some(Due { messages, at }))
    }

    async fn find_erasable(&self, at: WallTime, limit: u32) -> Result<Vec<MessageId>, Fault> {
        let mut kept = vec![];
        for (tenant, plan) in plans(&self.readers).await? {
            let before = at - plan.retention();
            let below = MessageId::below(before).uuid().simple();
            kept.push(Kept { tenant: tenant.simple(), below, before: before.0 });
        }
        let values = [json(&kept)?.into(), i64::from(limit).into()];
        message_ids(&self.readers, dialect::ERASABLE, values).await
    }

    async fn read_due(&self, at: WallTime) -> Result<Vec<SessionId>, Fault> {
        let rows = dialect::query(&self.readers, DUE, [at.0.into()]).await?;
        rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?.into())).collect()
    }
}

#[async_trait]
impl Sweep for SqlSweep {
    async fn expire(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        match self.find(EXPIRED, at, at, limit).await? {
            Some(due) => {
                failpoint::hit(Point::ExpireBefore).await?;
                let ended = self.writer.command(Expire(due)).await?;
                failpoint::hit(Point::ExpireAfter).await?;
                Ok(ended)
            }
            None => Ok(0),
        }
    }

    async fn due(&self, _: SystemScope, at: WallTime) -> Result<Vec<SessionId>, StoreError> {
        Ok(self.read_due(at).await?)
    }

    async fn abandon(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        match self.find(ABANDONED, at - ABANDONED_AFTER, at, limit).await? {
            Some(due) => self.writer.command(Abandon(due)).await,
            None => Ok(0),
        }
    }

    async fn release(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        match self.find(DOUBTFUL, at - DOUBT_ENDS_AFTER, at, limit).await? {
            Some(due) => self.writer.command(Release(due)).await,
            None => Ok(0),
        }
    }

    async fn erase(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        let messages = self.find_erasable(at, limit).await?;
        if messages.is_empty() {
            return Ok(0);
        }
        self.writer.errand(Erase { messages }).await
    }

    async fn forget(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        self.writer.errand(Forget { at, limit, now: self.clock.read() }).await
    }
}
