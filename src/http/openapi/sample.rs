//! One of each thing, for examples. Made of the types that answers are made of, so no example can show what no answer has.

use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use serde_json::json;

use crate::billing::invoice;
use crate::billing::office::deal;
use crate::billing::period::month_of;
use crate::billing::plan::Proposal;
use crate::domain::audit::{Act, Action, Actor, Entry, Head};
use crate::domain::chat::Chat;
use crate::domain::content::{Content, Text};
use crate::domain::id::{
    DeliveryId, EventId, InvoiceId, KeyId, LookId, MediaId, MessageId, OperatorId, PairingLinkId, SessionId,
    SignInId, SuppressionId, TenantId, WebhookId,
};
use crate::domain::invoice::{
    Account, CreditNote, Entry as LedgerEntry, EntryKind, Invoice, InvoiceDraft, InvoiceStatus, Line,
    LineKind, Party,
};
use crate::domain::media::{MediaFile, MediaState};
use crate::domain::message::{Category, Delivery, Direction, Message, MessageStatus, Times, WaId};
use crate::domain::operator::{OperatorAccount, Role, TokenHash};
use crate::domain::phone::Phone;
use crate::domain::plan::{Plan, Quota};
use crate::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use crate::domain::subscription::{Charged, Subscription, SubscriptionStatus};
use crate::domain::tenant::{ApiKey, KeyHash, KeyScope, Tenant, TenantStanding, TenantStatus};
use crate::domain::time::{Period, WallTime};
use crate::domain::webhook::{
    Attempt, Delivery as WebhookDelivery, DeliveryStatus, EventFilter, Health, Subject, TEST, Webhook,
    WebhookEvent, WebhookStatus,
};
use crate::http::render::billing::PreviewRecord;
use crate::ports::ledger::BillingProfile;
use crate::ports::webhooks::Logged;
use crate::webhooks::confidential::Confidential;

/// `2026-11-22T10:00:00.000Z`.
pub const NOW: WallTime = WallTime(1_795_341_600_000);
/// A signing secret: that of Standard Webhooks' own examples.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// A code that a session shows.
pub const QR: &str = "2@6rTqGZ,V1pHQ,b3BlbmFwaQ==";

fn id<T: FromStr>(text: &str) -> T {
    match text.parse() {
        Ok(id) => id,
        Err(_) => unreachable!("{text} is an id"),
    }
}

/// A tenant's id.
pub fn tenant_id() -> TenantId {
    id("ten_019a2b3c4d5e7f808192a3b4c5d6e7f1")
}

/// A session's id.
pub fn session_id() -> SessionId {
    id("ses_019a2b3c4d5e7f808192a3b4c5d6e7f2")
}

/// A message's id.
pub fn message_id() -> MessageId {
    id("msg_019a2b3c4d5e7f808192a3b4c5d6e7f3")
}

/// A key's id.
pub fn key_id() -> KeyId {
    id("key_019a2b3c4d5e7f808192a3b4c5d6e7f4")
}

/// A webhook's id.
pub fn webhook_id() -> WebhookId {
    id("whk_019a2b3c4d5e7f808192a3b4c5d6e7f5")
}

/// An invoice's id.
pub fn invoice_id() -> InvoiceId {
    id("inv_019a2b3c4d5e7f808192a3b4c5d6e7fb")
}

/// An event's id.
pub fn event_id() -> EventId {
    id("evt_019a2b3c4d5e7f808192a3b4c5d6e7f6")
}

/// A delivery's id.
pub fn delivery_id() -> DeliveryId {
    id("dlv_019a2b3c4d5e7f808192a3b4c5d6e7f7")
}

/// An operator's id.
pub fn operator_id() -> OperatorId {
    id("opr_019a2b3c4d5e7f808192a3b4c5d6e7f8")
}

/// A sign-in's id.
pub fn sign_in_id() -> SignInId {
    id("sgn_019a2b3c4d5e7f808192a3b4c5d6e7fc")
}

/// A look's id.
pub fn look_id() -> LookId {
    id("lok_019a2b3c4d5e7f808192a3b4c5d6e7fd")
}

/// A wish for no messages.
pub fn suppression_id() -> SuppressionId {
    id("sup_019a2b3c4d5e7f808192a3b4c5d6e7f9")
}

/// A pairing link's id.
pub fn pairing_link_id() -> PairingLinkId {
    id("plk_019a2b3c4d5e7f808192a3b4c5d6e7fc")
}

/// A file's id.
pub fn media_id() -> MediaId {
    id("med_019a2b3c4d5e7f808192a3b4c5d6e7fa")
}

/// A number of the sandbox.
pub fn phone() -> Phone {
    Phone::stored("+15551230001".to_owned())
}

/// A message's id on the network.
pub fn wa_id() -> WaId {
    WaId::mint(NOW, 0x5EED_5EED)
}

