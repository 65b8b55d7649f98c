//! Moving messages: the dispatch decides, and here its wishes meet the state.

use super::{Effect, Machine, State};
use crate::actors::session::deadlines::Purpose;
use crate::domain::chat::Chat;
use crate::domain::id::MessageId;
use crate::domain::message::WaId;
use crate::domain::time::{Moment, Reading};
use crate::outbound::attempt::End;
use crate::outbound::claim::ClaimError;
use crate::ports::outbox::{Claimed, Pending};
use crate::ports::store::StoreError;

impl Machine {
    pub(super) fn ring(&mut self, at: Reading) -> Vec<Effect> {
        self.dispatch.ring();
        self.pump(at)
    }

    pub(super) fn pump(&mut self, at: Reading) -> Vec<Effect> {
        if self.state != State::Connected {
            return vec![];
        }
        let lock = self.reconnect.standing().lock(at.wall);
        let (effects, look_again) = self.dispatch.pump(at, lock);
        match look_again {
            Some(moment) => self.deadlines.set(Purpose::Pump, moment),
            None => self.deadlines.clear(Purpose::Pump),
        }
        effects
    }

    pub(super) fn read(
        &mut self,
        at: Reading,
        turn: u64,
        answer: Result<Vec<Pending>, StoreError>,
    ) -> Vec<Effect> {
        if !self.dispatch.is_current(turn) {
            return vec![];
        }
        match self.dispatch.read(at, answer) {
            Some(later) if self.state == State::Connected => {
                self.deadlines.set(Purpose::Pump, later);
                vec![]
            }
            _ => self.pump(at),
        }
    }

    /// A claim of an earlier turn left its row to an owner that is no more: recovery deals with it.
    pub(super) fn claimed(
        &mut self,
        at: Reading,
        turn: u64,
        answer: Result<Claimed, ClaimError>,
    ) -> Vec<Effect> {
        if !self.dispatch.is_current(turn) {
            return vec![];
        }
        let open = self.state == State::Connected;
        let mut effects = self.dispatch.claimed(at, answer, open);
        effects.extend(self.pump(at));
        effects.extend(self.leave_if_done(at));
        effects
    }

    pub(super) fn ended(&mut self, at: Reading, message: MessageId, number: u32, end: End) -> Vec<Effect> {
        if let Some(limit) = self.dispatch.ended(at, message, number, end) {
            self.deadlines.set(Purpose::Ack, limit);
        }
        let mut effects = self.acks_overdue(at.now);
        effects.extend(self.pump(at));
        effects.extend(self.leave_if_done(at));
        effects
    }

    pub(super) fn leave_if_done(&mut self, at: Reading) -> Vec<Effect> {
        match self.state {
            State::Stopping if self.dispatch.on_the_wire() == 0 => self.leave(at),
            _ => vec![],
        }
    }

    pub(super) fn heard(&mut self, at: Reading, wa_id: Option<WaId>, freed: Option<Chat>) -> Vec<Effect> {
        self.health.frame(at.now);
        self.opening_goes_on(at);
        if let Some(chat) = freed {
            self.dispatch.free(at.now, &chat);
        }
        if let Some(wa_id) = wa_id {
            self.dispatch.heard(at, &wa_id);
        }
        self.pump(at)
    }

    pub(super) fn acks_overdue(&mut self, now: Moment) -> Vec<Effect> {
        let (effects, next) = self.dispatch.overdue(now);
        match next {
            Some(limit) => self.deadlines.set(Purpose::Ack, limit),
            None => self.deadlines.clear(Purpose::Ack),
        }
        effects
    }

    pub(super) fn given_up(
        &mut self,
        at: Reading,
        message: MessageId,
        number: u32,
        done: bool,
    ) -> Vec<Effect> {
        if let Some(retry) = self.dispatch.given_up(at, message, number, done) {
            self.deadlines.set(Purpose::Ack, retry);
        }
        self.pump(at)
    }

    pub(super) fn recovery_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        match answer {
            Ok(()) => {
                self.recovered = true;
                self.dispatch.recovered();
                self.pump(at)
            }
            Err(_) => {
                if self.state == State::Connected {
                    self.deadlines.set(Purpose::Recovery, at.now + super::life::STORE_PAUSE);
                }
                vec![]
            }
        }
    }
}
