//! What enters a subscriber's mailbox.

use actix::Message;
use bytes::Bytes;

/// A frame from the client. The reader waits for the answer before it reads the next one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heard(pub Frame);

/// What a client can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text: a message of the protocol.
    Text(String),
    /// A ping that carried this.
    Ping(Bytes),
    /// Anything that only shows that the client is there.
    Alive,
    /// Something the protocol has no room for.
    Other,
}

/// The socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Gone;
