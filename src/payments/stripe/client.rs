//! The few calls to Stripe that are needed, form-encoded as it wants them. Each that creates something carries an idempotency
//! key made of what it is for, so that asking twice makes one thing.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use super::{notice, scale, signature};
use crate::config::billing::StripeOptions;
use crate::domain::id::TenantId;
use crate::domain::invoice::{Invoice, Party};
use crate::domain::time::WallTime;
use crate::ports::payments::{Link, NoticeError, PaymentProvider, ProviderError, ProviderName, Return, Word};

/// The version of the API that the answers here are read as.
const VERSION: &str = "2024-06-20";
const PATIENCE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(60);
/// Says that an answer is that to an earlier request with the same key.
const REPLAYED: &str = "idempotent-replayed";
/// The type of the error that a key was used for something else (<https://docs.stripe.com/api/errors>).
const OTHERWISE: &str = "idempotency_error";
/// Longest answer that is read.
const ANSWER_MAX: usize = 1024 * 1024;

/// [`PaymentProvider`] over Stripe.
pub struct Stripe {
    options: StripeOptions,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Stripe {
    /// A client; reaches nobody yet.
    pub fn new(options: StripeOptions, tls: rustls::ClientConfig) -> Self {
        let mut road = HttpConnector::new();
        road.enforce_http(false);
        road.set_connect_timeout(Some(PATIENCE / 3));
        let road = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(road);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(road);
        Self { options, http }
    }

    /// What was made, and whether an earlier request with this key made it.
    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
        idempotency_key: &str,
    ) -> Result<(T, bool), ProviderError> {
        let request = Request::post(format!("{}{path}", self.options.url))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("idempotency-key", idempotency_key);
        self.ask(request, encoded(form)).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ProviderError> {
        let request = Request::get(format!("{}{path}?{}", self.options.url, encoded(query)));
        self.ask(request, String::new()).await.map(|(answer, _)| answer)
    }

    async fn link(&self, path: &str, form: &[(&str, String)], key: &str) -> Result<Link, ProviderError> {
        let (session, is_replay): (Session, bool) = self.post(path, form, key).await?;
        let expires_at = session.expires_at.map(|seconds| WallTime(seconds.saturating_mul(1_000)));
        let url = session.url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        let url = url.ok_or_else(|| ProviderError::Unavailable("it answered without a link".to_owned()))?;
        Ok(Link { url, expires_at, is_replay })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: hyper::http::request::Builder,
        body: String,
    ) -> Result<(T, bool), ProviderError> {
        let unusable =
            || ProviderError::Refused("the key or the address that is configured cannot be sent".to_owned());
        let mut key =
            HeaderValue::try_from(format!("Bearer {}", self.options.key)).map_err(|_| unusable())?;
        key.set_sensitive(true);
        let request = request.header(AUTHORIZATION, key).header("stripe-version", VERSION);
        let request = request.body(Full::new(Bytes::from(body))).map_err(|_| unusable())?;
        let (head, body) = tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .map_err(|_| ProviderError::Unavailable("no answer within 30 seconds".to_owned()))??;
        if head.status.is_success() {
            let unreadable = |_| ProviderError::Unavailable("its answer cannot be read".to_owned());
            let answer = serde_json::from_slice(&body).map_err(unreadable)?;
            return Ok((answer, head.headers.get(REPLAYED).is_some_and(|said| said == "true")));
        }
        Err(refused(head.status, &body))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), ProviderError> {
        let lost = |error: legacy::Error| ProviderError::Unavailable(error.to_string());
        let answer = self.http.request(request).await.map_err(lost)?;
        let (head, body) = answer.into_parts();
        let broken =
            |_| ProviderError::Unavailable("its answer broke off, or is longer than a megabyte".to_owned());
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(broken)?;
        Ok((head, body.to_bytes()))
    }
}

fn encoded(pairs: &[(&str, String)]) -> String {
    let mut text = Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
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
    let complaint = serde_json::from_slice::<Answer>(body).ok().map(|answer| answer.error);
    if complaint.as_ref().is_some_and(|error| error.r#type.as_deref() == Some(OTHERWISE)) {
        return ProviderError::AskedOtherwise;
    }
    let words = complaint.map(|error| {
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
    let due = invoice.to_pay_minor();
    if due < 1 {
        return Err(ProviderError::Refused("nothing is due".to_owned()));
    }
    if !scale::is_same(invoice.currency) {
        let text = format!(
            "amounts in {} mean something else to Stripe; take this payment by hand",
            invoice.currency
        );
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

#[async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> ProviderName {
        ProviderName::Stripe
    }

    async fn customer(&self, tenant: TenantId, party: &Party) -> Result<String, ProviderError> {
        let mut form = vec![("metadata[tenant]", tenant.to_string()), ("name", party.name.clone())];
        form.extend(party.email.clone().map(|email| ("email", email)));
        form.retain(|(_, value)| !value.is_empty());
        let (customer, _): (Named, bool) =
            self.post("/v1/customers", &form, &format!("columba-customer-{tenant}")).await?;
        Ok(customer.id)
    }

    async fn checkout(
        &self,
        invoice: &Invoice,
        customer: &str,
        back: &Return,
        name: &str,
    ) -> Result<Link, ProviderError> {
        let (amount, currency) = due(invoice)?;
        let mut form = vec![
            ("mode", "payment".to_owned()),
            ("customer", customer.to_owned()),
            ("client_reference_id", invoice.id.to_string()),
            ("line_items[0][quantity]", "1".to_owned()),
            ("line_items[0][price_data][currency]", currency),
            ("line_items[0][price_data][unit_amount]", amount),
            ("line_items[0][price_data][product_data][name]", format!("Invoice {}", invoice.number)),
            ("payment_intent_data[setup_future_usage]", "off_session".to_owned()),
            ("success_url", back.done.clone()),
            ("cancel_url", back.given_up.clone()),
        ];
        mark(&mut form, ["metadata[tenant]", "metadata[invoice]"], invoice);
        mark(
            &mut form,
            ["payment_intent_data[metadata][tenant]", "payment_intent_data[metadata][invoice]"],
            invoice,
        );
        // A link lives for a day and so does a key at Stripe, so a key that named the invoice alone might give out an expired
        // one. Two links never take more than one payment each, and what comes in twice is to the tenant's credit.
        self.link("/v1/checkout/sessions", &form, &format!("columba-checkout-{name}")).await
    }

    async fn portal(&self, customer: &str, back: &str, name: &str) -> Result<Link, ProviderError> {
        let form = [("customer", customer.to_owned()), ("return_url", back.to_owned())];
        self.link("/v1/billing_portal/sessions", &form, &format!("columba-portal-{name}")).await
    }

    async fn collect(&self, invoice: &Invoice, customer: &str) -> Result<(), ProviderError> {
        let (amount, currency) = due(invoice)?;
        let methods: Methods = self
            .get("/v1/payment_methods", &[("customer", customer.to_owned()), ("type", "card".to_owned())])
            .await?;
        let Some(method) = methods.data.into_iter().next() else {
            return Err(ProviderError::Refused(
                "the customer has left no card; send a checkout link".to_owned(),
            ));
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
