//! What enters a subscriber's mailbox.

use actix::Message;
use bytes::Bytes;

use crate::actors::hub::messages::{Filter, Resume};

/// A frame from the client. The reader waits for the answer before it reads the next one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heard(pub Frame);

/// What a client can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text: a message of the protocol.
    Text(String),
    /// What it wants to hear, and from where, of a client that says so by its request.
    Wish(Filter, Option<Resume>),
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
