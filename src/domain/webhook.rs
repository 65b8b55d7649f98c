//! Webhooks: where a tenant wants to be told, of what, and what became of each telling.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator as _;

use super::event::{BillingNews, Change};
use super::id::{DeliveryId, EventId, SessionId, TenantId, WebhookId};
use super::invoice::Invoice;
use super::message::{Message, MessageStatus};
use super::session::{Reason, Session, SessionCounters, SessionStatus, Standing};
use super::time::WallTime;
use super::word::words;

/// Endpoints a tenant may have under any plan. Each always has a place among the tenant's [`IN_FLIGHT`].
pub const ENDPOINTS_MAX: u32 = 8;

/// Requests of one tenant that are under way at once, shared evenly among its endpoints.
pub const IN_FLIGHT: u32 = 8;

/// How long events and what became of them are kept.
pub const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// Bytes an endpoint's address may have.
pub const URL_MAX: usize = 2_048;

/// The event that a person asks for to see whether an endpoint hears.
pub const TEST: &str = "webhook.test";

words! {
    /// Whether an endpoint is delivered to.
    pub enum WebhookStatus {
        /// It is.
        Active,
        /// It is not; its events are kept as `skipped`, and can be redelivered.
        Disabled,
    }
}

words! {
    /// Why an endpoint is disabled.
    pub enum WebhookReason {
        /// Its tenant asked for it.
        Requested,
        /// It answered 410.
        Gone,
        /// Nothing was delivered for five days.
        Failing,
    }
}

/// How an endpoint has answered lately. Durable, so that a restart neither hurries nor forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<WallTime>,
    /// Until then nothing is sent; after it one request tries.
    pub open_until: Option<WallTime>,
    /// How often in a row it was given a rest.
    pub trips: u32,
}

/// Which events an endpoint is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventFilter(pub Vec<String>);

impl EventFilter {
    /// Whether an event of this type passes: by its name, by its family (`message.*`), or because all do (`*`).
    pub fn admits(&self, kind: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => pattern == kind,
        })
    }

    /// Whether a pattern can ever match.
    pub fn knows(pattern: &str) -> bool {
        match pattern.strip_suffix(".*") {
            Some(family) => event_types().iter().any(|kind| kind.split('.').next() == Some(family)),
            None => pattern == "*" || event_types().iter().any(|kind| kind == pattern),
        }
    }
}

/// One entry of an [`EventFilter`], for the API's description.
#[derive(Debug, Clone, Copy)]
pub struct EventPattern;

impl JsonSchema for EventPattern {
    fn schema_name() -> Cow<'static, str> {
        "EventPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A type of event, a family of them such as `message.*`, or `*` for all.",
            "enum": event_patterns(),
        })
    }
}

/// Every pattern that can match: all, each family, each type.
fn event_patterns() -> Vec<String> {
    let types = event_types();
    let mut families: Vec<String> =
        types.iter().filter_map(|kind| Some(format!("{}.*", kind.split_once('.')?.0))).collect();
    families.dedup();
    ["*".to_owned()].into_iter().chain(families).chain(types).collect()
}

/// Every type an event may have.
pub fn event_types() -> Vec<String> {
    let messages = MessageStatus::iter().map(|status| format!("message.{status}"));
    let sessions = SessionStatus::iter().map(|status| format!("session.{status}"));
    let billing = BillingNews::iter().map(|news| event_type(Change::Billing(news)));
    let more = ["usage.threshold", "webhook.disabled", TEST].map(str::to_owned);
    messages.chain(sessions).chain(billing).chain(more).collect()
}

/// The type of an event, as receivers switch on it.
pub fn event_type(change: Change) -> String {
    match change {
        Change::Message(_, status) => format!("message.{status}"),
        Change::Received(_) => format!("message.{}", MessageStatus::Received),
        Change::Session(status) => format!("session.{status}"),
        Change::Usage(_) => "usage.threshold".to_owned(),
        Change::Webhook(_) => "webhook.disabled".to_owned(),
        Change::Billing(BillingNews::InvoiceIssued) => "invoice.issued".to_owned(),
        Change::Billing(BillingNews::InvoicePaid) => "invoice.paid".to_owned(),
        Change::Billing(BillingNews::SubscriptionUpdated) => "subscription.updated".to_owned(),
    }
}

