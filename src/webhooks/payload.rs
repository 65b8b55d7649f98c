//! The body of a request: the event with the whole record, as the API shows it.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

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

#[derive(Serialize)]
struct Body<'a> {
    id: EventId,
    r#type: &'a str,
    timestamp: WallTime,
    seq: Option<u64>,
    session: Option<SessionId>,
    data: Box<RawValue>,
}

#[derive(Serialize)]
struct Usage {
    percent: u8,
}

#[derive(Serialize)]
struct Disabled {
    id: WebhookId,
    status: WebhookStatus,
    reason: WebhookReason,
}

#[derive(Serialize)]
struct Test {
    test: bool,
}

#[derive(Serialize)]
struct Erased {
    erased: bool,
}

/// The body for an event. The same event has the same body, whenever it is sent.
pub fn body(event: &WebhookEvent, records: Records) -> serde_json::Result<Vec<u8>> {
    let data = match &event.subject {
        Subject::Message(message) => (records.message)(message),
        Subject::Session(session) => (records.session)(session, event.at),
        Subject::Usage(percent) => to_raw_value(&Usage { percent: *percent }),
        Subject::Webhook(id, reason) => {
            to_raw_value(&Disabled { id: *id, status: WebhookStatus::Disabled, reason: *reason })
        }
        Subject::Test => to_raw_value(&Test { test: true }),
        Subject::Gone => to_raw_value(&Erased { erased: true }),
    }?;
    serde_json::to_vec(&Body {
        id: event.id,
        r#type: &event.kind,
        timestamp: event.at,
        seq: event.seq,
        session: event.session,
        data,
    })
}
