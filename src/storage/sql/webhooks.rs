//! Endpoints, their events and their deliveries.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseConnection, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _,
};
use std::collections::HashMap;
use uuid::Uuid;

use super::commands::SettleDelivery;
use super::dialect::{self, Fault};
use super::entities::{count, message, session, session_tally, webhook, webhook_delivery};
use super::errands::{
    Bury, CreateWebhook, DeleteWebhook, DisableWebhook, ForgetWebhooks, PutWebhook, Redeliver,
    RedeliverRange, TestWebhook,
};
use super::idempotency::json;
use super::load::ids;
use super::posting::Snapshot;
use super::writer::WriterHandle;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::Message;
use crate::domain::page::{Page, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::Session;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Attempt, Delivery, DeliveryStatus, KEPT, Subject, Webhook, WebhookEvent, WebhookReason, WebhookStatus,
};
use crate::ports::store::{Created, StoreError, WriteError};
use crate::ports::webhooks::{
    EndpointFilter, Logged, Parcel, RANGE_MAX, Range, Repeated, Settled, Webhooks, Work,
};

pub(super) const NEXT_DUE: &str = "
    SELECT min(due_at) FROM webhook_delivery WHERE webhook_id = $1 AND status = 'pending' AND due_at > $2";

const WAITING: &str = "
    SELECT h.id FROM webhook AS h
    WHERE h.status = 'active' AND h.deleted_at IS NULL AND EXISTS (
        SELECT 1 FROM webhook_delivery AS d WHERE d.webhook_id = h.id AND d.status = 'pending')";

const OLDEST: &str = "SELECT at FROM webhook_event ORDER BY ord LIMIT 1";

pub(super) const EVENT: &str = "
    SELECT id AS event_id, tenant_id, seq, at, kind, session_id, message_id, webhook_id, snapshot
    FROM webhook_event WHERE id = $1";

pub(super) const LOG: &str = "
    SELECT number, at, duration_ms, url, status, error, body FROM webhook_attempt
    WHERE delivery_id = $1 ORDER BY number, ord";

/// [`Webhooks`] over SQL.
pub(super) struct SqlWebhooks {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

impl SqlWebhooks {
    async fn find(&self, db: &impl ConnectionTrait, id: WebhookId) -> Result<Option<Webhook>, Fault> {
        let row = webhook::Entity::find_by_id(id.uuid()).one(db).await?;
        row.filter(|row| row.deleted_at.is_none()).map(webhook::Model::into_domain).transpose()
    }

    /// Events as they were, from their rows and those of what they are about.
    async fn events(
        &self,
        db: &impl ConnectionTrait,
        rows: &[QueryResult],
    ) -> Result<Vec<WebhookEvent>, Fault> {
        let named = |column: &'static str| {
            rows.iter().map(move |row| row.try_get::<Option<Uuid>>("", column)).collect::<Result<Vec<_>, _>>()
        };
        let messages = self.messages(db, named("message_id")?.into_iter().flatten()).await?;
        let sessions = self.sessions(db, rows, named("session_id")?).await?;
        rows.iter().map(|row| event(row, &messages, &sessions)).collect()
    }

