//! Webhooks and their deliveries as the API shows them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use crate::domain::id::{DeliveryId, EventId, SessionId, WebhookId};
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Attempt, Delivery, DeliveryReason, DeliveryStatus, EventFilter, EventPattern, Webhook, WebhookReason,
    WebhookStatus,
};
use crate::webhooks::confidential::Confidential;

/// An endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
#[expect(missing_docs, reason = "each is documented at Webhook")]
pub struct WebhookRecord<'a> {
    pub id: WebhookId,
    /// Where its events go; to an operator without a look without path and query, which may hold a secret.
    pub url: Cow<'a, str>,
    /// What its people call it.
    pub description: &'a str,
    /// Which events it is told of.
    #[schemars(with = "Vec<EventPattern>")]
    pub events: &'a EventFilter,
    /// On which sessions; none named means all.
    pub sessions: &'a [SessionId],
    /// Names of the custom headers; their values are never shown.
    pub headers: Vec<&'a str>,
    pub status: WebhookStatus,
    /// Why it is disabled.
    pub reason: Option<WebhookReason>,
    /// Since when it has its status.
    pub since: WallTime,
    pub health: HealthRecord,
    /// Until then an older secret signs along.
    pub overlap_until: Option<WallTime>,
    pub created_at: WallTime,
}

/// How an endpoint has answered lately.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookHealth")]
pub struct HealthRecord {
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was; five days later the endpoint is disabled.
    pub failing_since: Option<WallTime>,
    /// Until then nothing is sent; then one request tries.
    pub rests_until: Option<WallTime>,
}

/// An endpoint with a secret that was just made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookShownOnce")]
pub struct NewWebhookRecord<'a> {
    /// The endpoint.
    #[serde(flatten)]
    pub record: WebhookRecord<'a>,
    /// What its requests are signed with. Null in a replay: it is shown once, and the first answer had it.
    pub secret: Option<&'a str>,
}

impl WebhookRecord<'_> {
    /// As those see it who may see no content.
    pub fn outlined(self) -> Self {
        Self { url: origin(&self.url).into(), ..self }
    }
}

/// An endpoint's address without path and query, which may hold a secret.
pub fn origin(url: &str) -> String {
    url.parse::<Url>().map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// How an endpoint has answered, as it is at `now`.
pub fn health(webhook: &Webhook, now: WallTime) -> HealthRecord {
    let active = webhook.status == WebhookStatus::Active;
    HealthRecord {
        failures: webhook.health.failures,
        failing_since: webhook.health.failing_since,
        rests_until: webhook.health.open_until.filter(|&until| active && until > now),
    }
}

/// An endpoint, as it is at `now`.
pub fn record<'a>(webhook: &'a Webhook, confidential: &'a Confidential, now: WallTime) -> WebhookRecord<'a> {
    WebhookRecord {
        id: webhook.id,
        url: webhook.url.as_str().into(),
        description: &webhook.description,
        events: &webhook.events,
        sessions: &webhook.sessions,
        headers: confidential.headers().keys().map(String::as_str).collect(),
        status: webhook.status,
        reason: webhook.reason,
        since: webhook.since,
        health: health(webhook, now),
        overlap_until: confidential.overlap_until(now),
        created_at: webhook.created_at,
    }
}

/// A delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
#[expect(missing_docs, reason = "each is documented at Delivery")]
pub struct DeliveryRecord<'a> {
    pub id: DeliveryId,
    /// To which endpoint.
    pub webhook: WebhookId,
    /// Of which event; the `webhook-id` of its requests.
    pub event: EventId,
    /// The event's type, such as `message.delivered`.
    pub r#type: &'a str,
    pub status: DeliveryStatus,
    /// Why it is dead.
    pub reason: Option<DeliveryReason>,
    /// Attempts made.
    pub attempts: u32,
    /// When the next attempt is due, while it is pending.
    pub due_at: Option<WallTime>,
    /// The delivery that it repeats.
    pub repeats: Option<DeliveryId>,
    pub created_at: WallTime,
    /// When it came to rest.
    pub settled_at: Option<WallTime>,
}

/// A delivery.
pub fn delivery(one: &Delivery) -> DeliveryRecord<'_> {
    DeliveryRecord {
        id: one.id,
        webhook: one.webhook,
        event: one.event,
        r#type: &one.kind,
        status: one.status,
        reason: one.reason,
        attempts: one.attempts,
        due_at: one.due_at,
        repeats: one.repeats,
        created_at: one.created_at,
        settled_at: one.settled_at,
    }
}

/// A delivery with all that is known of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDeliveryWithLog")]
pub struct LoggedRecord<'a> {
    /// The delivery.
    #[serde(flatten)]
    pub record: DeliveryRecord<'a>,
    /// What is sent.
    pub request: RequestRecord,
    /// What came back, oldest first.
    pub log: Vec<AttemptRecord<'a>>,
}

/// What is sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookRequest")]
pub struct RequestRecord {
    /// Always `POST`.
    #[schemars(extend("const" = "POST"))]
    pub method: &'static str,
    /// Headers that are the same in every attempt. Besides them: custom ones, `webhook-timestamp`,
    /// `webhook-signature`.
    pub headers: BTreeMap<&'static str, String>,
    /// The body: the event, as `asyncapi.json` describes it.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub body: Box<RawValue>,
}

/// One attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookAttempt")]
pub struct AttemptRecord<'a> {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub at: WallTime,
    /// How long it took.
    pub duration_ms: u64,
    /// Where it went.
    pub url: &'a str,
    /// The answer's status; null when there was no answer.
    pub status: Option<u16>,
    /// Why there was none, as a short word.
    pub error: Option<&'a str>,
    /// The beginning of the answer's body, as text: 4 KiB at most.
    pub body: &'a str,
}

/// One attempt.
pub fn attempt(one: &Attempt) -> AttemptRecord<'_> {
    AttemptRecord {
        number: one.number,
        at: one.at,
        duration_ms: one.duration_ms,
        url: &one.url,
        status: one.status,
        error: one.error.as_deref(),
        body: &one.body,
    }
}
