//! Endpoints, and the rare writes about their deliveries. What is written with every event or attempt is in batches.

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _,
};
use uuid::Uuid;

use super::tenants::find_tenant;
use super::{earlier, remember};
use crate::domain::id::{DeliveryId, EventId, TenantId, WebhookId};
use crate::domain::idempotency::Idempotency;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Delivery, DeliveryReason, DeliveryStatus, Health, KEPT, TEST, Webhook, WebhookReason, WebhookStatus,
};
use crate::ports::store::{Created, StoreError, WriteError};
use crate::ports::webhooks::{RANGE_MAX, Repeated};
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{webhook, webhook_delivery};
use crate::storage::sql::idempotency::{Kind, Owner, json};
use crate::storage::sql::load::{Needs, ids, subject};
use crate::storage::sql::posting::{DeliveryRow, EventRow, Snapshot};
use crate::storage::sql::writer::Errand;

/// An endpoint that is not deleted.
async fn find(desk: &Desk<'_>, id: WebhookId) -> Result<Option<webhook::Model>, Fault> {
    let row = webhook::Entity::find_by_id(id.uuid()).one(desk.txn).await?;
    Ok(row.filter(|row| row.deleted_at.is_none()))
}

/// A tenant's endpoint, or the refusal.
async fn own(desk: &Desk<'_>, scope: TenantScope, id: WebhookId) -> Result<Result<Webhook, Refusal>, Fault> {
    let row = find(desk, id).await?.filter(|row| row.tenant_id == scope.tenant().uuid());
    Ok(match row {
        Some(row) => Ok(row.into_domain()?),
        None => Err(Refusal::not_found()),
    })
}

fn disabled() -> Refusal {
    Refusal::conflict("the webhook is disabled; enable it first (POST /v1/webhooks/{id}/enable)")
}

/// Gives up what is pending.
async fn give_up(
    desk: &Desk<'_>,
    id: WebhookId,
    reason: DeliveryReason,
    before: Option<WallTime>,
    at: WallTime,
) -> Result<u64, Fault> {
    const TEXT: &str = "
        UPDATE webhook_delivery SET status = 'dead', reason = $1, due_at = NULL, settled_at = $2
        WHERE webhook_id = $3 AND status = 'pending' AND created_at < $4";
    let before = before.map_or(i64::MAX, |at| at.0);
    let values = [reason.to_string().into(), at.0.into(), id.uuid().into(), before.into()];
    dialect::execute(desk.txn, TEXT, values).await
}

/// Adds an endpoint.
pub struct CreateWebhook {
    pub scope: TenantScope,
    pub webhook: Webhook,
    pub limit: u32,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for CreateWebhook {
    type Answer = Created<Webhook>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Webhook>, WriteError>, Fault> {
        let Self { scope, webhook, limit, idempotency } = self;
        let (owner, at) = (Owner::Tenant(scope.tenant()), webhook.created_at);
        let asked = idempotency.as_ref();
        match earlier(desk, owner, asked, Kind::Webhook, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                let first = own(desk, *scope, subject(&id)?.into()).await?;
                return Ok(first.map(Created::Replayed).map_err(Into::into));
            }
            Ok(None) => {}
        }
        if webhook.tenant != scope.tenant() || find_tenant(desk.txn, scope.tenant()).await?.is_none() {
            return Ok(Err(Refusal::not_found().into()));
        }
        let held = webhook::Entity::find()
            .filter(webhook::Column::TenantId.eq(scope.tenant().uuid()))
            .filter(webhook::Column::DeletedAt.is_null())
            .count(desk.txn)
            .await?;
        if held >= u64::from(*limit) {
            let detail = format!("the plan allows {limit} webhooks, and there are {held}; delete one first");
            return Ok(Err(Refusal::conflict(detail).into()));
        }
        webhook::row(webhook)?.insert(desk.txn).await?;
        let id = webhook.id.uuid().simple().to_string();
        remember(desk, owner, asked, Kind::Webhook, id, at).await?;
        Ok(Ok(Created::New(webhook.clone())))
    }
}

