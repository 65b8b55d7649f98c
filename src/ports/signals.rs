//! Hints to sessions. Losing one costs a delay, never a message.

use crate::domain::id::{SessionId, TenantId};

/// Hints to sessions. Never blocks, never fails; at most one per session is queued.
pub trait Signals: Send + Sync {
    /// Rows may be waiting.
    fn wake(&self, session: SessionId);

    /// The tenant's caps may have changed: every one of its sessions should look again.
    fn wake_tenant(&self, tenant: TenantId);
}
