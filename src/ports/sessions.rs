//! The rows of sessions: what is wanted of each, and how each stands.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};
use uuid::Uuid;

use super::store::{Created, StoreError, WriteError};
use crate::domain::audit::Actor;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::page::{Order, Page, Slice};
use crate::domain::plan::Caps;
use crate::domain::scope::{SystemScope, TenantScope};
#[cfg(doc)]
use crate::domain::session::Supervision;
use crate::domain::session::{Desired, Engine, Lease, Reason, Session, SessionStatus, Spell, Standing};
use crate::domain::time::WallTime;

/// A change of public status, as one incarnation reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// How it stands now.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<Reason>,
    /// The server's number for it.
    pub code: Option<u16>,
    /// Since when.
    pub since: WallTime,
}

/// Which sessions an operator wants to see; what is `None` does not narrow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FleetFilter {
    /// Of this tenant only.
    pub tenant: Option<TenantId>,
    /// With this status only.
    pub status: Option<SessionStatus>,
    /// With this reason only.
    pub reason: Option<Reason>,
    /// On this engine only.
    pub engine: Option<Engine>,
    /// Those that somebody looks for.
    pub sought: Option<Sought>,
    /// Only accounts that the network limits at this time, or only those that it does not.
    pub restricted: Option<(bool, WallTime)>,
}

/// What somebody looks for: any of these will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sought {
    /// A part of the label, whatever the case of A to Z.
    pub label: String,
    /// The whole id.
    pub id: Option<SessionId>,
    /// Whose it is.
    pub tenants: Vec<TenantId>,
}

/// What the sessions of a fleet are sorted by; those that are alike, by when they were made.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, EnumIter, IntoStaticStr, JsonSchema,
)]
#[strum(serialize_all = "snake_case")]
#[schemars(rename_all = "snake_case")]
pub enum FleetSort {
    /// When they were made.
    #[default]
    Created,
    /// Since when they stand as they do.
    Since,
    /// What they are called, whatever the case of A to Z.
    Label,
    /// Whose they are, in the order in which tenants were made.
    Tenant,
    /// How much waits on them.
    Queued,
    /// How they stand, by the word.
    Status,
}

/// What a session is sorted by. Only keys of one sort are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetKey {
    /// A number or a time.
    Number(i64),
    /// A text.
    Text(String),
    /// An id.
    Id(Uuid),
}

impl FleetSort {
    /// What this sort compares of a session.
    pub fn key(self, session: &Session) -> FleetKey {
        match self {
            Self::Created => FleetKey::Id(session.id.uuid()),
            Self::Since => FleetKey::Number(session.since.0),
            Self::Label => FleetKey::Text(session.label.to_ascii_lowercase()),
            Self::Tenant => FleetKey::Id(session.tenant.uuid()),
            Self::Queued => FleetKey::Number(i64::try_from(session.counters.queued).unwrap_or(i64::MAX)),
            Self::Status => FleetKey::Text(session.status.to_string()),
        }
    }
}

/// Which part of the fleet's list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetPage {
    /// Rows wanted, 1 to 200.
    pub limit: u32,
    /// By what.
    pub sort: FleetSort,
    /// Which way.
    pub order: Order,
    /// Only sessions beyond this one, in the list's order.
    pub beyond: Option<(FleetKey, SessionId)>,
}

impl FleetPage {
    /// The newest.
    pub fn newest(limit: u32) -> Self {
        Self { limit, sort: FleetSort::Created, order: Order::Descending, beyond: None }
    }

    /// What follows this one.
    pub fn after(self, last: &Session) -> Self {
        Self { beyond: Some((self.sort.key(last), last.id)), ..self }
    }
}

/// All sessions, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Sessions by status; one that nobody has is left out.
    pub sessions: BTreeMap<SessionStatus, u64>,
    /// Messages that are queued, held or under way.
    pub waiting: u64,
}

