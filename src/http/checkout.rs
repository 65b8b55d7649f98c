//! Links of the payment provider: a page on which an invoice is paid, and one on which a tenant keeps its cards.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::answer::{Answer, created, done};
use super::desk::decide;
use super::extract::json::Form;
use super::problem::Problem;
use super::state::HttpState;
use crate::billing::office::Issuer;
use crate::domain::audit::Actor;
use crate::domain::id::TenantId;
use crate::domain::invoice::Invoice;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::time::WallTime;
use crate::ports::ledger::{BillingProfile, Books, Matter};
use crate::ports::payments::{Link, ProviderError, Return};

/// Longest address that a person may be led back to.
const URL_MAX: usize = 2_048;

/// Where a person comes back to from paying.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CheckoutAsked")]
pub struct LinkAsked {
    /// After it was paid.
    #[schemars(length(max = URL_MAX))]
    done_url: String,
    /// After it was given up.
    #[schemars(length(max = URL_MAX))]
    given_up_url: String,
}

impl Form for LinkAsked {}

/// Where a person comes back to from its cards.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PortalAsked")]
pub struct PortalAsked {
    /// When it is done there.
    #[schemars(length(max = URL_MAX))]
    back_url: String,
}

impl Form for PortalAsked {}

/// A link of the payment provider.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PaymentLink")]
pub struct LinkRecord {
    /// The page.
    url: String,
    /// Until when it works; null when the provider does not say.
    expires_at: Option<WallTime>,
}

/// A body, for examples.
pub fn example() -> Value {
    json!({"done_url": "https://example.com/paid", "given_up_url": "https://example.com/invoices"})
}

/// An answer, for examples.
pub fn sample() -> LinkRecord {
    let url = "https://checkout.stripe.com/c/pay/cs_live_a1".to_owned();
    LinkRecord { url, expires_at: Some(super::openapi::sample::NOW) }
}

/// A link on which what is due of an invoice is paid. `name`: the same for the same request.
pub async fn link(state: &HttpState, by: &Actor, invoice: &Invoice, asked: LinkAsked, name: &str) -> Answer {
    let back = Return { done: asked.done_url, given_up: asked.given_up_url };
    let wrong = [address("/done_url", &back.done), address("/given_up_url", &back.given_up)];
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    if !wrong.is_empty() {
        return Err(Refusal::invalid(wrong).into());
    }
    is_due(invoice)?;
    let customer = customer(state, by, invoice.tenant).await?;
    shown(state.payments.checkout(invoice, &customer, &back, name).await?)
}

/// Charges the card that a tenant left.
pub async fn collect(state: &HttpState, by: &Actor, invoice: &Invoice) -> Answer {
    is_due(invoice)?;
    let customer = customer(state, by, invoice.tenant).await?;
    state.payments.collect(invoice, &customer).await?;
    done()
}

fn is_due(invoice: &Invoice) -> Result<(), Refusal> {
    if invoice.to_pay_minor() > 0 {
        return Ok(());
    }
    Err(Refusal::conflict(format!("nothing is to be paid: the invoice is {}", invoice.status)))
}

/// A link on which a tenant keeps its cards. `name`: the same for the same request.
pub async fn portal(
    state: &HttpState,
    by: &Actor,
    tenant: TenantId,
    asked: PortalAsked,
    name: &str,
) -> Answer {
    if let Some(fault) = address("/back_url", &asked.back_url) {
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let customer = customer(state, by, tenant).await?;
    shown(state.payments.portal(&customer, &asked.back_url, name).await?)
}

fn shown(Link { url, expires_at, is_replay }: Link) -> Answer {
    created(StatusCode::OK, is_replay, LinkRecord { url, expires_at })
}

/// The provider's name for a tenant: made when it is asked for the first time, and kept in the billing profile.
async fn customer(state: &HttpState, by: &Actor, tenant: TenantId) -> Result<String, Problem> {
    let profile = state.ledger.profile(tenant).await?;
    if let Some(customer) = profile.customer {
        return Ok(customer);
    }
    let snapshot = state.directory.snapshot();
    // One that was deleted may still pay, and has no name any more.
    let called = snapshot.tenants.get(&tenant).map_or("", |tenant| tenant.name.as_str());
    let made = state.payments.customer(tenant, &profile.buyer(called)).await?;
    let kept = made.clone();
    let rule = move |issuer: &Issuer, books: &Books, _: WallTime| {
        let profile = BillingProfile { customer: Some(kept.clone()), ..books.profile.clone() };
        Ok(issuer.set_profile(profile))
    };
    decide(state, by, tenant, Matter::default(), rule).await?;
    Ok(made)
}

fn address(pointer: &'static str, text: &str) -> Option<Fault> {
    let fits = text.len() <= URL_MAX
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let detail = || format!("an https:// address of at most {URL_MAX} bytes, to which the person comes back");
    (!fits).then(|| Fault::new(pointer, "not_allowed", detail()))
}

/// What the provider did not do. Its texts name no key and no card.
impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unsupported(text) => Refusal::unsupported(text),
            ProviderError::Refused(_) => Refusal::conflict(error.to_string()),
            ProviderError::AskedOtherwise => Refusal::idempotency_mismatch(),
            ProviderError::Unavailable(_) => {
                tracing::warn!(%error, "the payment provider is away");
                Refusal::unavailable(error.to_string())
            }
        }
        .into()
    }
}
