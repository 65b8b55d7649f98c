//! What tenants have agreed to: changed, ended, begun again. The rules are `billing::office`'s.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::billing::office::{End, Issuer};
use crate::domain::id::TenantId;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::subscription::Subscription;
use crate::http::answer::{Answer, ok};
use crate::http::desk::{decide, look};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json, JsonOrNothing};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::openapi::operation::{self, Operation, get, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::http::render::billing::{self, PreviewRecord};
use crate::http::state::HttpState;
use crate::ports::ledger::{Books, Matter, Written};

/// When something begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once.
    Now,
    /// With the period that is paid for.
    PeriodEnd,
}

/// The body of `PATCH …/subscription`: another plan, or the end of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SubscriptionChange")]
pub struct Change {
    /// Code of another plan; null takes back what was planned for the next period.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    plan: Option<Option<String>>,
    /// When it begins. Left out: now if nothing is to be given back for it, else with the next period.
    #[serde(default)]
    when: Option<When>,
    /// Whether the subscription ends with the period that is paid for.
    #[serde(default)]
    ends: Option<bool>,
}

/// Null is something that was said.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Form for Change {
    fn misshapen(&self) -> Vec<Fault> {
        let one_of = || Fault::new("/plan", "not_allowed", "give one of plan and ends");
        let when = || Fault::new("/when", "not_allowed", "it says when a plan begins: give a plan as well");
        let both = self.plan.is_some() == self.ends.is_some();
        let alone = self.when.is_some() && !matches!(self.plan, Some(Some(_)));
        both.then(one_of).into_iter().chain((alone && !both).then(when)).collect()
    }
}

/// The body of `POST …/subscription/cancel`, which may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SubscriptionEnd")]
pub struct Cancellation {
    /// When it ends; with the period that is paid for, if it is not said.
    #[serde(default)]
    when: Option<When>,
}

impl Form for Cancellation {}

/// The body of `POST …/subscription/reactivate`, which may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SubscriptionBeginning")]
pub struct Reactivation {
    /// Code of the plan; the one whose caps bind the tenant, if it is not said.
    #[serde(default)]
    plan: Option<String>,
}

impl Form for Reactivation {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let subscription = sample::subscription();
    let balances = [(subscription.deal.currency, 2_261)];
    let record = || billing::subscription(&subscription, &balances);
    vec![
        get("/v1/admin/tenants/{id}/subscription", self::get_one)
            .named("getTenantSubscription", "What a tenant has agreed to")
            .answering(200, "The subscription, and what is owed.", &record()),
        operation::patch("/v1/admin/tenants/{id}/subscription", change)
            .named("changeSubscription", "Change a tenant's plan, or let it end")
            .about(
                "A plan that begins now is paid from now on: what was paid for the old one and is not used comes off its \
                 price. One that would give money back begins with the next period.",
            )
            .asking(json!({"plan": "starter", "when": "period_end"}))
            .answering(200, "The subscription.", &record())
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
        get("/v1/admin/tenants/{id}/subscription/preview", preview)
            .named("previewSubscription", "What another plan would cost now")
            .about("Nothing is changed.")
            .answering(200, "The invoice that would be issued.", &sample::preview())
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
        post("/v1/admin/tenants/{id}/subscription/cancel", cancel)
            .named("cancelSubscription", "End a subscription")
            .about("Nothing is given back by itself; a credit note is for that.")
            .asking(json!({"when": "period_end"}))
            .answering(200, "The subscription.", &record())
            .refusing(&[Code::Conflict]),
        post("/v1/admin/tenants/{id}/subscription/reactivate", reactivate)
            .named("reactivateSubscription", "Begin again after the end")
            .asking(json!({"plan": "starter"}))
            .answering(200, "The subscription.", &record())
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
    ]
}

/// `GET …/subscription`.
pub async fn get_one(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<TenantId>) -> Answer {
    shown(&state, id).await
}

