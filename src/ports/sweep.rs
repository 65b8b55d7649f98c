//! What nobody asked for and has to happen all the same: expiry, forgotten wakes, retention.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::id::SessionId;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;

/// Work by the clock. Every call is bounded; call again while it reports a full batch.
#[async_trait]
pub trait Sweep: Send + Sync {
    /// Ends queued and held messages whose time ran out, at most `limit`: `expired`, hold released, event written.
    /// How many.
    async fn expire(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;

    /// Sessions with messages that are due: what a lost wake left.
    async fn due(&self, scope: SystemScope, at: WallTime) -> Result<Vec<SessionId>, StoreError>;

    /// Makes `unknown` what has been `sending` for more than 15 min: its session never came back. How many.
    async fn abandon(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;

    /// Releases the holds of messages `unknown` for more than 24 h. How many.
    async fn release(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;

    /// Erases messages that their tenant's plan keeps no longer ([`Plan::retention`](crate::domain::plan::Plan::retention)),
    /// with the events, deliveries and attempts at webhooks that tell of them, at most `limit`. What waits, is under way or
    /// holds a place in its month stays until that has ended. What a month has used stays used. How many.
    async fn erase(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;

    /// Deletes idempotency rows older than 24 h, attempts older than 1 h, events older than 7 days, statuses of sessions
    /// that began more than 90 days ago. How many.
    async fn forget(&self, scope: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError>;
}
