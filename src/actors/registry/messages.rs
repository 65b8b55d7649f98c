//! What enters the registry's mailbox. One more fact, [`Down`](crate::actors::death::Down), lives beside its guard.

use actix::Message;

use super::table::Phase;
use crate::domain::id::SessionId;
use crate::domain::session::{Generation, Origin, Session};

// ---- commands -------------------------------------------------------------------------------------------------

/// Start these, paced, in this order; those that are suspect last and one by one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Boot(pub Vec<Session>);

/// The session's row says what is wanted; act on it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Heed(pub Session);

/// A new incarnation, please.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Restart {
    /// Of which session.
    pub session: SessionId,
    /// Whose, and on which engine.
    pub origin: Origin,
}

/// The session exists no more. Answered once its actor has ended, or after a few seconds.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Remove(pub SessionId);

/// Stop every session. Answered when the last has ended: how many there were.
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub struct Drain;

// ---- facts ----------------------------------------------------------------------------------------------------

/// A session got somewhere that its supervisor has to know of. Said once per incarnation and start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Reached {
    /// Which session.
    pub session: SessionId,
    /// Which incarnation.
    pub generation: Generation,
    /// Where.
    pub milestone: Milestone,
}

/// Where a session got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// It is no longer starting: it did not take the process down.
    Started,
    /// The network told it that its version is no longer served.
    Outdated,
}

// ---- queries --------------------------------------------------------------------------------------------------

/// Where does the session stand?
#[derive(Debug, Message)]
#[rtype(result = "Option<(Generation, Phase)>")]
pub struct Find(pub SessionId);
