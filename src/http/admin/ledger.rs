//! Ledgers of tenants, what operators add to them by hand, and whom invoices are for.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::billing::office::{Adjustment, AdjustmentKind, Issuer};
use crate::domain::audit::Actor;
use crate::domain::id::TenantId;
use crate::domain::invoice::Party;
use crate::domain::money::Currency;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, ok};
use crate::http::cursor;
use crate::http::desk::decide;
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post, put};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::billing::EntryRecord;
use crate::http::state::HttpState;
use crate::ports::ledger::{BillingProfile, Books, Matter};

/// The body of `POST …/credits` and `…/refunds`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LedgerAdjustment")]
pub struct Amount {
    /// How much, in the minor unit.
    #[schemars(range(min = 1))]
    amount_minor: i64,
    /// In which currency.
    currency: Currency,
    /// Why, or the other side's word for it.
    #[serde(default)]
    #[schemars(length(max = 255))]
    reference: Option<String>,
}

impl Form for Amount {}

/// The body of `PUT …/billing-profile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBillingProfile")]
pub struct ProfileForm {
    /// As invoices name it.
    #[serde(default)]
    party: PartyForm,
    /// Hundredths of a per cent; the issuer's own rate if there is none.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    tax_rate_bps: Option<u32>,
    /// The payment provider's name for the tenant; made with the first link, if there is none.
    #[serde(default)]
    #[schemars(length(max = 255))]
    customer: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewParty")]
struct PartyForm {
    /// The name of the business.
    #[serde(default)]
    #[schemars(length(max = 200))]
    name: String,
    /// Its address, a line each.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 200)))]
    address: Vec<String>,
    /// Its number with the tax authority.
    #[serde(default)]
    #[schemars(length(max = 64))]
    tax_id: Option<String>,
    /// Where invoices go.
    #[serde(default)]
    #[schemars(length(max = 254))]
    email: Option<String>,
}

impl Form for ProfileForm {}

impl From<ProfileForm> for BillingProfile {
    fn from(form: ProfileForm) -> Self {
        let PartyForm { name, address, tax_id, email } = form.party;
        let party = Party { name, address, tax_id, email };
        Self { party, tax_rate_bps: form.tax_rate_bps, customer: form.customer }
    }
}

/// The query of `GET …/ledger`.
#[derive(Debug)]
pub struct Wanted {
    before: Option<i64>,
    limit: u32,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let place = |text: &str| cursor::place(text).and_then(|place| i64::try_from(place).ok());
        let before = given.reads("cursor", |text| place(text).ok_or_else(not_a_cursor));
        Self { before, limit: given.limit() }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor_by_place(17)]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let entry = sample::entry();
    let record = || EntryRecord { seq: 17, entry: &entry };
    let asking = || json!({"amount_minor": 500, "currency": "EUR", "reference": "Goodwill"});
    vec![
        get("/v1/admin/tenants/{id}/ledger", list)
            .named("listLedger", "List a tenant's ledger")
            .about("Newest first. The sum of all amounts is what the tenant owes; entries are never changed or removed.")
            .answering(200, "One page.", &Listing::whole(vec![record()])),
        post("/v1/admin/tenants/{id}/credits", grant)
            .named("createCredit", "Grant a tenant a credit")
            .about("The next invoices are paid with it.")
            .asking(asking())
            .answering(201, "The entry.", &record())
            .refusing(&[Code::InvalidRequest]),
        post("/v1/admin/tenants/{id}/refunds", refund)
            .named("createRefund", "Note that money went back")
            .about("At most what is to the tenant's credit. The money itself moves elsewhere.")
            .asking(asking())
            .answering(201, "The entry.", &record())
            .refusing(&[Code::InvalidRequest]),
        get("/v1/admin/tenants/{id}/billing-profile", profile)
            .named("getBillingProfile", "Whom a tenant's invoices are for")
            .answering(200, "The profile.", &sample::billing_profile()),
        put("/v1/admin/tenants/{id}/billing-profile", put_profile)
            .named("putBillingProfile", "Say whom a tenant's invoices are for")
            .about("All of it anew; invoices that are issued keep what they were issued with.")
            .asking(json!(sample::billing_profile()))
            .answering(200, "The profile.", &sample::billing_profile())
            .refusing(&[Code::InvalidRequest]),
    ]
}

