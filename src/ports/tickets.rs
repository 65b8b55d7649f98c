//! Single-use tickets: a browser cannot set a header on a websocket, and a key does not belong into its URL.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::store::StoreError;
use crate::domain::id::{KeyId, OperatorId, SessionId, TenantId};
use crate::domain::time::Moment;

/// Who asked for a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A tenant's key.
    Key(KeyId),
    /// An operator, for the feed of all tenants.
    Operator(OperatorId),
}

/// What a ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose feed; [`TenantId::FLEET`] for the one of all tenants.
    pub tenant: TenantId,
    /// Who asked for it: revoking that closes the feed.
    pub holder: Holder,
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
