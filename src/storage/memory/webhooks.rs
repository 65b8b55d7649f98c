//! Endpoints, their events and their deliveries.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Made, Owner, State};
use crate::domain::event::{Change, StatusEvent};
use crate::domain::id::{DeliveryId, EventId, MessageId, TenantId, WebhookId};
use crate::domain::idempotency::Idempotency;
use crate::domain::page::{Page, Slice};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Attempt, Delivery, DeliveryReason, DeliveryStatus, Health, KEPT, Subject, TEST, Webhook, WebhookEvent,
    WebhookReason, WebhookStatus, event_type,
};
use crate::ports::store::{Created, StoreError, WriteError};
use crate::ports::webhooks::{
    EndpointFilter, Logged, Parcel, RANGE_MAX, Range, Repeated, Settled, Webhooks, Work,
};

/// Everything about webhooks. Ids are minted in the order of commits, so the maps are in that order.
#[derive(Default)]
pub struct Outbox {
    pub endpoints: BTreeMap<WebhookId, EndpointRow>,
    pub events: BTreeMap<EventId, WebhookEvent>,
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    pub log: Vec<(DeliveryId, Attempt)>,
    /// Endpoints to be told about by the transaction under way.
    pub posted: BTreeSet<WebhookId>,
}

/// An endpoint.
pub struct EndpointRow {
    pub webhook: Webhook,
    pub deleted: bool,
}

impl Outbox {
    fn endpoint(&self, id: WebhookId) -> Option<&Webhook> {
        self.endpoints.get(&id).filter(|row| !row.deleted).map(|row| &row.webhook)
    }

    fn own(&self, tenant: TenantId, id: WebhookId) -> Result<&Webhook, Refusal> {
        self.endpoint(id).filter(|webhook| webhook.tenant == tenant).ok_or_else(Refusal::not_found)
    }

    fn active(&self, tenant: TenantId, id: WebhookId) -> Result<&Webhook, Refusal> {
        let webhook = self.own(tenant, id)?;
        match webhook.status {
            WebhookStatus::Active => Ok(webhook),
            WebhookStatus::Disabled => Err(Refusal::conflict("the webhook is disabled; enable it first")),
        }
    }

    fn deliver(
        &mut self,
        webhook: WebhookId,
        event: EventId,
        active: bool,
        at: WallTime,
        repeats: Option<DeliveryId>,
    ) -> Option<Delivery> {
        let of = self.events.get(&event)?;
        let delivery = Delivery {
            id: DeliveryId::mint(at),
            tenant: of.tenant,
            webhook,
            event,
            kind: of.kind.clone(),
            status: if active { DeliveryStatus::Pending } else { DeliveryStatus::Skipped },
            reason: None,
            attempts: 0,
            due_at: active.then_some(at),
            created_at: at,
            settled_at: (!active).then_some(at),
            repeats,
        };
        self.deliveries.insert(delivery.id, delivery.clone());
        if active {
            self.posted.insert(webhook);
        }
        Some(delivery)
    }

    fn give_up(&mut self, id: WebhookId, reason: DeliveryReason, before: WallTime, at: WallTime) -> u64 {
        let mut count = 0;
        for delivery in self.deliveries.values_mut() {
            let pending = delivery.webhook == id && delivery.status == DeliveryStatus::Pending;
            if pending && delivery.created_at < before {
                delivery.status = DeliveryStatus::Dead;
                delivery.reason = Some(reason);
                delivery.due_at = None;
                delivery.settled_at = Some(at);
                count += 1;
            }
        }
        count
    }

    /// Forgets whatever tells of a message.
    pub fn erase(&mut self, message: MessageId) {
        let tells =
            |event: &WebhookEvent| matches!(&event.subject, Subject::Message(about) if about.id == message);
        self.events.retain(|_, event| !tells(event));
        self.deliveries.retain(|_, delivery| self.events.contains_key(&delivery.event));
        self.log.retain(|(delivery, _)| self.deliveries.contains_key(delivery));
    }

