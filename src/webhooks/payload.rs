//! The body of a request: the event with the whole record, as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::id::{EventId, SessionId, WebhookId};
use crate::domain::message::Message;
use crate::domain::session::Session;
use crate::domain::time::WallTime;
use crate::domain::webhook::{Subject, WebhookEvent, WebhookReason, WebhookStatus};

/// How records are shown; the same as `GET` answers them.
#[derive(Clone, Copy)]
pub struct Records {
    /// A message.
    pub message: fn(&Message) -> serde_json::Result<Box<RawValue>>,
    /// A session, at a time.
    pub session: fn(&Session, WallTime) -> serde_json::Result<Box<RawValue>>,
}

/// One event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{D}Event")]
pub(crate) struct Body<'a, D> {
    /// The same in every retry and every redelivery, and in the header `webhook-id`.
    id: EventId,
    /// What happened.
    r#type: &'a str,
    /// When it became true.
    timestamp: WallTime,
    /// Its position in the tenant's feed: the `q` of the event there. Null for a test.
    seq: Option<u64>,
    /// On which session; null for what belongs to none.
    session: Option<SessionId>,
    /// What it is about.
    data: D,
}

/// The whole record as it stood when it happened, or that it was erased since.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "{D}OrErased")]
pub(crate) enum Told<D> {
    Record(D),
    Erased(Erased),
}

/// So much of the month's messages is used.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UsageThreshold")]
pub(crate) struct Usage {
    /// 50, 80 or 100.
    percent: u8,
}

/// An endpoint of the tenant's was disabled.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookDisabled")]
pub(crate) struct Disabled {
    id: WebhookId,
    /// Always `disabled`.
    status: WebhookStatus,
    reason: WebhookReason,
}

/// Somebody tries the endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookTest")]
pub(crate) struct Test {
    /// Always true.
    test: bool,
}

/// What the event was about is not there any more.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Erased {
    /// Always true.
    erased: bool,
}

/// The body for an event. The same event has the same body, whenever it is sent.
pub fn body(event: &WebhookEvent, records: Records) -> serde_json::Result<Vec<u8>> {
    match &event.subject {
        Subject::Message(message) => write(event, Told::Record((records.message)(message)?)),
        Subject::Session(session) => write(event, Told::Record((records.session)(session, event.at)?)),
        Subject::Usage(percent) => write(event, Usage { percent: *percent }),
        Subject::Webhook(id, reason) => {
            write(event, Disabled { id: *id, status: WebhookStatus::Disabled, reason: *reason })
        }
        Subject::Invoice(invoice) => write(event, invoice),
        Subject::Subscription(subscription) => write(event, subscription),
        Subject::Test => write(event, Test { test: true }),
        Subject::Gone => write(event, Told::<()>::Erased(Erased { erased: true })),
    }
}

fn write(event: &WebhookEvent, data: impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Body {
        id: event.id,
        r#type: &event.kind,
        timestamp: event.at,
        seq: event.seq,
        session: event.session,
        data,
    })
}
