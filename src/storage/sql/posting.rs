//! What a batch puts into the outbox of webhooks: for each change that an endpoint wants, the event with the record as
//! it stood, and a delivery an endpoint. Written by the transaction that makes the change true.
//!
//! Which endpoints a tenant has is remembered with everything else, so a tenant without any costs one look-up in memory
//! a batch, and its batches do not name these tables at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Simple;

use super::book::Book;
use super::dialect::{self, Fault};
use super::entities::word;
use super::idempotency::json;
use super::kept::Kept;
use super::load::ids;
use crate::domain::event::StatusEvent;
use crate::domain::id::{DeliveryId, EventId, TenantId, WebhookId};
use crate::domain::invoice::Invoice;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    DeliveryStatus, EventFilter, MessageState, SessionState, Subscription, WebhookReason, WebhookStatus,
};
use crate::ports::webhooks::Settled;

/// Endpoints of one tenant.
pub(super) type Subscribers = Arc<[Subscription]>;

/// What may change of the record an event is about, as it stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Snapshot {
    Message(MessageState),
    Session(SessionState),
    Usage(u8),
    Webhook(WebhookReason),
    Invoice(Box<Invoice>),
    Subscription(Box<crate::domain::subscription::Subscription>),
    Test,
    /// Its record was not at hand, which would be a bug of ours; it is told without one.
    Gone,
}

/// A change that endpoints want.
#[derive(Debug)]
pub(super) struct Posting {
    /// Its place among what the batch tells.
    pub(super) told: usize,
    pub(super) kind: String,
    pub(super) snapshot: Snapshot,
    /// Each endpoint, and whether it is active.
    pub(super) to: Vec<(WebhookId, bool)>,
}

#[derive(Serialize)]
pub(super) struct EventRow {
    pub(super) id: Simple,
    pub(super) tenant: Simple,
    pub(super) seq: Option<u64>,
    pub(super) at: i64,
    pub(super) kind: String,
    pub(super) session: Option<Simple>,
    pub(super) message: Option<Simple>,
    pub(super) webhook: Option<Simple>,
    pub(super) snapshot: String,
}

#[derive(Serialize)]
pub(super) struct DeliveryRow {
    pub(super) id: Simple,
    pub(super) tenant: Simple,
    pub(super) webhook: Simple,
    pub(super) event: Simple,
    pub(super) kind: String,
    pub(super) event_at: i64,
    pub(super) status: &'static str,
    pub(super) due_at: Option<i64>,
    pub(super) created_at: i64,
    pub(super) settled_at: Option<i64>,
    pub(super) repeats: Option<Simple>,
}

#[derive(Serialize)]
struct SettledRow<'a> {
    delivery: Simple,
    status: &'static str,
    reason: Option<&'static str>,
    attempts: u32,
    due_at: Option<i64>,
    settled_at: Option<i64>,
    at: i64,
    duration_ms: u64,
    url: &'a str,
    answer: Option<u16>,
    error: Option<&'a str>,
    body: &'a str,
}

#[derive(Serialize)]
struct HealthRow {
    webhook: Simple,
    failures: u32,
    failing_since: Option<i64>,
    open_until: Option<i64>,
    trips: u32,
}

/// Rows for the statements on webhooks, and the endpoints that have something to do.
#[derive(Default)]
pub(super) struct Outgoing {
    events: Vec<EventRow>,
    deliveries: Vec<DeliveryRow>,
    pub(super) posted: BTreeSet<WebhookId>,
}

impl Outgoing {
    /// Makes rows of what is posted; `events` are what the batch tells, with their places.
    pub(super) fn of(postings: Vec<Posting>, events: &[StatusEvent], at: WallTime) -> Result<Self, Fault> {
        let mut out = Self::default();
        for Posting { told, kind, snapshot, to } in postings {
            let Some(event) = events.get(told) else { continue };
            let id = EventId::mint(at).uuid().simple();
            for (webhook, active) in to {
                out.deliveries.push(DeliveryRow {
                    id: DeliveryId::mint(at).uuid().simple(),
                    tenant: event.tenant.uuid().simple(),
                    webhook: webhook.uuid().simple(),
                    event: id,
                    kind: kind.clone(),
                    event_at: at.0,
                    status: if active { DeliveryStatus::Pending } else { DeliveryStatus::Skipped }.into(),
                    due_at: active.then_some(at.0),
                    created_at: at.0,
                    settled_at: (!active).then_some(at.0),
                    repeats: None,
                });
                if active {
                    out.posted.insert(webhook);
                }
            }
            out.events.push(EventRow {
                id,
                tenant: event.tenant.uuid().simple(),
                seq: Some(event.seq),
                at: at.0,
                kind,
                session: event.session.map(|id| id.uuid().simple()),
                message: event.change.message().map(|id| id.uuid().simple()),
                webhook: event.change.webhook().map(|id| id.uuid().simple()),
                snapshot: json(&snapshot)?,
            });
        }
        Ok(out)
    }

