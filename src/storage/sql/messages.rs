//! Reading messages and taking them back.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, EntityTrait as _, QueryFilter as _, QueryResult,
};
use uuid::Uuid;

use super::commands::Cancel;
use super::dialect::{self, Fault};
use super::entities::{count, maybe_time, maybe_word, message, word};
use super::errands::CancelAll;
use super::load::{ids, usage_row};
use super::log;
use super::writer::WriterHandle;
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Message, MessageStatus};
use crate::domain::page::{Page, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::{Period, WallTime};
use crate::failpoint::{self, Point};
use crate::ports::messages::{LogFilter, LogPage, MessageFilter, Messages, Queue, QueueHead, UsageDay};
use crate::ports::outbox::Usage;
use crate::ports::store::{StoreError, WriteError};

pub(super) const SESSIONS_OF: &str = "SELECT id FROM session WHERE tenant_id = $1";

pub(super) const USAGE: &str = "SELECT * FROM usage WHERE tenant_id = $1 AND period_start = $2";

pub(super) const KNOWS_CHAT: &str =
    "SELECT first_at FROM chat WHERE session_id = $1 AND phone = $2 AND tenant_id = $3";

pub(super) const QUEUE: &str = "
    SELECT status, count(*) FROM message
    WHERE session_id = $1 AND tenant_id = $2 AND status IN ('queued', 'held', 'sending') GROUP BY status";

pub(super) const QUEUE_HEAD: &str = "
    SELECT id, status, reason, not_before FROM message
    WHERE session_id = $1 AND tenant_id = $2 AND status IN ('queued', 'held', 'sending') AND status <> 'sending'
    ORDER BY ord LIMIT 1";

pub(super) const ATTEMPTS_OF: &str = "
    SELECT wall FROM send_attempt WHERE session_id = $1 AND tenant_id = $2 AND wall > $3 ORDER BY wall DESC LIMIT $4";

/// Deleted ones too: their messages stay readable.
async fn sessions_of(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Uuid>, Fault> {
    let rows = dialect::query(db, SESSIONS_OF, [tenant.uuid().into()]).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// Days that are over and the one under way. A clock that was set back may leave two parts of one day.
pub(super) const DAYS: &str = "
    SELECT d.session_id, d.day, CAST(sum(d.sent) AS BIGINT) AS sent, CAST(sum(d.failed) AS BIGINT) AS failed,
        CAST(sum(d.received) AS BIGINT) AS received
    FROM (
        SELECT session_id, day, sent, failed, received FROM usage_day
        WHERE tenant_id = $1 AND day >= $2 AND day < $3 AND day >= $4
        UNION ALL
        SELECT t.session_id, t.day, t.day_sent, t.day_failed, t.day_received
        FROM session AS s JOIN session_tally AS t ON t.session_id = s.id
        WHERE s.tenant_id = $1 AND t.day >= $2 AND t.day < $3 AND t.day >= $4
            AND t.day_sent + t.day_failed + t.day_received > 0) AS d
    WHERE d.day > $4 OR d.session_id > $5
    GROUP BY d.day, d.session_id ORDER BY d.day, d.session_id LIMIT $6";

/// [`Messages`] over SQL.
pub(super) struct SqlMessages {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

impl SqlMessages {
    async fn read_list(
        &self,
        tenant: TenantId,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Vec<Message>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let sessions = match filter.session {
            Some(session) => vec![session.uuid()],
            None => sessions_of(db, tenant).await?,
        };
        let values = [
            ids(sessions.into_iter())?.into(),
            page.before.unwrap_or(Uuid::max()).into(),
            tenant.uuid().into(),
            filter.chat.map(|chat| chat.as_str().to_owned()).into(),
            filter.status.map(|status| status.to_string()).into(),
            filter.direction.map(|direction| direction.to_string()).into(),
            filter.client_ref.into(),
            (i64::from(page.limit) + 1).into(),
        ];
        let wanted = dialect::statement(db, dialect::LIST_MESSAGES, values);
        let rows = message::Entity::find().from_raw_sql(wanted).all(db).await?;
        rows.into_iter().map(message::Model::into_domain).collect()
    }

    async fn read_usage(&self, tenant: TenantId, period: Period) -> Result<Option<Usage>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let values = [tenant.uuid().into(), period.start.0.into()];
        let Some(row) = dialect::query(db, USAGE, values).await?.pop() else { return Ok(None) };
        let (_, month) = usage_row(&row)?;
        let live = dialect::query(db, dialect::LIVE_OF, [tenant.uuid().into()]).await?.pop();
        let queued = live.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.map_or(0, count);
        Ok(Some(Usage { allowance: month.allowance, used: month.used, held: month.held, queued }))
    }

    async fn read_days(
        &self,
        tenant: TenantId,
        period: Period,
        after: Option<(WallTime, SessionId)>,
        limit: u32,
    ) -> Result<Vec<UsageDay>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let (after, session) =
            after.map_or((i64::MIN, Uuid::nil()), |(day, session)| (day.0, session.uuid()));
        let values = [
            tenant.uuid().into(),
            period.start.0.into(),
            period.end.0.into(),
            after.into(),
            session.into(),
            i64::from(limit).into(),
        ];
        let read = |row: &QueryResult| {
            let number = |column: &str| row.try_get::<i64>("", column).map(count);
            Ok(UsageDay {
                day: WallTime(row.try_get("", "day")?),
                session: row.try_get::<Uuid>("", "session_id")?.into(),
                sent: number("sent")?,
                failed: number("failed")?,
                received: number("received")?,
            })
        };
        dialect::query(db, DAYS, values).await?.iter().map(read).collect()
    }

    async fn read_queue(&self, tenant: TenantId, session: SessionId, at: WallTime) -> Result<Queue, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let values = || [session.uuid().into(), tenant.uuid().into()];
        let mut queue = Queue::default();
        for row in dialect::query(db, QUEUE, values()).await? {
            let messages = count(row.try_get_by_index(1)?);
            match word(&row.try_get_by_index::<String>(0)?, "message status")? {
                MessageStatus::Queued => queue.queued = messages,
                MessageStatus::Held => queue.held = messages,
                _ => queue.sending = messages,
            }
        }
        if let Some(row) = dialect::query(db, QUEUE_HEAD, values()).await?.pop() {
            let reason: Option<String> = row.try_get("", "reason")?;
            queue.head = Some(QueueHead {
                id: row.try_get::<Uuid>("", "id")?.into(),
                status: word(&row.try_get::<String>("", "status")?, "message status")?,
                reason: maybe_word(reason.as_deref(), "message reason")?,
                until: maybe_time(row.try_get("", "not_before")?).filter(|until| *until > at),
            });
        }
        Ok(queue)
    }

    async fn read_attempts_of(
        &self,
        tenant: TenantId,
        session: SessionId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<WallTime>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let values = [session.uuid().into(), tenant.uuid().into(), since.0.into(), i64::from(limit).into()];
        let rows = dialect::query(db, ATTEMPTS_OF, values).await?;
        rows.iter().rev().map(|row| Ok(WallTime(row.try_get_by_index(0)?))).collect()
    }

    async fn read_attempts(&self, tenant: TenantId, since: WallTime) -> Result<Vec<(SessionId, u64)>, Fault> {
        let values = [tenant.uuid().into(), since.0.into()];
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let rows = dialect::query(db, dialect::ATTEMPTS_SINCE, values).await?;
        rows.iter()
            .map(|row| Ok((row.try_get_by_index::<Uuid>(0)?.into(), count(row.try_get_by_index(1)?))))
            .collect()
    }
}

#[async_trait]
impl Messages for SqlMessages {
    async fn get(&self, scope: TenantScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let row = message::Entity::find()
            .filter(message::Column::Id.eq(id.uuid()))
            .filter(message::Column::TenantId.eq(scope.tenant().uuid()))
            .one(db)
            .await
            .map_err(Fault::from)?;
        Ok(row.map(message::Model::into_domain).transpose()?)
    }

    async fn list(
        &self,
        scope: TenantScope,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Slice<Message>, StoreError> {
        Ok(Slice::of(self.read_list(scope.tenant(), filter, page).await?, page))
    }

    async fn knows_chat(
        &self,
        scope: TenantScope,
        session: SessionId,
        chat: &Chat,
    ) -> Result<bool, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let values = [session.uuid().into(), chat.as_str().to_owned().into(), scope.tenant().uuid().into()];
        Ok(!dialect::query(db, KNOWS_CHAT, values).await?.is_empty())
    }

    async fn cancel(&self, scope: TenantScope, id: MessageId, at: WallTime) -> Result<Message, WriteError> {
        failpoint::hit(Point::CancelBefore).await?;
        let canceled = self.writer.command(Cancel { scope, message: id, at }).await?;
        failpoint::hit(Point::CancelAfter).await?;
        Ok(canceled)
    }

    async fn cancel_all(
        &self,
        scope: TenantScope,
        session: SessionId,
        at: WallTime,
    ) -> Result<u64, WriteError> {
        self.writer.errand(CancelAll { scope, session, at }).await
    }

    async fn usage(&self, scope: TenantScope, period: Period) -> Result<Option<Usage>, StoreError> {
        Ok(self.read_usage(scope.tenant(), period).await?)
    }

    async fn days(
        &self,
        scope: TenantScope,
        period: Period,
        after: Option<(WallTime, SessionId)>,
        limit: u32,
    ) -> Result<Vec<UsageDay>, StoreError> {
        Ok(self.read_days(scope.tenant(), period, after, limit).await?)
    }

    async fn find(&self, _: SystemScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        let row = message::Entity::find().filter(message::Column::Id.eq(id.uuid())).one(&self.readers).await;
        Ok(row.map_err(Fault::from)?.map(message::Model::into_domain).transpose()?)
    }

    async fn log(&self, _: SystemScope, filter: LogFilter, page: Page) -> Result<LogPage, StoreError> {
        Ok(log::read(&self.readers, filter, page).await?)
    }

    async fn queue(&self, scope: TenantScope, session: SessionId, at: WallTime) -> Result<Queue, StoreError> {
        Ok(self.read_queue(scope.tenant(), session, at).await?)
    }

    async fn attempts_of(
        &self,
        scope: TenantScope,
        session: SessionId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<WallTime>, StoreError> {
        Ok(self.read_attempts_of(scope.tenant(), session, since, limit).await?)
    }

    async fn attempts_since(
        &self,
        scope: TenantScope,
        since: WallTime,
    ) -> Result<Vec<(SessionId, u64)>, StoreError> {
        Ok(self.read_attempts(scope.tenant(), since).await?)
    }
}