    async fn messages(
        &self,
        db: &impl ConnectionTrait,
        wanted: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, Message>, Fault> {
        let list = ids(wanted)?;
        let rows =
            message::Entity::find().from_raw_sql(dialect::statement(db, dialect::MESSAGES, [list.into()]));
        let rows = rows.all(db).await?;
        rows.into_iter().map(|row| Ok((row.id, row.into_domain()?))).collect()
    }

    /// Sessions of the events that are about one, deleted ones too.
    async fn sessions(
        &self,
        db: &impl ConnectionTrait,
        rows: &[QueryResult],
        named: Vec<Option<Uuid>>,
    ) -> Result<HashMap<Uuid, Session>, Fault> {
        let mut wanted = vec![];
        for (row, session) in rows.iter().zip(named) {
            if row.try_get::<Option<Uuid>>("", "message_id")?.is_none() {
                wanted.extend(session);
            }
        }
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let found = session::Entity::find().filter(session::Column::Id.is_in(wanted));
        let found = found.find_also_related(session_tally::Entity).all(db).await?;
        let into_domain = |(row, tally): (session::Model, Option<session_tally::Model>)| {
            let tally = tally.map(session_tally::Model::into_domain).unwrap_or_default();
            Ok((row.id, row.into_domain(tally)?))
        };
        found.into_iter().map(into_domain).collect()
    }

    async fn read_work(
        &self,
        id: WebhookId,
        at: WallTime,
        under_way: &[DeliveryId],
        limit: u32,
    ) -> Result<Option<Work>, Fault> {
        let Some(webhook) = self.find(&self.readers, id).await? else { return Ok(None) };
        if webhook.status != WebhookStatus::Active {
            return Ok(None);
        }
        let siblings = webhook::Entity::find()
            .filter(webhook::Column::TenantId.eq(webhook.tenant.uuid()))
            .filter(webhook::Column::Status.eq(WebhookStatus::Active.to_string()))
            .filter(webhook::Column::DeletedAt.is_null())
            .count(&self.readers)
            .await?;
        let under_way = ids(under_way.iter().map(|id| id.uuid()))?;
        let values = [id.uuid().into(), at.0.into(), under_way.into(), i64::from(limit + 1).into()];
        let rows = dialect::query(&self.readers, dialect::DUE_DELIVERIES, values).await?;
        let more = rows.len() > limit as usize;
        let rows = &rows[..rows.len().min(limit as usize)];
        let events = self.events(&self.readers, rows).await?;
        let parcels = rows.iter().zip(events).map(|(row, event)| {
            Ok(Parcel {
                delivery: row.try_get::<Uuid>("", "id")?.into(),
                attempts: count(row.try_get("", "attempts")?) as u32,
                since: WallTime(row.try_get("", "created_at")?),
                event,
            })
        });
        let parcels = parcels.collect::<Result<_, Fault>>()?;
        let next = dialect::query(&self.readers, NEXT_DUE, [id.uuid().into(), at.0.into()]).await?;
        let next = next.first().map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten();
        Ok(Some(Work {
            webhook,
            siblings: siblings.max(1) as u32,
            parcels,
            more,
            next_due: next.map(WallTime),
        }))
    }

    async fn read_deliveries(
        &self,
        scope: TenantScope,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        page: Page,
    ) -> Result<Slice<Delivery>, Fault> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let rows = webhook_delivery::Entity::find().filter(webhook_delivery::Column::WebhookId.eq(id.uuid()));
        let rows = match status {
            Some(status) => rows.filter(webhook_delivery::Column::Status.eq(status.to_string())),
            None => rows,
        };
        let rows = match page.before {
            Some(before) => rows.filter(webhook_delivery::Column::Id.lt(before)),
            None => rows,
        };
        let rows = rows.order_by_desc(webhook_delivery::Column::Id).limit(u64::from(page.limit) + 1);
        let rows = rows.all(db).await?;
        let rows = rows.into_iter().map(webhook_delivery::Model::into_domain).collect::<Result<_, _>>()?;
        Ok(Slice::of(rows, page))
    }

    async fn read_range(
        &self,
        scope: TenantScope,
        id: WebhookId,
        range: &Range,
    ) -> Result<Vec<webhook_delivery::Model>, Fault> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let millis = range.from.0.clamp(0, (1 << 48) - 1) as u128;
        let values = [
            id.uuid().into(),
            Uuid::from_u128(millis << 80).into(),
            range.from.0.into(),
            range.to.0.into(),
            json(&range.statuses)?.into(),
            i64::from(RANGE_MAX + 1).into(),
        ];
        let rows = webhook_delivery::Entity::find().from_raw_sql(dialect::statement(
            db,
            dialect::RANGE_OF_DELIVERIES,
            values,
        ));
        Ok(rows.all(db).await?)
    }

    async fn read_delivery(&self, scope: TenantScope, id: DeliveryId) -> Result<Option<Logged>, Fault> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let row = webhook_delivery::Entity::find()
            .filter(webhook_delivery::Column::Id.eq(id.uuid()))
            .filter(webhook_delivery::Column::TenantId.eq(scope.tenant().uuid()))
            .one(db)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let rows = dialect::query(db, EVENT, [row.event_id.into()]).await?;
        // Both are forgotten at once; one that is read just then is gone.
        let Some(event) = self.events(db, &rows).await?.pop() else { return Ok(None) };
        let log = dialect::query(db, LOG, [id.uuid().into()]).await?;
        let log = log.iter().map(attempt).collect::<Result<_, _>>()?;
        Ok(Some(Logged { delivery: row.into_domain()?, event, log }))
    }
}

