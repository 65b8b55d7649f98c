//! Losing the link, and noticing it.

use std::time::Duration;

use super::{Effect, Machine, State};
use crate::actors::session::deadlines::Purpose;
use crate::actors::session::health;
use crate::actors::session::reconnect::Verdict;
use crate::domain::session::{CloseReason, Reason};
use crate::domain::time::{Moment, Reading};

impl Machine {
    pub(super) fn closed(&mut self, at: Reading, reason: CloseReason) -> Vec<Effect> {
        let was = self.state;
        let before = self.reconnect.standing();
        if was == State::Connected {
            self.reconnect.held_for(at.now.since(self.up_since));
        }
        let verdict = self.reconnect.judge(at, reason, was == State::Pairing);
        let (word, code) = (reason.reason(), reason.code());
        let mut effects = match verdict {
            Verdict::Again { after, .. } => {
                self.enter(at, State::Reconnecting, Some(word), code);
                self.deadlines.set(Purpose::State, at.now + after);
                vec![Effect::Close]
            }
            Verdict::Park => {
                let mut effects = self.park(at, word, code, self.reconnect.ban_ends(at));
                effects.push(Effect::Close);
                effects
            }
            Verdict::LogOut => {
                self.enter(at, State::LoggedOut, Some(word), code);
                vec![Effect::Close, Effect::LogOut { tell: false }]
            }
        };
        if self.reconnect.standing() != before {
            effects.push(Effect::Remember(self.reconnect.standing()));
        }
        effects
    }

    /// Nothing brings the session back but a person or, after a ban, its end.
    pub(super) fn park(
        &mut self,
        at: Reading,
        reason: Reason,
        code: Option<u16>,
        until: Option<Moment>,
    ) -> Vec<Effect> {
        self.enter(at, State::Parked, Some(reason), code);
        if let Some(until) = until {
            self.deadlines.set(Purpose::State, until);
        }
        vec![]
    }

    pub(super) fn probe_in(&mut self, at: Reading, wait: Duration) {
        let due = health::on_the_grid(at.now + self.jitter.spread(wait, 0.1));
        self.health.expect(due);
        self.deadlines.set(Purpose::Probe, due);
    }

    pub(super) fn pinged(&mut self, at: Reading, answer: Option<Duration>) -> Vec<Effect> {
        let head_age = self.dispatch.head_age(at.now);
        match self.health.conclude(at.now, answer, head_age) {
            health::Verdict::Well => self.probe_in(at, health::EVERY),
            health::Verdict::Miss => self.probe_in(at, health::AGAIN),
            health::Verdict::Reconnect => return self.closed(at, CloseReason::ProbeFailed),
        }
        vec![]
    }
}
