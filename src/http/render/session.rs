//! A session as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::{Engine, Reason, Restriction, Session, SessionCounters, SessionStatus};
use crate::domain::time::WallTime;

/// A session as its tenant sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
#[expect(missing_docs, reason = "each is documented at Session")]
pub struct SessionRecord<'a> {
    pub id: SessionId,
    /// Only in the operator's view.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TenantId")]
    pub tenant: Option<TenantId>,
    pub label: &'a str,
    pub engine: Engine,
    pub status: SessionStatus,
    pub reason: Option<Reason>,
    pub reason_code: Option<u16>,
    pub since: WallTime,
    /// How the network limits the account now.
    pub restriction: Option<Restriction>,
    /// The pinned version of its engine; none of the engines there are has one.
    pub release: Option<&'a str>,
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub metadata: &'a serde_json::Map<String, serde_json::Value>,
    pub counters: SessionCounters,
    pub paired: bool,
    /// Whether the operator has set a proxy for it. Its address is never shown.
    pub proxy: bool,
    pub created_at: WallTime,
}

/// As its tenant sees it at `now`.
pub fn record(session: &Session, now: WallTime) -> SessionRecord<'_> {
    SessionRecord {
        id: session.id,
        tenant: None,
        label: &session.label,
        engine: session.engine,
        status: session.status,
        reason: session.reason,
        reason_code: session.reason_code,
        since: session.since,
        restriction: session.standing.restriction(now),
        release: None,
        metadata: &session.metadata,
        counters: session.counters,
        paired: session.paired,
        proxy: session.proxy,
        created_at: session.created_at,
    }
}

/// As the operator sees it at `now`.
pub fn fleet_record(session: &Session, now: WallTime) -> SessionRecord<'_> {
    SessionRecord { tenant: Some(session.tenant), ..record(session, now) }
}
