//! The rows of webhooks: endpoints, events, deliveries and their attempts.
//!
//! An event and its deliveries are written in the transaction that made the event true, for the endpoints that want it
//! at that moment. What a delivery needs later is in rows, so a process that dies loses none.

use async_trait::async_trait;

use super::store::{Created, StoreError, WriteError};
use crate::domain::id::{DeliveryId, TenantId, WebhookId};
use crate::domain::idempotency::Idempotency;
use crate::domain::page::{Page, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Attempt, Delivery, DeliveryReason, DeliveryStatus, Health, Webhook, WebhookEvent, WebhookReason,
    WebhookStatus,
};

/// Most deliveries that one range makes.
pub const RANGE_MAX: u32 = 10_000;

/// Which deliveries of an endpoint are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Events committed at or after.
    pub from: WallTime,
    /// Events committed before.
    pub to: WallTime,
    /// Only of those with this status.
    pub statuses: Vec<DeliveryStatus>,
}

/// What a range has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    /// Deliveries made. An event is repeated once, however often it was delivered.
    pub count: u64,
    /// Where to go on, if there is more than [`RANGE_MAX`].
    pub next_from: Option<WallTime>,
}

/// A delivery with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// How far it has come.
    pub delivery: Delivery,
    /// What it delivers.
    pub event: WebhookEvent,
    /// Every request made, oldest first.
    pub log: Vec<Attempt>,
}

/// A delivery that is due, with what it delivers.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Attempts made before.
    pub attempts: u32,
    /// When the delivery was made; its age is counted from here.
    pub since: WallTime,
    /// What it delivers.
    pub event: WebhookEvent,
}

/// What an endpoint has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The endpoint as it is now.
    pub webhook: Webhook,
    /// Active endpoints of its tenant, itself among them.
    pub siblings: u32,
    /// What is due, longest first.
    pub parcels: Vec<Parcel>,
    /// Whether more is due than was asked for.
    pub more: bool,
    /// When the next one after these is due.
    pub next_due: Option<WallTime>,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which endpoint.
    pub webhook: WebhookId,
    /// How that one stands now.
    pub health: Health,
    /// Which delivery.
    pub delivery: DeliveryId,
    /// How that one stands now.
    pub status: DeliveryStatus,
    /// Why.
    pub reason: Option<DeliveryReason>,
    /// When it is tried again, if it is.
    pub due_at: Option<WallTime>,
    /// The request and its answer.
    pub attempt: Attempt,
}

/// Which endpoints an operator wants to see; what is `None` does not narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// With this status.
    pub status: Option<WebhookStatus>,
    /// Those whose last answers were failures, or only the others.
    pub failing: Option<bool>,
}

/// Durable before answered. What is absent, deleted or somebody else's is `None`, `false` or 404.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Adds an endpoint, unless the tenant has `limit` already (409 `conflict`).
    async fn create(
        &self,
        scope: TenantScope,
        webhook: Webhook,
        limit: u32,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Webhook>, WriteError>;

    /// One endpoint.
    async fn get(&self, scope: TenantScope, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// A tenant's endpoints, newest first.
    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Webhook>, StoreError>;

    /// Endpoints of all tenants, newest first.
    async fn fleet(
        &self,
        scope: SystemScope,
        filter: EndpointFilter,
        page: Page,
    ) -> Result<Slice<Webhook>, StoreError>;

    /// Writes all settings of an endpoint, if its revision is still the one given (else 409 `conflict`), and counts
    /// it. One that becomes active begins in good health; one that is disabled has what was pending given up.
    async fn put(&self, scope: TenantScope, webhook: Webhook, at: WallTime) -> Result<Webhook, WriteError>;

    /// Removes an endpoint; whether there was one. Its deliveries are kept until they are forgotten, and not made.
    async fn delete(&self, scope: TenantScope, id: WebhookId, at: WallTime) -> Result<bool, StoreError>;

    /// Makes a test event for this endpoint alone; 409 `conflict` while it is disabled.
    async fn test(
        &self,
        scope: TenantScope,
        id: WebhookId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError>;

    /// An endpoint's deliveries, newest first, with one status or all.
    async fn deliveries(
        &self,
        scope: TenantScope,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        page: Page,
    ) -> Result<Option<Slice<Delivery>>, StoreError>;

    /// One delivery with its event and its log.
    async fn delivery(&self, scope: TenantScope, id: DeliveryId) -> Result<Option<Logged>, StoreError>;

    /// Makes a new delivery of the same event to the same endpoint; 409 `conflict` while that is disabled, 404 when it
    /// is gone.
    async fn redeliver(
        &self,
        scope: TenantScope,
        id: DeliveryId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError>;

    /// The same for each event in a range that was delivered, or should have been; oldest first, at most
    /// [`RANGE_MAX`]. A test is not repeated.
    async fn redeliver_range(
        &self,
        scope: TenantScope,
        id: WebhookId,
        range: Range,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Repeated>, WriteError>;

    /// Active endpoints with something pending: what a boot has to do.
    async fn waiting(&self, scope: SystemScope) -> Result<Vec<WebhookId>, StoreError>;

    /// What an endpoint has to do at `at`, at most `limit` parcels besides those `under_way`; `None` when it is gone or
    /// disabled.
    async fn work(
        &self,
        scope: SystemScope,
        id: WebhookId,
        at: WallTime,
        under_way: &[DeliveryId],
        limit: u32,
    ) -> Result<Option<Work>, StoreError>;

    /// Writes what became of an attempt. A delivery that is not pending any more keeps how it stands, and logs it.
    async fn settle(&self, scope: SystemScope, settled: Settled) -> Result<(), StoreError>;

    /// Gives up what was made before `before` and is still pending, as `too_old`; how many.
    async fn bury(
        &self,
        scope: SystemScope,
        id: WebhookId,
        before: WallTime,
        at: WallTime,
    ) -> Result<u64, StoreError>;

    /// Disables an endpoint that is active, gives up what is pending, and tells it in the feed.
    async fn disable(
        &self,
        scope: SystemScope,
        id: WebhookId,
        reason: WebhookReason,
        at: WallTime,
    ) -> Result<(), StoreError>;

    /// Deletes events older than 14 days with their deliveries and logs, at most `limit` events; how many.
    async fn forget(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;
}
