//! What happens on a session.

use serde::{Deserialize, Serialize};

use crate::content::{Content, MessageRef};
use crate::secret::{Blob, Private};

/// What happened. A supervisor confirms one it does not know and goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A person has to scan this before it expires. Each new one replaces the last.
    PairingCode {
        /// What the picture holds.
        code: Private,
        /// Milliseconds until the next one comes, or none does.
        expires_in_ms: u32,
    },
    /// A stage of pairing that a passkey guards.
    Passkey {
        /// Which.
        stage: PasskeyStage,
        /// What the phone or the authenticator is to see, as the library has it; opaque.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Blob>,
    },
    /// A person scanned, and the device record with its account is in the vault, durably: the commit was answered.
    Paired {
        /// The account's number with `+`, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<Private>,
    },
    /// Logged in, and a request got its response.
    Connected,
    /// All that came while this device was away has been delivered as events before this one.
    OfflineSynced,
    /// WhatsApp's answer to a message: the only source of "sent".
    Ack {
        /// The message.
        wa_id: String,
        /// The server's number if it refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<u16>,
        /// For a lock: when it ends, milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
    },
    /// A device of the recipient's has it, or somebody has seen it.
    Receipt {
        /// One message of this account's.
        wa_id: String,
        /// What it says.
        kind: ReceiptKind,
    },
    /// A message came in.
    Inbound(Box<Inbound>),
    /// Something came in that nobody could decrypt; the library has asked its sender to send it again.
    Undecryptable {
        /// Its id.
        wa_id: String,
    },
    /// The account is limited.
    Restricted {
        /// How.
        kind: RestrictionKind,
        /// Until then, milliseconds since 1970; absent when WhatsApp does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
    },
    /// The last event of an open. The bridge has let go of socket, vault and keys.
    Closed {
        /// Why.
        reason: CloseReason,
        /// WhatsApp's number for it, where it gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        /// For a ban: when it ends, milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
    },
    /// Read only: an event this version does not know.
    #[serde(other)]
    Unknown,
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// Its id.
    pub wa_id: String,
    /// Address of the chat.
    pub chat: Private,
    /// Address of who wrote it.
    pub from: Private,
    /// Whether another device of this account wrote it.
    #[serde(default)]
    pub from_me: bool,
    /// Milliseconds since 1970, as WhatsApp has it.
    pub at_ms: i64,
    /// What.
    pub content: Content,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<MessageRef>,
    /// What the sender calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Private>,
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// A device of the recipient's has it.
    Delivered,
    /// Somebody has seen it.
    Read,
    /// Somebody has listened to it.
    Played,
}

/// How an account is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestrictionKind {
    /// No messages to chats that never wrote to it (463).
    ReachOut,
    /// A number of new chats per time is used up.
    NewChats,
    /// Lifted.
    None,
}

/// A stage of pairing that a passkey guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasskeyStage {
    /// WhatsApp asks for a passkey.
    Request,
    /// The phone shows a code to be compared.
    Confirmation,
    /// It failed.
    Error,
}

/// Why a session closed. Only the supervisor decides what comes next; a bridge never reconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// `close`, `drain` or a newer epoch asked for it.
    Requested,
    /// 515: WhatsApp wants a fresh socket, as it does once after pairing.
    RestartRequired,
    /// The socket was lost or went silent, or could not be opened.
    TransportLost,
    /// Only after an `open` with a proxy: that did not answer, or did not let the session through. Nothing was tried past it.
    ProxyFailed,
    /// 500 or 503.
    ServerUnavailable,
    /// What came could not be read.
    Malformed,
    /// 429.
    Throttled,
    /// 409, or `conflict` of type `replaced`.
    Replaced,
    /// 402; `until_ms` says until when.
    Banned,
    /// 405.
    Outdated,
    /// 401, 403, 406, 516 or device removed: these credentials are never used again.
    LoggedOut,
    /// The codes ran out and nobody scanned.
    PairingEnded,
    /// The server's certificates are not WhatsApp's.
    Untrusted,
    /// The vault refused this epoch: a newer owner exists.
    Fenced,
    /// The vault did not answer for 30 s, or its records cannot be used by this version.
    VaultLost,
    /// Something else; `code` has WhatsApp's number, if it was WhatsApp.
    #[serde(other)]
    Unknown,
}
