//! Invoices and what becomes of them. None is ever edited: paid, voided, given up, or taken back by a credit note.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::billing::office::{Issuer, NoteAsked, Payment};
use crate::domain::audit::Actor;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::invoice::{Invoice, InvoiceStatus};
use crate::domain::money::Currency;
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, ok};
use crate::http::checkout::{self, LinkAsked};
use crate::http::desk::decide;
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json, JsonOrNothing};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::papers;
use crate::http::problem::Problem;
use crate::http::render::billing;
use crate::http::state::HttpState;
use crate::ports::ledger::{Books, InvoiceFilter, Matter, Outcome, Written};

/// The query of `GET /invoices`.
#[derive(Debug)]
pub struct Wanted {
    filter: InvoiceFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let filter = InvoiceFilter {
            tenant: given.value::<TenantId>("tenant"),
            status: given.word::<InvoiceStatus>("status", STATUSES),
        };
        Self { filter, page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant.", sample::tenant_id().to_string()),
            Parameter::new::<InvoiceStatus>("status", "With this status.", "open"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// What a status can be.
pub const STATUSES: &str = "open, paid, void, uncollectible";

/// The body of `POST /invoices/{id}/pay`, which may be left out: then all that is due was paid.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PaymentReceived")]
pub struct Received {
    /// How much, in the invoice's minor unit; all that is due, if it is not said.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// In which currency; the invoice's, if it is not said.
    #[serde(default)]
    currency: Option<Currency>,
    /// The other side's word for it, such as a transfer's reference.
    #[serde(default)]
    #[schemars(length(max = 255))]
    reference: Option<String>,
}

impl Form for Received {}

/// The body of `POST /invoices/{id}/credit-notes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCreditNote")]
pub struct NewNote {
    /// How much, with tax, in the invoice's minor unit.
    #[schemars(range(min = 1))]
    amount_minor: i64,
    /// Why, as the customer reads it.
    #[schemars(length(min = 1, max = 500))]
    reason: String,
}

impl Form for NewNote {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let (open, paid) = (sample::invoice(InvoiceStatus::Open), sample::invoice(InvoiceStatus::Paid));
    let note = sample::credit_note();
    let whole = billing::InvoiceWithNotes { record: billing::invoice(&open), credit_notes: &[] };
    vec![
        get("/v1/admin/invoices", list)
            .named("listAllInvoices", "List invoices of all tenants")
            .answering(200, "One page.", &Listing::whole(vec![billing::invoice(&open)])),
        get("/v1/admin/tenants/{id}/invoices", list_of_tenant)
            .named("listTenantInvoices", "List a tenant's invoices")
            .about("Also of one that was deleted.")
            .answering(200, "One page.", &Listing::whole(vec![billing::invoice(&open)])),
        papers::answering(
            get("/v1/admin/invoices/{id}", self::get_one).named("getAnyInvoice", "Get an invoice"),
            "The invoice.",
            &whole,
        ),
        post("/v1/admin/invoices/{id}/pay", pay)
            .named("payInvoice", "Note that an invoice was paid")
            .about("For money that came in otherwise than through the payment provider. Without a body all of it was.")
            .asking(json!({"amount_minor": 2_261, "currency": "EUR", "reference": "Transfer of 2026-11-20"}))
            .answering(200, "The invoice.", &billing::invoice(&paid))
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
        post("/v1/admin/invoices/{id}/void", void)
            .named("voidInvoice", "Take an invoice back as if it had never been")
            .about("Only while nothing of it was paid or credited. Its number stays taken.")
            .answering(200, "The invoice.", &billing::invoice(&open))
            .refusing(&[Code::Conflict]),
        post("/v1/admin/invoices/{id}/write-off", write_off)
            .named("writeOffInvoice", "Give an invoice up")
            .about("It may be paid all the same.")
            .answering(200, "The invoice.", &billing::invoice(&open))
            .refusing(&[Code::Conflict]),
        post("/v1/admin/invoices/{id}/credit-notes", credit)
            .named("createCreditNote", "Take an invoice back, in part or in whole")
            .about("What was not paid need not be; what was is to the tenant's credit.")
            .asking(json!({"amount_minor": 500, "reason": "An hour of outage"}))
            .answering(201, "The credit note.", &note)
            .refusing(&[Code::Conflict, Code::InvalidRequest]),
        papers::answering(
            get("/v1/admin/credit-notes/{id}", get_note).named("getAnyCreditNote", "Get a credit note"),
            "The credit note.",
            &note,
        ),
        post("/v1/admin/invoices/{id}/checkout", link)
            .named("createAnyCheckout", "Make a link on which an invoice can be paid")
            .asking(checkout::example())
            .answering(200, "The link.", &checkout::sample())
            .refusing(&[Code::Conflict, Code::Unsupported, Code::InvalidRequest]),
        post("/v1/admin/invoices/{id}/collect", collect)
            .named("collectInvoice", "Charge the card a tenant left")
            .about("A notice of the payment provider tells whether it worked; nothing is paid until then.")
            .answering_nothing(204, "The provider tries.")
            .refusing(&[Code::Conflict, Code::Unsupported]),
    ]
}

/// `GET /invoices`, newest first.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    listed(&state, wanted.filter, wanted.page).await
}

/// `GET /tenants/{id}/invoices`.
pub async fn list_of_tenant(
    state: State,
    Query(page): Query<Page>,
    _: Operator,
    Id(id): Id<TenantId>,
) -> Answer {
    let known = state.directory.snapshot().tenants.contains_key(&id);
    // One that was deleted has agreed to something once.
    if !known && state.ledger.subscription(id).await?.is_none() {
        return Err(Refusal::not_found().into());
    }
    listed(&state, InvoiceFilter { tenant: Some(id), status: None }, page).await
}

/// One page of invoices.
pub async fn listed(state: &HttpState, filter: InvoiceFilter, page: Page) -> Answer {
    let slice = state.ledger.invoices(filter, page).await?;
    ok(Listing::by_id(&slice, |invoice| invoice.id.uuid(), billing::invoice))
}

/// `GET /invoices/{id}`.
pub async fn get_one(
    state: State,
    _: Query<Nothing>,
    _: Operator,
    Id(id): Id<InvoiceId>,
    request: HttpRequest,
) -> Answer {
    let invoice = found(&state, id).await?;
    papers::invoice(&state, request.headers(), &invoice).await
}

/// `GET /credit-notes/{id}`.
pub async fn get_note(
    state: State,
    _: Query<Nothing>,
    _: Operator,
    Id(id): Id<CreditNoteId>,
    request: HttpRequest,
) -> Answer {
    let note = state.ledger.note(id, None).await?.ok_or_else(Refusal::not_found)?;
    papers::credit_note(&state, request.headers(), &note).await
}

async fn found(state: &HttpState, id: InvoiceId) -> Result<Invoice, Problem> {
    Ok(state.ledger.invoice(id, None).await?.ok_or_else(Refusal::not_found)?)
}

/// Has something decided about an invoice, whosever it is.
async fn act(
    state: &HttpState,
    by: &Actor,
    id: InvoiceId,
    idempotent: Idempotent,
    rule: impl Fn(&Issuer, &Books, WallTime) -> Result<Outcome, Refusal> + Send + Sync + 'static,
) -> Result<Written, Problem> {
    let tenant = found(state, id).await?.tenant;
    let matter = Matter { invoice: Some(id), payment: None, request: idempotent.0 };
    decide(state, by, tenant, matter, rule).await
}

fn shown(written: &Written) -> Answer {
    let invoice = written.invoices.first().ok_or_else(Refusal::not_found)?;
    created(StatusCode::OK, written.is_replay, billing::invoice(invoice))
}

/// `POST /invoices/{id}/pay`.
pub async fn pay(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    JsonOrNothing(body): JsonOrNothing<Received>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| {
        let asked = books.invoices.iter().find(|invoice| invoice.id == id).ok_or_else(Refusal::not_found)?;
        let payment = Payment {
            invoice: id,
            amount_minor: body.amount_minor.unwrap_or(asked.account.due_minor()),
            currency: body.currency.unwrap_or(asked.currency),
            reference: body.reference.clone(),
        };
        issuer.pay(books, &payment)
    };
    shown(&act(&state, operator.actor(), id, idempotent, rule).await?)
}

/// `POST /invoices/{id}/void`.
pub async fn void(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::Afresh<may::ManageMoney>>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| issuer.void(books, id);
    shown(&act(&state, operator.actor(), id, Idempotent(None), rule).await?)
}

/// `POST /invoices/{id}/write-off`.
pub async fn write_off(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::Afresh<may::ManageMoney>>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| issuer.write_off(books, id);
    shown(&act(&state, operator.actor(), id, Idempotent(None), rule).await?)
}

/// `POST /invoices/{id}/credit-notes`.
pub async fn credit(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewNote>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let note = CreditNoteId::mint(state.clock.wall());
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| {
        let NewNote { amount_minor, reason } = &body;
        issuer.note(
            books,
            NoteAsked { id: note, invoice: id, amount_minor: *amount_minor, reason: reason.clone() },
        )
    };
    let written = act(&state, operator.actor(), id, idempotent, rule).await?;
    let note = written.note.as_ref().ok_or_else(Refusal::not_found)?;
    created(StatusCode::CREATED, written.is_replay, note)
}

/// `POST /invoices/{id}/checkout`.
pub async fn link(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<LinkAsked>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let invoice = found(&state, id).await?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    checkout::link(&state, operator.actor(), &invoice, body, &idempotent.name(Owner::Operator)).await
}

/// `POST /invoices/{id}/collect`.
pub async fn collect(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageMoney>,
    Id(id): Id<InvoiceId>,
) -> Answer {
    let invoice = found(&state, id).await?;
    checkout::collect(&state, operator.actor(), &invoice).await
}
