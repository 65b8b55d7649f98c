//! What became of each event on its way to an endpoint, and sending it again.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::webhooks::live;
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
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
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::RECORDS;
use crate::http::render::webhook::{LoggedRecord, RequestRecord, attempt, delivery};
use crate::ports::store::Created;
use crate::ports::webhooks::{Logged, Range, Repeated};
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

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<DeliveryStatus>("status", "Of this status only.", "dead"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let logged = sample::logged();
    let shown = shown(&logged).expect("a sample is plain data");
    let made = sample::delivery(DeliveryStatus::Pending);
    let repeated = RepeatedRecord::from(Repeated { count: 214, next_from: None });
    vec![
        operation::get("/v1/webhooks/{id}/deliveries", list)
            .named("listDeliveries", "List what became of a webhook's events")
            .about("Kept for 14 days.")
            .answering(200, "One page.", &Listing::whole(vec![delivery(&logged.delivery)])),
        operation::get("/v1/deliveries/{id}", self::get)
            .named("getDelivery", "Get a delivery, with its request and every attempt")
            .answering(200, "The delivery.", &shown),
        post("/v1/deliveries/{id}/redeliver", redeliver)
            .named("redeliver", "Send one event again")
            .about("The same event under the same `webhook-id`, as a new delivery.")
            .answering(202, "The new delivery.", &delivery(&made))
            .refusing(&[Code::Conflict]),
        post("/v1/webhooks/{id}/redeliver", redeliver_range)
            .named("redeliverRange", "Send the events of a time again")
            .about(
                "Each event from `from` to before `to` once, oldest first, 10,000 at most; `next_from` says where to \
                 go on.",
            )
            .asking(json!({"from": "2026-11-20T00:00:00Z", "to": "2026-11-22T00:00:00Z"}))
            .answering(202, "They are on their way.", &repeated)
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
    ]
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
    tenant: Tenant<tenant::Content>,
    Id(id): Id<DeliveryId>,
) -> Answer {
    let logged = state.webhooks.delivery(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    ok(shown(&logged).map_err(|error| {
        tracing::error!(%error, event = %logged.event.id, "an event cannot be written as JSON");
        Refusal::unavailable("the event cannot be shown")
    })?)
}

fn shown(logged: &Logged) -> serde_json::Result<LoggedRecord<'_>> {
    let Logged { delivery: one, event, log } = logged;
    let body: Box<RawValue> = serde_json::from_slice(&payload::body(event, RECORDS)?)?;
    let headers = BTreeMap::from([
        ("content-type", "application/json".to_owned()),
        ("webhook-id", event.id.to_string()),
    ]);
    Ok(LoggedRecord {
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedeliverRange")]
pub struct Span {
    /// Events that happened then or later.
    from: WallTime,
    /// Events that happened before; later than `from`.
    to: WallTime,
    /// Only those with these statuses, never `pending`; `dead` and `skipped`, if it is not said.
    #[serde(default)]
    #[schemars(length(min = 1))]
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Redelivered")]
struct RepeatedRecord {
    /// Deliveries made.
    redelivered: u64,
    /// Where to go on, when there were more than 10,000.
    next_from: Option<WallTime>,
}

impl From<Repeated> for RepeatedRecord {
    fn from(made: Repeated) -> Self {
        Self { redelivered: made.count, next_from: made.next_from }
    }
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
    created(StatusCode::ACCEPTED, replayed, RepeatedRecord::from(made.into_inner()))
}