    fn event_at(&self, delivery: &Delivery) -> WallTime {
        self.events.get(&delivery.event).map_or(WallTime(0), |event| event.at)
    }
}

const EVER: WallTime = WallTime(i64::MAX);

impl State {
    /// Keeps a change for the endpoints that want it, with the record as it stands.
    pub fn post(&mut self, event: StatusEvent, record: Option<Subject>) {
        let kind = event_type(event.change);
        let of_tenant = self.webhooks.endpoints.values();
        let of_tenant = of_tenant.filter(|row| !row.deleted && row.webhook.tenant == event.tenant);
        let wanting: Vec<_> = of_tenant
            .map(|row| row.webhook.subscription())
            .filter(|one| one.wants(&kind, event.session))
            .map(|one| (one.webhook, one.active))
            .collect();
        if wanting.is_empty() {
            return;
        }
        let found = match event.change {
            Change::Message(id, _) | Change::Received(id) => {
                self.messages.get(&id).map(|row| Subject::Message(Box::new(row.message.clone())))
            }
            Change::Session(_) => event
                .session
                .and_then(|id| self.sessions.get(&id))
                .map(|row| Subject::Session(Box::new(row.session.clone()))),
            Change::Usage(percent) => Some(Subject::Usage(percent)),
            Change::Webhook(id) => {
                let reason = self.webhooks.endpoint(id).and_then(|webhook| webhook.reason);
                reason.map(|reason| Subject::Webhook(id, reason))
            }
            Change::Billing(_) => None,
        };
        let posted = WebhookEvent {
            id: EventId::mint(event.at),
            tenant: event.tenant,
            seq: Some(event.seq),
            at: event.at,
            kind,
            session: event.session,
            subject: record.or(found).unwrap_or(Subject::Gone),
        };
        let id = posted.id;
        self.webhooks.events.insert(id, posted);
        for (webhook, active) in wanting {
            self.webhooks.deliver(webhook, id, active, event.at, None);
        }
    }

