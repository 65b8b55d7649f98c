//! Coming and going.

use std::time::Duration;

use super::{Effect, Machine, State};
use crate::actors::session::deadlines::{Purpose, TimerEpoch};
use crate::actors::session::health::{self, Health};
use crate::domain::passkey::Passkey;
use crate::domain::session::{CloseReason, PAIRING_LIMIT, Reason, Restriction};
use crate::domain::time::{Reading, WallTime};
use crate::ports::outbox::Memory;
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;
use crate::ports::supervisor::PairingView;

/// An attempt of an earlier owner has its own deadline of 10 s; after that nobody else settles it.
const RECOVERY_GRACE: Duration = Duration::from_secs(10);
/// When an engine never says that it has caught up.
const RECOVERY_LATEST: Duration = Duration::from_secs(40);
const STOP_GRACE: Duration = Duration::from_secs(5);
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A link says something within 30 s of its opening, as `ports::transport` has it; one that does not, or that says nothing for so long
/// before it works, is as good as lost.
const OPENING_LIMIT: Duration = Duration::from_secs(45);
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Machine {
    pub(super) fn start(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::Starting, None, None);
        self.recall()
    }

    pub(super) fn renew(&mut self, at: Reading) -> Vec<Effect> {
        self.vouched = true;
        self.start(at)
    }

    /// Asks for a link, and does not wait for ever for what it says.
    pub(super) fn open(&mut self, at: Reading) -> Vec<Effect> {
        self.opening = true;
        self.deadlines.set(Purpose::State, at.now + OPENING_LIMIT);
        vec![Effect::Open]
    }

    /// A login that brings along what came meanwhile is not lost, however long that takes.
    pub(super) fn opening_goes_on(&mut self, at: Reading) {
        if self.opening && matches!(self.state, State::Starting | State::Reconnecting) {
            self.deadlines.set(Purpose::State, at.now + OPENING_LIMIT);
        }
    }

    /// From here on the old right to act is void: what would be said under it, the store would refuse.
    fn recall(&mut self) -> Vec<Effect> {
        self.recalled = false;
        match std::mem::replace(&mut self.recalling, true) {
            true => vec![],
            false => vec![Effect::Recall],
        }
    }

    pub(super) fn recall_ignored(&mut self) -> Vec<Effect> {
        self.recalling = false;
        vec![]
    }

    /// Attempts on the wire get a few seconds; the link stays open for their acks.
    pub(super) fn stop(&mut self, at: Reading, reason: Reason) -> Vec<Effect> {
        let waits = self.state == State::Connected && self.dispatch.on_the_wire() > 0;
        self.enter(at, State::Stopping, Some(reason), None);
        if !waits {
            return self.leave(at);
        }
        self.deadlines.set(Purpose::State, at.now + STOP_GRACE);
        vec![]
    }

    pub(super) fn leave(&mut self, at: Reading) -> Vec<Effect> {
        if self.state != State::Stopping {
            self.enter(at, State::Stopped, self.reason, self.code);
        }
        self.state = State::Stopped;
        self.leaving = true;
        self.deadlines.clear_all();
        self.deadlines.set(Purpose::State, at.now + LAST_WORDS);
        vec![Effect::Close]
    }

    /// A newer owner speaks for the session now: this one says nothing more.
    pub(super) fn leave_fenced(&mut self, at: Reading) -> Vec<Effect> {
        self.recalled = false;
        self.announcing = 0;
        self.leave(at)
    }

    pub(super) fn recall_succeeded(&mut self, at: Reading, memory: Memory) -> Vec<Effect> {
        self.recalled = true;
        self.recalling = false;
        self.paired = memory.paired;
        self.recovered = false;
        self.dispatch.begin(memory.attempts, at.now);
        self.reconnect.inherit(memory.standing);
        self.reconnect.store_back();
        self.deadlines.clear(Purpose::State);
        let vouched = std::mem::take(&mut self.vouched);
        if self.state == State::LoggingOut {
            return vec![Effect::LogOut { tell: true }];
        }
        if let Some(end) = self.reconnect.ban_ends(at) {
            return self.park(at, Reason::Banned, Reason::Banned.code(), Some(end));
        }
        match self.reconnect.pending(at, vouched) {
            Some((end, reason)) => {
                self.enter(at, State::Reconnecting, Some(reason), reason.code());
                self.deadlines.set(Purpose::State, end);
                vec![]
            }
            None => self.open(at),
        }
    }

    /// Retried here: an exit would count as a crash, and a store that is away would quarantine the whole fleet.
    pub(super) fn recall_failed(&mut self, at: Reading) -> Vec<Effect> {
        self.recalling = false;
        let delay = self.reconnect.store_away();
        self.reason = Some(Reason::StoreUnavailable);
        self.deadlines.set(Purpose::State, at.now + delay);
        vec![]
    }

    pub(super) fn show_code(&mut self, at: Reading, code: String, expires_at: WallTime) -> Vec<Effect> {
        let attempt = self.pairing.as_ref().map_or(1, |shown| shown.attempt + 1);
        if self.state != State::Pairing {
            self.enter(at, State::Pairing, None, None);
            self.deadlines.set(Purpose::State, at.now + PAIRING_LIMIT);
        }
        self.pairing = Some(PairingView { code, expires_at, attempt, passkey: self.passkey.clone() });
        vec![]
    }

    /// It shows as the reason of a session that pairs. How long a person may take stays as it is.
    pub(super) fn passkey_heard(&mut self, at: Reading, passkey: Passkey) -> Vec<Effect> {
        let reason = Some(passkey.stage.reason());
        if self.state != State::Pairing {
            self.enter(at, State::Pairing, reason, None);
            self.deadlines.set(Purpose::State, at.now + PAIRING_LIMIT);
        }
        self.reason = reason;
        if let Some(shown) = &mut self.pairing {
            shown.passkey = Some(passkey.clone());
        }
        self.passkey = Some(passkey);
        vec![]
    }

    pub(super) fn note_paired(&mut self, at: Reading) -> Vec<Effect> {
        self.paired = true;
        self.pairing = None;
        if self.opening {
            self.deadlines.set(Purpose::State, at.now + OPENING_LIMIT);
        }
        vec![Effect::NotePaired]
    }

    pub(super) fn connected(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::Connected, None, None);
        self.health = Health::fresh(at.now);
        self.probe_in(at, health::EVERY);
        if !self.recovered {
            self.deadlines.set(Purpose::Recovery, at.now + RECOVERY_LATEST);
        }
        let mut effects = vec![];
        if !self.paired {
            effects.extend(self.note_paired(at)); // an engine that pairs and logs in on one link
        }
        if std::mem::replace(&mut self.linked, true) {
            effects.push(Effect::CountReconnect);
        }
        effects.extend(self.ring(at));
        effects
    }

    pub(super) fn caught_up(&mut self, at: Reading) -> Vec<Effect> {
        if !self.recovered {
            self.deadlines.set(Purpose::Recovery, at.now + RECOVERY_GRACE);
        }
        vec![]
    }

    /// What was held under a lock that is lifted goes at its end, or when its recipient writes.
    pub(super) fn restricted(&mut self, at: Reading, restriction: Option<Restriction>) -> Vec<Effect> {
        self.reconnect.restricted(restriction);
        let mut effects = vec![Effect::Remember(self.reconnect.standing())];
        effects.extend(self.pump(at));
        effects
    }

    /// The tenant gives the credentials up. Before the first recall there is no right to act yet, so that comes first.
    pub(super) fn log_out(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::LoggingOut, Some(Reason::Requested), None);
        match self.recalled {
            true => vec![Effect::LogOut { tell: true }],
            false => self.recall(),
        }
    }

    pub(super) fn log_out_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        if answer.is_err() {
            self.deadlines.set(Purpose::State, at.now + STORE_PAUSE);
            return vec![];
        }
        self.paired = false;
        self.enter(at, State::LoggedOut, Some(Reason::Requested), None);
        vec![Effect::Close]
    }

    /// The server logged us out; the credentials have to be put away as well.
    pub(super) fn archive_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        match answer {
            Ok(()) => self.paired = false,
            Err(_) => self.deadlines.set(Purpose::State, at.now + STORE_PAUSE),
        }
        vec![]
    }

    pub(super) fn timer_fired(&mut self, at: Reading, epoch: TimerEpoch) -> Vec<Effect> {
        if !self.deadlines.fired(epoch) {
            return vec![];
        }
        let mut effects = vec![];
        if self.deadlines.take(Purpose::Announce, at.now) {
            self.announced = None;
        }
        if self.deadlines.take(Purpose::Ack, at.now) {
            effects.extend(self.acks_overdue(at.now));
        }
        if self.deadlines.take(Purpose::Recovery, at.now) {
            effects.push(Effect::Recover);
        }
        if self.deadlines.take(Purpose::Probe, at.now) {
            self.health.begin(at.now);
            effects.push(Effect::Ping);
        }
        if self.deadlines.take(Purpose::Pump, at.now) {
            effects.extend(self.pump(at));
        }
        if self.deadlines.take(Purpose::State, at.now) {
            effects.extend(self.state_ended(at));
        }
        effects
    }

    pub(super) fn state_ended(&mut self, at: Reading) -> Vec<Effect> {
        match self.state {
            State::Starting | State::Reconnecting if self.opening => {
                self.closed(at, CloseReason::TransportLost)
            }
            State::Starting => self.recall(),
            State::Pairing => self.nobody_scanned(at),
            // What was lost with the link is dealt with as if another owner had left it: under a new epoch, after the login.
            State::Reconnecting if self.dispatch.owes() => self.recall(),
            State::Reconnecting => self.open(at),
            State::Parked => self.start(at),
            State::LoggedOut => vec![Effect::LogOut { tell: false }],
            State::LoggingOut => self.log_out(at),
            State::Stopping => self.leave(at),
            // The store was away too long for the last words.
            State::Stopped => {
                self.announcing = 0;
                vec![]
            }
            State::Connected => vec![],
        }
    }

    pub(super) fn nobody_scanned(&mut self, at: Reading) -> Vec<Effect> {
        let passkey = self.passkey.take();
        let reason = passkey.map_or(Reason::PairingTimeout, |passkey| passkey.stage.reason());
        let mut effects = self.park(at, reason, None, None);
        effects.push(Effect::Close);
        effects
    }

    /// Every change of state ends the waits that belonged to the one before. What is still wanted is set afterwards;
    /// an ack is still wanted whatever the state, and so is an announcement.
    pub(super) fn enter(&mut self, at: Reading, state: State, reason: Option<Reason>, code: Option<u16>) {
        for purpose in [Purpose::State, Purpose::Pump, Purpose::Probe, Purpose::Recovery] {
            self.deadlines.clear(purpose);
        }
        if state != State::Pairing {
            self.pairing = None;
            self.passkey = None;
        }
        self.opening = false;
        self.state = state;
        self.since = at.wall;
        self.up_since = at.now;
        self.reason = reason;
        self.code = code;
    }

    /// What people are to see and have not been told. Before the first recall there is no right to tell it, and a log-out
    /// is told when it is done: whoever reads `logged_out` finds no credentials.
    pub(super) fn unannounced(&mut self, at: Reading) -> Option<StatusChange> {
        if self.state == State::LoggingOut {
            return None;
        }
        let restricted = self.reconnect.standing().restriction(at.wall).map(|limit| limit.until);
        let shown = (self.status(), self.reason, restricted);
        if !self.recalled || self.announced == Some(shown) {
            return None;
        }
        self.announced = Some(shown);
        Some(StatusChange { status: shown.0, reason: self.reason, code: self.code, since: self.since })
    }

    pub(super) fn announcement_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        self.announcing = self.announcing.saturating_sub(1);
        if answer.is_err() && !self.leaving {
            self.deadlines.set(Purpose::Announce, at.now + STORE_PAUSE);
        }
        vec![]
    }
}
