//! The way of an event from its commit to the hub, and back from the log.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::event::StatusEvent;
use crate::domain::id::{TenantId, WebhookId};
use crate::domain::scope::{SystemScope, TenantScope};

/// Where stores hand over what they have committed.
pub trait FeedSink: Send + Sync {
    /// Called after each commit, in commit order, with the events it wrote. Never blocks.
    fn publish(&self, events: Vec<StatusEvent>);

    /// Called after each commit that gave endpoints something to deliver, or changed them. Never blocks. A call that is
    /// lost costs a delay: what waits is in rows.
    fn posted(&self, _: &[WebhookId]) {}
}

/// The committed events.
#[async_trait]
pub trait FeedLog: Send + Sync {
    /// Names this log; survives restarts, changes when the data was lost. 8 to 32 characters.
    fn epoch(&self) -> &str;

    /// The newest `limit` events of all tenants, oldest first. Fills the hub's memory at start.
    async fn tail(&self, scope: SystemScope, limit: u32) -> Result<Vec<StatusEvent>, StoreError>;

    /// Newest position of each tenant that has one.
    async fn heads(&self, scope: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError>;

    /// A tenant's events from `first` to `last`, in order. To fill a hole; the caller bounds the range to 10,000.
    async fn range(&self, scope: TenantScope, first: u64, last: u64) -> Result<Vec<StatusEvent>, StoreError>;
}

/// What a process that follows another one hears next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// These were committed, in this order; none, if it has been quiet.
    Events(Vec<StatusEvent>),
    /// From here on it hears; what was committed before may have been missed and is in the log.
    Anew,
    /// Nothing can be heard now; the log has everything.
    Away,
}

/// Events that another process has committed. An accelerator: whatever it loses is in the log.
#[async_trait]
pub trait FeedStream: Send {
    /// Waits a moment for what comes next.
    async fn next(&mut self) -> Heard;
}