    /// What an earlier request with this key made, as it is now.
    fn delivered_before(
        &self,
        owner: Owner,
        asked: Option<&Idempotency>,
        at: WallTime,
    ) -> Result<Option<Delivery>, Refusal> {
        match self.replay(owner, asked, at)? {
            Some(Made::Delivery(id)) => {
                self.webhooks.deliveries.get(id).cloned().map(Some).ok_or_else(Refusal::not_found)
            }
            Some(_) => Err(Refusal::idempotency_mismatch()),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Webhooks for MemoryStore {
    async fn create(
        &self,
        scope: TenantScope,
        webhook: Webhook,
        limit: u32,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Webhook>, WriteError> {
        self.write(|state| {
            let (owner, at) = (Owner::Tenant(scope.tenant()), webhook.created_at);
            match state.replay(owner, idempotency.as_ref(), at)? {
                Some(Made::Webhook(first)) => {
                    let first = state.webhooks.own(scope.tenant(), *first)?;
                    return Ok(Created::Replayed(first.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            state.tenant(scope.tenant()).ok_or_else(Refusal::not_found)?;
            let own = state.webhooks.endpoints.values();
            let own = own.filter(|row| !row.deleted && row.webhook.tenant == scope.tenant());
            if own.count() >= limit as usize {
                return Err(Refusal::conflict(format!("the plan allows {limit} webhooks")).into());
            }
            state.remember(owner, idempotency, Made::Webhook(webhook.id), at);
            let row = EndpointRow { webhook: webhook.clone(), deleted: false };
            state.webhooks.endpoints.insert(webhook.id, row);
            Ok(Created::New(webhook))
        })
    }

    async fn get(&self, scope: TenantScope, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        Ok(self.read().webhooks.own(scope.tenant(), id).ok().cloned())
    }

    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Webhook>, StoreError> {
        let filter = EndpointFilter { tenant: Some(scope.tenant()), ..EndpointFilter::default() };
        self.fleet(SystemScope, filter, page).await
    }

    async fn fleet(
        &self,
        _: SystemScope,
        filter: EndpointFilter,
        page: Page,
    ) -> Result<Slice<Webhook>, StoreError> {
        let state = self.read();
        let rows = state.webhooks.endpoints.values().rev().filter(|row| {
            let webhook = &row.webhook;
            !row.deleted
                && filter.tenant.is_none_or(|tenant| webhook.tenant == tenant)
                && filter.status.is_none_or(|status| webhook.status == status)
                && filter.failing.is_none_or(|failing| webhook.health.failing_since.is_some() == failing)
                && page.before.is_none_or(|before| webhook.id.uuid() < before)
        });
        Ok(Slice::of(rows.take(page.limit as usize + 1).map(|row| row.webhook.clone()).collect(), page))
    }

    async fn put(&self, scope: TenantScope, webhook: Webhook, at: WallTime) -> Result<Webhook, WriteError> {
        self.write(|state| {
            let was = state.webhooks.own(scope.tenant(), webhook.id)?.clone();
            if was.revision != webhook.revision {
                return Err(Refusal::conflict("the webhook was changed meanwhile; read it again").into());
            }
            let mut now = Webhook {
                revision: was.revision + 1,
                health: was.health,
                tenant: was.tenant,
                created_at: was.created_at,
                ..webhook
            };
            match (was.status, now.status) {
                (WebhookStatus::Disabled, WebhookStatus::Active) => now.health = Health::default(),
                (WebhookStatus::Active, WebhookStatus::Disabled) => {
                    state.webhooks.give_up(now.id, DeliveryReason::Disabled, EVER, at);
                }
                _ => {}
            }
            state.webhooks.posted.insert(now.id);
            state.webhooks.endpoints.insert(now.id, EndpointRow { webhook: now.clone(), deleted: false });
            Ok(now)
        })
    }

    async fn delete(&self, scope: TenantScope, id: WebhookId, at: WallTime) -> Result<bool, StoreError> {
        Ok(self.write(|state| {
            let found = state.webhooks.own(scope.tenant(), id).is_ok();
            if let Some(row) = state.webhooks.endpoints.get_mut(&id).filter(|_| found) {
                row.deleted = true;
                state.webhooks.give_up(id, DeliveryReason::Disabled, EVER, at);
                state.webhooks.posted.insert(id);
            }
            found
        }))
    }

    async fn test(
        &self,
        scope: TenantScope,
        id: WebhookId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError> {
        self.write(|state| {
            let owner = Owner::Tenant(scope.tenant());
            if let Some(first) = state.delivered_before(owner, idempotency.as_ref(), at)? {
                return Ok(Created::Replayed(first));
            }
            state.webhooks.active(scope.tenant(), id)?;
            let event = WebhookEvent {
                id: EventId::mint(at),
                tenant: scope.tenant(),
                seq: None,
                at,
                kind: TEST.to_owned(),
                session: None,
                subject: Subject::Test,
            };
            let of = event.id;
            state.webhooks.events.insert(of, event);
            let made = state.webhooks.deliver(id, of, true, at, None).ok_or_else(Refusal::not_found)?;
            state.remember(owner, idempotency, Made::Delivery(made.id), at);
            Ok(Created::New(made))
        })
    }

    async fn deliveries(
        &self,
        scope: TenantScope,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        page: Page,
    ) -> Result<Option<Slice<Delivery>>, StoreError> {
        let state = self.read();
        if state.webhooks.own(scope.tenant(), id).is_err() {
            return Ok(None);
        }
        let rows = state.webhooks.deliveries.values().rev().filter(|delivery| {
            delivery.webhook == id
                && status.is_none_or(|status| delivery.status == status)
                && page.before.is_none_or(|before| delivery.id.uuid() < before)
        });
        Ok(Some(Slice::of(rows.take(page.limit as usize + 1).cloned().collect(), page)))
    }

    async fn delivery(&self, scope: TenantScope, id: DeliveryId) -> Result<Option<Logged>, StoreError> {
        let state = self.read();
        let delivery = state.webhooks.deliveries.get(&id).filter(|one| one.tenant == scope.tenant());
        let Some(delivery) = delivery else { return Ok(None) };
        let Some(event) = state.webhooks.events.get(&delivery.event) else { return Ok(None) };
        let log = state.webhooks.log.iter().filter(|(of, _)| *of == id);
        let mut log: Vec<_> = log.map(|(_, attempt)| attempt.clone()).collect();
        log.sort_by_key(|attempt| attempt.number);
        Ok(Some(Logged { delivery: delivery.clone(), event: event.clone(), log }))
    }

    async fn redeliver(
        &self,
        scope: TenantScope,
        id: DeliveryId,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Delivery>, WriteError> {
        self.write(|state| {
            let owner = Owner::Tenant(scope.tenant());
            if let Some(first) = state.delivered_before(owner, idempotency.as_ref(), at)? {
                return Ok(Created::Replayed(first));
            }
            let first = state.webhooks.deliveries.get(&id).filter(|one| one.tenant == scope.tenant());
            let (webhook, event) =
                first.map(|one| (one.webhook, one.event)).ok_or_else(Refusal::not_found)?;
            state.webhooks.active(scope.tenant(), webhook)?;
            let made = state.webhooks.deliver(webhook, event, true, at, Some(id));
            let made = made.ok_or_else(Refusal::not_found)?;
            state.remember(owner, idempotency, Made::Delivery(made.id), at);
            Ok(Created::New(made))
        })
    }

    async fn redeliver_range(
        &self,
        scope: TenantScope,
        id: WebhookId,
        range: Range,
        at: WallTime,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Repeated>, WriteError> {
        self.write(|state| {
            let owner = Owner::Tenant(scope.tenant());
            match state.replay(owner, idempotency.as_ref(), at)? {
                Some(Made::Range(first)) => return Ok(Created::Replayed(*first)),
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            state.webhooks.active(scope.tenant(), id)?;
            let outbox = &state.webhooks;
            let own = outbox.deliveries.values().filter(|one| one.webhook == id && one.kind != TEST);
            // The last of each event wins: the map is in order of their making.
            let newest: BTreeMap<_, _> = own.map(|one| (one.event, one)).collect();
            let mut found: Vec<_> = newest
                .into_values()
                .filter(|one| range.statuses.contains(&one.status))
                .map(|one| (outbox.event_at(one), one.id, one.event))
                .filter(|(at, ..)| (range.from..range.to).contains(at))
                .collect();
            found.sort();
            let next_from = found.get(RANGE_MAX as usize).map(|&(at, ..)| at);
            found.retain(|&(at, ..)| next_from.is_none_or(|next| at < next));
            let made = Repeated { count: found.len() as u64, next_from };
            for (_, first, event) in found {
                state.webhooks.deliver(id, event, true, at, Some(first));
            }
            state.remember(owner, idempotency, Made::Range(made), at);
            Ok(Created::New(made))
        })
    }

    async fn waiting(&self, _: SystemScope) -> Result<Vec<WebhookId>, StoreError> {
        let state = self.read();
        let pending = state.webhooks.deliveries.values();
        let pending = pending.filter(|delivery| delivery.status == DeliveryStatus::Pending);
        let waiting: BTreeSet<_> = pending.map(|delivery| delivery.webhook).collect();
        let active = |id: &WebhookId| {
            state.webhooks.endpoint(*id).is_some_and(|one| one.status == WebhookStatus::Active)
        };
        Ok(waiting.into_iter().filter(active).collect())
    }

    async fn work(
        &self,
        _: SystemScope,
        id: WebhookId,
        at: WallTime,
        under_way: &[DeliveryId],
        limit: u32,
    ) -> Result<Option<Work>, StoreError> {
        let state = self.read();
        let outbox = &state.webhooks;
        let active = |webhook: &&Webhook| webhook.status == WebhookStatus::Active;
        let Some(webhook) = outbox.endpoint(id).filter(active) else { return Ok(None) };
        let siblings = outbox.endpoints.values().filter(|row| {
            !row.deleted
                && row.webhook.tenant == webhook.tenant
                && row.webhook.status == WebhookStatus::Active
        });
        let pending = outbox
            .deliveries
            .values()
            .filter(|one| one.webhook == id && one.status == DeliveryStatus::Pending);
        let (mut due, later): (Vec<_>, Vec<_>) =
            pending.partition(|one| one.due_at.is_some_and(|due| due <= at));
        due.retain(|one| !under_way.contains(&one.id));
        due.sort_by_key(|one| (one.due_at, one.id));
        let more = due.len() > limit as usize;
        due.truncate(limit as usize);
        let parcels = due.into_iter().filter_map(|one| {
            Some(Parcel {
                delivery: one.id,
                attempts: one.attempts,
                since: one.created_at,
                event: outbox.events.get(&one.event)?.clone(),
            })
        });
        Ok(Some(Work {
            webhook: webhook.clone(),
            siblings: siblings.count() as u32,
            parcels: parcels.collect(),
            more,
            next_due: later.iter().filter_map(|one| one.due_at).min(),
        }))
    }

    async fn settle(&self, _: SystemScope, settled: Settled) -> Result<(), StoreError> {
        self.write(|state| {
            let Settled { webhook, health, delivery, status, reason, due_at, attempt } = settled;
            let outbox = &mut state.webhooks;
            if let Some(row) = outbox.endpoints.get_mut(&webhook) {
                row.webhook.health = health;
            }
            let Some(row) = outbox.deliveries.get_mut(&delivery) else { return };
            if row.status == DeliveryStatus::Pending {
                row.status = status;
                row.reason = reason;
                row.attempts = attempt.number;
                row.due_at = due_at;
                let ended = WallTime(attempt.at.0 + attempt.duration_ms as i64);
                row.settled_at = (status != DeliveryStatus::Pending).then_some(ended);
            }
            outbox.log.push((delivery, attempt));
        });
        Ok(())
    }

    async fn bury(
        &self,
        _: SystemScope,
        id: WebhookId,
        before: WallTime,
        at: WallTime,
    ) -> Result<u64, StoreError> {
        Ok(self.write(|state| state.webhooks.give_up(id, DeliveryReason::TooOld, before, at)))
    }

    async fn disable(
        &self,
        _: SystemScope,
        id: WebhookId,
        reason: WebhookReason,
        at: WallTime,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            let Some(row) = state.webhooks.endpoints.get_mut(&id) else { return };
            if row.deleted || row.webhook.status != WebhookStatus::Active {
                return;
            }
            row.webhook.status = WebhookStatus::Disabled;
            row.webhook.reason = Some(reason);
            row.webhook.since = at;
            row.webhook.revision += 1;
            let tenant = row.webhook.tenant;
            state.webhooks.give_up(id, DeliveryReason::Disabled, EVER, at);
            state.tell(tenant, None, Change::Webhook(id));
        });
        Ok(())
    }

    async fn forget(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let outbox = &mut state.webhooks;
            let old: BTreeSet<_> = outbox
                .events
                .values()
                .take(limit as usize)
                .filter(|event| at.since(event.at) > KEPT)
                .map(|event| event.id)
                .collect();
            outbox.events.retain(|id, _| !old.contains(id));
            outbox.deliveries.retain(|_, delivery| !old.contains(&delivery.event));
            outbox.log.retain(|(delivery, _)| outbox.deliveries.contains_key(delivery));
            old.len() as u64
        }))
    }
}