/// Writes the settings of an endpoint.
pub struct PutWebhook {
    pub scope: TenantScope,
    pub webhook: Webhook,
    pub at: WallTime,
}

#[async_trait]
impl Errand for PutWebhook {
    type Answer = Webhook;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Webhook, WriteError>, Fault> {
        let Self { scope, webhook, at } = self;
        let was = match own(desk, *scope, webhook.id).await? {
            Ok(was) => was,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        if was.revision != webhook.revision {
            let detail = "the webhook was changed meanwhile; read it and try again";
            return Ok(Err(Refusal::conflict(detail).into()));
        }
        let mut now = Webhook {
            revision: was.revision + 1,
            health: was.health,
            tenant: was.tenant,
            created_at: was.created_at,
            ..webhook.clone()
        };
        match (was.status, now.status) {
            (WebhookStatus::Disabled, WebhookStatus::Active) => now.health = Health::default(),
            (WebhookStatus::Active, WebhookStatus::Disabled) => {
                give_up(desk, now.id, DeliveryReason::Disabled, None, *at).await?;
            }
            _ => {}
        }
        let row = webhook::row(&now)?.reset_all();
        row.update(desk.txn).await?;
        desk.posted(now.id);
        Ok(Ok(now))
    }
}

/// Removes an endpoint.
pub struct DeleteWebhook {
    pub scope: TenantScope,
    pub id: WebhookId,
    pub at: WallTime,
}

#[async_trait]
impl Errand for DeleteWebhook {
    type Answer = bool;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<bool, StoreError>, Fault> {
        let row = find(desk, self.id).await?.filter(|row| row.tenant_id == self.scope.tenant().uuid());
        let Some(row) = row else { return Ok(Ok(false)) };
        let mut row = row.into_active_model();
        row.deleted_at = sea_orm::ActiveValue::Set(Some(self.at.0));
        // Nobody can read them any more, so nothing of theirs is kept.
        row.sealed = sea_orm::ActiveValue::Set(vec![]);
        row.update(desk.txn).await?;
        give_up(desk, self.id, DeliveryReason::Disabled, None, self.at).await?;
        desk.posted(self.id);
        Ok(Ok(true))
    }
}

/// Disables an endpoint on our own account.
pub struct DisableWebhook {
    pub id: WebhookId,
    pub reason: WebhookReason,
    pub at: WallTime,
}

#[async_trait]
impl Errand for DisableWebhook {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        let Some(row) = find(desk, self.id).await? else { return Ok(Ok(())) };
        if row.status != WebhookStatus::Active.to_string() {
            return Ok(Ok(()));
        }
        let (tenant, revision): (TenantId, i64) = (row.tenant_id.into(), row.revision);
        let mut row = row.into_active_model();
        row.status = sea_orm::ActiveValue::Set(WebhookStatus::Disabled.to_string());
        row.reason = sea_orm::ActiveValue::Set(Some(self.reason.to_string()));
        row.since = sea_orm::ActiveValue::Set(self.at.0);
        row.revision = sea_orm::ActiveValue::Set(revision + 1);
        row.update(desk.txn).await?;
        give_up(desk, self.id, DeliveryReason::Disabled, None, self.at).await?;
        let mut needs = Needs::default();
        needs.tenant(tenant);
        let mut book = desk.open(needs).await?;
        book.tell_disabled(tenant, self.id, self.reason);
        desk.close(book).await?;
        Ok(Ok(()))
    }
}

/// Gives up what became too old.
pub struct Bury {
    pub id: WebhookId,
    pub before: WallTime,
    pub at: WallTime,
}

#[async_trait]
impl Errand for Bury {
    type Answer = u64;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, StoreError>, Fault> {
        Ok(Ok(give_up(desk, self.id, DeliveryReason::TooOld, Some(self.before), self.at).await?))
    }
}

/// The tenant's own endpoint, if it is to be told anything now.
async fn active(
    desk: &Desk<'_>,
    scope: TenantScope,
    id: WebhookId,
) -> Result<Result<Webhook, Refusal>, Fault> {
    let is_active = |webhook: &Webhook| webhook.status == WebhookStatus::Active;
    Ok(own(desk, scope, id).await?.and_then(|own| if is_active(&own) { Ok(own) } else { Err(disabled()) }))
}

