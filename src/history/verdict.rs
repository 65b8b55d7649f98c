//! What a check finds: every violation with its evidence, and how much was looked at.

use std::fmt;

use serde::Serialize;
use strum::EnumIter;

use crate::domain::id::{InvoiceId, MessageId, SessionId, TenantId};
use crate::domain::message::WaId;
use crate::domain::session::Epoch;
use crate::domain::time::WallTime;

/// A promise that a history can break.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, EnumIter, strum::IntoStaticStr,
)]
pub enum Invariant {
    /// No 60 s hold more attempts than the cap, and every frame is an attempt in the log.
    I1,
    /// The same as the receiver sees it, within 59 s.
    I1b,
    /// What was accepted is a row, and every row comes to an end.
    I3,
    /// One id per message, and a frame comes again only after a crash.
    I4,
    /// Within a chat, first frames come in the order of acceptance.
    I5,
    /// Nothing is sent after its time.
    I7,
    /// Each message that reached the server is charged once, and nothing else is.
    I8,
    /// An invoice is what the ledger says, and numbers of papers have no gap.
    I8b,
    /// An owner that was replaced sends nothing more.
    I10,
    /// What came in and was confirmed is stored exactly once.
    I11,
}

/// What a violation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A session.
    Session(SessionId),
    /// A tenant.
    Tenant(TenantId),
    /// A message, by its id.
    Message(MessageId),
    /// An invoice.
    Invoice(InvoiceId),
    /// Who issues invoices.
    Issuer,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::Tenant(id) => id.fmt(f),
            Self::Message(id) => id.fmt(f),
            Self::Invoice(id) => id.fmt(f),
            Self::Issuer => f.write_str("issuer"),
        }
    }
}

/// One thing that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each field is the record's")]
pub enum Evidence {
    /// A frame.
    Frame { seq: u64, at: WallTime, epoch: Epoch, wa_id: WaId },
    /// An attempt.
    Attempt { message: MessageId, number: u32, epoch: Epoch, wall: WallTime },
    /// A row of a message.
    Row { message: MessageId, ord: i64, status: &'static str },
    /// A message from the network.
    Inbound { number: u64, at: WallTime },
    /// Two numbers that should be one.
    Count { counted: u64, stands: u64 },
    /// Two amounts that should be one, in the minor unit.
    Money { counted: i128, stands: i128 },
    /// A number of a paper.
    Number { number: String },
    /// A bound, and when it began or ended.
    Bound { value: u64, at: WallTime },
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: &WallTime| at.utc().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        match self {
            Self::Frame { seq, at, epoch, wa_id } => {
                write!(f, "frame {seq} of epoch {} at {} under {}", epoch.0, time(at), wa_id.0)
            }
            Self::Attempt { message, number, epoch, wall } => {
                write!(f, "attempt {number} at {message} by epoch {} at {}", epoch.0, time(wall))
            }
            Self::Row { message, ord, status } => write!(f, "row {ord} ({message}) is {status}"),
            Self::Inbound { number, at } => write!(f, "inbound {number} at {}", time(at)),
            Self::Count { counted, stands } => write!(f, "counted {counted}, stands {stands}"),
            Self::Money { counted, stands } => {
                write!(f, "entered {counted}, stands {stands} in the minor unit")
            }
            Self::Number { number } => write!(f, "number {number}"),
            Self::Bound { value, at } => write!(f, "bound {value} at {}", time(at)),
        }
    }
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// About what.
    pub subject: Subject,
    /// In a sentence.
    pub complaint: &'static str,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name: &str = self.invariant.into();
        write!(f, "{name} {}: {}", self.subject, self.complaint)?;
        self.evidence.iter().try_for_each(|one| write!(f, "\n    {one}"))
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Lines of clients that got a 202.
    pub accepted: u64,
    /// Outbound messages.
    pub messages: u64,
    /// Inbound messages at the network.
    pub inbound: u64,
    /// Attempts in the log.
    pub attempts: u64,
    /// Frames at the network.
    pub frames: u64,
    /// Frames that came again.
    pub repeats: u64,
    /// Sliding windows of attempts held against a session's cap: one per attempt.
    pub windows: u64,
    /// The same against a tenant's sum.
    pub tenant_windows: u64,
    /// Sliding windows of frames: one per frame.
    pub frame_windows: u64,
    /// Chats in which an order was looked at.
    pub chats: u64,
    /// Months held against their messages.
    pub months: u64,
    /// Invoices held against the ledger.
    pub invoices: u64,
    /// Sessions that sent frames.
    pub owners: u64,
    /// Attempts and frames of tenants whose cap is not in the history: held against nothing.
    pub uncapped: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The promises for which the history held anything to look at. The others are not shown to be kept.
    pub judged: Vec<Invariant>,
    /// How much was looked at.
    pub counts: Counts,
    /// Every broken promise, in the order of the list.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether there was anything to judge: an empty history proves nothing.
    pub fn is_empty(&self) -> bool {
        self.judged.is_empty()
    }

    /// Whether something was judged and no promise found broken.
    pub fn is_clean(&self) -> bool {
        !self.is_empty() && self.violations.is_empty()
    }
}
