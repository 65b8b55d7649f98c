//! Whoever runs the sessions. A command is a row first; this port only says that the row has changed.

use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use super::transport::PairingCode;
use crate::domain::id::SessionId;
use crate::domain::phone::Phone;
use crate::domain::session::Session;
use crate::domain::time::WallTime;

/// What a person has to scan now.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingView {
    /// What the picture holds.
    pub code: String,
    /// When the next one comes.
    pub expires_at: WallTime,
    /// Which code of this pairing it is, from 1.
    pub attempt: u32,
}

/// `Debug` hides the code: whoever scans it links a phone.
impl fmt::Debug for PairingView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairingView(attempt {}, …)", self.attempt)
    }
}

/// Trouble inside the session's actor, for the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Blocks its thread for 10 s.
    Hang,
    /// Panics.
    Panic,
}

/// Why the supervisor did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SupervisorError {
    /// No incarnation of the session runs, or the supervisor itself is ending.
    #[error("no such session is running")]
    Gone,
    /// Too many commands wait; ask again in a moment.
    #[error("supervisor busy")]
    Busy,
    /// The session is not waiting for a person.
    #[error("not pairing")]
    NotPairing,
    /// The engine cannot do this.
    #[error("unsupported by this engine")]
    Unsupported,
}

/// Whoever runs the sessions. Every call is legal in every state of the session, and idempotent.
#[async_trait]
pub trait Supervisor: Send + Sync {
    /// The session's row says what is wanted; act on it. Returns once that has begun.
    async fn heed(&self, session: &Session) -> Result<(), SupervisorError>;

    /// Replaces the session's incarnation by a new one with the same credentials. Returns once that has begun.
    async fn restart(&self, session: &Session) -> Result<(), SupervisorError>;

    /// Stops the session, forgets it and destroys its credentials. One that does not run is fine.
    async fn remove(&self, session: SessionId) -> Result<(), SupervisorError>;

    /// The code it shows now; `None` when it shows none.
    async fn pairing(&self, session: SessionId) -> Result<Option<PairingView>, SupervisorError>;

    /// Asks the network for a code to be typed into the phone that has this number.
    async fn pairing_code(&self, session: &Session, phone: Phone) -> Result<PairingCode, SupervisorError>;

    /// Plays trouble on the session's actor.
    async fn play(&self, session: SessionId, trouble: Trouble) -> Result<(), SupervisorError>;
}
