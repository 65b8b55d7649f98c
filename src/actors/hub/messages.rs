//! What enters the hub's mailbox.

use actix::Message;

use super::lane::Lane;
use crate::actors::admission::Permit;
use crate::actors::subscriber::outlet::Outlet;
use crate::domain::event::{EventKind, StatusEvent};
use crate::domain::id::{SessionId, TenantId};

/// Names one subscription in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberId(pub u64);

/// What a subscriber wants to see; `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these sessions only.
    pub sessions: Option<Vec<SessionId>>,
    /// Of these kinds only.
    pub kinds: Option<Vec<EventKind>>,
}

impl Filter {
    /// Whether an event passes.
    pub fn admits(&self, event: &StatusEvent) -> bool {
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.change.kind()));
        let session = self
            .sessions
            .as_ref()
            .is_none_or(|wanted| event.session.is_some_and(|session| wanted.contains(&session)));
        kind && session
    }
}

/// Where a client was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Epoch of the log it read.
    pub epoch: String,
    /// Last position it has seen.
    pub seq: u64,
}

// ---- commands -------------------------------------------------------------------------------------------------

/// Hand a tenant's events to this outlet from now on. A second one of the same subscriber replaces the first.
#[derive(Message)]
#[rtype(result = "Subscribed")]
pub struct Subscribe {
    /// Who.
    pub subscriber: SubscriberId,
    /// Whose feed.
    pub tenant: TenantId,
    /// Which part of it.
    pub filter: Filter,
    /// Where to go on.
    pub resume: Option<Resume>,
    /// Where to.
    pub outlet: Outlet,
    /// On which thread.
    pub lane: Lane,
}

/// Answer to [`Subscribe`].
#[derive(Debug, Clone, PartialEq, Eq, actix::MessageResponse)]
pub struct Subscribed {
    /// Epoch of the log.
    pub epoch: String,
    /// Position after which live events follow.
    pub seq: u64,
    /// What the client missed, filtered; `None` when it did not ask or it cannot be told any more.
    pub missed: Option<Vec<StatusEvent>>,
}

/// No more events, please.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unsubscribe {
    /// Who.
    pub subscriber: SubscriberId,
    /// Whose feed.
    pub tenant: TenantId,
}

/// Tell everybody that this process goes away.
#[derive(Message)]
#[rtype(result = "()")]
pub struct GoAway;

// ---- facts ----------------------------------------------------------------------------------------------------

/// Events wait.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Arrived {
    /// The only place there is.
    pub permit: Permit,
}
