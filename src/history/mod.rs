//! What happened, as the network, the store and clients kept it, and whether the promises held.
//!
//! [`read`] takes lines, [`check`] judges them. Pure: nothing here asks a clock or a database. `columba-check` is its
//! command; `storage::sql::history` reads the rows. DESIGN section 10 calls it the oracle.

pub mod check;
pub mod read;
pub mod record;
pub mod verdict;

use std::collections::HashSet;

use self::record::{
    AcceptedLine, AttemptLine, CapLine, EntryLine, FrameLine, InboundLine, InvoiceLine, MessageLine,
    NoteLine, Record, SeriesLine, SessionLine, UsageLine,
};
use crate::domain::chat::Chat;
use crate::domain::id::SessionId;
use crate::domain::time::WallTime;

/// Everything that was kept, sorted by kind. Order within a kind means nothing.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is its kind of record")]
pub struct History {
    pub frames: Vec<FrameLine>,
    pub inbound: Vec<InboundLine>,
    /// Sessions and numbers of the inbound messages that were confirmed.
    pub confirmed: HashSet<(SessionId, u64)>,
    pub messages: Vec<MessageLine>,
    pub attempts: Vec<AttemptLine>,
    pub caps: Vec<CapLine>,
    pub sessions: Vec<SessionLine>,
    pub usage: Vec<UsageLine>,
    pub invoices: Vec<InvoiceLine>,
    pub notes: Vec<NoteLine>,
    pub entries: Vec<EntryLine>,
    pub series: Vec<SeriesLine>,
    pub refusing: HashSet<Chat>,
    pub accepted: Vec<AcceptedLine>,
    /// When the rows were read, if that was said.
    pub as_of: Option<WallTime>,
    /// Whether a line of the network's journal is among them: only then can a frame be missing.
    pub has_journal: bool,
    /// Whether a row is among them: only then can a row be missing.
    pub has_rows: bool,
}

impl History {
    /// Enters one fact.
    pub fn add(&mut self, record: Record) {
        match &record {
            Record::Account(_)
            | Record::Unlinked(_)
            | Record::Frame(_)
            | Record::Inbound(_)
            | Record::Confirmed(_) => {
                self.has_journal = true;
            }
            Record::Message(_)
            | Record::Attempt(_)
            | Record::Cap(_)
            | Record::Session(_)
            | Record::Usage(_)
            | Record::Invoice(_)
            | Record::CreditNote(_)
            | Record::Entry(_)
            | Record::Series(_) => {
                self.has_rows = true;
            }
            Record::AsOf(_) | Record::Refusing(_) | Record::Accepted(_) => {}
        }
        match record {
            Record::Account(_) | Record::Unlinked(_) => {}
            Record::Frame(line) => self.frames.push(line),
            Record::Inbound(line) => self.inbound.push(line),
            Record::Confirmed(line) => {
                // Receipts are confirmed as well; they are no messages.
                if let Some(number) = line.delivery.strip_prefix('i').and_then(|digits| digits.parse().ok()) {
                    self.confirmed.insert((line.session, number));
                }
            }
            Record::AsOf(line) => self.as_of = self.as_of.max(Some(line.at)),
            Record::Message(line) => self.messages.push(line),
            Record::Attempt(line) => self.attempts.push(line),
            Record::Cap(line) => self.caps.push(line),
            Record::Session(line) => self.sessions.push(line),
            Record::Usage(line) => self.usage.push(line),
            Record::Invoice(line) => self.invoices.push(line),
            Record::CreditNote(line) => self.notes.push(line),
            Record::Entry(line) => self.entries.push(line),
            Record::Series(line) => self.series.push(line),
            Record::Refusing(line) => drop(self.refusing.insert(line.to)),
            Record::Accepted(line) => self.accepted.push(line),
        }
    }

    /// The latest time in it; where ages are counted to, unless it was said when the rows were read.
    pub fn end(&self) -> WallTime {
        let rows = self.messages.iter().flat_map(|row| {
            [row.queued_at, row.attempted_at, row.sent_at, row.received_at].into_iter().flatten()
        });
        let latest = rows
            .chain(self.frames.iter().map(|frame| frame.at))
            .chain(self.inbound.iter().map(|line| line.at))
            .chain(self.attempts.iter().map(|attempt| attempt.wall))
            .chain(self.sessions.iter().map(|session| session.since))
            .chain(self.accepted.iter().map(|accepted| accepted.wall))
            .max();
        self.as_of.or(latest).unwrap_or_default()
    }
}

impl Extend<Record> for History {
    fn extend<I: IntoIterator<Item = Record>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.add(record));
    }
}
