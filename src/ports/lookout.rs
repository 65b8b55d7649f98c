//! All tenants at one glance, counted. Made for whoever watches: no message is looked at, only what is counted beside them and
//! the few that are held or under way.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::sessions::Census;
use super::store::StoreError;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::message::MessageReason;
use crate::domain::scope::SystemScope;
use crate::domain::session::{Engine, Reason, SessionStatus};
use crate::domain::time::WallTime;

/// A session that has been without a link for so long is worth a word; before, it is Columba's business.
pub const RECONNECTING: Duration = Duration::from_secs(120);

/// Everything that is counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// Sessions by status, and messages that wait.
    pub census: Census,
    /// Sessions by engine.
    pub engines: BTreeMap<Engine, u64>,
    /// Sessions that do not work and were not told to rest, by tenant, status and reason.
    pub groups: Vec<Group>,
    /// Sessions whose account the network limits, by tenant.
    pub restricted: Vec<Restricted>,
    /// Messages held back, by the rule that holds them.
    pub held: BTreeMap<MessageReason, u64>,
    /// Messages under way.
    pub sending: u64,
    /// Endpoints that are disabled or fail, by tenant.
    pub endpoints: Vec<Endpoints>,
    /// Messages that have failed for good since the day before, by tenant.
    pub failed: BTreeMap<TenantId, u64>,
}

/// Sessions of one tenant that stand alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Whose.
    pub tenant: TenantId,
    /// `reconnecting` for longer than [`RECONNECTING`], `parked`, `logged_out` or `quarantined`.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<Reason>,
    /// How many.
    pub sessions: u64,
    /// Since when the first of them.
    pub since: WallTime,
    /// Since when the last of them.
    pub latest: WallTime,
    /// One of them.
    pub example: SessionId,
}

/// Sessions of one tenant whose account is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restricted {
    /// Whose.
    pub tenant: TenantId,
    /// How many.
    pub sessions: u64,
    /// When the last of the limits ends.
    pub until: WallTime,
    /// One of them.
    pub example: SessionId,
}

/// Endpoints of one tenant that are not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// Whose.
    pub tenant: TenantId,
    /// Disabled ones.
    pub disabled: u64,
    /// Since when the last of those.
    pub disabled_since: Option<WallTime>,
    /// Active ones whose last answers were failures.
    pub failing: u64,
    /// Since when the first of those.
    pub failing_since: Option<WallTime>,
}

impl Endpoints {
    /// All of the tenant's are well.
    pub fn well(tenant: TenantId) -> Self {
        Self { tenant, disabled: 0, disabled_since: None, failing: 0, failing_since: None }
    }
}

/// Sessions that went from one status to another within a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// Which span, counted from 1970.
    pub span: i64,
    /// What they were; `None` for those that were made.
    pub was: Option<SessionStatus>,
    /// What they became; `None` for those that were deleted.
    pub became: Option<SessionStatus>,
    /// How many, or how often.
    pub sessions: u64,
}

/// What changed, and since when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shifts {
    /// In no order.
    pub shifts: Vec<Shift>,
    /// The first change that was ever written down and is still there.
    pub known_since: Option<WallTime>,
}

/// What of a month's messages is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthUsed {
    /// Messages that count, and those that wait and have a place.
    pub used: u64,
    /// Messages that the month has.
    pub limit: u64,
}

/// Looks at everything.
#[async_trait]
pub trait Lookout: Send + Sync {
    /// What there is at `at`. Takes some ten milliseconds with ten thousand sessions: not for every request.
    async fn look(&self, scope: SystemScope, at: WallTime) -> Result<Sight, StoreError>;

    /// What each of these tenants has used of the month that began at `period`; nothing of one that has sent nothing in it.
    async fn usage(
        &self,
        scope: SystemScope,
        period: WallTime,
        tenants: &[TenantId],
    ) -> Result<BTreeMap<TenantId, MonthUsed>, StoreError>;

    /// Sessions by engine.
    async fn engines(&self, scope: SystemScope) -> Result<BTreeMap<Engine, u64>, StoreError>;

    /// What became of sessions at `since` and later, by spans of `width`.
    async fn shifts(
        &self,
        scope: SystemScope,
        since: WallTime,
        width: Duration,
    ) -> Result<Shifts, StoreError>;
}