/// A session in this status.
pub fn session(status: SessionStatus) -> Session {
    let paired = status == SessionStatus::Connected;
    let mut metadata = serde_json::Map::new();
    metadata.insert("branch".to_owned(), "berlin".into());
    Session {
        id: session_id(),
        tenant: tenant_id(),
        label: "Front desk".to_owned(),
        engine: Engine::Sandbox,
        metadata,
        desired: Desired::Running,
        status,
        reason: None,
        reason_code: None,
        since: NOW,
        paired,
        standing: Standing::default(),
        proxy: false,
        supervision: Supervision::default(),
        counters: SessionCounters { sent: if paired { 12 } else { 0 }, ..SessionCounters::default() },
        created_at: NOW,
    }
}

/// An outbound message in this status.
pub fn message(status: MessageStatus) -> Message {
    let waits = status == MessageStatus::Queued;
    let mut times = Times::from([(MessageStatus::Queued.into(), NOW)]);
    times.insert(status.into(), NOW);
    Message {
        id: message_id(),
        tenant: tenant_id(),
        session: session_id(),
        direction: Direction::Out,
        chat: phone().into(),
        author: None,
        content: Content::Text(Text { body: "Your table is ready.".to_owned() }),
        status,
        reason: None,
        wa_id: wa_id(),
        reply_to: None,
        quoted: None,
        category: Category::Service,
        delivery: Delivery::AtLeastOnce,
        client_ref: Some("order-4711".to_owned()),
        send_at: None,
        expires_at: Some(NOW + std::time::Duration::from_secs(24 * 3600)),
        attempts: if waits { 0 } else { 1 },
        held_until: None,
        times,
    }
}

/// A file that was uploaded.
pub fn media_file() -> MediaFile {
    MediaFile {
        id: media_id(),
        tenant: tenant_id(),
        session: None,
        direction: Direction::Out,
        mime: "image/jpeg".to_owned(),
        size: 48_213,
        sha256: Some([0x5E; 32]),
        file_name: Some("menu.jpg".to_owned()),
        state: MediaState::Stored,
        handle: None,
        created_at: NOW,
        kept_from: NOW,
    }
}

/// A group.
pub fn group() -> Chat {
    Chat::stored("120363000000000001@g.us".to_owned())
}

/// A tenant in good standing, or not.
pub fn tenant(status: TenantStatus) -> Tenant {
    Tenant {
        id: tenant_id(),
        name: "Acme".to_owned(),
        plan: "starter".to_owned(),
        status,
        standing: TenantStanding::Active,
        created_at: NOW,
    }
}

/// A plan.
pub fn plan() -> Plan {
    let proposal = Proposal {
        code: None,
        name: "Starter".to_owned(),
        price_minor: 1_900,
        currency: "EUR".to_owned(),
        interval: crate::domain::plan::Interval::Month,
        messages_per_minute: 20,
        messages_per_minute_tenant: None,
        messages_per_month: 10_000,
        quota: Quota::Hard,
        queue_max: None,
        sessions_max: 3,
        webhooks_max: None,
        seats_max: None,
        pacing: crate::domain::plan::Pacing::Human,
        first_contacts_per_day: None,
        media_bytes_max: None,
        media_bytes_total: None,
        overage_minor: None,
        overage_tiers: vec![],
        trial_days: None,
        suspended_inbound: crate::domain::plan::SuspendedInbound::Park,
        retention_days: 30,
        plugins: vec![],
    };
    proposal.check("starter".to_owned()).expect("a plan within its ranges")
}

/// A key's row.
pub fn key() -> ApiKey {
    ApiKey {
        id: key_id(),
        tenant: tenant_id(),
        name: "shop".to_owned(),
        hash: KeyHash([0; 32]),
        last4: "7f3a".to_owned(),
        scopes: vec![KeyScope::Read, KeyScope::Send],
        test: false,
        allowed_addresses: vec![],
        created_at: NOW,
        expires_at: None,
        revoked_at: None,
        replaced_by: None,
        last_used_at: None,
    }
}

/// A webhook that hears of messages.
pub fn webhook() -> Webhook {
    Webhook {
        id: webhook_id(),
        tenant: tenant_id(),
        url: "https://example.com/hook".to_owned(),
        description: "The shop".to_owned(),
        events: EventFilter(vec!["message.*".to_owned()]),
        sessions: vec![],
        sealed: vec![],
        status: WebhookStatus::Active,
        reason: None,
        since: NOW,
        health: Health::default(),
        revision: 0,
        created_at: NOW,
    }
}

/// What of it nobody may read.
pub fn confidential() -> Confidential {
    let kept = json!({"secrets": [{"text": SECRET, "until": null}], "headers": {"x-env": "prod"}});
    Confidential::from_bytes(kept.to_string().as_bytes()).expect("a secret and a header")
}

/// The month of the other examples.
fn month() -> Period {
    month_of(NOW, Tz::UTC)
}

/// A subscription in good standing.
pub fn subscription() -> Subscription {
    let deal = deal(&plan()).expect("a currency that is known");
    let charged = Charged { term: month(), from: month().start, minor: deal.price_minor };
    Subscription {
        tenant: tenant_id(),
        status: SubscriptionStatus::Active,
        since: month().start,
        deal,
        month: month(),
        charged: Some(charged),
        trial_end: None,
        next_plan: None,
        ends: false,
    }
}

