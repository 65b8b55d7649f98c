//! Looking at what a tenant's people wrote: for a reason, for half an hour, and in the tenant's own audit.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::audit::{Act, Action};
use crate::domain::id::{LookId, TenantId};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::looks::{Look, OPEN};
use crate::http::openapi::operation::{Operation, delete, post};
use crate::http::openapi::sample;

/// Characters of a reason at the least: a word is none.
const REASON_MIN: usize = 8;
const REASON_MAX: usize = 500;

/// The body of `POST /tenants/{id}/looks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewLook")]
pub struct NewLook {
    /// Why. The tenant reads it.
    #[schemars(length(min = REASON_MIN, max = REASON_MAX))]
    reason: String,
}

impl Form for NewLook {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Look")]
struct LookRecord<'a> {
    /// To be sent as `Columba-Look`, beside `Columba-Tenant`.
    id: LookId,
    tenant: TenantId,
    reason: &'a str,
    /// From then on it is closed.
    until: WallTime,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let reason = "Ticket 4711: their messages of this morning did not arrive";
    let look =
        LookRecord { id: sample::look_id(), tenant: sample::tenant_id(), reason, until: sample::NOW + OPEN };
    vec![
        post("/v1/admin/tenants/{id}/looks", open)
            .named("openLook", "Look at a tenant's messages")
            .about(
                "For half an hour, with this sign-in or token only. The calls of the tenant's under `/v1` answer to an operator who \
                 sends `Columba-Tenant`; with `Columba-Look` too they show everything and change nothing. The tenant finds \
                 the look with its reason in `GET /v1/audit`.",
            )
            .asking(json!({"reason": reason}))
            .answering(201, "The look is open.", &look)
            .refusing(&[Code::InvalidRequest]),
        delete("/v1/admin/looks/{id}", end)
            .named("endLook", "Look no longer")
            .answering_nothing(204, "It is closed."),
    ]
}

/// `POST /tenants/{id}/looks`.
pub async fn open(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<NewLook>,
    operator: Operator<may::Look>,
    Id(tenant): Id<TenantId>,
) -> Answer {
    if !state.directory.snapshot().tenants.contains_key(&tenant) {
        return Err(Refusal::not_found().into());
    }
    let reason = body.reason.trim();
    if !(REASON_MIN..=REASON_MAX).contains(&reason.chars().count()) || reason.contains('\0') {
        let detail =
            format!("{REASON_MIN} to {REASON_MAX} characters, none of them NUL; the tenant reads it");
        return Err(Refusal::invalid(vec![Fault::new("/reason", "out_of_range", detail)]).into());
    }
    let now = state.clock.wall();
    state.looks.admit(now)?;
    let acting = operator.acting();
    let look = Look {
        id: LookId::mint(now),
        tenant,
        operator: acting.identity.id,
        sign_in: acting.sign_in.as_ref().map(|here| here.sign_in.id),
        until: now + OPEN,
    };
    let record = LookRecord { id: look.id, tenant, reason, until: look.until };
    // Written down first: nobody looks unseen.
    let act = Act::new(Action::LookOpen, "look", look.id).of(tenant).after(&record);
    state.audit.record(operator.actor().clone(), act).await?;
    state.looks.open(look);
    created(StatusCode::CREATED, false, record)
}

/// `DELETE /looks/{id}`: their own, while it is open.
pub async fn end(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::Look>,
    Id(id): Id<LookId>,
) -> Answer {
    let look = state.looks.find(id, operator.acting(), state.clock.wall()).ok_or_else(Refusal::not_found)?;
    state.looks.end(id);
    let act = Act::new(Action::LookEnd, "look", id).of(look.tenant);
    state.audit.record(operator.actor().clone(), act).await?;
    done()
}
