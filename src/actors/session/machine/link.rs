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

    /// The network serves this version no more, as it has told others of our kind. What still works is left alone.
    pub(super) fn outdated(&mut self, at: Reading) -> Vec<Effect> {
        let mut effects = self.park(at, Reason::ClientOutdated, Reason::ClientOutdated.code(), None);
        effects.push(Effect::Close);
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
        let due = health::on_the_grid(at.now + self.jitter.spread(wait, health::SPREAD));
        self.health.expect(due);
        self.deadlines.set(Purpose::Probe, due);
    }

    pub(super) fn pinged(&mut self, at: Reading, answer: Option<Duration>) -> Vec<Effect> {
        let head_age = self.dispatch.head_age(at.now);
        match self.health.conclude(at.now, answer, head_age) {
            health::Verdict::Well => {
                self.stuck = false;
                self.probe_in(at, health::EVERY);
                self.forgive(at)
            }
            health::Verdict::Miss => {
                self.probe_in(at, health::AGAIN);
                vec![]
            }
            // Another link did not help: what does not move is in here.
            health::Verdict::Reconnect
                if head_age > health::HEAD_STUCK && std::mem::replace(&mut self.stuck, true) =>
            {
                self.deadlines.clear_all();
                vec![Effect::Close, Effect::Fail]
            }
            health::Verdict::Reconnect => self.closed(at, CloseReason::ProbeFailed),
        }
    }

    /// What a link that holds makes up for, for the generations to come as well.
    fn forgive(&mut self, at: Reading) -> Vec<Effect> {
        let before = self.reconnect.standing();
        self.reconnect.held_for(at.now.since(self.up_since));
        match self.reconnect.standing() {
            after if after == before => vec![],
            after => vec![Effect::Remember(after)],
        }
    }
}
