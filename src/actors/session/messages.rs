//! What enters a session's mailbox. Facts do not: effects report them inside the actor, as
//! [`Input`](super::machine::Input)s, so nothing outside can forge one.

use std::fs::File;

use actix::Message;

use crate::actors::admission::Permit;
use crate::domain::media::Handle;
use crate::domain::phone::Phone;
use crate::domain::session::{Reason, SessionStatus};
use crate::ports::questions::{Answer, Question};
use crate::ports::supervisor::{PairingView, SupervisorError, Trouble};
use crate::ports::transport::PairingCode;

// ---- commands -------------------------------------------------------------------------------------------------

/// Connect again after whatever parked the session or logged it out has been dealt with.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Start;

/// Let what is on the wire end, close the socket, keep the credentials, end the actor. Carries no permit: it must
/// never be refused.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// End the actor, whatever it is doing. For one that did not stop when it was asked to.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Kill;

/// The network serves this version of the engine no more. Said once to every session, so it carries no permit.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Outdated;

/// Give the credentials up. Carries no permit either.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LogOut;

/// Rows may be waiting in the outbox, or the caps have changed. A hint: losing one costs a delay, never a message.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Wake {
    /// The only place there is: a second hint while this one waits would say nothing new.
    pub permit: Permit,
}

/// Play trouble, for the sandbox.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Play {
    /// Which.
    pub trouble: Trouble,
    /// Bounds how many may wait.
    pub permit: Permit,
}

// ---- queries --------------------------------------------------------------------------------------------------

/// How is the session?
#[derive(Debug, Message)]
#[rtype(result = "Description")]
pub struct Describe {
    /// Bounds how many questions may wait.
    pub permit: Permit,
}

/// Answer to [`Describe`].
#[derive(Debug, Clone, PartialEq, Eq, actix::MessageResponse)]
pub struct Description {
    /// Public status.
    pub status: SessionStatus,
    /// Why.
    pub reason: Option<Reason>,
    /// What a person can scan.
    pub pairing: Option<PairingView>,
    /// Messages it knows to wait.
    pub waiting: usize,
}

/// A file that came in, please.
#[derive(Debug, Message)]
#[rtype(result = "Result<File, SupervisorError>")]
pub struct AskMedia {
    /// What brings it here.
    pub handle: Handle,
    /// Bytes it may have.
    pub most: u64,
    /// Bounds how many are on their way.
    pub permit: Permit,
}

/// A code to be typed into the phone, please.
#[derive(Debug, Message)]
#[rtype(result = "Result<PairingCode, SupervisorError>")]
pub struct AskPairingCode {
    /// The phone's number.
    pub phone: Phone,
    /// Bounds how many questions may wait.
    pub permit: Permit,
}

/// Ask the network this, please.
#[derive(Debug, Message)]
#[rtype(result = "Result<Answer, SupervisorError>")]
pub struct Ask {
    /// What.
    pub question: Question,
    /// Bounds how many questions may wait.
    pub permit: Permit,
}
