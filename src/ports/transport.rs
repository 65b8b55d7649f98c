//! The network side of a session. Every engine implements it; what one cannot do it says.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::outbox::Work;
use super::questions::{Answer, Question};
use super::vault::Vault;
use crate::domain::content::Content;
use crate::domain::media::Handle;
use crate::domain::message::{Letter, ReceiptKind, WaId};
use crate::domain::passkey::Passkey;
use crate::domain::phone::Phone;
use crate::domain::proxy::Proxy;
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::WallTime;

/// Names one delivery from the network until it is confirmed. Opaque to all but its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryId(pub String);

/// What an open link reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// No usable credentials: a person has to scan this code before it expires. Each new one replaces the last.
    PairingCode {
        /// What the picture holds.
        code: String,
        /// When the next one comes.
        expires_at: WallTime,
    },
    /// The account has a passkey, and pairing has come to it. Codes may go on being shown.
    Passkey(Passkey),
    /// A person scanned: the credentials are in the vault, durably. `Connected` or a 515 follows.
    Paired,
    /// Logged in, and a request got its response.
    Connected,
    /// Everything that came while we were away has been delivered.
    OfflineSynced,
    /// A receipt or a late ack. To be confirmed once it is committed.
    Receipt {
        /// For [`Transport::confirm`].
        delivery: DeliveryId,
        /// Which message.
        wa_id: WaId,
        /// What it says.
        kind: ReceiptKind,
    },
    /// A message to the account, or one that another device of it wrote. To be confirmed once it is committed; otherwise it comes again with the next link.
    Inbound {
        /// For [`Transport::confirm`].
        delivery: DeliveryId,
        /// What came.
        letter: Box<Letter>,
        /// What brings its file here, if it carries one.
        handle: Option<Handle>,
    },
    /// The account may not write to new chats until then (463).
    Timelocked {
        /// Its end.
        until: WallTime,
    },
    /// The account has begun as many new chats as it may, until then.
    NewChatsUsedUp {
        /// Its end.
        until: WallTime,
    },
    /// Neither holds any more.
    Unrestricted,
    /// The last event of a link.
    Closed(CloseReason),
}

/// An attempt that produced no ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendError {
    /// There is no open link of this lease. Nothing was sent.
    #[error("no link")]
    NoLink,
    /// The server said no.
    #[error("nack {code}")]
    Nack {
        /// Its number (463, 475, 400, 479, 487, 491, 421, 429, 500, 503, 404 for "no account").
        code: u16,
        /// For a lock: when it ends.
        until: Option<WallTime>,
    },
    /// The engine has no such kind of message. Nothing was sent.
    #[error("unsupported by this engine")]
    Unsupported,
    /// Its file is not here any more. Nothing was sent.
    #[error("no such file")]
    NoFile,
    /// What it says something about is not kept any more. Nothing was sent.
    #[error("what it is about is gone")]
    Gone,
    /// It may have left; nothing came back. A receipt may still tell.
    #[error("no ack")]
    NoAck,
}

/// How long an attempt to send this may take: 10 s, and for a file one more for each 512 KiB, 50 s at most, so that it is over
/// before a message without an ack becomes `unknown`. A later owner of the session may recover the message meanwhile; the one
/// link of the later owner is what keeps an earlier owner's frame from leaving then.
pub fn patience(content: &Content) -> Duration {
    const TEXT: u64 = 10;
    const A_SECOND: u64 = 512 * 1024;
    const MOST: u64 = 50;
    let more = content.media().map_or(0, |media| media.size.div_ceil(A_SECOND));
    Duration::from_secs(TEXT.saturating_add(more).min(MOST))
}

/// A code to be typed into the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingCode {
    /// `ABCD-EFGH`.
    pub code: String,
    /// When it ends.
    pub expires_at: WallTime,
}

/// A call to the network that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransportError {
    /// There is no open link of this lease, or it does not answer.
    #[error("no link")]
    NoLink,
    /// The session is not waiting for a person.
    #[error("not pairing")]
    NotPairing,
    /// The engine cannot do this.
    #[error("unsupported by this engine")]
    Unsupported,
}

/// A file that did not come from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchError {
    /// There is no open link of this lease.
    #[error("no link")]
    NoLink,
    /// The engine cannot do this.
    #[error("unsupported by this engine")]
    Unsupported,
    /// The network does not have it any more.
    #[error("no such file")]
    Absent,
    /// It is larger than was asked for.
    #[error("too large")]
    TooLarge,
    /// It did not come, or not as it was said to be.
    #[error("broken off")]
    Broken,
}

/// All that a health probe can do: ask. It has no way to log out or to touch credentials.
#[async_trait]
pub trait Probe: Send + Sync {
    /// A real request to the server and its response, at most 10 s; how long it took.
    async fn ping(&self, lease: Lease) -> Result<Duration, TransportError>;
}

/// The network side of a session.
#[async_trait]
pub trait Transport: Probe {
    /// Opens a link with the credentials in `vault`. Returns at once; connecting happens as the stream is polled.
    ///
    /// Order: events arrive as they happened and end after the first `Closed`. Within 30 s the first event comes.
    /// Dropping the stream closes the link and keeps the credentials. A second link for a session replaces the first.
    ///
    /// With a `proxy` all of the session's traffic goes through it, media too, or none goes: never directly. What cannot be
    /// reached through it closes with [`ProxyFailed`](CloseReason::ProxyFailed).
    fn open(
        &self,
        lease: Lease,
        vault: Arc<dyn Vault>,
        proxy: Option<Proxy>,
    ) -> BoxStream<'static, LinkEvent>;

    /// Sends one message under its `wa_id` and waits for the server's ack. `Ok` means acked, not written.
    /// The caller drops the future after [`patience`].
    async fn send(&self, work: &Work) -> Result<(), SendError>;

    /// Tells the network that a delivery is safe with us. Idempotent.
    async fn confirm(&self, lease: Lease, delivery: &DeliveryId) -> Result<(), TransportError>;

    /// Asks the network whether a number has an account. Nobody is told.
    async fn has_account(&self, lease: Lease, phone: &Phone) -> Result<bool, TransportError>;

    /// Brings a file that came in here, at most `most` bytes of it: open for reading from its start, and with no name any more,
    /// so that it is gone when it is closed. Ends within two minutes.
    async fn fetch_media(&self, _: Lease, _: &Handle, _: u64) -> Result<File, FetchError> {
        Err(FetchError::Unsupported)
    }

    /// Asks a connected session, or asks it to do something beside sending; the answer that the question names. The caller
    /// sets the deadline.
    async fn ask(&self, _lease: Lease, _question: Question) -> Result<Answer, TransportError> {
        Err(TransportError::Unsupported)
    }

    /// Asks for a code to be typed instead of scanned.
    async fn pairing_code(&self, lease: Lease, phone: &Phone) -> Result<PairingCode, TransportError>;

    /// Unlinks this device at the server. Whoever calls it then wipes the vault, whatever the answer.
    async fn log_out(&self, lease: Lease) -> Result<(), TransportError>;
}
