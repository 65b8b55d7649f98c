//! Webhooks and their deliveries as the API shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::id::{DeliveryId, EventId, SessionId, WebhookId};
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    Attempt, Delivery, DeliveryReason, DeliveryStatus, EventFilter, Webhook, WebhookReason, WebhookStatus,
};
use crate::webhooks::confidential::Confidential;

/// An endpoint.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "each is documented at Webhook")]
pub struct WebhookRecord<'a> {
    pub id: WebhookId,
    pub url: &'a str,
    pub description: &'a str,
    pub events: &'a EventFilter,
    pub sessions: &'a [SessionId],
    /// Names of the custom headers; their values are never shown.
    pub headers: Vec<&'a str>,
    pub status: WebhookStatus,
    pub reason: Option<WebhookReason>,
    pub since: WallTime,
    pub health: HealthRecord,
    /// Until then an older secret signs along.
    pub overlap_until: Option<WallTime>,
    pub created_at: WallTime,
}

/// How an endpoint has answered lately.
#[derive(Debug, Serialize)]
pub struct HealthRecord {
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was; five days later the endpoint is disabled.
    pub failing_since: Option<WallTime>,
    /// Until then nothing is sent; then one request tries.
    pub rests_until: Option<WallTime>,
}

/// An endpoint with a secret that was just made.
#[derive(Debug, Serialize)]
pub struct NewWebhookRecord<'a> {
    /// The endpoint.
    #[serde(flatten)]
    pub record: WebhookRecord<'a>,
    /// What its requests are signed with. Null in a replay: it is shown once, and the first answer had it.
    pub secret: Option<&'a str>,
}

/// An endpoint, as it is at `now`.
pub fn record<'a>(webhook: &'a Webhook, confidential: &'a Confidential, now: WallTime) -> WebhookRecord<'a> {
    let active = webhook.status == WebhookStatus::Active;
    WebhookRecord {
        id: webhook.id,
        url: &webhook.url,
        description: &webhook.description,
        events: &webhook.events,
        sessions: &webhook.sessions,
        headers: confidential.headers().keys().map(String::as_str).collect(),
        status: webhook.status,
        reason: webhook.reason,
        since: webhook.since,
        health: HealthRecord {
            failures: webhook.health.failures,
            failing_since: webhook.health.failing_since,
            rests_until: webhook.health.open_until.filter(|&until| active && until > now),
        },
        overlap_until: confidential.overlap_until(now),
        created_at: webhook.created_at,
    }
}

/// A delivery.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "each is documented at Delivery")]
pub struct DeliveryRecord<'a> {
    pub id: DeliveryId,
    pub webhook: WebhookId,
    pub event: EventId,
    pub r#type: &'a str,
    pub status: DeliveryStatus,
    pub reason: Option<DeliveryReason>,
    pub attempts: u32,
    pub due_at: Option<WallTime>,
    pub repeats: Option<DeliveryId>,
    pub created_at: WallTime,
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
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct RequestRecord {
    /// Always `POST`.
    pub method: &'static str,
    /// Headers that are the same in every attempt. Besides them: custom ones, `webhook-timestamp`,
    /// `webhook-signature`.
    pub headers: BTreeMap<&'static str, String>,
    /// The body.
    pub body: Box<RawValue>,
}

/// One attempt.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "each is documented at Attempt")]
pub struct AttemptRecord<'a> {
    pub number: u32,
    pub at: WallTime,
    pub duration_ms: u64,
    pub url: &'a str,
    pub status: Option<u16>,
    pub error: Option<&'a str>,
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