/// A tenant's subscription with what it owes.
pub async fn shown(state: &HttpState, tenant: TenantId) -> Answer {
    let found = state.ledger.subscription(tenant).await?;
    let subscription =
        found.ok_or_else(|| match state.directory.snapshot().tenants.contains_key(&tenant) {
            true => Refusal {
                detail: "the subscription has not begun yet; ask again in a second".to_owned(),
                ..Refusal::not_found()
            },
            false => Refusal::not_found(),
        })?;
    record(state, &subscription).await
}

async fn record(state: &HttpState, subscription: &Subscription) -> Answer {
    let balances = state.ledger.balances(subscription.tenant).await?;
    ok(billing::subscription(subscription, &balances))
}

async fn written(state: &HttpState, written: Result<Written, Problem>) -> Answer {
    match written?.subscription {
        Some(subscription) => record(state, &subscription).await,
        None => Err(Refusal::not_found().into()),
    }
}

/// `PATCH …/subscription`.
pub async fn change(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Change>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<TenantId>,
) -> Answer {
    let done = decide(&state, operator.actor(), id, Matter::default(), move |issuer, books, now| {
        match (&body.plan, body.when, body.ends) {
            (Some(Some(code)), Some(When::Now), _) => issuer.change_now(books, code, now),
            (Some(Some(code)), Some(When::PeriodEnd), _) => issuer.change_next(books, Some(code), now),
            (Some(Some(code)), None, _) => issuer.change(books, code, now),
            (Some(None), ..) => issuer.change_next(books, None, now),
            (None, _, Some(true)) => issuer.end(books, End::WithPeriod, now),
            (None, ..) => issuer.end(books, End::Never, now),
        }
    });
    written(&state, done.await).await
}

/// The query of `GET …/subscription/preview`.
#[derive(Debug)]
pub struct Asked {
    plan: String,
}

impl Parameters for Asked {
    fn take(given: &mut Given) -> Self {
        let plan = given.text("plan");
        if plan.is_none() {
            given.wrong("plan", "missing", "the code of the plan it is about");
        }
        Self { plan: plan.unwrap_or_default() }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::new::<String>("plan", "Code of the plan.", "starter").required()]
    }
}

/// `GET …/subscription/preview`.
pub async fn preview(state: State, Query(asked): Query<Asked>, _: Operator, Id(id): Id<TenantId>) -> Answer {
    let record = look(&state, id, move |issuer, books, now| {
        let issue =
            issuer.preview(books, &asked.plan, now).map_err(|refusal| at_query(refusal, "/plan", "?plan"))?;
        Ok(match issue {
            Some(issue) => billing::preview(issue, now),
            None => PreviewRecord::nothing(issuer.deal(books, &asked.plan)?.currency, now),
        })
    });
    ok(record.await?)
}

/// A fault of the body's field, said of the query's.
fn at_query(refusal: Refusal, field: &str, parameter: &str) -> Refusal {
    let mut faults = refusal.faults.clone();
    faults
        .iter_mut()
        .filter(|fault| fault.pointer == field)
        .for_each(|fault| fault.pointer = parameter.to_owned());
    if faults == refusal.faults { refusal } else { Refusal::invalid(faults) }
}

/// `POST …/subscription/cancel`.
pub async fn cancel(
    state: State,
    _: Query<Nothing>,
    JsonOrNothing(body): JsonOrNothing<Cancellation>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<TenantId>,
) -> Answer {
    let end = if body.when == Some(When::Now) { End::Now } else { End::WithPeriod };
    let rule = move |issuer: &Issuer, books: &Books, now| issuer.end(books, end, now);
    let done = decide(&state, operator.actor(), id, Matter::default(), rule);
    written(&state, done.await).await
}

/// `POST …/subscription/reactivate`.
pub async fn reactivate(
    state: State,
    _: Query<Nothing>,
    JsonOrNothing(body): JsonOrNothing<Reactivation>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<TenantId>,
) -> Answer {
    let done = decide(&state, operator.actor(), id, Matter::default(), move |issuer, books, now| {
        let code = body.plan.as_ref().unwrap_or(&books.plan);
        issuer.begin_again(books, code, now)
    });
    written(&state, done.await).await
}
