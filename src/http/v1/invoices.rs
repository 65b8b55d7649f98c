//! What a tenant is asked to pay, and where it pays. Works while it is suspended because something is due.

use actix_web::HttpRequest;

use crate::domain::id::{CreditNoteId, InvoiceId};
use crate::domain::invoice::InvoiceStatus;
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Refusal};
use crate::http::admin::invoices::{STATUSES, listed};
use crate::http::admin::subscriptions::shown;
use crate::http::answer::Answer;
use crate::http::checkout::{self, LinkAsked, PortalAsked};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::Json;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::papers;
use crate::http::render::billing;
use crate::ports::ledger::InvoiceFilter;
use serde_json::json;

/// The query of `GET /invoices`.
#[derive(Debug)]
pub struct Wanted {
    status: Option<InvoiceStatus>,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        Self { status: given.word::<InvoiceStatus>("status", STATUSES), page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        let status = Parameter::new::<InvoiceStatus>("status", "With this status.", "open");
        vec![status, Parameter::limit(), Parameter::cursor()]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let open = sample::invoice(InvoiceStatus::Open);
    let (subscription, note) = (sample::subscription(), sample::credit_note());
    let whole = billing::InvoiceWithNotes { record: billing::invoice(&open), credit_notes: &[] };
    let balances = [(subscription.deal.currency, 2_261)];
    vec![
        get("/v1/subscription", self::subscription)
            .named("getSubscription", "What you have agreed to, and what you owe")
            .answering(200, "The subscription.", &billing::subscription(&subscription, &balances))
            .refusing(&[Code::NotFound]),
        get("/v1/invoices", list).named("listInvoices", "List your invoices").answering(
            200,
            "One page.",
            &Listing::whole(vec![billing::invoice(&open)]),
        ),
        papers::answering(
            get("/v1/invoices/{id}", self::get_one).named("getInvoice", "Get an invoice"),
            "The invoice.",
            &whole,
        ),
        papers::answering(
            get("/v1/credit-notes/{id}", get_note).named("getCreditNote", "Get a credit note"),
            "The credit note.",
            &note,
        ),
        post("/v1/invoices/{id}/checkout", link)
            .named("createCheckout", "Make a link on which an invoice is paid")
            .asking(checkout::example())
            .answering(200, "The link.", &checkout::sample())
            .refusing(&[Code::Conflict, Code::Unsupported, Code::InvalidRequest]),
        post("/v1/billing/portal", portal)
            .named("createPortal", "Make a link on which you keep your cards")
            .asking(json!({"back_url": "https://example.com/billing"}))
            .answering(200, "The link.", &checkout::sample())
            .refusing(&[Code::Conflict, Code::Unsupported, Code::InvalidRequest]),
    ]
}

/// `GET /subscription`.
pub async fn subscription(state: State, _: Query<Nothing>, tenant: Tenant<tenant::Read>) -> Answer {
    shown(&state, tenant.id()).await
}

/// `GET /invoices`, newest first.
pub async fn list(state: State, Query(wanted): Query<Wanted>, tenant: Tenant<tenant::Read>) -> Answer {
    let filter = InvoiceFilter { tenant: Some(tenant.id()), status: wanted.status };
    listed(&state, filter, wanted.page).await
}

/// `GET /invoices/{id}`.
pub async fn get_one(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<InvoiceId>,
    request: HttpRequest,
) -> Answer {
    let invoice = state.ledger.invoice(id, Some(tenant.id())).await?.ok_or_else(Refusal::not_found)?;
    papers::invoice(&state, request.headers(), &invoice).await
}

/// `GET /credit-notes/{id}`.
pub async fn get_note(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<CreditNoteId>,
    request: HttpRequest,
) -> Answer {
    let note = state.ledger.note(id, Some(tenant.id())).await?.ok_or_else(Refusal::not_found)?;
    papers::credit_note(&state, request.headers(), &note).await
}

/// `POST /invoices/{id}/checkout`. A link shows what is owed and takes money: not for keys that only read.
pub async fn link(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<LinkAsked>,
    tenant: Tenant<tenant::Pay>,
    Id(id): Id<InvoiceId>,
    request: HttpRequest,
) -> Answer {
    let invoice = state.ledger.invoice(id, Some(tenant.id())).await?.ok_or_else(Refusal::not_found)?;
    let owner = Owner::Tenant(tenant.id());
    let _flight = idempotent.enter(&state.in_flight, owner)?;
    checkout::link(&state, &tenant.actor(&request), &invoice, body, &idempotent.name(owner)).await
}

/// `POST /billing/portal`.
pub async fn portal(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<PortalAsked>,
    tenant: Tenant<tenant::Pay>,
    request: HttpRequest,
) -> Answer {
    let owner = Owner::Tenant(tenant.id());
    let _flight = idempotent.enter(&state.in_flight, owner)?;
    checkout::portal(&state, &tenant.actor(&request), tenant.id(), body, &idempotent.name(owner)).await
}
