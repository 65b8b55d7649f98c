//! The judge. One file per kind of promise; each says what exactly it checks and what it lets pass.
//!
//! Sources have clocks of their own. Frames are ordered by the network's numbers, attempts by the boot-time clock they
//! were decided on, rows by their order of acceptance; wall times are compared only where there is nothing else, and
//! never more closely than [`Terms::slack`].

mod billing;
mod books;
mod caps;
mod chats;
mod inbound;
mod loss;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use self::caps::Caps;
use super::History;
use super::record::{AttemptLine, FrameLine, MessageLine, SessionLine};
use super::verdict::{Counts, Evidence, Invariant, Subject, Verdict, Violation};
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::Direction;
use crate::domain::time::WallTime;

/// How a history is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// By how much wall clocks may differ between sources, or have been set while the history went on.
    pub slack: Duration,
}

/// Judges a history: every violation, and how much was looked at. The same history always gets the same verdict.
pub fn check(history: &History, terms: Terms) -> Verdict {
    let case = Case::new(history, terms);
    let mut finding = Finding::default();
    caps::attempts(&case, &mut finding);
    caps::frames(&case, &mut finding);
    caps::log(&case, &mut finding);
    loss::accepted(&case, &mut finding);
    loss::ends(&case, &mut finding);
    loss::sent(&case, &mut finding);
    wire::ids(&case, &mut finding);
    wire::repeats(&case, &mut finding);
    wire::deadlines(&case, &mut finding);
    wire::owners(&case, &mut finding);
    chats::order(&case, &mut finding);
    billing::charges(&case, &mut finding);
    billing::months(&case, &mut finding);
    books::invoices(&case, &mut finding);
    books::notes(&case, &mut finding);
    books::numbers(&case, &mut finding);
    inbound::stored(&case, &mut finding);
    finding.close()
}

/// A history with what is needed to find one's way in it.
struct Case<'a> {
    history: &'a History,
    terms: Terms,
    caps: Caps<'a>,
    /// In the order of receipt.
    frames: Vec<&'a FrameLine>,
    rows: HashMap<MessageId, &'a MessageLine>,
    /// Outbound rows by their id on the network.
    by_wa_id: HashMap<(SessionId, &'a str), &'a MessageLine>,
    /// Of each row, in the order of receipt.
    frames_of: HashMap<MessageId, Vec<&'a FrameLine>>,
    attempts_of: HashMap<MessageId, Vec<&'a AttemptLine>>,
    sessions: HashMap<SessionId, &'a SessionLine>,
    /// What is younger may be missing elsewhere.
    end: WallTime,
}

impl<'a> Case<'a> {
    fn new(history: &'a History, terms: Terms) -> Self {
        let mut frames: Vec<_> = history.frames.iter().collect();
        frames.sort_by_key(|frame| frame.seq);
        let outbound = history.messages.iter().filter(|row| row.direction == Direction::Out);
        let by_wa_id: HashMap<_, _> =
            outbound.map(|row| ((row.session, row.wa_id.0.as_str()), row)).collect();
        let mut frames_of: HashMap<_, Vec<_>> = HashMap::new();
        for frame in &frames {
            if let Some(row) = by_wa_id.get(&(frame.session, frame.wa_id.0.as_str())) {
                frames_of.entry(row.id).or_default().push(*frame);
            }
        }
        let mut attempts_of: HashMap<_, Vec<_>> = HashMap::new();
        for attempt in &history.attempts {
            attempts_of.entry(attempt.message).or_default().push(attempt);
        }
        Self {
            history,
            terms,
            caps: Caps::of(history),
            frames,
            rows: history.messages.iter().map(|row| (row.id, row)).collect(),
            by_wa_id,
            frames_of,
            attempts_of,
            sessions: history.sessions.iter().map(|session| (session.id, session)).collect(),
            end: history.end(),
        }
    }

    fn outbound(&self) -> impl Iterator<Item = &'a MessageLine> {
        self.history.messages.iter().filter(|row| row.direction == Direction::Out)
    }

    fn frames_of(&self, row: &MessageLine) -> &[&'a FrameLine] {
        self.frames_of.get(&row.id).map_or(&[], Vec::as_slice)
    }

    fn attempts_of(&self, row: &MessageLine) -> &[&'a AttemptLine] {
        self.attempts_of.get(&row.id).map_or(&[], Vec::as_slice)
    }

    /// Whether the log still holds every attempt at a message; rows of it go after an hour.
    fn has_whole_log(&self, row: &MessageLine) -> bool {
        self.attempts_of(row).len() >= row.attempts as usize
    }

    /// Whether the network may refuse a frame to this row's number, so that another follows without a crash.
    fn is_refused_at_times(&self, row: &MessageLine) -> bool {
        self.history.refusing.contains(&row.chat)
    }

    /// Whether there are both frames and rows to hold against each other.
    fn has_both(&self) -> bool {
        self.history.has_journal && self.history.has_rows
    }
}

/// What was found so far.
#[derive(Default)]
struct Finding {
    judged: BTreeSet<Invariant>,
    counts: Counts,
    violations: BTreeMap<(Invariant, Subject), Vec<Violation>>,
}

impl Finding {
    fn judged(&mut self, invariant: Invariant) {
        self.judged.insert(invariant);
    }

    fn add(
        &mut self,
        invariant: Invariant,
        subject: Subject,
        complaint: &'static str,
        evidence: Vec<Evidence>,
    ) {
        let violation = Violation { invariant, subject, complaint, evidence };
        self.violations.entry((invariant, subject)).or_default().push(violation);
    }

    fn close(self) -> Verdict {
        Verdict {
            judged: self.judged.into_iter().collect(),
            counts: self.counts,
            violations: self.violations.into_values().flatten().collect(),
        }
    }
}

impl From<&FrameLine> for Evidence {
    fn from(frame: &FrameLine) -> Self {
        Self::Frame { seq: frame.seq, at: frame.at, epoch: frame.epoch, wa_id: frame.wa_id.clone() }
    }
}

impl From<&AttemptLine> for Evidence {
    fn from(attempt: &AttemptLine) -> Self {
        let AttemptLine { message, number, epoch, wall, .. } = *attempt;
        Self::Attempt { message, number, epoch, wall }
    }
}

impl From<&MessageLine> for Evidence {
    fn from(row: &MessageLine) -> Self {
        Self::Row { message: row.id, ord: row.ord, status: row.status.into() }
    }
}
