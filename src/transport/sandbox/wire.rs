//! The seam between the adapter and the network: in process or through HTTP, the same calls.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::domain::chat::Chat;
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, ReceiptKind, WaId};
use crate::domain::session::{CloseReason, Epoch, Lease};
use crate::domain::time::WallTime;
use crate::ports::sandbox::{Frame, SandboxError, SandboxFault};
use crate::ports::transport::{PairingCode, SendError, TransportError};

/// What a paired device proves itself with. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken(pub Zeroizing<String>);

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}

impl Serialize for DeviceToken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeviceToken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Whose link, as the network sees it: it knows no tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// Which session.
    pub session: SessionId,
    /// As which owner.
    pub epoch: Epoch,
}

impl From<Lease> for Caller {
    fn from(lease: Lease) -> Self {
        Self { session: lease.session, epoch: lease.epoch }
    }
}

/// The first word on a new link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Who calls.
    pub caller: Caller,
    /// Its credential; without one it wants to pair.
    pub token: Option<DeviceToken>,
}

/// One message on its way. The network never sees a body: it has no use for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Who sends.
    pub caller: Caller,
    /// Its id on the network, at most [`MAX_WA_ID`] bytes.
    pub wa_id: WaId,
    /// To whom.
    pub to: Chat,
}

/// Longest id of a message, in bytes.
pub const MAX_WA_ID: usize = 128;
/// Most frames one call answers.
pub const MAX_FRAMES: u32 = 10_000;

/// What the network says on an open link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(missing_docs, reason = "as in ports::transport::LinkEvent")]
pub enum WireEvent {
    /// A code to be scanned.
    PairingCode { code: String, expires_at: WallTime },
    /// Somebody scanned; this is the credential. It is told once.
    Paired { token: DeviceToken },
    /// The credential was good.
    Connected,
    /// What was owed when the link opened has been told.
    OfflineSynced,
    /// A receipt, owed until confirmed.
    Receipt { delivery: String, wa_id: WaId, kind: ReceiptKind },
    /// A message, owed until confirmed.
    Inbound { delivery: String, letter: Box<Letter> },
    /// A lock on new chats.
    Timelocked { until: WallTime },
    /// So many new chats and no more.
    NewChatsUsedUp { until: WallTime },
    /// The last word.
    Closed(CloseReason),
}

/// Every call to the network. An implementation never panics on what the other side says; a network that cannot be
/// reached closes links with `TransportLost`.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Opens a link in place of the session's older one. Connecting happens as the stream is polled; dropping it
    /// closes the link.
    fn open(self: Arc<Self>, hello: Hello) -> BoxStream<'static, WireEvent>;

    /// Sends one frame and waits for its ack, however long that takes. `NoLink` promises that nothing was sent.
    async fn send(&self, frame: Outgoing) -> Result<(), SendError>;

    /// A request and its response.
    async fn ping(&self, caller: Caller) -> Result<(), TransportError>;

    /// No longer owes this delivery. Idempotent.
    async fn confirm(&self, caller: Caller, delivery: String) -> Result<(), TransportError>;

    /// A code to be typed, on a link that pairs. Replaces an earlier one.
    async fn pairing_code(&self, caller: Caller) -> Result<PairingCode, TransportError>;

    /// Forgets the account and closes the link.
    async fn log_out(&self, caller: Caller) -> Result<(), TransportError>;

    /// As [`Sandbox::find_code`](crate::ports::sandbox::Sandbox::find_code).
    async fn find_code(&self, code: String) -> Result<Option<SessionId>, SandboxError>;

    /// As [`Sandbox::scan`](crate::ports::sandbox::Sandbox::scan).
    async fn scan(&self, code: String) -> Result<SessionId, SandboxError>;

    /// As [`Sandbox::write`](crate::ports::sandbox::Sandbox::write).
    async fn write(&self, session: SessionId, letter: Letter) -> Result<WaId, SandboxError>;

    /// As [`Sandbox::fault`](crate::ports::sandbox::Sandbox::fault).
    async fn fault(&self, session: SessionId, fault: SandboxFault) -> Result<(), SandboxError>;

    /// As [`Sandbox::frames`](crate::ports::sandbox::Sandbox::frames); never more than [`MAX_FRAMES`].
    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError>;
}