/// An invoice with this status: open with all of it due, or paid.
pub fn invoice(status: InvoiceStatus) -> Invoice {
    let line = Line {
        kind: LineKind::Base,
        text: "Starter".to_owned(),
        period: month(),
        quantity: 1,
        amount_minor: 1_900,
    };
    let currency = subscription().deal.currency;
    let draft = InvoiceDraft { lines: vec![line], currency, period: month() };
    let (account, _) = invoice::issue(&draft, 1_900, 0);
    let paid = status == InvoiceStatus::Paid;
    Invoice {
        id: invoice_id(),
        tenant: tenant_id(),
        number: "INV-000042".to_owned(),
        status,
        currency,
        lines: draft.lines,
        account: Account { paid_minor: if paid { account.total_minor } else { 0 }, ..account },
        period: draft.period,
        issued_at: month().start,
        due_at: month().start + Duration::from_secs(14 * 24 * 3600),
        settled_at: paid.then_some(NOW),
        seller: Party { name: "Operator GmbH".to_owned(), ..Party::default() },
        buyer: Party { name: "Acme".to_owned(), ..Party::default() },
        note: "Please name the number of the invoice.".to_owned(),
    }
}

/// A credit note to [`invoice`](fn@invoice).
pub fn credit_note() -> CreditNote {
    CreditNote {
        id: id("crn_019a2b3c4d5e7f808192a3b4c5d6e7fc"),
        number: "CRN-000007".to_owned(),
        tenant: tenant_id(),
        invoice: invoice_id(),
        amount_minor: 500,
        tax_minor: 80,
        currency: subscription().deal.currency,
        reason: "An hour of outage".to_owned(),
        issued_at: NOW,
    }
}

/// An entry of a ledger.
pub fn entry() -> LedgerEntry {
    LedgerEntry {
        kind: EntryKind::Grant,
        amount_minor: -500,
        currency: subscription().deal.currency,
        invoice: None,
        reference: Some("Goodwill".to_owned()),
        at: NOW,
    }
}

/// Whom invoices are for.
pub fn billing_profile() -> BillingProfile {
    let party = Party {
        name: "Acme".to_owned(),
        address: vec!["1 Main Street".to_owned(), "10115 Berlin".to_owned()],
        tax_id: Some("DE123456789".to_owned()),
        email: Some("billing@example.com".to_owned()),
    };
    BillingProfile { party, tax_rate_bps: Some(1_900), customer: None }
}

/// What an upgrade would ask for.
pub fn preview() -> PreviewRecord {
    let Invoice { lines, currency, account, period, .. } = invoice(InvoiceStatus::Open);
    let due_minor = account.due_minor();
    PreviewRecord { at: NOW, currency, lines, account: Some(account), period: Some(period), due_minor }
}

/// An event of this type, as webhooks are told it.
pub fn webhook_event(kind: &str, subject: Subject) -> WebhookEvent {
    WebhookEvent {
        id: event_id(),
        tenant: tenant_id(),
        seq: (kind != TEST).then_some(42),
        at: NOW,
        kind: kind.to_owned(),
        session: matches!(subject, Subject::Message(_) | Subject::Session(_)).then(session_id),
        subject,
    }
}

/// A delivery with this status.
pub fn delivery(status: DeliveryStatus) -> WebhookDelivery {
    let waits = status == DeliveryStatus::Pending;
    WebhookDelivery {
        id: delivery_id(),
        tenant: tenant_id(),
        webhook: webhook_id(),
        event: event_id(),
        kind: "message.read".to_owned(),
        status,
        reason: None,
        attempts: if waits { 0 } else { 1 },
        due_at: waits.then_some(NOW),
        created_at: NOW,
        settled_at: (!waits).then_some(NOW),
        repeats: None,
    }
}

/// A delivery that was taken, with its request and its log.
pub fn logged() -> Logged {
    let attempt = Attempt {
        number: 1,
        at: NOW,
        duration_ms: 87,
        url: webhook().url,
        status: Some(204),
        error: None,
        body: String::new(),
    };
    let message = message(MessageStatus::Read);
    Logged {
        delivery: delivery(DeliveryStatus::Delivered),
        event: webhook_event("message.read", Subject::Message(Box::new(message))),
        log: vec![attempt],
    }
}

/// An operator who may look.
pub fn operator() -> OperatorAccount {
    OperatorAccount {
        id: operator_id(),
        name: "on call".to_owned(),
        hash: Some(TokenHash([0; 32])),
        role: Role::Viewer,
        email: None,
        created_at: NOW,
        expires_at: None,
        revoked_at: None,
    }
}

/// What the audit says of a key that was made.
pub fn audit_entry() -> Entry {
    let by = Actor {
        address: Some([192, 0, 2, 7].into()),
        request_id: Some("req_8a1f".to_owned()),
        ..Actor::root()
    };
    let act = Act::new(Action::KeyCreate, "key", key_id()).after(&key());
    Entry::following(Head::default(), &by, act, NOW)
}