fn attempt(row: &QueryResult) -> Result<Attempt, Fault> {
    Ok(Attempt {
        number: count(row.try_get("", "number")?) as u32,
        at: WallTime(row.try_get("", "at")?),
        duration_ms: count(row.try_get("", "duration_ms")?),
        url: row.try_get("", "url")?,
        status: row.try_get::<Option<i64>>("", "status")?.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get("", "error")?,
        body: row.try_get("", "body")?,
    })
}

fn event(
    row: &QueryResult,
    messages: &HashMap<Uuid, Message>,
    sessions: &HashMap<Uuid, Session>,
) -> Result<WebhookEvent, Fault> {
    let id = |column: &str| row.try_get::<Option<Uuid>>("", column);
    let snapshot: String = row.try_get("", "snapshot")?;
    let snapshot = serde_json::from_str(&snapshot).map_err(|_| Fault::unreadable("snapshot"))?;
    let session = id("session_id")?;
    let subject = match snapshot {
        Snapshot::Message(state) => {
            id("message_id")?.and_then(|id| messages.get(&id)).map_or(Subject::Gone, |message| {
                let mut message = message.clone();
                state.apply(&mut message);
                Subject::Message(Box::new(message))
            })
        }
        Snapshot::Session(state) => {
            session.and_then(|id| sessions.get(&id)).map_or(Subject::Gone, |session| {
                let mut session = session.clone();
                state.apply(&mut session);
                Subject::Session(Box::new(session))
            })
        }
        Snapshot::Usage(percent) => Subject::Usage(percent),
        Snapshot::Webhook(reason) => {
            id("webhook_id")?.map_or(Subject::Gone, |id| Subject::Webhook(id.into(), reason))
        }
        Snapshot::Invoice(invoice) => Subject::Invoice(invoice),
        Snapshot::Subscription(subscription) => Subject::Subscription(subscription),
        Snapshot::Test => Subject::Test,
        Snapshot::Gone => Subject::Gone,
    };
    Ok(WebhookEvent {
        id: row.try_get::<Uuid>("", "event_id")?.into(),
        tenant: row.try_get::<Uuid>("", "tenant_id")?.into(),
        seq: row.try_get::<Option<i64>>("", "seq")?.map(count),
        at: WallTime(row.try_get("", "at")?),
        kind: row.try_get("", "kind")?,
        session: session.map(Into::into),
        subject,
    })
}

/// Endpoints, newest first.
async fn paged(
    db: &impl ConnectionTrait,
    filter: EndpointFilter,
    page: Page,
) -> Result<Slice<Webhook>, Fault> {
    let failing = |is_wanted: bool| match is_wanted {
        true => webhook::Column::FailingSince.is_not_null(),
        false => webhook::Column::FailingSince.is_null(),
    };
    let wanted = Condition::all()
        .add(webhook::Column::DeletedAt.is_null())
        .add_option(filter.tenant.map(|tenant| webhook::Column::TenantId.eq(tenant.uuid())))
        .add_option(filter.status.map(|status| webhook::Column::Status.eq(status.to_string())))
        .add_option(filter.failing.map(failing))
        .add_option(page.before.map(|before| webhook::Column::Id.lt(before)));
    let rows = webhook::Entity::find().filter(wanted).order_by_desc(webhook::Column::Id);
    let rows = rows.limit(u64::from(page.limit) + 1).all(db).await?;
    let rows = rows.into_iter().map(webhook::Model::into_domain).collect::<Result<_, _>>()?;
    Ok(Slice::of(rows, page))
}

