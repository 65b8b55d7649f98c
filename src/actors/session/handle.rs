//! What the rest of the program holds. No `Addr` and no mailbox error leaves this file.

use std::fs::File;

use actix::{Addr, MailboxError, Recipient};

use super::SessionActor;
use super::messages::{
    Ask, AskMedia, AskPairingCode, Describe, Description, Kill, LogOut, Outdated, Play, Start, Stop, Wake,
};
use crate::actors::admission::Permit;
use crate::actors::{admission::Admission, signal};
use crate::domain::id::TenantId;
use crate::domain::media::Handle;
use crate::domain::phone::Phone;
use crate::ports::questions::{Answer, Question};
use crate::ports::supervisor::{SupervisorError, Trouble};
use crate::ports::transport::PairingCode;

/// Questions that may wait at one session.
const QUESTIONS: usize = 32;
/// Files that may be on their way to one session. They take long, so they take no place of a question.
const FETCHES: usize = 4;

/// One incarnation of a session. After its end every call answers [`SupervisorError::Gone`]; ask the registry again.
#[derive(Clone)]
pub struct SessionHandle {
    addr: Addr<SessionActor>,
    hints: Recipient<Wake>,
    wakes: Admission,
    questions: Admission,
    fetches: Admission,
    tenant: TenantId,
}

fn gone(_: MailboxError) -> SupervisorError {
    SupervisorError::Gone
}

impl SessionHandle {
    pub(super) fn new(addr: Addr<SessionActor>, tenant: TenantId) -> Self {
        let hints = addr.clone().recipient();
        let (wakes, questions, fetches) =
            (Admission::new(1), Admission::new(QUESTIONS), Admission::new(FETCHES));
        Self { addr, hints, wakes, questions, fetches, tenant }
    }

    /// Whose session it is.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Says that rows may be waiting. Returns at once and merges with a hint that still waits.
    pub fn wake(&self) {
        if let Some(permit) = self.wakes.admit() {
            signal(&self.hints, Wake { permit });
        }
    }

    /// Whether a hint may be queued right now, that is, none waits.
    pub fn hears_hints(&self) -> bool {
        self.wakes.free() > 0
    }

    /// Connects a session again that was parked or logged out. In any other state it changes nothing.
    pub async fn start(&self) -> Result<(), SupervisorError> {
        self.addr.send(Start).await.map_err(gone)
    }

    /// Ends this incarnation: lets attempts end, closes the socket, keeps the credentials. Returns once that has begun.
    pub async fn stop(&self) -> Result<(), SupervisorError> {
        self.addr.send(Stop).await.map_err(gone)
    }

    /// Ends this incarnation at once. Returns when it has ended or cannot hear.
    pub async fn kill(&self) -> Result<(), SupervisorError> {
        self.addr.send(Kill).await.map_err(gone)
    }

    /// Says that its version is no longer served. A session that works goes on.
    pub async fn outdated(&self) -> Result<(), SupervisorError> {
        self.addr.send(Outdated).await.map_err(gone)
    }

    /// Gives the credentials up. Returns once that has begun.
    pub async fn log_out(&self) -> Result<(), SupervisorError> {
        self.addr.send(LogOut).await.map_err(gone)
    }

    /// How the session is.
    pub async fn describe(&self) -> Result<Description, SupervisorError> {
        let permit = self.permit()?;
        self.addr.send(Describe { permit }).await.map_err(gone)
    }

    /// Asks the network for a code to be typed.
    pub async fn pairing_code(&self, phone: Phone) -> Result<PairingCode, SupervisorError> {
        let permit = self.permit()?;
        self.addr.send(AskPairingCode { phone, permit }).await.map_err(gone)?
    }

    /// Brings a file that came in here.
    pub async fn fetch_media(&self, handle: Handle, most: u64) -> Result<File, SupervisorError> {
        let permit = self.fetches.admit().ok_or(SupervisorError::Busy)?;
        self.addr.send(AskMedia { handle, most, permit }).await.map_err(gone)?
    }

    /// Asks the network something.
    pub async fn ask(&self, question: Question) -> Result<Answer, SupervisorError> {
        let permit = self.permit()?;
        self.addr.send(Ask { question, permit }).await.map_err(gone)?
    }

    /// Plays trouble. Returns when it is about to begin.
    pub async fn play(&self, trouble: Trouble) -> Result<(), SupervisorError> {
        let permit = self.permit()?;
        self.addr.send(Play { trouble, permit }).await.map_err(gone)
    }

    fn permit(&self) -> Result<Permit, SupervisorError> {
        self.questions.admit().ok_or(SupervisorError::Busy)
    }
}
