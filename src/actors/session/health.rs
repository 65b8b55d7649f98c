//! Is the session well? Four signs in, a verdict out. The worst verdict is a reconnect with the same credentials:
//! there is no way from here to a log-out.

use std::time::Duration;

use crate::domain::time::Moment;

/// Time between two probes, before the jitter.
pub const EVERY: Duration = Duration::from_secs(30);
/// Time to the second look after a miss, or after a look that told nothing.
pub const AGAIN: Duration = Duration::from_secs(5);
/// By so much of itself the time to the next probe moves either way.
pub const SPREAD: f64 = 0.1;
/// A message that could go and does not for this long is a sign that the session is stuck.
pub const HEAD_STUCK: Duration = Duration::from_secs(60);
/// A timer that fires later than this says that our own thread was busy, not that the link is bad.
pub const OWN_LAG: Duration = Duration::from_secs(5);
/// So many misses in a row end the link.
pub const MISSES: u32 = 2;

/// Probes begin at multiples of this, so that a thread with thousands of sessions wakes for many at once.
const GRID_MS: u64 = 100;

/// From the last moment at which a link answered to the verdict that it does not any more, at the longest, for a ping that
/// waits for `ping`: the next probe with all its jitter, two pings that nobody answers, and the second look between them.
/// A thread of ours that is late adds what it is late by.
pub fn found_within(ping: Duration) -> Duration {
    let wait = |time: Duration| time.mul_f64(1.0 + SPREAD) + Duration::from_millis(GRID_MS);
    wait(EVERY) + ping + wait(AGAIN) + ping
}

/// The first moment from `due` on at which probes begin.
pub fn on_the_grid(due: Moment) -> Moment {
    Moment(due.0.checked_next_multiple_of(GRID_MS).unwrap_or(due.0))
}

/// What one probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signs {
    /// Since the last frame came in.
    pub frame_age: Duration,
    /// Round trip of a real request; `None` when no answer came.
    pub ping: Option<Duration>,
    /// Since when a message could go and did not.
    pub head_age: Duration,
    /// How late the probe's own timer fired.
    pub lag: Duration,
}

/// What to make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Well,
    /// Not well, or nothing can be said; look again soon.
    Miss,
    /// Not well for the second time: reconnect.
    Reconnect,
}

/// The probes of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    misses: u32,
    last_frame: Moment,
    due: Moment,
    lag: Duration,
}

impl Health {
    /// A link that has just answered.
    pub fn fresh(now: Moment) -> Self {
        Self { misses: 0, last_frame: now, due: now, lag: Duration::ZERO }
    }

    /// A frame came in.
    pub fn frame(&mut self, now: Moment) {
        self.last_frame = now;
    }

    /// The next probe is due then.
    pub fn expect(&mut self, due: Moment) {
        self.due = due;
    }

    /// The probe begins.
    pub fn begin(&mut self, now: Moment) {
        self.lag = now.since(self.due);
    }

    /// The probe is over.
    pub fn conclude(&mut self, now: Moment, ping: Option<Duration>, head_age: Duration) -> Verdict {
        let signs = Signs { frame_age: now.since(self.last_frame), ping, head_age, lag: self.lag };
        if ping.is_some() {
            self.last_frame = now;
        }
        let silent = signs.ping.is_none() && signs.frame_age > AGAIN;
        let sick = silent || signs.head_age > HEAD_STUCK;
        if sick && signs.lag > OWN_LAG {
            return Verdict::Miss; // perhaps; neither counted nor forgiven
        }
        self.misses = if sick { self.misses + 1 } else { 0 };
        match self.misses {
            // A frame that came while the ping was out proves the link as well as its answer does; only that it may have
            // been the last one.
            0 if signs.ping.is_none() => Verdict::Miss,
            0 => Verdict::Well,
            few if few < MISSES => Verdict::Miss,
            _ => Verdict::Reconnect,
        }
    }
}