/// Durable before answered. A deleted session is absent from every answer.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Adds a session, unless the tenant has `caps.sessions_max` already (409 `conflict`).
    async fn create(
        &self,
        scope: TenantScope,
        session: Session,
        caps: Caps,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Session>, WriteError>;

    /// One session; `None` when absent or somebody else's.
    async fn get(&self, scope: TenantScope, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// A tenant's sessions, newest first.
    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Session>, StoreError>;

    /// How a session stands and stood, newest first, for 90 days; `None` when it is absent or somebody else's. Only
    /// spells before the place `beyond`, if there is one. What came and went within one commit is not among them.
    async fn spells(
        &self,
        scope: TenantScope,
        id: SessionId,
        beyond: Option<u64>,
        limit: u32,
    ) -> Result<Option<Slice<Spell>>, StoreError>;

    /// Sessions of all tenants.
    async fn fleet(
        &self,
        scope: SystemScope,
        filter: FleetFilter,
        page: FleetPage,
    ) -> Result<Slice<Session>, StoreError>;

    /// When the newest message of each of these sessions was accepted or came in; nothing of one that has none.
    async fn activity(
        &self,
        scope: SystemScope,
        sessions: &[SessionId],
    ) -> Result<BTreeMap<SessionId, WallTime>, StoreError>;

    /// How many sessions have each status, of all tenants, and how many messages they have waiting together.
    async fn census(&self, scope: SystemScope) -> Result<Census, StoreError>;

    /// How many sessions a tenant has.
    async fn count(&self, scope: TenantScope) -> Result<u64, StoreError>;

    /// Writes what is wanted; `None` when absent. Answers the session with it.
    async fn set_desired(
        &self,
        scope: TenantScope,
        id: SessionId,
        desired: Desired,
    ) -> Result<Option<Session>, StoreError>;

    /// Marks a session deleted and cancels what waits; whether there was one. Its messages stay readable.
    async fn delete(&self, scope: TenantScope, id: SessionId, at: WallTime) -> Result<bool, StoreError>;

    /// One session, whoever's it is. For the supervisor.
    async fn find(&self, scope: SystemScope, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// What a boot has to do: sessions whose `desired` is `running`, oldest first, and those that are to log out and
    /// still hold credentials. Sessions of tenants that are [at rest](super::directory::Snapshot::is_at_rest) are not among them.
    /// Every other session is set to `stopped` unless its status is `parked`, `logged_out` or `quarantined`.
    ///
    /// Whoever was starting when the process died has that counted ([`Supervision::after_death`]); whoever has by now
    /// taken it down too often is set to `quarantined`, and answered as such. What says that it is connected, pairing or
    /// reconnecting is set to `starting`: it waits for its turn.
    async fn restore(&self, scope: SystemScope, at: WallTime) -> Result<Vec<Session>, StoreError>;

    /// Writes a new status and its feed event. Fenced.
    async fn announce(&self, lease: Lease, change: StatusChange) -> Result<(), StoreError>;

    /// The supervisor's own word on a session that has no incarnation: `quarantined`, `reconnecting` while a restart is
    /// due, `stopped`. Not fenced: the registry knows that nobody else speaks.
    async fn pronounce(
        &self,
        scope: SystemScope,
        id: SessionId,
        change: StatusChange,
    ) -> Result<(), StoreError>;

    /// As [`pronounce`](Self::pronounce), and writes how many half-open probes have failed since the session was
    /// quarantined first. With the time of the status that says when the next one is due, also after a restart.
    async fn quarantine(
        &self,
        scope: SystemScope,
        id: SessionId,
        change: StatusChange,
        probes: u32,
    ) -> Result<(), StoreError>;

    /// Writes whether the session holds credentials. Fenced. `false` also cancels what waits, with reason
    /// `session_gone`, since nothing can send it any more.
    async fn set_paired(&self, lease: Lease, paired: bool, at: WallTime) -> Result<(), StoreError>;

    /// Stores what the network holds against the account. Fenced.
    async fn remember(&self, lease: Lease, standing: Standing) -> Result<(), StoreError>;

    /// Writes the sealed address of the proxy that a session connects through from its next link on, or that it has none; the
    /// session with that, `None` when absent. The same transaction adds to the audit that `by` did so, and nothing of the address.
    /// Taking away what is not there changes nothing.
    async fn set_proxy(
        &self,
        scope: SystemScope,
        id: SessionId,
        sealed: Option<Vec<u8>>,
        by: Actor,
    ) -> Result<Option<Session>, StoreError>;

    /// The sealed address of a session's proxy as it is now; `None` when it connects directly. Fenced.
    async fn proxy(&self, lease: Lease) -> Result<Option<Vec<u8>>, StoreError>;

    /// Counts a link opened after the first. Fenced.
    async fn count_reconnect(&self, lease: Lease) -> Result<(), StoreError>;
}
