//! What enters a subscriber's mailbox.

use actix::Message;

use crate::actors::admission::Permit;

/// The hub has left something in the outlet.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush {
    /// The only place there is.
    pub permit: Permit,
}

/// A frame from the client. The reader waits for the answer before it reads the next one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heard(pub Frame);

/// What a client can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text: a message of the protocol.
    Text(String),
    /// Anything that only shows that the client is there.
    Alive,
    /// Something the protocol has no room for.
    Other,
}

/// The socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Gone;