/// `GET …/ledger`, newest first.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator, Id(id): Id<TenantId>) -> Answer {
    let mut rows = state.ledger.entries(id, wanted.before, wanted.limit + 1).await?;
    if rows.is_empty() {
        known(&state, id)?;
    }
    let has_more = rows.len() > wanted.limit as usize;
    rows.truncate(wanted.limit as usize);
    let last = rows.last().filter(|_| has_more).and_then(|(seq, _)| u64::try_from(*seq).ok());
    let data = rows.iter().map(|(seq, entry)| EntryRecord { seq: *seq, entry }).collect();
    ok(Listing { data, next_cursor: last.map(cursor::of_place), has_more })
}

fn known(state: &HttpState, tenant: TenantId) -> Result<(), Refusal> {
    let is_known = state.directory.snapshot().tenants.contains_key(&tenant);
    if is_known { Ok(()) } else { Err(Refusal::not_found()) }
}

/// `POST …/credits`.
pub async fn grant(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<Amount>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<TenantId>,
) -> Answer {
    adjust(&state, AdjustmentKind::Grant, idempotent, body, operator.actor(), id).await
}

/// `POST …/refunds`.
pub async fn refund(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<Amount>,
    operator: Operator<may::Afresh<may::ManageMoney>>,
    Id(id): Id<TenantId>,
) -> Answer {
    adjust(&state, AdjustmentKind::Refund, idempotent, body, operator.actor(), id).await
}

async fn adjust(
    state: &HttpState,
    kind: AdjustmentKind,
    idempotent: Idempotent,
    body: Amount,
    by: &Actor,
    tenant: TenantId,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let Amount { amount_minor, currency, reference } = body;
    let adjustment = Adjustment { kind, amount_minor, currency, reference };
    let matter = Matter { request: idempotent.0, ..Matter::default() };
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| issuer.adjust(books, adjustment.clone());
    let written = decide(state, by, tenant, matter, rule).await?;
    let (seq, entry) = written.entry.as_ref().ok_or_else(Refusal::not_found)?;
    created(StatusCode::CREATED, written.is_replay, EntryRecord { seq: *seq, entry })
}

/// `GET …/billing-profile`.
pub async fn profile(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<TenantId>) -> Answer {
    known(&state, id)?;
    ok(state.ledger.profile(id).await?)
}

/// `PUT …/billing-profile`.
pub async fn put_profile(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<ProfileForm>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<TenantId>,
) -> Answer {
    known(&state, id)?;
    let body = BillingProfile::from(body);
    let faults = wrong(&body);
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults).into());
    }
    let profile = body.clone();
    let rule = move |issuer: &Issuer, _: &Books, _: WallTime| Ok(issuer.set_profile(profile.clone()));
    decide(&state, operator.actor(), id, Matter::default(), rule).await?;
    ok(body)
}

/// Everything that is wrong with a profile.
fn wrong(profile: &BillingProfile) -> Vec<Fault> {
    let Party { name, address, tax_id, email } = &profile.party;
    let mut faults = Vec::new();
    let mut within = |pointer: String, text: &str, most: usize| {
        let given = text.chars().count();
        if given > most || text.chars().any(char::is_control) {
            let detail =
                format!("{given} characters were given; at most {most}, none of them a control character");
            faults.push(Fault::new(pointer, "out_of_range", detail));
        }
    };
    within("/party/name".to_owned(), name, 200);
    for (index, line) in address.iter().enumerate().take(9) {
        within(format!("/party/address/{index}"), line, 200);
    }
    within("/party/tax_id".to_owned(), tax_id.as_deref().unwrap_or_default(), 64);
    within("/party/email".to_owned(), email.as_deref().unwrap_or_default(), 254);
    within("/customer".to_owned(), profile.customer.as_deref().unwrap_or_default(), 255);
    if address.len() > 8 {
        let detail = format!("{} lines were given; at most 8", address.len());
        faults.push(Fault::new("/party/address", "out_of_range", detail));
    }
    if let Some(rate) = profile.tax_rate_bps.filter(|rate| *rate > 10_000) {
        let detail = format!("{rate} is not within 0 and 10000 hundredths of a per cent");
        faults.push(Fault::new("/tax_rate_bps", "out_of_range", detail));
    }
    faults
}
