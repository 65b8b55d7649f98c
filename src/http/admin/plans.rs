//! Plans: made, read, replaced, removed. Caps bind all their tenants at once, in both directions.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::billing::plan::Proposal;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::answer::{Answer, created, done, ok, to_the_end};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;

impl Form for Proposal {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/admin/plans", create)
            .named("createPlan", "Make a plan")
            .asking(proposal("starter"))
            .answering(201, "The plan.", &sample::plan())
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
        operation::get("/v1/admin/plans", list)
            .named("listPlans", "List plans")
            .about("In order of their codes.")
            .answering(200, "One page.", &Listing::whole(vec![&sample::plan()])),
        operation::get("/v1/admin/plans/{id}", self::get)
            .named("getPlan", "Get a plan")
            .about("`id` is its code.")
            .answering(200, "The plan.", &sample::plan()),
        operation::put("/v1/admin/plans/{id}", self::put)
            .named("putPlan", "Replace a plan")
            .about(
                "`id` is its code. Caps, queue, session, webhook and seat limits bind all its tenants within a second, price and monthly \
                 quota from the next month.",
            )
            .asking(proposal("starter"))
            .answering(200, "The plan.", &sample::plan())
            .refusing(&[Code::InvalidRequest]),
        operation::delete("/v1/admin/plans/{id}", self::delete)
            .named("deletePlan", "Delete a plan")
            .about(
                "`id` is its code. With all its versions; 409 while a tenant has it or begins with it next, and while \
                 messages or files of a deleted one are kept by it. Invoices keep its name.",
            )
            .answering_nothing(204, "It is gone.")
            .refusing(&[Code::Conflict]),
    ]
}

fn proposal(code: &str) -> Value {
    json!({
        "code": code, "name": "Starter", "price_minor": 1900, "currency": "EUR", "interval": "month",
        "messages_per_minute": 20, "messages_per_month": 10_000, "sessions_max": 3, "retention_days": 30,
    })
}

/// `POST /plans`; 409 when the code exists.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(NewPlan(mut proposal)): Json<NewPlan>,
    operator: Operator<may::ManagePlans>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let code = proposal.code.take().unwrap_or_default();
    let plan = proposal.check(code).map_err(Refusal::invalid)?;
    let made = operator.signs(&state.directory).create_plan(plan, idempotent.0, state.clock.wall()).await?;
    created(StatusCode::CREATED, made.is_replayed(), made.into_inner())
}

/// The body of `POST /plans`: a proposal that names its code.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub struct NewPlan(Proposal);

impl Form for NewPlan {
    fn misshapen(&self) -> Vec<Fault> {
        let missing = || Fault::new("/code", "missing", "this field is required");
        self.0.code.is_none().then(missing).into_iter().collect()
    }
}

impl JsonSchema for NewPlan {
    fn schema_name() -> Cow<'static, str> {
        "NewPlan".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Proposal::json_schema(generator);
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.insert(0, json!("code"));
        }
        if let Some(code) = schema.pointer_mut("/properties/code/type") {
            *code = json!("string");
        }
        schema
    }
}

/// The query of `GET /plans`.
#[derive(Debug)]
pub struct Wanted {
    after: Option<String>,
    limit: usize,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let after = given.reads("cursor", |text| cursor::code(text).ok_or_else(not_a_cursor));
        Self { after, limit: given.limit() as usize }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor_by_code("starter")]
    }
}

/// `GET /plans`: in order of their codes.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let snapshot = state.directory.snapshot();
    let beyond = |code: &String| wanted.after.as_ref().is_none_or(|after| code > after);
    let mut data: Vec<_> = snapshot.plans.values().filter(|plan| beyond(&plan.code)).collect();
    let has_more = data.len() > wanted.limit;
    data.truncate(wanted.limit);
    let next_cursor = data.last().filter(|_| has_more).map(|plan| cursor::of_code(&plan.code));
    ok(Listing { data, next_cursor, has_more })
}

/// `GET /plans/{code}`.
pub async fn get(state: State, _: Query<Nothing>, _: Operator, Id(code): Id<String>) -> Answer {
    ok(state.directory.snapshot().plans.get(&code).ok_or_else(Refusal::not_found)?)
}

/// `PUT /plans/{code}`: a new version.
pub async fn put(
    state: State,
    _: Query<Nothing>,
    Json(mut proposal): Json<Proposal>,
    operator: Operator<may::ManagePlans>,
    Id(code): Id<String>,
) -> Answer {
    if !state.directory.snapshot().plans.contains_key(&code) {
        return Err(Refusal::not_found().into());
    }
    if proposal.code.take().is_some_and(|given| given != code) {
        let detail = "the code in the path names the plan, for ever; leave it out or repeat it";
        return Err(Refusal::invalid(vec![Fault::new("/code", "not_allowed", detail)]).into());
    }
    let plan = proposal.check(code).map_err(Refusal::invalid)?;
    to_the_end(async move {
        let plan = operator.signs(&state.directory).put_plan(plan, state.clock.wall()).await?;
        let snapshot = state.directory.snapshot();
        for tenant in snapshot.tenants.values().filter(|tenant| tenant.plan == plan.code) {
            state.signals.wake_tenant(tenant.id);
        }
        ok(plan)
    })
    .await
}

/// `DELETE /plans/{code}`.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManagePlans>,
    Id(code): Id<String>,
) -> Answer {
    operator.signs(&state.directory).delete_plan(&code).await?;
    done()
}
