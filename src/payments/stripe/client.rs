//! The few calls to Stripe that are needed, form-encoded as it wants them. Each that creates something carries an idempotency
//! key made of what it is for, so that asking twice makes one thing.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::{notice, scale, signature};
use crate::domain::id::TenantId;
use crate::domain::invoice::{Invoice, Party};
use crate::domain::time::WallTime;
use crate::ports::payments::{
    Link, NoticeError, PaymentProvider, ProviderError, ProviderName, Return, Word,
};

/// The version of the API that the answers here are read as.
const VERSION: &str = "2024-06-20";
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_MAX: usize = 1024 * 1024;

/// How Stripe is reached.
#[derive(Clone)]
pub struct StripeOptions {
    /// `https://api.stripe.com`, or another server that speaks as it does.
    pub url: String,
    /// The secret key, `sk_…` or `rk_…`.
    pub key: Zeroizing<String>,
    /// Secrets of the endpoint that hears notices, `whsec_…`: the one that counts and, while it is replaced, the one before.
    pub endpoint_secrets: Vec<String>,
}

/// `Debug` hides the keys.
impl fmt::Debug for StripeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StripeOptions({})", self.url)
    }
}

/// [`PaymentProvider`] over Stripe.
pub struct Stripe {
    options: StripeOptions,
    http: Client,
}

