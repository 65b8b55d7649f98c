//! The durable queue.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait as _, QueryResult};
use uuid::Uuid;

use super::attempts;
use super::commands::{
    Accept, Apply, GiveBack, Hear, Recover, Settle, TakeEpoch, TakeOne, as_accepted, standing_refusal,
};
use super::dialect::{self, Fault};
use super::entities::{count, maybe_time, message, word};
use super::idempotency::{self, Owner};
use super::load::{session_by_id, subject};
use super::writer::WriterHandle;
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::Message;
use crate::domain::session::Lease;
use crate::domain::time::{Moment, Reading, WallTime};
use crate::ports::clock::Clock;
use crate::ports::outbox::{
    Acceptance, Claim, Claimed, Inbound, Judge, Memory, Outbox, Pending, Position, Receipt, Recovered,
    Referred, Settlement, Stored,
};
use crate::ports::store::{Created, StoreError, WriteError};

/// What waits for a lease: no row at all when it is not held any more, one without a place when nothing waits.
pub(super) const PENDING: &str = "
    SELECT m.ord, m.id, m.chat, m.not_before, m.send_at, m.attempts, m.status
    FROM session AS s
    LEFT JOIN message AS m ON m.session_id = s.id AND m.ord > $2 AND m.status IN ('queued', 'held', 'sending')
    WHERE s.id = $1 AND s.epoch = $4 AND s.tenant_id = $5 AND s.deleted_at IS NULL
    ORDER BY m.ord LIMIT $3";

pub(super) const LEFT_SENDING: &str = "
    SELECT id FROM message WHERE session_id = $1 AND status = 'sending' AND epoch < $2";

pub(super) const ONE_OF_SESSION: &str =
    "SELECT * FROM message WHERE id = $1 AND session_id = $2 AND tenant_id = $3";

/// [`Outbox`] over SQL.
pub(super) struct SqlOutbox {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) judge: Judge,
}

/// The ids in the first column of a read.
pub(super) async fn message_ids<const N: usize>(
    db: &impl ConnectionTrait,
    text: impl Into<dialect::Text>,
    values: [sea_orm::Value; N],
) -> Result<Vec<MessageId>, Fault> {
    let rows = dialect::query(db, text, values).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?.into())).collect()
}

impl SqlOutbox {
    async fn read_foreseen(
        &self,
        tenant: TenantId,
        session: SessionId,
        asked: Option<&Idempotency>,
        at: WallTime,
    ) -> Result<Result<Option<Message>, WriteError>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let owner = Owner::Tenant(tenant).uuid();
        let found = match asked {
            Some(asked) => idempotency::find(db, std::iter::once((owner, asked.key.as_str()))).await?,
            None => vec![],
        };
        let row = session_by_id(db, session).await?;
        let row = row.filter(|row| row.tenant == tenant && row.deleted_at.is_none());
        let first = found.first().map(|(_, first)| first);
        match standing_refusal(row.as_ref(), first, asked, at) {
            Err(refusal) => Ok(Err(refusal.into())),
            Ok(None) => Ok(Ok(None)),
            Ok(Some(id)) => {
                let wanted = dialect::statement(
                    db,
                    "SELECT * FROM message WHERE id = $1 AND tenant_id = $2",
                    [subject(id)?.into(), tenant.uuid().into()],
                );
                let stored = message::Entity::find().from_raw_sql(wanted).one(db).await?;
                let stored = stored.map(message::Model::into_domain).transpose()?;
                Ok(Ok(stored.as_ref().map(as_accepted)))
            }
        }
    }

    async fn read_referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, Fault> {
        let values = [message.uuid().into(), lease.session.uuid().into(), lease.tenant.uuid().into()];
        let wanted = dialect::statement(&self.readers, ONE_OF_SESSION, values);
        let row = message::Entity::find().from_raw_sql(wanted).one(&self.readers).await?;
        Ok(row.map(message::Model::into_domain).transpose()?.map(Referred::of))
    }

    /// `None` when the lease is not held any more.
    async fn read_pending(
        &self,
        lease: Lease,
        after: Position,
        limit: u32,
    ) -> Result<Option<Vec<Pending>>, Fault> {
        let values = [
            lease.session.uuid().into(),
            after.0.into(),
            i64::from(limit).into(),
            lease.epoch.0.into(),
            lease.tenant.uuid().into(),
        ];
        let rows = dialect::query(&self.readers, PENDING, values).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let now = self.clock.wall();
        rows.iter().filter_map(|row| pending_row(row, now).transpose()).collect::<Result<_, _>>().map(Some)
    }
}

/// One that waits; `None` for a row that only says that the lease is held.
fn pending_row(row: &QueryResult, now: WallTime) -> Result<Option<Pending>, Fault> {
    let Some(ord) = row.try_get_by_index(0)? else { return Ok(None) };
    let send_at = maybe_time(row.try_get_by_index(4)?);
    Ok(Some(Pending {
        message: row.try_get_by_index::<Uuid>(1)?.into(),
        position: Position(ord),
        chat: Chat::stored(row.try_get_by_index(2)?),
        not_before: maybe_time(row.try_get_by_index(3)?).unwrap_or_default(),
        scheduled: send_at.is_some_and(|at| at > now),
        attempts: count(row.try_get_by_index(5)?) as u32,
        status: word(&row.try_get_by_index::<String>(6)?, "message status")?,
    }))
}

#[async_trait]
impl Outbox for SqlOutbox {
    async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError> {
        self.writer.command(Accept { acceptance, judge: self.judge }).await
    }

    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, WriteError> {
        self.read_foreseen(tenant, session, idempotency.as_ref(), at).await.map_err(StoreError::from)?
    }

    async fn recall(&self, session: SessionId, at: Reading) -> Result<Memory, StoreError> {
        let taken = self.writer.command(TakeEpoch { session, at: at.wall }).await?;
        // Read afterwards: nobody older can add an attempt any more.
        let attempts = attempts::of_session(&self.readers, session, at).await?;
        Ok(Memory { lease: taken.lease, attempts, standing: taken.standing, paired: taken.paired })
    }

    async fn pending(&self, lease: Lease, after: Position, limit: u32) -> Result<Vec<Pending>, StoreError> {
        self.read_pending(lease, after, limit).await?.ok_or(StoreError::Fenced)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.writer.command(TakeOne(claim)).await
    }

    async fn give_back(&self, lease: Lease, message: MessageId, number: u32) -> Result<(), StoreError> {
        let at = self.clock.wall();
        self.writer.command(GiveBack { lease, message, number, at }).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.writer.command(Settle(settlement)).await
    }

    async fn receipt(&self, lease: Lease, receipt: Receipt) -> Result<bool, StoreError> {
        self.writer.command(Apply { lease, receipt }).await
    }

    async fn recover(&self, lease: Lease, at: WallTime) -> Result<Recovered, StoreError> {
        let values = [lease.session.uuid().into(), lease.epoch.0.into()];
        let left = message_ids(&self.readers, LEFT_SENDING, values).await?;
        self.writer.command(Recover { lease, left, at }).await
    }

    async fn inbound(&self, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError> {
        self.writer.command(Hear { lease, inbound }).await
    }

    async fn referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, StoreError> {
        Ok(self.read_referred(lease, message).await?)
    }

    async fn tenant_attempts(
        &self,
        tenant: TenantId,
        at: Reading,
    ) -> Result<Option<Vec<Moment>>, StoreError> {
        Ok(attempts::of_tenant(&self.readers, tenant, at).await?)
    }
}