/// A new delivery, pending from `at`.
fn pending(
    id: DeliveryId,
    webhook: &Webhook,
    event: (Uuid, WallTime, String),
    at: WallTime,
    repeats: Option<DeliveryId>,
) -> DeliveryRow {
    let (event, event_at, kind) = event;
    DeliveryRow {
        id: id.uuid().simple(),
        tenant: webhook.tenant.uuid().simple(),
        webhook: webhook.id.uuid().simple(),
        event: event.simple(),
        kind,
        event_at: event_at.0,
        status: DeliveryStatus::Pending.into(),
        due_at: Some(at.0),
        created_at: at.0,
        settled_at: None,
        repeats: repeats.map(|id| id.uuid().simple()),
    }
}

async fn insert(desk: &Desk<'_>, rows: &[DeliveryRow]) -> Result<(), Fault> {
    dialect::execute(desk.txn, dialect::INSERT_DELIVERIES, [json(rows)?.into()]).await.map(drop)
}

async fn read(desk: &Desk<'_>, id: DeliveryId) -> Result<Option<webhook_delivery::Model>, Fault> {
    let rows = webhook_delivery::Entity::find().filter(webhook_delivery::Column::Id.eq(id.uuid()));
    Ok(rows.one(desk.txn).await?)
}

/// What an earlier request with this key made, as it is now.
async fn replayed(desk: &Desk<'_>, id: &str) -> Result<Result<Created<Delivery>, WriteError>, Fault> {
    Ok(match read(desk, subject(id)?.into()).await? {
        Some(row) => Ok(Created::Replayed(row.into_domain()?)),
        None => Err(Refusal::not_found().into()),
    })
}