impl Stripe {
    /// A client; reaches nobody yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: StripeOptions) -> Result<Self, reqwest::Error> {
        let http = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { options, http })
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
        idempotency_key: &str,
    ) -> Result<T, ProviderError> {
        let body = form.iter().fold(Serializer::new(String::new()), |mut body, (name, value)| {
            body.append_pair(name, value);
            body
        });
        let request = self
            .http
            .post(format!("{}{path}", self.options.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("idempotency-key", idempotency_key)
            .body({ body }.finish());
        self.ask(request).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ProviderError> {
        let query = query.iter().fold(Serializer::new(String::new()), |mut all, (name, value)| {
            all.append_pair(name, value);
            all
        });
        self.ask(self.http.get(format!("{}{path}?{}", self.options.url, { query }.finish()))).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ProviderError> {
        let unavailable = |error: reqwest::Error| ProviderError::Unavailable(error.without_url().to_string());
        let request = request.bearer_auth(self.options.key.as_str()).header("stripe-version", VERSION);
        let mut answer = request.send().await.map_err(unavailable)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unavailable)? {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_MAX {
                return Err(ProviderError::Unavailable("its answer is longer than a megabyte".to_owned()));
            }
        }
        if status.is_success() {
            let unreadable = |_| ProviderError::Unavailable("its answer cannot be read".to_owned());
            return serde_json::from_slice(&body).map_err(unreadable);
        }
        Err(refused(status, &body))
    }
}

/// Stripe's own words on what was wrong, which hold neither keys nor cards.
fn refused(status: StatusCode, body: &[u8]) -> ProviderError {
    #[derive(Deserialize)]
    struct Answer {
        error: Complaint,
    }
    #[derive(Deserialize)]
    struct Complaint {
        r#type: Option<String>,
        code: Option<String>,
        decline_code: Option<String>,
        param: Option<String>,
    }
    let words = serde_json::from_slice::<Answer>(body).ok().map(|Answer { error }| {
        let words = [error.r#type, error.code, error.decline_code, error.param];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    });
    let text = format!("{} {}", status.as_u16(), words.unwrap_or_default()).trim().to_owned();
    // 409: a request with the same key is still under way. 429: too many.
    if status.is_server_error() || matches!(status.as_u16(), 409 | 429) {
        ProviderError::Unavailable(text)
    } else {
        ProviderError::Refused(text)
    }
}

/// What makes a notice ours.
fn mark(form: &mut Vec<(&str, String)>, names: [&'static str; 2], invoice: &Invoice) {
    form.push((names[0], invoice.tenant.to_string()));
    form.push((names[1], invoice.id.to_string()));
}

/// What is due, as Stripe counts it.
fn due(invoice: &Invoice) -> Result<(String, String), ProviderError> {
    let due = invoice.account.due_minor();
    if due < 1 {
        return Err(ProviderError::Refused("nothing is due".to_owned()));
    }
    if !scale::is_same(invoice.currency) {
        let text = format!("amounts in {} mean something else to Stripe; take this payment by hand", invoice.currency);
        return Err(ProviderError::Unsupported(text));
    }
    Ok((due.to_string(), invoice.currency.code().to_ascii_lowercase()))
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Session {
    url: Option<String>,
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct Methods {
    data: Vec<Named>,
}

fn link(session: Session) -> Result<Link, ProviderError> {
    let expires_at = session.expires_at.map(|seconds| WallTime(seconds.saturating_mul(1_000)));
    let url = session.url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let url = url.ok_or_else(|| ProviderError::Unavailable("it answered without a link".to_owned()))?;
    Ok(Link { url, expires_at })
}

#[async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> ProviderName {
        ProviderName::Stripe
    }

    async fn customer(&self, tenant: TenantId, party: &Party) -> Result<String, ProviderError> {
        let mut form = vec![("metadata[tenant]", tenant.to_string()), ("name", party.name.clone())];
        form.extend(party.email.clone().map(|email| ("email", email)));
        form.retain(|(_, value)| !value.is_empty());
        let customer: Named = self.post("/v1/customers", &form, &format!("columba-customer-{tenant}")).await?;
        Ok(customer.id)
    }

    async fn checkout(&self, invoice: &Invoice, customer: &str, back: &Return) -> Result<Link, ProviderError> {
        let (amount, currency) = due(invoice)?;
        let mut form = vec![
            ("mode", "payment".to_owned()),
            ("customer", customer.to_owned()),
            ("client_reference_id", invoice.id.to_string()),
            ("line_items[0][quantity]", "1".to_owned()),
            ("line_items[0][price_data][currency]", currency),
            ("line_items[0][price_data][unit_amount]", amount.clone()),
            ("line_items[0][price_data][product_data][name]", format!("Invoice {}", invoice.number)),
            ("payment_intent_data[setup_future_usage]", "off_session".to_owned()),
            ("success_url", back.done.clone()),
            ("cancel_url", back.given_up.clone()),
        ];
        mark(&mut form, ["metadata[tenant]", "metadata[invoice]"], invoice);
        mark(&mut form, ["payment_intent_data[metadata][tenant]", "payment_intent_data[metadata][invoice]"], invoice);
        // A link lives for a day, so a key that names no day would give out an expired one. Two links never take more than
        // one payment each, and what comes in twice is to the tenant's credit.
        let key = format!("columba-checkout-{}-{amount}-{}", invoice.id, uuid::Uuid::new_v4().simple());
        link(self.post("/v1/checkout/sessions", &form, &key).await?)
    }

    async fn portal(&self, customer: &str, back: &str) -> Result<Link, ProviderError> {
        let form = [("customer", customer.to_owned()), ("return_url", back.to_owned())];
        let key = format!("columba-portal-{}", uuid::Uuid::new_v4().simple());
        link(self.post("/v1/billing_portal/sessions", &form, &key).await?)
    }

    async fn collect(&self, invoice: &Invoice, customer: &str) -> Result<(), ProviderError> {
        let (amount, currency) = due(invoice)?;
        let methods: Methods =
            self.get("/v1/payment_methods", &[("customer", customer), ("type", "card")]).await?;
        let Some(method) = methods.data.into_iter().next() else {
            return Err(ProviderError::Refused("the customer has left no card; send a checkout link".to_owned()));
        };
        let mut form = vec![
            ("amount", amount.clone()),
            ("currency", currency),
            ("customer", customer.to_owned()),
            ("payment_method", method.id),
            ("off_session", "true".to_owned()),
            ("confirm", "true".to_owned()),
        ];
        mark(&mut form, ["metadata[tenant]", "metadata[invoice]"], invoice);
        // One charge a day for what is due: Stripe answers a key again for 24 hours, also with what failed.
        let key = format!("columba-charge-{}-{amount}", invoice.id);
        self.post::<Named>("/v1/payment_intents", &form, &key).await.map(drop)
    }

    fn read(&self, signature: &str, body: &[u8], now: WallTime) -> Result<Vec<Word>, NoticeError> {
        signature::check(signature, body, &self.options.endpoint_secrets, now)?;
        notice::read(body)
    }
}
