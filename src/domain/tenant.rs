//! A customer of the operator, and the keys its programs use.

use schemars::JsonSchema;
use serde::Serialize;

use super::id::{KeyId, TenantId};
use super::time::WallTime;
use super::word::words;

words! {
    /// Whether a tenant may act.
    pub enum TenantStatus {
        /// In good standing.
        Active,
        /// Stopped by the operator: every call answers 403, its sessions are stopped, its data stays.
        Suspended,
    }
}

/// A customer of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tenant {
    /// Whose id every row of theirs carries.
    pub id: TenantId,
    /// What the operator calls them.
    pub name: String,
    /// Code of the plan they are under.
    pub plan: String,
    /// Whether they may act.
    pub status: TenantStatus,
    /// When they came.
    pub created_at: WallTime,
}

words! {
    /// What a key may be used for.
    pub enum KeyScope {
        /// Read sessions, messages, usage, limits and the feed.
        Read,
        /// Send and cancel messages.
        Send,
        /// Create, start, stop, pair, log out and delete sessions.
        Session,
    }
}

/// SHA-256 of the key's text. The text itself is shown once and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// One API key of a tenant, as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key in lists and in the audit.
    pub id: KeyId,
    /// Whose key.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// How it is recognised.
    pub hash: KeyHash,
    /// Last four characters, so that a person can tell keys apart.
    pub last4: String,
    /// What it may be used for.
    pub scopes: Vec<KeyScope>,
    /// Reaches the sandbox engine only, and does not count to usage.
    pub test: bool,
    /// When it was made.
    pub created_at: WallTime,
    /// From then on it is refused.
    pub expires_at: Option<WallTime>,
    /// From then on it is refused, by decision.
    pub revoked_at: Option<WallTime>,
}
