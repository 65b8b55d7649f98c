//! What the faces ask of whoever runs the sessions.

use std::fs::File;

use async_trait::async_trait;
use thiserror::Error;

use super::questions::{Answer, Question};
use super::transport::{FetchError, PairingCode};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::media::Handle;
use crate::domain::passkey::Passkey;
use crate::domain::phone::Phone;
use crate::domain::session::Session;
use crate::domain::time::WallTime;

/// What a person can scan right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingView {
    /// What the picture holds.
    pub code: String,
    /// When the next one comes.
    pub expires_at: WallTime,
    /// How many have been shown since pairing began, this one included.
    pub attempt: u32,
    /// What a passkey has to do with it, if one was heard of.
    pub passkey: Option<Passkey>,
}

/// Trouble that only the session's own actor can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It blocks its thread for 10 s.
    Hang,
    /// It panics.
    Panic,
    /// It ends without being asked.
    Exit,
    /// It waits for what never comes, beside everything else.
    Never,
}

/// Why the supervisor did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SupervisorError {
    /// Too many questions wait at this session already; ask again in a moment.
    #[error("session busy")]
    Busy,
    /// The supervisor, or this incarnation, has ended. What is wanted stands in the row all the same.
    #[error("supervisor gone")]
    Gone,
    /// The session does not wait for a person.
    #[error("not pairing")]
    NotPairing,
    /// The session is not connected.
    #[error("not connected")]
    NotConnected,
    /// The engine cannot do this.
    #[error("unsupported by this engine")]
    Unsupported,
    /// A file did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Runs sessions. A command that must happen is in the session's row first; these calls only say "look".
#[async_trait]
pub trait Supervisor: Send + Sync {
    /// The session's row says what is wanted; act on it. Returns once that has begun. Idempotent.
    async fn heed(&self, session: &Session) -> Result<(), SupervisorError>;

    /// Ends the current incarnation and begins a new one with the same credentials.
    async fn restart(&self, session: &Session) -> Result<(), SupervisorError>;

    /// Ends the session for good, and destroys its credentials. Idempotent.
    async fn remove(&self, session: &Session) -> Result<(), SupervisorError>;

    /// Destroys the key that every credential of a tenant is sealed with. Called once its sessions are removed.
    /// Idempotent.
    async fn forget_tenant(&self, tenant: TenantId) -> Result<(), SupervisorError>;

    /// What a person can scan; `None` when the session does not wait for one.
    async fn pairing(&self, session: SessionId) -> Result<Option<PairingView>, SupervisorError>;

    /// A code to be typed into the phone with this number.
    async fn pairing_code(&self, session: &Session, phone: Phone) -> Result<PairingCode, SupervisorError>;

    /// Brings a file that came in on this session here, see [`Transport::fetch_media`](super::transport::Transport::fetch_media).
    async fn fetch_media(
        &self,
        session: &Session,
        handle: Handle,
        most: u64,
    ) -> Result<File, SupervisorError>;

    /// Asks the session's network, within 10 s.
    async fn ask(&self, session: SessionId, question: Question) -> Result<Answer, SupervisorError>;

    /// Plays trouble in the session's actor. Returns when it is about to begin; `Gone` when there is no actor.
    async fn play(&self, session: SessionId, trouble: Trouble) -> Result<(), SupervisorError>;
}