#[async_trait]
impl Webhooks for SqlWebhooks {
    async fn create(
        &self,
        scope: TenantScope,
        webhook: Webhook,
        limit: u32,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Webhook>, WriteError> {
        self.writer.errand(CreateWebhook { scope, webhook, limit, idempotency }).await
    }

    async fn get(&self, scope: TenantScope, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        Ok(self.find(db, id).await?.filter(|webhook| webhook.tenant == scope.tenant()))
    }

    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Webhook>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let filter = EndpointFilter { tenant: Some(scope.tenant()), ..EndpointFilter::default() };
        Ok(paged(db, filter, page).await?)
    }

    async fn fleet(
        &self,
        _: SystemScope,
        filter: EndpointFilter,
        page: Page,
    ) -> Result<Slice<Webhook>, StoreError> {
        Ok(paged(&self.readers, filter, page).await?)
    }

    async fn put(&self, scope: TenantScope, webhook: Webhook, at: WallTime) -> Result<Webhook, WriteError> {
        self.writer.errand(PutWebhook { scope, webhook, at }).await
    }

    async fn delete(&self, scope: TenantScope, id: WebhookId, at: WallTime) -> Result<bool, StoreError> {
        self.writer.errand(DeleteWebhook { scope, id, at }).await
    }

    async fn test(
        &self,
        scope: TenantScope,
        id: WebhookId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError> {
        self.writer.errand(TestWebhook { scope, id, at, idempotency }).await
    }

    async fn deliveries(
        &self,
        scope: TenantScope,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        page: Page,
    ) -> Result<Option<Slice<Delivery>>, StoreError> {
        match self.get(scope, id).await? {
            Some(_) => Ok(Some(self.read_deliveries(scope, id, status, page).await?)),
            None => Ok(None),
        }
    }

    async fn delivery(&self, scope: TenantScope, id: DeliveryId) -> Result<Option<Logged>, StoreError> {
        Ok(self.read_delivery(scope, id).await?)
    }

    async fn redeliver(
        &self,
        scope: TenantScope,
        id: DeliveryId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError> {
        self.writer.errand(Redeliver { scope, id, at, idempotency }).await
    }

    async fn redeliver_range(
        &self,
        scope: TenantScope,
        id: WebhookId,
        range: Range,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Repeated>, WriteError> {
        let found = self.read_range(scope, id, &range).await.map_err(StoreError::from)?;
        self.writer.errand(RedeliverRange { scope, id, found, at, idempotency }).await
    }

    async fn waiting(&self, _: SystemScope) -> Result<Vec<WebhookId>, StoreError> {
        let rows = dialect::query(&self.readers, WAITING, []).await?;
        let ids = rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?.into()));
        Ok(ids.collect::<Result<_, Fault>>()?)
    }

    async fn work(
        &self,
        _: SystemScope,
        id: WebhookId,
        at: WallTime,
        under_way: &[DeliveryId],
        limit: u32,
    ) -> Result<Option<Work>, StoreError> {
        Ok(self.read_work(id, at, under_way, limit).await?)
    }

    async fn settle(&self, _: SystemScope, settled: Settled) -> Result<(), StoreError> {
        self.writer.command(SettleDelivery(settled)).await
    }

    async fn bury(
        &self,
        _: SystemScope,
        id: WebhookId,
        before: WallTime,
        at: WallTime,
    ) -> Result<u64, StoreError> {
        self.writer.errand(Bury { id, before, at }).await
    }

    async fn disable(
        &self,
        _: SystemScope,
        id: WebhookId,
        reason: WebhookReason,
        at: WallTime,
    ) -> Result<(), StoreError> {
        self.writer.errand(DisableWebhook { id, reason, at }).await
    }

    async fn forget(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        // The oldest event is the first. Most stores have none, and should not pay for a write.
        let oldest = dialect::query(&self.readers, OLDEST, []).await?;
        let oldest =
            oldest.first().map(|row| row.try_get_by_index::<i64>(0)).transpose().map_err(Fault::from)?;
        if oldest.is_none_or(|oldest| WallTime(oldest) >= at - KEPT) {
            return Ok(0);
        }
        self.writer.errand(ForgetWebhooks { at, limit }).await
    }
}
