//! One of each thing, for examples. Made of the types that answers are made of, so no example can show what no answer has.

use std::str::FromStr;

use crate::billing::plan::Proposal;
use crate::domain::id::{KeyId, MessageId, SessionId, TenantId};
use crate::domain::message::{
    Category, Content, Delivery, Direction, Message, MessageStatus, Text, Times, WaId,
};
use crate::domain::phone::Phone;
use crate::domain::plan::{Plan, Quota};
use crate::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use crate::domain::tenant::{ApiKey, KeyHash, KeyScope, Tenant, TenantStatus};
use crate::domain::time::WallTime;

/// `2026-11-22T10:00:00.000Z`.
pub const NOW: WallTime = WallTime(1_795_341_600_000);
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
        chat: phone(),
        content: Content::Text(Text { body: "Your table is ready.".to_owned() }),
        status,
        reason: None,
        wa_id: wa_id(),
        reply_to: None,
        category: Category::Service,
        delivery: Delivery::AtLeastOnce,
        client_ref: Some("order-4711".to_owned()),
        send_at: None,
        expires_at: Some(NOW + std::time::Duration::from_secs(24 * 3600)),
        attempts: if waits { 0 } else { 1 },
        times,
    }
}

/// A tenant in good standing, or not.
pub fn tenant(status: TenantStatus) -> Tenant {
    Tenant { id: tenant_id(), name: "Acme".to_owned(), plan: "starter".to_owned(), status, created_at: NOW }
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
        pacing: crate::domain::plan::Pacing::Human,
        overage_minor: None,
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
