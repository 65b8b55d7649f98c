//! Which message goes next, and when: agenda, window, cadence and what is under way. Pure.
//!
//! One claim at a time and never ahead of its slot; up to [`UNDER_WAY`] attempts at once, each to another chat.

use std::time::Duration;

use super::agenda::{Agenda, Item, Next};
use super::cadence::Cadence;
use super::machine::Effect;
use crate::domain::chat::Chat;
use crate::domain::id::MessageId;
use crate::domain::message::{MessageStatus, WaId};
use crate::domain::plan::{Caps, Pacing};
use crate::domain::session::Restriction;
use crate::domain::time::{Moment, Reading};
use crate::domain::window::Window;
use crate::outbound::attempt::End;
use crate::outbound::claim::{self, ClaimError};
use crate::ports::outbox::{Claimed, Pending, Work};
use crate::ports::store::StoreError;

/// Attempts that may be out at once: an ack takes a while, and one slow chat must not stop the others.
pub const UNDER_WAY: usize = 8;
/// Messages kept in memory; what is beyond is read when half of them are gone.
pub const KEPT: usize = 10_000;
/// Messages read at once.
pub const READ: u32 = 1_000;

/// An attempt without an ack becomes `unknown` then.
const ACK_LIMIT: Duration = Duration::from_secs(60);
/// Pause after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A row that is not due in the store although it was in memory is asked for again after this, not at once.
const SECOND_LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Its attempt is on the wire, or it is being given back.
    OnTheWire,
    /// The attempt is over and nothing is known.
    Open,
    /// `unknown` is being written.
    GivingUp,
}

/// One message claimed and not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flight {
    item: Item,
    number: u32,
    /// `None` for one that was found: nothing of it has left, so nothing will be heard of it.
    wa_id: Option<WaId>,
    claimed: Moment,
    phase: Phase,
}

/// The sending half of a session.
pub struct Dispatch {
    agenda: Agenda,
    window: Window,
    cadence: Cadence,
    caps: Caps,
    flights: Vec<Flight>,
    /// Claims that were not answered: the store may have made them all the same.
    doubtful: Vec<MessageId>,
    /// Those of them that a read has shown to be made: to be given back.
    found: Vec<(MessageId, u32)>,
    claiming: Option<(Item, Moment)>,
    /// The store is being asked what waits.
    asking: bool,
    /// Everything was forgotten meanwhile: the answer would begin in the middle.
    outdated: bool,
    /// Counts [`begin`](Self::begin)s: an answer to a question of an earlier one is none of ours.
    turn: u64,
    /// What earlier owners left under way has been dealt with: a row that is `sending` is ours, or was a moment ago.
    recovered: bool,
    /// A row may be waiting that no read has looked for yet.
    bell: bool,
    /// Nothing is claimed before: the store failed, or the tenant's sum is used up.
    paused_until: Moment,
    /// The tenant's sum was given another cap while a claim was out: its answer is about the old one.
    sum_changed: bool,
    /// Since when a message could go and did not.
    head_since: Option<Moment>,
}

impl Dispatch {
    /// Nothing waits yet, and the window counts as full until the store says better.
    pub fn new(caps: Caps, now: Moment, seed: u64) -> Self {
        Self {
            agenda: Agenda::default(),
            window: Window::full(caps.per_minute, now),
            cadence: Cadence::new(seed),
            caps,
            flights: vec![],
            found: vec![],
            doubtful: vec![],
            claiming: None,
            asking: false,
            outdated: false,
            turn: 0,
            recovered: false,
            bell: false,
            paused_until: Moment::default(),
            sum_changed: false,
            head_since: None,
        }
    }

    /// Binds new caps; the log of attempts stays.
    pub fn bind(&mut self, caps: Caps, now: Moment) {
        if caps != self.caps {
            if caps.per_minute_tenant != self.caps.per_minute_tenant {
                // If the sum was used up, it was under another cap: ask again.
                self.paused_until = self.paused_until.min(now);
                self.sum_changed = self.claiming.is_some();
            }
            self.caps = caps;
            self.window.recap(caps.per_minute, now);
        }
    }

    /// Begins as a new owner: with the log of the ones before, and nothing under way of its own.
    pub fn begin(&mut self, attempts: Option<Vec<Moment>>, now: Moment) {
        self.window = match attempts {
            Some(attempts) => Window::replay(self.caps.per_minute, attempts),
            None => Window::full(self.caps.per_minute, now),
        };
        self.turn += 1;
        self.agenda.forget();
        self.flights.clear();
        self.found.clear();
        self.doubtful.clear();
        self.claiming = None;
        self.asking = false;
        self.outdated = false;
        self.recovered = false;
        self.bell = true;
        self.paused_until = now;
        self.head_since = None;
    }

    /// A row may be waiting. With nothing in memory the next read begins at the beginning, which costs no more and finds
    /// what an earlier one may have missed.
    pub fn ring(&mut self) {
        if self.agenda.is_empty() && self.flights.is_empty() && !self.asking {
            self.agenda.forget();
        }
        self.bell = true;
    }

