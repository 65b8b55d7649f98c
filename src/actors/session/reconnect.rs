//! What a closed link leads to. The reason alone drives it; DESIGN section 3 is this file as a table.

use std::time::Duration;

use crate::domain::session::{CloseReason, Reason, Restriction, RestrictionKind, Retry, Standing};
use crate::domain::time::{Jitter, Moment, Reading, WallTime};

/// What comes after a close. The credentials are kept except after `LogOut`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A new link.
    Again {
        /// Position in the back-off series.
        attempt: u32,
        /// Delay before it.
        after: Duration,
    },
    /// No link before a person or, after a ban, its end brings the session back.
    Park,
    /// No link with these credentials, ever.
    LogOut,
}

/// A link that held this long was stable: failures are forgiven.
pub const STABLE: Duration = Duration::from_secs(30);
/// So long a session has to be connected before 429s are forgotten.
pub const CALM: Duration = Duration::from_secs(3600);
/// At least 60 s, also with the jitter taken off.
const REPLACED_PAUSE: Duration = Duration::from_secs(67);
const REPLACED_MEMORY: Duration = Duration::from_secs(600);
const THROTTLE_STEPS: u32 = 5;
const LONGEST_SECS: u64 = 900;
/// A store that is away is asked again after so long at the latest.
const STORE_LONGEST: Duration = Duration::from_secs(15);
/// By so much of itself a delay moves either way.
const SPREAD: f64 = 0.1;

/// The past closes of one session, as far as they matter.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconnect {
    standing: Standing,
    /// Calls in a row that the store did not answer. Nothing is held against the session for them.
    unanswered: u32,
    /// One draw per generation: it keeps neighbours apart, and one session's delays reproducible.
    jitter: Jitter,
}

impl Reconnect {
    /// Nothing held against the session yet.
    pub fn new(jitter: Jitter) -> Self {
        Self { standing: Standing::default(), unanswered: 0, jitter }
    }

    /// What has to be stored for the generations to come.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Takes over what earlier generations stored; what this one has seen itself is stricter or newer.
    pub fn inherit(&mut self, stored: Standing) {
        let mine = self.standing;
        self.standing = Standing {
            failures: mine.failures.max(stored.failures),
            retry: later(mine.retry, stored.retry),
            throttle_steps: mine.throttle_steps.max(stored.throttle_steps),
            banned_until: mine.banned_until.max(stored.banned_until),
            timelock_until: mine.timelock_until.max(stored.timelock_until),
            new_chats_until: mine.new_chats_until.max(stored.new_chats_until),
            replaced_at: mine.replaced_at.max(stored.replaced_at),
        };
    }

    /// The account may not write to new chats, or may again.
    pub fn restricted(&mut self, restriction: Option<Restriction>) {
        match restriction {
            Some(Restriction { kind: RestrictionKind::NewChats, until }) => {
                self.standing.new_chats_until = Some(until);
            }
            Some(Restriction { kind: RestrictionKind::Timelock | RestrictionKind::Banned, until }) => {
                self.standing.timelock_until = Some(until);
            }
            None => (self.standing.timelock_until, self.standing.new_chats_until) = (None, None),
        }
    }

    /// A link has held for `up`. Failures are forgiven soon; 429 means "less often", and only an hour connected shows that
    /// it is heeded.
    pub fn held_for(&mut self, up: Duration) {
        if up >= STABLE {
            self.standing.failures = 0;
            self.standing.retry = None;
        }
        if up >= CALM {
            self.standing.throttle_steps = 0;
        }
    }

    /// Judges one close. `pairing`: the link that closed was waiting for a person.
    pub fn judge(&mut self, at: Reading, reason: CloseReason, pairing: bool) -> Verdict {
        let verdict = self.verdict(at, reason, pairing);
        if let Verdict::Again { after, .. } = verdict {
            self.standing.retry =
                (!after.is_zero()).then(|| Retry { at: at.wall + after, reason: reason.reason() });
        }
        verdict
    }

