//! Numbers that want no messages: by a word of theirs, or because the tenant says so.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::domain::id::SuppressionId;
use crate::domain::page::Page;
use crate::domain::phone::Phone;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::answer::{Answer, created, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;
use crate::ports::contacts::{StoppedBy, Suppression};

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let shown = || Suppression {
        id: sample::suppression_id(),
        phone: sample::phone().into(),
        since: sample::NOW,
        by: StoppedBy::Contact,
    };
    vec![
        operation::get("/v1/suppressions", list)
            .named("listSuppressions", "List numbers that want no messages")
            .about(
                "Whoever answers STOP, or a word like it in twelve languages, is on this list before the message is told \
                 of, for all sessions of the tenant; START takes them off it.",
            )
            .answering(200, "One page, newest first.", &Listing::whole(vec![shown()])),
        operation::post("/v1/suppressions", create)
            .named("createSuppression", "Write to a number no more")
            .about(
                "What waits for it is canceled. For a number that is on the list already the entry that stands is answered.",
            )
            .asking(json!({"phone": sample::phone()}))
            .answering(201, "The entry.", &shown())
            .refusing(&[Code::InvalidRequest]),
        operation::delete("/v1/suppressions/{id}", self::delete)
            .named("deleteSuppression", "Write to a number again")
            .about("Only what the tenant itself entered. What a person asked for is opened by their own START alone.")
            .answering_nothing(204, "It is off the list.")
            .refusing(&[Code::Conflict]),
    ]
}

/// `GET /suppressions`.
pub async fn list(state: State, Query(page): Query<Page>, tenant: Tenant<tenant::Read>) -> Answer {
    let slice = state.contacts.suppressions(tenant.scope(), page).await?;
    ok(Listing::by_id(&slice, |row| row.id.uuid(), Clone::clone))
}

/// The body of `POST /suppressions`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuppression {
    /// The number that is not to be written to.
    #[schemars(with = "Phone")]
    phone: String,
}

impl Form for NewSuppression {}

/// `POST /suppressions`. Doing it twice changes nothing, so it needs no key for that.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<NewSuppression>,
    tenant: Tenant<tenant::Keep>,
) -> Answer {
    let phone = Phone::parse(&body.phone)
        .map_err(|error| Refusal::invalid(vec![Fault::new("/phone", "not_allowed", error.to_string())]))?;
    let now = state.clock.wall();
    let entry = state.contacts.suppress(tenant.scope(), SuppressionId::mint(now), phone, now).await?;
    created(StatusCode::CREATED, false, entry)
}

/// `DELETE /suppressions/{id}`.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Keep>,
    Id(id): Id<SuppressionId>,
) -> Answer {
    state.contacts.allow(tenant.scope(), id).await?;
    Ok(HttpResponse::NoContent().finish())
}