/// What decides whether an endpoint gets an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which endpoint.
    pub webhook: WebhookId,
    /// Whether it is delivered to; if not, its events are kept for later.
    pub active: bool,
    /// Which events it wants.
    pub events: EventFilter,
    /// Of which sessions; none named means all, and what belongs to no session.
    pub sessions: Vec<SessionId>,
}

impl Subscription {
    /// Whether it wants an event of this type on this session.
    pub fn wants(&self, kind: &str, session: Option<SessionId>) -> bool {
        let of_these = self.sessions.is_empty() || session.is_some_and(|id| self.sessions.contains(&id));
        of_these && self.events.admits(kind)
    }
}

/// An endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose.
    pub tenant: TenantId,
    /// Where its events go, `https` as a rule.
    pub url: String,
    /// What its people call it.
    pub description: String,
    /// Which events it is told of.
    pub events: EventFilter,
    /// On which sessions; none named means all.
    pub sessions: Vec<SessionId>,
    /// Its secrets and custom headers, sealed for its tenant.
    pub sealed: Vec<u8>,
    /// Whether it is delivered to.
    pub status: WebhookStatus,
    /// Why not.
    pub reason: Option<WebhookReason>,
    /// Since when it has its status.
    pub since: WallTime,
    /// How it has answered lately.
    pub health: Health,
    /// Counts the changes of its settings; whoever changes it says which one they saw.
    pub revision: i64,
    /// When it was made.
    pub created_at: WallTime,
}

/// Without what is sealed, and without the address, which may hold a token of the receiver's.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// What decides whether it gets an event.
    pub fn subscription(&self) -> Subscription {
        Subscription {
            webhook: self.id,
            active: self.status == WebhookStatus::Active,
            events: self.events.clone(),
            sessions: self.sessions.clone(),
        }
    }
}

/// What an event is about, with the record as it stood when the event was committed.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A message.
    Message(Box<Message>),
    /// A session.
    Session(Box<Session>),
    /// So many percent of the month's messages are used.
    Usage(u8),
    /// An endpoint was disabled.
    Webhook(WebhookId, WebhookReason),
    /// An invoice.
    Invoice(Box<Invoice>),
    /// What the tenant has agreed to.
    Subscription(Box<super::subscription::Subscription>),
    /// Nothing: somebody tries an endpoint.
    Test,
    /// What it was about was erased since.
    Gone,
}

/// One event for webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookEvent {
    /// Its id, the same in every delivery and every retry.
    pub id: EventId,
    /// Whose.
    pub tenant: TenantId,
    /// Position in the tenant's feed; none for a test.
    pub seq: Option<u64>,
    /// When it was committed.
    pub at: WallTime,
    /// Its type, such as `message.delivered`.
    pub kind: String,
    /// On which session.
    pub session: Option<SessionId>,
    /// What it is about.
    pub subject: Subject,
}

words! {
    /// How far a delivery has come.
    pub enum DeliveryStatus {
        /// It will be tried, or tried again.
        Pending,
        /// The endpoint took it.
        Delivered,
        /// Given up. It can be redelivered.
        Dead,
        /// The endpoint was disabled when it happened. It can be redelivered.
        Skipped,
    }
}

words! {
    /// Why a delivery is dead.
    pub enum DeliveryReason {
        /// Every attempt was used up.
        AttemptsExhausted,
        /// It became too old while its endpoint rested.
        TooOld,
        /// Its endpoint was disabled.
        Disabled,
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whose.
    pub tenant: TenantId,
    /// To which endpoint.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventId,
    /// The event's type.
    pub kind: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Why.
    pub reason: Option<DeliveryReason>,
    /// Attempts made.
    pub attempts: u32,
    /// When the next one is due, while it is pending.
    pub due_at: Option<WallTime>,
    /// When it was made.
    pub created_at: WallTime,
    /// When it came to rest.
    pub settled_at: Option<WallTime>,
    /// The delivery that it repeats.
    pub repeats: Option<DeliveryId>,
}

/// One request of a delivery, and what came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// When it began.
    pub at: WallTime,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Where it went.
    pub url: String,
    /// The answer's status; none when there was no answer.
    pub status: Option<u16>,
    /// Why there was none, as a short word.
    pub error: Option<String>,
    /// The beginning of the answer's body, as text.
    pub body: String,
}

/// Without address and body.
impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("status", &self.status)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A message as it stood: what may change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageState {
    status: MessageStatus,
    reason: Option<super::message::MessageReason>,
    attempts: u32,
    times: std::collections::BTreeMap<MessageStatus, i64>,
}