    fn verdict(&mut self, at: Reading, reason: CloseReason, pairing: bool) -> Verdict {
        use CloseReason as C;
        match reason {
            // A server that keeps asking for a restart outside pairing gets the back-off: no loop at full speed.
            C::RestartRequired if pairing => Verdict::Again { attempt: 0, after: Duration::ZERO },
            C::RestartRequired
            | C::TransportLost
            | C::ProxyFailed
            | C::ServerUnavailable
            | C::Malformed
            | C::ProbeFailed => self.again(),
            C::Throttled => self.throttled(),
            C::Replaced => self.replaced(at.wall),
            C::Banned { until } => {
                self.standing.banned_until = self.standing.banned_until.max(Some(until));
                Verdict::Park
            }
            C::ClientOutdated | C::Unknown { .. } => Verdict::Park,
            C::LoggedOut { .. } => Verdict::LogOut,
        }
    }

    /// The store did not answer: how long to wait before it is asked again. Never long: unlike a network it takes no
    /// offence, and once it is back nothing else is waited for.
    pub fn store_away(&mut self) -> Duration {
        self.unanswered = self.unanswered.saturating_add(1);
        back_off(self.unanswered, self.jitter).min(STORE_LONGEST)
    }

    /// The store answered.
    pub fn store_back(&mut self) {
        self.unanswered = 0;
    }

    /// A back-off that an earlier generation, or an earlier process, has begun: when it ends on the boot-time clock, and
    /// why it is. `vouched`: a person wants the session now, which ends every one but those that the network asked for.
    ///
    /// A wall clock that was set back makes no back-off longer than the longest there is.
    pub fn pending(&self, at: Reading, vouched: bool) -> Option<(Moment, Reason)> {
        let retry = self.standing.retry.filter(|retry| retry.at > at.wall)?;
        let asked_for = matches!(retry.reason, Reason::Throttled | Reason::Replaced);
        if vouched && !asked_for {
            return None;
        }
        let longest = at.now + Duration::from_secs(LONGEST_SECS).mul_f64(1.0 + SPREAD);
        Some((at.moment_of(retry.at).min(longest), retry.reason))
    }

    /// When a ban ends, on the boot-time clock; `None` when there is none.
    pub fn ban_ends(&self, at: Reading) -> Option<Moment> {
        self.standing.banned_until.filter(|&until| until > at.wall).map(|until| at.moment_of(until))
    }

    fn attempt(&self) -> u32 {
        self.standing.failures.saturating_add(self.standing.throttle_steps)
    }

    fn again(&mut self) -> Verdict {
        self.standing.failures = self.standing.failures.saturating_add(1);
        let after = back_off(self.attempt(), self.jitter);
        Verdict::Again { attempt: self.attempt(), after }
    }

    fn throttled(&mut self) -> Verdict {
        self.standing.throttle_steps = self.standing.throttle_steps.saturating_add(THROTTLE_STEPS);
        self.again()
    }

    /// One more try after a pause: two clients that replace each other would never stop. A time in the future (the
    /// wall clock was set back) counts as recent.
    fn replaced(&mut self, wall: WallTime) -> Verdict {
        match self.standing.replaced_at.replace(wall) {
            Some(before) if wall.since(before) < REPLACED_MEMORY => Verdict::Park,
            _ => Verdict::Again { attempt: 1, after: self.jitter.spread(REPLACED_PAUSE, SPREAD) },
        }
    }
}

/// 1, 1, 2, 3, 5, 8 … seconds, at most 15 minutes, moved by up to a tenth either way.
pub fn back_off(attempt: u32, jitter: Jitter) -> Duration {
    let (mut wait, mut next) = (1, 1);
    for _ in 1..attempt {
        if wait >= LONGEST_SECS {
            break;
        }
        (wait, next) = (next, wait + next);
    }
    jitter.spread(Duration::from_secs(wait.min(LONGEST_SECS)), SPREAD)
}

/// The one that ends later.
fn later(one: Option<Retry>, other: Option<Retry>) -> Option<Retry> {
    [one, other].into_iter().flatten().max_by_key(|retry| retry.at)
}
