//! When many sessions crash at once, it is not the sessions. Pure: moments in, verdicts out.
//!
//! Closed: every session is restarted as `restart` says. Open: none is, what runs goes on running. Half open, once no
//! crash has come for a while: one is, and its fate decides.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::domain::id::SessionId;
use crate::domain::time::Moment;

/// How far back is counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// More than this share of a node's sessions, in percent, is no coincidence.
pub const SHARE: usize = 20;
/// Fewer sessions than this are, whatever their share: on a small node two are a third.
pub const LEAST: usize = 5;
/// So long without a crash before one restart is tried, and so long that one has to run.
pub const QUIET: Duration = Duration::from_secs(60);

/// The sessions to which the same thing happened within [`WINDOW`].
#[derive(Debug, Default)]
pub struct Surge {
    recent: VecDeque<(Moment, SessionId)>,
}

impl Surge {
    /// Counts one more; whether it is too many of `sessions` by now.
    pub fn count(&mut self, session: SessionId, now: Moment, sessions: usize) -> bool {
        self.recent.push_back((now, session));
        self.recent.retain(|&(at, _)| now.since(at) < WINDOW);
        let distinct: HashSet<SessionId> = self.recent.iter().map(|&(_, session)| session).collect();
        distinct.len() >= LEAST && distinct.len() * 100 > sessions * SHARE
    }

    /// Forgets them.
    pub fn forget(&mut self) {
        self.recent.clear();
    }
}

/// Whether sessions may be restarted.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    crashes: Surge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// As usual.
    #[default]
    Closed,
    /// None is restarted. Since the last crash.
    Open(Moment),
    /// This one was restarted, then.
    HalfOpen(SessionId, Moment),
}

/// What a look at the clock finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing has changed.
    AsBefore,
    /// One of those that wait may be tried.
    TryOne,
    /// All of them may start, in their turn.
    Closed,
}

impl Breaker {
    /// A session crashed, one of `sessions`; whether the breaker opened for it.
    pub fn crashed(&mut self, session: SessionId, now: Moment, sessions: usize) -> bool {
        let too_many = self.crashes.count(session, now, sessions);
        match self.state {
            State::Closed if !too_many => false,
            State::Closed => {
                self.state = State::Open(now);
                true
            }
            State::HalfOpen(tried, _) if tried != session => false,
            State::Open(_) | State::HalfOpen(..) => {
                self.state = State::Open(now);
                false
            }
        }
    }

    /// Whether a session may be restarted now.
    pub fn admits(&self, session: SessionId) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(_) => false,
            State::HalfOpen(tried, _) => tried == session,
        }
    }

    /// Whether anything is held back.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The clock has moved on.
    pub fn look(&mut self, now: Moment) -> Look {
        match self.state {
            State::Open(last) if now.since(last) >= QUIET => Look::TryOne,
            State::HalfOpen(_, since) if now.since(since) >= QUIET => {
                self.state = State::Closed;
                self.crashes.forget();
                Look::Closed
            }
            _ => Look::AsBefore,
        }
    }

    /// This one is tried.
    pub fn try_one(&mut self, session: SessionId, now: Moment) {
        self.state = State::HalfOpen(session, now);
    }

    /// There is nobody to be tried any more: as usual.
    pub fn close(&mut self) {
        self.state = State::Closed;
        self.crashes.forget();
    }
}
