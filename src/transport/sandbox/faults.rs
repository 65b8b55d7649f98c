//! What each trouble does to a session's link and account, as a table.

use std::time::Duration;

use crate::domain::session::CloseReason;
use crate::domain::time::WallTime;
use crate::ports::sandbox::SandboxFault;

/// How long a ban and a lock last.
const PENALTY: Duration = Duration::from_secs(60);

/// What has to be done at the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Close the link with this reason.
    Close(CloseReason),
    /// Refuse every link until then, and close this one.
    Ban {
        /// Its end.
        until: WallTime,
    },
    /// Forget the account, and close the link.
    Unlink,
    /// Tell the link about a lock.
    Timelock {
        /// Its end.
        until: WallTime,
    },
    /// Tell the link that no new chat may be begun.
    NewChatsUsedUp {
        /// Its end.
        until: WallTime,
    },
    /// Let the link stay and answer nothing any more.
    Mute,
    /// Nothing: the session's handle plays it.
    Elsewhere,
}

impl Trouble {
    /// The table.
    pub(super) fn of(fault: SandboxFault, at: WallTime) -> Self {
        match fault {
            SandboxFault::RestartRequired => Self::Close(CloseReason::RestartRequired),
            SandboxFault::TransportLost => Self::Close(CloseReason::TransportLost),
            SandboxFault::ServerUnavailable => Self::Close(CloseReason::ServerUnavailable),
            SandboxFault::Malformed => Self::Close(CloseReason::Malformed),
            SandboxFault::Throttled => Self::Close(CloseReason::Throttled),
            SandboxFault::Replaced => Self::Close(CloseReason::Replaced),
            SandboxFault::ClientOutdated => Self::Close(CloseReason::ClientOutdated),
            SandboxFault::Unknown => Self::Close(CloseReason::Unknown { code: 599 }),
            SandboxFault::Banned => Self::Ban { until: at + PENALTY },
            SandboxFault::DeviceRemoved => Self::Unlink,
            SandboxFault::Timelock => Self::Timelock { until: at + PENALTY },
            SandboxFault::NewChats => Self::NewChatsUsedUp { until: at + PENALTY },
            SandboxFault::HalfOpen => Self::Mute,
            SandboxFault::Hang | SandboxFault::Panic | SandboxFault::Exit | SandboxFault::Never => {
                Self::Elsewhere
            }
        }
    }
}
