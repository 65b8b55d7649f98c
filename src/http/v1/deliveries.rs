//! What became of each event on its way to an endpoint, and sending it again.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::webhooks::live;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::page::Page;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::time::WallTime;
use crate::domain::webhook::{Delivery, DeliveryStatus};
use crate::http::answer::{Answer, created, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::render::RECORDS;
use crate::http::render::webhook::{LoggedRecord, RequestRecord, attempt, delivery};
use crate::ports::store::Created;
use crate::ports::webhooks::{Logged, Range};
use crate::webhooks::payload;

/// The query of `GET /webhooks/{id}/deliveries`.
#[derive(Debug)]
pub struct Wanted {
    status: Option<DeliveryStatus>,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let status = given.word("status", "pending, delivered, dead, skipped");
        Self { status, page: given.page() }
    }
}

/// The answer to a request that makes a delivery.
pub(super) fn accepted_delivery(made: Created<Delivery>) -> Answer {
    let replayed = made.is_replayed();
    created(StatusCode::ACCEPTED, replayed, delivery(&made.into_inner()))
}

/// `GET /webhooks/{id}/deliveries`.
pub async fn list(
    state: State,
    Query(wanted): Query<Wanted>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<WebhookId>,
) -> Answer {
    let slice = state.webhooks.deliveries(tenant.scope(), id, wanted.status, wanted.page).await?;
    let slice = slice.ok_or_else(Refusal::not_found)?;
    ok(Listing::by_id(&slice, |one| one.id.uuid(), delivery))
}

/// `GET /deliveries/{id}`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<DeliveryId>,
) -> Answer {
    let logged = state.webhooks.delivery(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    let Logged { delivery: one, event, log } = &logged;
    let unreadable = |error: serde_json::Error| {
        tracing::error!(%error, event = %event.id, "an event cannot be written as JSON");
        Refusal::unavailable("the event cannot be shown")
    };
    let body = payload::body(event, RECORDS).map_err(unreadable)?;
    let body: Box<RawValue> = serde_json::from_slice(&body).map_err(unreadable)?;
    let headers = BTreeMap::from([
        ("content-type", "application/json".to_owned()),
        ("webhook-id", event.id.to_string()),
    ]);
    ok(LoggedRecord {
        record: delivery(one),
        request: RequestRecord { method: "POST", headers, body },
        log: log.iter().map(attempt).collect(),
    })
}

/// `POST /deliveries/{id}/redeliver`: the same event under the same `webhook-id`, as a new delivery.
pub async fn redeliver(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<DeliveryId>,
) -> Answer {
    live(&tenant)?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    let made = state.webhooks.redeliver(tenant.scope(), id, state.clock.wall(), idempotent.0).await?;
    accepted_delivery(made)
}

/// The body of `POST /webhooks/{id}/redeliver`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    from: WallTime,
    to: WallTime,
    /// `dead` and `skipped`, if it is not said.
    #[serde(default)]
    statuses: Option<Vec<DeliveryStatus>>,
}

impl Form for Span {}

impl Span {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![];
        if self.from >= self.to {
            faults.push(Fault::new("/to", "out_of_range", "later than from"));
        }
        for (at, _) in self.statuses().iter().enumerate().filter(|(_, one)| **one == DeliveryStatus::Pending)
        {
            let detail = "what is pending is under way already; expected delivered, dead or skipped";
            faults.push(Fault::new(format!("/statuses/{at}"), "not_allowed", detail));
        }
        if self.statuses().is_empty() {
            faults.push(Fault::new("/statuses", "out_of_range", "at least one of delivered, dead, skipped"));
        }
        faults
    }

    fn statuses(&self) -> Vec<DeliveryStatus> {
        self.statuses.clone().unwrap_or_else(|| vec![DeliveryStatus::Dead, DeliveryStatus::Skipped])
    }
}

/// The answer to `POST /webhooks/{id}/redeliver`.
#[derive(Debug, Serialize)]
struct RepeatedRecord {
    /// Deliveries made.
    redelivered: u64,
    /// Where to go on, when there were more than 10,000.
    next_from: Option<WallTime>,
}

/// `POST /webhooks/{id}/redeliver`: each event from `from` to before `to` once.
pub async fn redeliver_range(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<Span>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    match body.faults() {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let range = Range { from: body.from, to: body.to, statuses: body.statuses() };
    let now = state.clock.wall();
    let made = state.webhooks.redeliver_range(tenant.scope(), id, range, now, idempotent.0).await?;
    let replayed = made.is_replayed();
    let made = made.into_inner();
    let record = RepeatedRecord { redelivered: made.count, next_from: made.next_from };
    created(StatusCode::ACCEPTED, replayed, record)
}