/// Makes a test event for one endpoint.
pub struct TestWebhook {
    pub scope: TenantScope,
    pub id: WebhookId,
    pub at: WallTime,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for TestWebhook {
    type Answer = Created<Delivery>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Delivery>, WriteError>, Fault> {
        let (owner, asked) = (Owner::Tenant(self.scope.tenant()), self.idempotency.as_ref());
        match earlier(desk, owner, asked, Kind::Delivery, self.at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => return replayed(desk, &id).await,
            Ok(None) => {}
        }
        let webhook = match active(desk, self.scope, self.id).await? {
            Ok(webhook) => webhook,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let event = EventId::mint(self.at);
        let row = EventRow {
            id: event.uuid().simple(),
            tenant: webhook.tenant.uuid().simple(),
            seq: None,
            at: self.at.0,
            kind: TEST.to_owned(),
            session: None,
            message: None,
            webhook: None,
            snapshot: json(&Snapshot::Test)?,
        };
        dialect::execute(desk.txn, dialect::INSERT_WEBHOOK_EVENTS, [json(&[row])?.into()]).await?;
        let id = DeliveryId::mint(self.at);
        let event = (event.uuid(), self.at, TEST.to_owned());
        finish(desk, owner, asked, id, pending(id, &webhook, event, self.at, None), self.at).await
    }
}

/// Repeats one delivery.
pub struct Redeliver {
    pub scope: TenantScope,
    pub id: DeliveryId,
    pub at: WallTime,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for Redeliver {
    type Answer = Created<Delivery>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Delivery>, WriteError>, Fault> {
        let (owner, asked) = (Owner::Tenant(self.scope.tenant()), self.idempotency.as_ref());
        match earlier(desk, owner, asked, Kind::Delivery, self.at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => return replayed(desk, &id).await,
            Ok(None) => {}
        }
        let first = read(desk, self.id).await?.filter(|row| row.tenant_id == self.scope.tenant().uuid());
        let Some(first) = first else { return Ok(Err(Refusal::not_found().into())) };
        let webhook = match active(desk, self.scope, first.webhook_id.into()).await? {
            Ok(webhook) => webhook,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let id = DeliveryId::mint(self.at);
        let event = (first.event_id, WallTime(first.event_at), first.kind);
        let row = pending(id, &webhook, event, self.at, Some(self.id));
        finish(desk, owner, asked, id, row, self.at).await
    }
}

async fn finish(
    desk: &mut Desk<'_>,
    owner: Owner,
    asked: Option<&Idempotency>,
    id: DeliveryId,
    row: DeliveryRow,
    at: WallTime,
) -> Result<Result<Created<Delivery>, WriteError>, Fault> {
    let webhook = row.webhook;
    insert(desk, &[row]).await?;
    remember(desk, owner, asked, Kind::Delivery, id.uuid().simple().to_string(), at).await?;
    desk.posted(webhook.into_uuid().into());
    let made = read(desk, id).await?.ok_or_else(|| Fault::unreadable("delivery"))?;
    Ok(Ok(Created::New(made.into_domain()?)))
}

/// Repeats deliveries that were found in a range.
pub struct RedeliverRange {
    pub scope: TenantScope,
    pub id: WebhookId,
    /// Oldest event first, one more than [`RANGE_MAX`] if there are more. Read before: looking for them takes longer
    /// than a batch should wait.
    pub found: Vec<webhook_delivery::Model>,
    pub at: WallTime,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for RedeliverRange {
    type Answer = Created<Repeated>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Repeated>, WriteError>, Fault> {
        let (owner, asked) = (Owner::Tenant(self.scope.tenant()), self.idempotency.as_ref());
        match earlier(desk, owner, asked, Kind::Range, self.at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(text)) => {
                let made = said(&text).ok_or_else(|| Fault::unreadable("answer"))?;
                return Ok(Ok(Created::Replayed(made)));
            }
            Ok(None) => {}
        }
        let webhook = match active(desk, self.scope, self.id).await? {
            Ok(webhook) => webhook,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let mut found = self.found.clone();
        // What shares its time with the first that is left out is left out as well, so that `from` loses none.
        let next_from = found.get(RANGE_MAX as usize).map(|row| row.event_at);
        if let Some(next) = next_from {
            found.retain(|row| row.event_at < next);
        }
        let rows: Vec<_> = found
            .into_iter()
            .map(|row| {
                let event = (row.event_id, WallTime(row.event_at), row.kind);
                pending(DeliveryId::mint(self.at), &webhook, event, self.at, Some(row.id.into()))
            })
            .collect();
        insert(desk, &rows).await?;
        let made = Repeated { count: rows.len() as u64, next_from: next_from.map(WallTime) };
        let text = format!("{}:{}", made.count, next_from.unwrap_or(-1));
        remember(desk, owner, asked, Kind::Range, text, self.at).await?;
        desk.posted(self.id);
        Ok(Ok(Created::New(made)))
    }
}

/// Reads what an earlier range answered.
fn said(text: &str) -> Option<Repeated> {
    let (count, next) = text.split_once(':')?;
    let next: i64 = next.parse().ok()?;
    Some(Repeated { count: count.parse().ok()?, next_from: (next >= 0).then_some(WallTime(next)) })
}

/// Deletes what is old.
pub struct ForgetWebhooks {
    pub at: WallTime,
    pub limit: u32,
}

#[async_trait]
impl Errand for ForgetWebhooks {
    type Answer = u64;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, StoreError>, Fault> {
        const FIND: &str = "
            SELECT id FROM (SELECT id, at FROM webhook_event ORDER BY ord LIMIT $1) AS oldest WHERE at < $2";
        let old = (self.at - KEPT).0;
        let rows = dialect::query(desk.txn, FIND, [i64::from(self.limit).into(), old.into()]).await?;
        let ids = rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?));
        let ids: Vec<_> = ids.collect::<Result<_, Fault>>()?;
        let count = ids.len() as u64;
        forget_events(desk, ids).await?;
        Ok(Ok(count))
    }
}

/// Deletes events with their deliveries and the attempts at them.
pub(super) async fn forget_events(desk: &Desk<'_>, events: Vec<Uuid>) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let list = ids(events.into_iter())?;
    for text in
        [dialect::FORGET_ATTEMPTS_AT_WEBHOOKS, dialect::FORGET_DELIVERIES, dialect::FORGET_WEBHOOK_EVENTS]
    {
        dialect::execute(desk.txn, text, [list.clone().into()]).await?;
    }
    Ok(())
}
