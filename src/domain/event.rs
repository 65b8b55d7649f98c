//! The slim event: ids and short codes, at most 200 bytes, encoded once for all its subscribers.

use std::borrow::Cow;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::id::{MessageId, SessionId, TenantId, WebhookId};
use super::message::MessageStatus;
use super::session::SessionStatus;
use super::time::WallTime;
use super::webhook::WebhookStatus;
use super::word::words;

/// No event is longer than this once encoded.
pub const MAX_BYTES: usize = 200;

words! {
    /// What an event is about; the filter of a subscription.
    pub enum EventKind {
        /// A message has a new status.
        Msg,
        /// A message came in.
        In,
        /// A session has a new status.
        Session,
        /// A usage threshold was passed.
        Usage,
        /// A webhook endpoint was disabled, because it answered 410 or nothing good for five days.
        Webhook,
        /// An invoice was issued or paid, or the subscription is another.
        Billing,
    }
}

words! {
    /// What a tenant is told of what it pays.
    pub enum BillingNews {
        /// An invoice was issued.
        InvoiceIssued,
        /// Nothing of an invoice is due any more.
        InvoicePaid,
        /// The subscription has another status, plan or end.
        SubscriptionUpdated,
    }
}

/// What changed, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A message of ours has this status now.
    Message(MessageId, MessageStatus),
    /// This message came in.
    Received(MessageId),
    /// The session has this status now.
    Session(SessionStatus),
    /// So many percent of the month's messages are used.
    Usage(u8),
    /// The endpoint was disabled.
    Webhook(WebhookId),
    /// What is to be paid, or was.
    Billing(BillingNews),
}

impl Change {
    /// What the event is about.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Message(..) => EventKind::Msg,
            Self::Received(_) => EventKind::In,
            Self::Session(_) => EventKind::Session,
            Self::Usage(_) => EventKind::Usage,
            Self::Webhook(_) => EventKind::Webhook,
            Self::Billing(_) => EventKind::Billing,
        }
    }

    /// The message it concerns, if it concerns one.
    pub fn message(&self) -> Option<MessageId> {
        match *self {
            Self::Message(id, _) | Self::Received(id) => Some(id),
            Self::Session(_) | Self::Usage(_) | Self::Webhook(_) | Self::Billing(_) => None,
        }
    }

    /// The endpoint it concerns, if it concerns one.
    pub fn webhook(&self) -> Option<WebhookId> {
        match *self {
            Self::Webhook(id) => Some(id),
            Self::Message(..) | Self::Received(_) | Self::Session(_) | Self::Usage(_) | Self::Billing(_) => {
                None
            }
        }
    }

    /// The short word of the new state: a status, or a percentage.
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Message(_, status) => Cow::Borrowed(status.into()),
            Self::Received(_) => Cow::Borrowed(MessageStatus::Received.into()),
            Self::Session(status) => Cow::Borrowed(status.into()),
            Self::Usage(percent) => Cow::Owned(percent.to_string()),
            Self::Webhook(_) => Cow::Borrowed(WebhookStatus::Disabled.into()),
            Self::Billing(news) => Cow::Borrowed(news.into()),
        }
    }

    /// Puts together what a store keeps apart; `None` when the parts do not fit.
    pub fn from_parts(
        kind: EventKind,
        message: Option<MessageId>,
        webhook: Option<WebhookId>,
        code: &str,
    ) -> Option<Self> {
        Some(match kind {
            EventKind::Msg => Self::Message(message?, code.parse().ok()?),
            EventKind::In => Self::Received(message?),
            EventKind::Session => Self::Session(code.parse().ok()?),
            EventKind::Usage => Self::Usage(code.parse().ok()?),
            EventKind::Webhook => Self::Webhook(webhook?),
            EventKind::Billing => Self::Billing(code.parse().ok()?),
        })
    }
}

/// One change, as it was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusEvent {
    /// Whose feed.
    pub tenant: TenantId,
    /// Position in that feed, from 1; gapless.
    pub seq: u64,
    /// Which session it happened on; none for what belongs to none.
    pub session: Option<SessionId>,
    /// What changed.
    pub change: Change,
    /// When it was committed.
    pub at: WallTime,
}

/// One event, as it leaves: at most 200 bytes. The record itself is read over HTTP.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventFrame")]
pub(crate) struct Wire<'a> {
    /// Always `event`.
    #[schemars(extend("const" = "event"))]
    op: &'static str,
    /// Position in the tenant's feed, from 1; gapless before filtering, so a filter skips numbers.
    q: u64,
    /// The session it happened on; absent for `usage`, `webhook` and `billing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SessionId")]
    s: Option<SessionId>,
    /// What it is about.
    e: EventKind,
    /// What it concerns: a message for `msg` and `in`, the session for `session`, the tenant for `usage` and
    /// `billing`, the endpoint for `webhook`.
    id: Subject,
    /// The new state: the status of a message, a session or an endpoint, so many percent, or what happened.
    c: &'a str,
    /// When it was committed, in milliseconds since 1970, UTC.
    t: i64,
}

/// A session's new status, as whoever watches all tenants is told. Without the session's second mention it is as short as any.
#[derive(Serialize)]
struct FleetWire<'a> {
    op: &'static str,
    /// Position since the server began to tell; it cannot be gone on from.
    q: u64,
    s: Option<SessionId>,
    e: EventKind,
    c: &'a str,
    t: i64,
    /// Whose session it is.
    n: TenantId,
}

/// What an event concerns.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Subject {
    Message(MessageId),
    Session(SessionId),
    Tenant(TenantId),
    Webhook(WebhookId),
}

impl StatusEvent {
    /// The frame's JSON text.
    pub fn encode(&self) -> Bytes {
        let mut text = Vec::with_capacity(MAX_BYTES);
        self.write(&mut text);
        Bytes::from(text)
    }

    /// Appends the JSON text of the frame that whoever watches all tenants is told, as the `seq`th.
    pub fn write_for_fleet(&self, seq: u64, text: &mut Vec<u8>) {
        let (code, before) = (self.change.code(), text.len());
        let (session, kind, at) = (self.session, self.change.kind(), self.at.0);
        let wire = FleetWire { op: "event", q: seq, s: session, e: kind, c: &code, t: at, n: self.tenant };
        let written = serde_json::to_writer(&mut *text, &wire);
        let length = text.len() - before;
        debug_assert!(written.is_ok() && length <= MAX_BYTES, "event of {length} bytes");
    }

    /// Appends the frame's JSON text.
    pub fn write(&self, text: &mut Vec<u8>) {
        let subject = match (self.change, self.session) {
            (Change::Message(message, _) | Change::Received(message), _) => Subject::Message(message),
            (Change::Webhook(webhook), _) => Subject::Webhook(webhook),
            (Change::Session(_) | Change::Usage(_) | Change::Billing(_), Some(session)) => {
                Subject::Session(session)
            }
            (Change::Session(_) | Change::Usage(_) | Change::Billing(_), None) => {
                Subject::Tenant(self.tenant)
            }
        };
        let code = self.change.code();
        let kind = self.change.kind();
        let wire =
            Wire { op: "event", q: self.seq, s: self.session, e: kind, id: subject, c: &code, t: self.at.0 };
        let before = text.len();
        // Writing plain ids, words and integers into memory cannot fail.
        let written = serde_json::to_writer(&mut *text, &wire);
        let length = text.len() - before;
        debug_assert!(written.is_ok() && length <= MAX_BYTES, "event of {length} bytes");
    }
}
