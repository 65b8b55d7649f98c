//! Operators: each with a token and a role. The first, `root`, is whoever has the token in the data directory.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{NAME, wrong_name};
use crate::domain::audit::SYSTEM;
use crate::domain::id::OperatorId;
use crate::domain::operator::{OperatorAccount, ROOT, Role};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::{Listing, cut};
use crate::http::openapi::operation::{self, Operation, get, post};
use crate::http::openapi::sample;
use crate::tenancy::operator::OperatorToken;

#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "Operator")]
struct OperatorRecord {
    id: OperatorId,
    /// What they are called, in the audit too.
    name: String,
    role: Role,
    /// Null for `root`, who came with the data directory.
    created_at: Option<WallTime>,
    /// From then on the token is refused.
    expires_at: Option<WallTime>,
    /// Since then it is refused, by decision.
    revoked_at: Option<WallTime>,
}

/// The answer to `POST /operators`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OperatorShownOnce")]
struct NewOperatorRecord<'a> {
    #[serde(flatten)]
    record: OperatorRecord,
    /// The token itself. Null in a replay: it is shown once, and the first answer had it.
    token: Option<&'a str>,
}

fn record(operator: &OperatorAccount) -> OperatorRecord {
    OperatorRecord {
        id: operator.id,
        name: operator.name.clone(),
        role: operator.role,
        created_at: Some(operator.created_at),
        expires_at: operator.expires_at,
        revoked_at: operator.revoked_at,
    }
}

fn root() -> OperatorRecord {
    OperatorRecord {
        id: OperatorId::ROOT,
        name: ROOT.to_owned(),
        role: Role::Owner,
        created_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// The body of `POST /operators`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// What they are called; `root` and `system` are taken.
    #[schemars(length(min = 1, max = NAME))]
    name: String,
    /// `viewer`, if it is not said: who is to change things is named as such.
    #[serde(default)]
    role: Option<Role>,
    /// From then on the token is refused; later than now.
    #[serde(default)]
    expires_at: Option<WallTime>,
}

impl Form for NewOperator {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let account = sample::operator();
    vec![
        post("/v1/admin/operators", create)
            .named("createOperator", "Make an operator")
            .about("Who is to change things is made with the role `owner`. A hundred can have a token that opens.")
            .asking(json!({"name": "on call", "role": "viewer"}))
            .answering(
                201,
                "The operator, and the token, shown this once.",
                &NewOperatorRecord { record: record(&account), token: Some("col_op_…") },
            )
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        get("/v1/admin/operators", list)
            .named("listOperators", "List operators")
            .about("Those that were deleted too; `root` last.")
            .answering(200, "One page.", &Listing::whole(vec![record(&account), root()])),
        operation::delete("/v1/admin/operators/{id}", delete)
            .named("deleteOperator", "Delete an operator")
            .about("The token is refused at once and for good. `root` cannot be deleted: 409.")
            .answering_nothing(204, "The token opens nothing any more.")
            .refusing(&[Code::Conflict]),
    ]
}

impl NewOperator {
    fn faults(&self, now: WallTime) -> Vec<Fault> {
        let mut faults: Vec<Fault> = wrong_name(&self.name).into_iter().collect();
        if [ROOT, SYSTEM].contains(&self.name.as_str()) {
            let detail = format!("{ROOT} and {SYSTEM} name others in the audit; take another name");
            faults.push(Fault::new("/name", "not_allowed", detail));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            faults.push(Fault::new("/expires_at", "out_of_range", "later than now"));
        }
        faults
    }
}

/// `POST /operators`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewOperator>,
    operator: Operator<may::ManageOperators>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let now = state.clock.wall();
    match body.faults(now) {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let token = OperatorToken::mint(&mut rand::rng());
    let account = OperatorAccount {
        id: OperatorId::mint(now),
        name: body.name,
        hash: token.hash(),
        role: body.role.unwrap_or(Role::Viewer),
        created_at: now,
        expires_at: body.expires_at,
        revoked_at: None,
    };
    let made = operator.signs(&state.directory).create_operator(account, idempotent.0).await?;
    let replayed = made.is_replayed();
    let record = record(&made.into_inner());
    let shown = (!replayed).then(|| token.expose());
    created(StatusCode::CREATED, replayed, NewOperatorRecord { record, token: shown })
}

/// `GET /operators`: revoked ones too; `root` last, being the oldest.
pub async fn list(state: State, Query(page): Query<Page>, _: Operator) -> Answer {
    let snapshot = state.directory.snapshot();
    let all = snapshot.operators.values().map(record).chain([root()]);
    let slice = cut(all, |operator| operator.id.uuid(), page);
    ok(Listing::by_id(&slice, |operator| operator.id.uuid(), OperatorRecord::clone))
}

/// `DELETE /operators/{id}`: the token is refused at once and for good.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageOperators>,
    Id(id): Id<OperatorId>,
) -> Answer {
    if id == OperatorId::ROOT {
        let detail = "root is whoever can read the data directory, and cannot be deleted over HTTP; to replace the \
                      token, delete the file operator.token and start the server again";
        return Err(Refusal::conflict(detail).into());
    }
    operator.signs(&state.directory).revoke_operator(id, state.clock.wall()).await?;
    done()
}
