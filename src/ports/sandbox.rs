//! What a tenant may do to the simulated network: play the phone, a correspondent, trouble, and look at the log.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::chat::Chat;
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, WaId};
use crate::domain::session::Epoch;
use crate::domain::time::WallTime;
use crate::domain::word::words;

words! {
    /// Trouble that can be played on a session.
    pub enum SandboxFault {
        /// 515.
        RestartRequired,
        /// The socket breaks.
        TransportLost,
        /// 503 and close.
        ServerUnavailable,
        /// Rubbish and close.
        Malformed,
        /// 429 and close.
        Throttled,
        /// 409: somebody else opened the account.
        Replaced,
        /// 402: banned for a minute.
        Banned,
        /// 405.
        ClientOutdated,
        /// A code nobody knows, and close.
        Unknown,
        /// 401: the phone removed this device.
        DeviceRemoved,
        /// 463: no new chats for a minute.
        Timelock,
        /// As many new chats were begun as may be, for a minute.
        NewChats,
        /// The socket stays open and nothing answers any more.
        HalfOpen,
        /// The session's actor blocks its thread for 10 s.
        Hang,
        /// The session's actor panics.
        Panic,
        /// The session's actor ends without being asked.
        Exit,
        /// The session's actor waits for what never comes.
        Never,
    }
}

/// One frame the network received, from its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SandboxFrame")]
pub struct Frame {
    /// Order of receipt, over all sessions; grows across restarts.
    pub seq: u64,
    /// When.
    pub at: WallTime,
    /// From which session.
    pub session: SessionId,
    /// The message's id on the network.
    pub wa_id: WaId,
    /// To whom.
    pub to: Chat,
    /// The epoch of the owner that sent it.
    pub epoch: Epoch,
}

/// What the network answers to a player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxError {
    /// No session shows this code, or it has expired.
    #[error("no session shows this code, or it has expired")]
    NoSuchCode,
    /// The network knows no paired account of this session.
    #[error("the session is not paired with the sandbox network")]
    NotPaired,
    /// The session has no open link.
    #[error("the session has no open link")]
    NoLink,
    /// The network's own process does not answer.
    #[error("the sandbox network does not answer")]
    Unreachable,
}

/// The players' side of the simulated network. The caller has checked that the session is the tenant's.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// Which session shows this code (a QR or a typed one); `None` when none does.
    async fn find_code(&self, code: &str) -> Result<Option<SessionId>, SandboxError>;

    /// Plays the phone that scans it.
    async fn scan(&self, code: &str) -> Result<SessionId, SandboxError>;

    /// Plays a correspondent, a group, or another device of the account. The message waits at the network until the session
    /// confirms it; answers its id.
    async fn write(&self, session: SessionId, letter: Letter) -> Result<WaId, SandboxError>;

    /// Plays trouble at the network. What only the actor can play is not its business: the session's handle plays them.
    async fn fault(&self, session: SessionId, fault: SandboxFault) -> Result<(), SandboxError>;

    /// Frames of one session beyond `after`, in order, at most `limit`.
    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError>;
}
