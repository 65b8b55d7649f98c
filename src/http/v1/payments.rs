//! What the payment provider says. Its signature is what lets it in; what it says is written down before it is answered, by
//! its own name for it, so that it may say it any number of times and in any order.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use crate::billing::heard::Refund;
use crate::billing::office::{Issuer, Payment};
use crate::domain::audit::Actor;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::Answer;
use crate::http::desk::decide;
use crate::http::extract::State;
use crate::http::extract::operator::named_actor;
use crate::http::extract::query::{Nothing, Query};
use crate::http::middleware::body::RawBody;
use crate::http::openapi::operation::{Operation, post};
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::meters;
use crate::ports::ledger::{Books, Matter, Outcome};
use crate::ports::payments::{NoticeError, ProviderName, Word};

/// Where Stripe puts its signature.
const SIGNATURE: &str = "stripe-signature";

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/payments/stripe", stripe)
            .named("hearStripe", "Where Stripe sends its notices")
            .about(
                "No key is needed: the header `Stripe-Signature` is checked against `billing.stripe.endpoint_secrets`, and may \
                 be five minutes old. 404 when Stripe is not configured. Notices may come twice and in any order; one about a \
                 tenant or an invoice that is not there is answered with 200 and counted.",
            )
            .answering_nothing(200, "It is written down.")
            .refusing(&[Code::NotFound, Code::PayloadTooLarge]),
    ]
}

/// `POST /payments/stripe`.
pub async fn stripe(state: State, _: Query<Nothing>, request: HttpRequest) -> Answer {
    if state.payments.name() != ProviderName::Stripe {
        return Err(Refusal::not_found().into());
    }
    let body = request.extensions().get::<RawBody>().cloned().unwrap_or_default();
    let signature =
        request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let words = state.payments.read(signature, &body.0, state.clock.wall()).map_err(|error| {
        count(if matches!(error, NoticeError::Forged(_)) { "forged" } else { "unreadable" });
        state.lately.notice_refused(state.clock.wall());
        tracing::warn!(%error, "a notice of the payment provider is refused");
        Refusal::malformed(error.to_string(), vec![])
    })?;
    if words.is_empty() {
        count("nothing");
    }
    let by = named_actor(&request, ProviderName::Stripe.to_string());
    for word in words {
        hear(&state, &by, word).await?;
    }
    Ok(HttpResponse::Ok().finish())
}

fn count(outcome: &'static str) {
    meters::payment_notice(ProviderName::Stripe.into(), outcome);
}

async fn hear(state: &HttpState, by: &Actor, word: Word) -> Result<(), Problem> {
    match word {
        Word::Paid { id, tenant, invoice, amount_minor, currency } => {
            let payment = Payment { invoice, amount_minor, currency, reference: Some(id.clone()) };
            let rule =
                move |issuer: &Issuer, books: &Books, _: WallTime| issuer.hear_payment(books, &payment);
            write(state, by, ("paid", id), tenant, invoice, rule).await
        }
        Word::Refunded { id, tenant, invoice, amount_minor, currency } => {
            let note = CreditNoteId::mint(state.clock.wall());
            let refund = Refund { note, invoice, amount_minor, currency, reference: id.clone() };
            let rule = move |issuer: &Issuer, books: &Books, _: WallTime| issuer.hear_refund(books, &refund);
            write(state, by, ("refunded", id), tenant, invoice, rule).await
        }
        Word::Failed { tenant, invoice, why } => {
            count("failed");
            tracing::info!(%tenant, %invoice, why, "an attempt to pay failed");
            Ok(())
        }
    }
}

/// Writes a word down. About what is not there it says nothing that repeating would mend.
async fn write(
    state: &HttpState,
    by: &Actor,
    (what, id): (&'static str, String),
    tenant: TenantId,
    invoice: InvoiceId,
    rule: impl Fn(&Issuer, &Books, WallTime) -> Result<Outcome, Refusal> + Send + Sync + 'static,
) -> Result<(), Problem> {
    let payment = Some((ProviderName::Stripe.to_string(), id));
    let matter = Matter { invoice: Some(invoice), payment, request: None };
    match decide(state, by, tenant, matter, rule).await {
        Ok(_) => {
            count(what);
            Ok(())
        }
        Err(problem) if problem.refusal().code == Code::NotFound => {
            count("unknown");
            tracing::warn!(%tenant, %invoice, "the payment provider speaks of an invoice that is not there");
            Ok(())
        }
        Err(problem) => Err(problem),
    }
}