    /// Whether there is anything to write.
    pub(super) fn is_any(&self) -> bool {
        !self.events.is_empty()
    }

    /// The arrays for the statements on webhooks that [`write`](dialect::write) names, in their order.
    pub(super) fn rows(&self, settled: &[Settled]) -> Result<[String; 5], Fault> {
        let attempts: Vec<_> = settled.iter().map(settled_row).collect();
        let attempts = json(&attempts)?;
        Ok([
            json(&self.events)?,
            json(&self.deliveries)?,
            attempts.clone(),
            json(&healths(settled))?,
            attempts,
        ])
    }
}

fn settled_row(settled: &Settled) -> SettledRow<'_> {
    let attempt = &settled.attempt;
    let ended = attempt.at.0 + i64::try_from(attempt.duration_ms).unwrap_or_default();
    SettledRow {
        delivery: settled.delivery.uuid().simple(),
        status: settled.status.into(),
        reason: settled.reason.map(Into::into),
        attempts: attempt.number,
        due_at: settled.due_at.map(|at| at.0),
        settled_at: (settled.status != DeliveryStatus::Pending).then_some(ended),
        at: attempt.at.0,
        duration_ms: attempt.duration_ms,
        url: &attempt.url,
        answer: attempt.status,
        error: attempt.error.as_deref(),
        body: &attempt.body,
    }
}

/// Of each endpoint, the last that is said.
fn healths(settled: &[Settled]) -> Vec<HealthRow> {
    let last: BTreeMap<_, _> = settled.iter().map(|one| (one.webhook, one)).collect();
    last.into_values().map(health_row).collect()
}

fn health_row(settled: &Settled) -> HealthRow {
    HealthRow {
        webhook: settled.webhook.uuid().simple(),
        failures: settled.health.failures,
        failing_since: settled.health.failing_since.map(|at| at.0),
        open_until: settled.health.open_until.map(|at| at.0),
        trips: settled.health.trips,
    }
}

/// Gives the book the endpoints of every tenant that it may tell something.
pub(super) async fn read_subscribers(
    db: &DatabaseTransaction,
    named: impl IntoIterator<Item = TenantId>,
    book: &mut Book,
    kept: &mut Kept,
) -> Result<(), Fault> {
    let mut unknown = BTreeSet::new();
    let mut found = vec![];
    let of_sessions = book.every_session().map(|row| row.tenant);
    for tenant in of_sessions.chain(named) {
        match kept.subscribers(tenant) {
            Some(some) if some.is_empty() => {}
            Some(some) => found.push((tenant, Arc::clone(some))),
            None => drop(unknown.insert(tenant)),
        }
    }
    if !unknown.is_empty() {
        let wanted = ids(unknown.iter().map(|id| id.uuid()))?;
        let mut read: Vec<(TenantId, Subscription)> = vec![];
        for row in dialect::query(db, dialect::SUBSCRIPTIONS, [wanted.into()]).await? {
            let list = |at: usize| row.try_get_by_index::<String>(at);
            let subscription = Subscription {
                webhook: row.try_get_by_index::<Uuid>(1)?.into(),
                active: word::<WebhookStatus>(&list(2)?, "webhook status")? == WebhookStatus::Active,
                events: EventFilter(names(&list(3)?)?),
                sessions: names(&list(4)?)?,
            };
            read.push((row.try_get_by_index::<Uuid>(0)?.into(), subscription));
        }
        for tenant in unknown {
            let own = read.iter().filter(|(whose, _)| *whose == tenant);
            let own: Subscribers = own.map(|(_, subscription)| subscription.clone()).collect();
            kept.put_subscribers(tenant, Arc::clone(&own));
            if !own.is_empty() {
                found.push((tenant, own));
            }
        }
    }
    found.into_iter().for_each(|(tenant, some)| book.put_subscribers(tenant, some));
    Ok(())
}

/// A stored list.
pub(super) fn names<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::unreadable("filter of a webhook"))
}
