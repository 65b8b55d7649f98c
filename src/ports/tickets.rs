//! Single-use tickets: a browser cannot set a header on a websocket, and a key does not belong into its URL.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::id::{KeyId, SessionId, TenantId};
use crate::domain::time::Moment;

/// What a ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose feed.
    pub tenant: TenantId,
    /// The key that asked for it: revoking the key closes the feed.
    pub key: KeyId,
    /// Only these sessions; none means all of the tenant's.
    pub sessions: Option<Vec<SessionId>>,
}

/// Tickets that are good once, for 30 s.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// Keeps a grant under `ticket` until `expires`.
    async fn issue(&self, ticket: String, grant: Grant, expires: Moment) -> Result<(), StoreError>;

    /// Takes it; `None` when it is unknown, used or expired.
    async fn redeem(&self, ticket: &str, now: Moment) -> Result<Option<Grant>, StoreError>;
}
