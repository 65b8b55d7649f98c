//! What is under way between a machine and the world: each job is a store call or an attempt, performed in one step and
//! answered in another. The shell's rules of who survives what are kept here: a job that runs apart outlives its actor,
//! everything dies with the process.

use std::num::NonZeroU32;

use columba::actors::session::machine::Input;
use columba::domain::id::MessageId;
use columba::domain::session::{Generation, Lease, Restriction, Standing};
use columba::domain::time::{Reading, WallTime};
use columba::ports::outbox::{Outcome, Position, Work};
use columba::ports::sessions::StatusChange;
use columba::ports::transport::SendError;

/// One thing under way.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: u64,
    /// Which session, by its place.
    pub slot: usize,
    /// Which incarnation wants the answer.
    pub generation: Generation,
    /// As whom; none before the first recall.
    pub lease: Option<Lease>,
    pub what: What,
    /// Performed; to be told unless nobody is left to hear it.
    pub answer: Option<Input>,
    /// Not before this true time.
    pub not_before: u64,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time")]
pub enum What {
    Recall,
    Announce(StatusChange),
    Remember(Standing),
    CountReconnect,
    NotePaired,
    Read {
        turn: u64,
        after: Position,
    },
    Claim {
        turn: u64,
        message: MessageId,
        at: Reading,
        lock: Option<Restriction>,
        sum: Option<NonZeroU32>,
    },
    GiveBack {
        message: MessageId,
        number: u32,
        tries: u32,
    },
    GiveUp {
        message: MessageId,
        number: u32,
        tries: u32,
    },
    Recover {
        at: WallTime,
    },
    /// Whether an answer comes in time, if the link is well.
    Ping {
        in_time: bool,
    },
    LogOut {
        tell: bool,
        step: u32,
    },
    /// A receipt that the link told: stored, then confirmed.
    Receipt {
        link: u64,
        number: u64,
    },
    Attempt {
        work: Work,
        began: u64,
        stage: Stage,
    },
}

/// How far an attempt has come.
#[derive(Debug, Clone)]
pub enum Stage {
    /// About to be written to the link.
    ToSend,
    /// On the wire, by this link; the answer comes when the job may go on.
    OnTheWire { link: u64, answer: Option<Result<(), SendError>> },
    /// Answered.
    ToSettle { outcome: Outcome, at: WallTime, tries: u32 },
}

impl Job {
    /// Whether it goes on when its actor dies.
    pub fn runs_apart(&self) -> bool {
        !matches!(self.what, What::Recall | What::Read { .. } | What::Ping { .. } | What::Receipt { .. })
    }

    /// Whether it queues at the store behind what its actor wanted before.
    pub fn queues(&self) -> bool {
        !matches!(
            self.what,
            What::Read { .. } | What::Ping { .. } | What::Receipt { .. } | What::Attempt { .. }
        )
    }

    /// Whether the store may have been asked already: if its asker dies, what was asked happens or not.
    pub fn may_be_called(&self) -> bool {
        let settles = matches!(self.what, What::Attempt { stage: Stage::ToSettle { .. }, .. });
        self.answer.is_none() && (settles || !matches!(self.what, What::Attempt { .. } | What::LogOut { .. }))
    }

    /// A frame that is about to leave: no time passes before it does, or the receiver could tell.
    pub fn is_urgent(&self) -> bool {
        matches!(self.what, What::Attempt { stage: Stage::ToSend, .. })
    }
}