impl MessageState {
    /// How it stands.
    pub fn of(message: &Message) -> Self {
        let times = message.times.iter();
        let times = times.filter_map(|(status, at)| Some((status.parse().ok()?, at.0))).collect();
        let Message { status, reason, attempts, .. } = *message;
        Self { status, reason, attempts, times }
    }

    /// The message as it stood then.
    pub fn apply(self, message: &mut Message) {
        message.status = self.status;
        message.reason = self.reason;
        message.attempts = self.attempts;
        message.held_until = None;
        message.times = self.times.into_iter().map(|(status, at)| (status.into(), WallTime(at))).collect();
    }
}

/// A session as it stood: what may change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    status: SessionStatus,
    reason: Option<Reason>,
    reason_code: Option<u16>,
    since: i64,
    paired: bool,
    banned_until: Option<i64>,
    timelock_until: Option<i64>,
    #[serde(default)]
    new_chats_until: Option<i64>,
    counters: [u64; 5],
}

impl SessionState {
    /// How it stands, from what every store knows of it.
    pub fn of(
        (status, reason, reason_code): (SessionStatus, Option<Reason>, Option<u16>),
        since: WallTime,
        paired: bool,
        standing: &Standing,
        counters: &SessionCounters,
    ) -> Self {
        let SessionCounters { queued, sent, failed, received, reconnects } = *counters;
        Self {
            status,
            reason,
            reason_code,
            since: since.0,
            paired,
            banned_until: standing.banned_until.map(|at| at.0),
            timelock_until: standing.timelock_until.map(|at| at.0),
            new_chats_until: standing.new_chats_until.map(|at| at.0),
            counters: [queued, sent, failed, received, reconnects],
        }
    }

    /// The session as it stood then.
    pub fn apply(self, session: &mut Session) {
        session.status = self.status;
        session.reason = self.reason;
        session.reason_code = self.reason_code;
        session.since = WallTime(self.since);
        session.paired = self.paired;
        session.standing.banned_until = self.banned_until.map(WallTime);
        session.standing.timelock_until = self.timelock_until.map(WallTime);
        session.standing.new_chats_until = self.new_chats_until.map(WallTime);
        let [queued, sent, failed, received, reconnects] = self.counters;
        session.counters = SessionCounters { queued, sent, failed, received, reconnects };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> EventFilter {
        EventFilter(patterns.iter().map(|&pattern| pattern.to_owned()).collect())
    }

    #[test]
    fn a_filter_admits_names_families_and_all() {
        for (patterns, kind, admitted) in [
            (&["*"][..], "message.read", true),
            (&["message.*"], "message.read", true),
            (&["message.*"], "session.connected", false),
            (&["message.read", "session.*"], "session.parked", true),
            (&["message.read"], "message.received", false),
            (&["message.re*"], "message.read", true),
            (&[], "message.read", false),
        ] {
            assert_eq!(filter(patterns).admits(kind), admitted, "{patterns:?} {kind}");
        }
    }

    #[test]
    fn a_pattern_that_can_never_match_is_not_known() {
        for known in
            ["*", "message.*", "session.*", "usage.*", "webhook.*", "message.delivered", "webhook.test"]
        {
            assert!(EventFilter::knows(known), "{known}");
        }
        for unknown in
            ["", "message", "message.", "message.dlivered", "mes*", "message.re*", ".*", "**", "chat.*"]
        {
            assert!(!EventFilter::knows(unknown), "{unknown}");
        }
        let listed = event_patterns();
        assert!(listed.iter().all(|pattern| EventFilter::knows(pattern)), "{listed:?}");
        assert_eq!(listed.iter().filter(|pattern| pattern.ends_with('*')).count(), 7, "{listed:?}");
    }

    #[test]
    fn an_endpoint_that_names_sessions_hears_of_nothing_else() {
        let [own, other] = [1, 2].map(|_| SessionId::mint(WallTime(0)));
        let webhook = WebhookId::mint(WallTime(0));
        let mut some = Subscription { webhook, active: true, events: filter(&["*"]), sessions: vec![own] };
        assert!(some.wants("message.sent", Some(own)));
        assert!(!some.wants("message.sent", Some(other)));
        assert!(!some.wants("usage.threshold", None));
        some.sessions.clear();
        assert!(some.wants("usage.threshold", None) && some.wants("message.sent", Some(other)));
    }
}