    /// Earlier owners' rows were dealt with: reads everything again.
    pub fn recovered(&mut self) {
        self.recovered = true;
        self.reread();
    }

    fn reread(&mut self) {
        self.outdated = self.asking;
        self.agenda.forget();
        self.ring();
    }

    /// Attempts on the wire; a stop waits for them.
    pub fn on_the_wire(&self) -> usize {
        let wire = self.flights.iter().filter(|flight| flight.phase == Phase::OnTheWire).count();
        wire + usize::from(self.claiming.is_some())
    }

    /// Whether an attempt is under way, or waits for its ack: nobody hears of either once the link is gone.
    pub fn owes(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Since when a message could go and did not.
    pub fn head_age(&self, now: Moment) -> Duration {
        self.head_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Does what can be done now. The moment is when to look again.
    pub fn pump(&mut self, at: Reading, lock: Option<Restriction>) -> (Vec<Effect>, Option<Moment>) {
        let give_back = |(message, number)| Effect::GiveBack { message, number };
        let mut effects: Vec<_> = self.found.drain(..).map(give_back).collect();
        if self.bell && !self.asking && self.agenda.len() <= KEPT / 2 {
            self.bell = false;
            self.asking = true;
            effects.push(Effect::Read { turn: self.turn, after: self.agenda.seen() });
        }
        let look_again = self.claim_next(at, lock, &mut effects);
        (effects, look_again)
    }

    fn claim_next(
        &mut self,
        at: Reading,
        lock: Option<Restriction>,
        effects: &mut Vec<Effect>,
    ) -> Option<Moment> {
        if self.claiming.is_some() || self.on_the_wire() >= UNDER_WAY {
            return None;
        }
        if self.caps.silent {
            // Whoever pays rings.
            self.head_since = None;
            return None;
        }
        let mut admitted = false;
        loop {
            let item = match self.agenda.next(at.now) {
                Next::Nothing => return None,
                Next::At(later) => return Some(later.max(self.paused_until)),
                Next::Ready(item) => item,
            };
            let slot = self.window.opens_at(at.now).max(self.paused_until);
            if slot > at.now {
                return Some(slot);
            }
            if !admitted && let Err(later) = self.cadence.admit(&self.caps, at.now) {
                return Some(later);
            }
            admitted = true;
            self.head_since.get_or_insert(at.now);
            self.agenda.take(&item);
            if let Err(opens) = self.cadence.admit_to(&self.caps, at.now, &item.chat) {
                self.agenda.put_back(Item { not_before: opens, ..item });
                continue;
            }
            effects.push(Effect::Claim { turn: self.turn, message: item.message, at, lock });
            self.claiming = Some((item, at.now));
            return None;
        }
    }

    /// Whether an answer is to a question of this turn.
    pub fn is_current(&self, turn: u64) -> bool {
        turn == self.turn
    }

    /// The store answered [`Effect::Read`].
    pub fn read(&mut self, at: Reading, answer: Result<Vec<Pending>, StoreError>) -> Option<Moment> {
        if !std::mem::replace(&mut self.asking, false) {
            return None;
        }
        let Ok(rows) = answer else {
            self.bell = true;
            self.paused_until = at.now + STORE_PAUSE;
            return Some(self.paused_until);
        };
        if std::mem::take(&mut self.outdated) {
            self.bell = true;
            return None;
        }
        let more = rows.len() >= READ as usize;
        self.bell |= more;
        for row in rows {
            self.enter(at, row);
        }
        if !more {
            // What no read has shown no longer waits.
            self.doubtful.clear();
        }
        None
    }

    fn enter(&mut self, at: Reading, row: Pending) {
        if self.is_under_way(row.message) {
            return self.agenda.block(row.chat, row.position);
        }
        let doubtful = self.doubtful.iter().position(|message| *message == row.message);
        let doubtful = doubtful.map(|index| self.doubtful.swap_remove(index)).is_some();
        let not_before = at.moment_of(row.not_before);
        let Pending { message, position, chat, scheduled, attempts: number, status, .. } = row;
        let item = Item { message, position, chat, not_before, scheduled };
        match status {
            // Its claim was made, so it has used a slot, and nothing of it has left.
            MessageStatus::Sending if doubtful => {
                self.window.record(at.now);
                self.agenda.block(item.chat.clone(), position);
                self.flights.push(Flight {
                    item,
                    number,
                    wa_id: None,
                    claimed: at.now,
                    phase: Phase::OnTheWire,
                });
                self.found.push((message, number));
            }
            // Read before its attempt ended, it would block its chat for ever.
            MessageStatus::Sending if self.recovered => {}
            MessageStatus::Sending => self.agenda.block(item.chat, position),
            _ => self.agenda.enter(item),
        }
    }

    fn is_under_way(&self, message: MessageId) -> bool {
        self.claiming.as_ref().is_some_and(|(item, _)| item.message == message)
            || self.flights.iter().any(|flight| flight.item.message == message)
    }

    /// The store answered [`Effect::Claim`]. `open`: the link still works.
    pub fn claimed(&mut self, at: Reading, answer: Result<Claimed, ClaimError>, open: bool) -> Vec<Effect> {
        let Some((item, since)) = self.claiming.take() else { return vec![] };
        self.head_since = None;
        let sum_changed = std::mem::take(&mut self.sum_changed);
        match answer {
            Ok(Claimed::Work(work)) => {
                // The slot is used from here on, sent or not: the attempt is in the durable log.
                self.window.record(since);
                self.fly(item, &work, since);
                match open && at.now.since(since) < claim::KEEPS {
                    true => vec![Effect::Attempt(work)],
                    // It waits again once that is on disk, not before.
                    false => vec![Effect::GiveBack { message: work.message, number: work.number }],
                }
            }
            Ok(Claimed::Gone) => {
                self.agenda.finish(&item.chat, at.now);
                if self.caps.pacing == Pacing::Human {
                    // Its place is lost. Perhaps a whole queue was taken back: do not spend a place on each of it.
                    self.reread();
                }
                vec![]
            }
            Ok(Claimed::NotYet { until }) => {
                let not_before = at.moment_of(until).max(at.now + SECOND_LOOK);
                self.agenda.put_back(Item { not_before, ..item });
                vec![]
            }
            // Whoever claims asks for it; one that nobody asked for is claimed again soon.
            Ok(Claimed::Unchecked { .. }) => {
                self.agenda.put_back(Item { not_before: at.now + SECOND_LOOK, ..item });
                vec![]
            }
            Err(ClaimError::TenantCap(opens)) => {
                self.paused_until = if sum_changed { at.now } else { opens };
                self.agenda.put_back(item);
                vec![]
            }
            Err(ClaimError::Store(StoreError::Poisoned(_))) => {
                self.agenda.finish(&item.chat, at.now);
                vec![]
            }
            Err(ClaimError::Store(_)) => {
                // It may have been claimed and only the answer be lost: what the store says now is read again.
                self.paused_until = at.now + STORE_PAUSE;
                self.doubtful.push(item.message);
                self.agenda.finish(&item.chat, at.now);
                self.reread();
                vec![]
            }
        }
    }

    fn flight(&self, message: MessageId, number: u32) -> Option<usize> {
        self.flights.iter().position(|flight| flight.item.message == message && flight.number == number)
    }

    fn fly(&mut self, item: Item, work: &Work, claimed: Moment) {
        let (number, wa_id) = (work.number, Some(work.wa_id.clone()));
        self.flights.push(Flight { item, number, wa_id, claimed, phase: Phase::OnTheWire });
    }

    /// An attempt is over. The moment is when to give up on its ack.
    pub fn ended(&mut self, at: Reading, message: MessageId, number: u32, end: End) -> Option<Moment> {
        let index = self.flight(message, number)?;
        match end {
            End::Open => {
                let flight = &mut self.flights[index];
                flight.phase = Phase::Open;
                return Some(flight.claimed + ACK_LIMIT);
            }
            End::Settled => {
                let flight = self.flights.swap_remove(index);
                self.agenda.finish(&flight.item.chat, at.now);
            }
            End::Again(until) => {
                let flight = self.flights.swap_remove(index);
                self.agenda.put_back(Item { not_before: at.moment_of(until), ..flight.item });
            }
        }
        None
    }

    /// A receipt or a late ack was stored: if its attempt was open, it no longer is.
    pub fn heard(&mut self, at: Reading, wa_id: &WaId) {
        let open = |flight: &Flight| flight.phase == Phase::Open && flight.wa_id.as_ref() == Some(wa_id);
        if let Some(index) = self.flights.iter().position(open) {
            let flight = self.flights.swap_remove(index);
            self.agenda.finish(&flight.item.chat, at.now);
        }
    }

    /// Messages of this chat that were held are not any more.
    pub fn free(&mut self, now: Moment, chat: &Chat) {
        self.agenda.free(chat, now);
    }

    /// Gives up on acks that are overdue. The moment is the next such.
    pub fn overdue(&mut self, now: Moment) -> (Vec<Effect>, Option<Moment>) {
        let mut effects = vec![];
        for flight in self.flights.iter_mut().filter(|flight| flight.phase == Phase::Open) {
            if flight.claimed + ACK_LIMIT <= now {
                flight.phase = Phase::GivingUp;
                effects.push(Effect::GiveUp { message: flight.item.message, number: flight.number });
            }
        }
        let open = self.flights.iter().filter(|flight| flight.phase == Phase::Open);
        (effects, open.map(|flight| flight.claimed + ACK_LIMIT).min())
    }

    /// [`Effect::GiveUp`] was performed, or the store could not.
    pub fn given_up(&mut self, at: Reading, message: MessageId, number: u32, done: bool) -> Option<Moment> {
        let index = self.flight(message, number)?;
        if done {
            let flight = self.flights.swap_remove(index);
            self.agenda.finish(&flight.item.chat, at.now);
            // If its attempt had been settled after all and only the answer was lost, it may be waiting again.
            self.reread();
            return None;
        }
        self.flights[index].phase = Phase::Open;
        Some(at.now + STORE_PAUSE)
    }

    /// Messages that wait, as far as they were read.
    pub fn waiting(&self) -> usize {
        self.agenda.len()
    }
}
