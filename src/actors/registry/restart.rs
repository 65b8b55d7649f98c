//! When a session that exited may come back. Pure: moments in, a verdict out.

use std::{collections::VecDeque, time::Duration};

use crate::domain::time::{Jitter, Moment};

/// So many exits within [`MEMORY`] end the patience.
pub const LIMIT: usize = 5;
/// How long an exit counts.
pub const MEMORY: Duration = Duration::from_secs(600);

const LONGEST: Duration = Duration::from_secs(16);

/// What to do after an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Build a new generation after this delay.
    RestartAfter(Duration),
    /// Leave it down; a half-open probe or a person brings it back.
    Quarantine,
}

/// The exits of one session.
#[derive(Debug, Clone, Default)]
pub struct Exits {
    /// Those of the last [`MEMORY`], oldest first.
    recent: VecDeque<Moment>,
    /// Exits with less than [`MEMORY`] between one and the next.
    streak: u32,
}

impl Exits {
    /// Counts one exit: 1, 2, 4, 8, 16 s by the streak, quarantine by the density.
    ///
    /// The two differ on purpose. Five exits in a row within ten minutes never reach 16 s;
    /// a session that dies every three minutes does, and is never dense enough to be given up.
    pub fn count(&mut self, now: Moment, jitter: Jitter) -> Verdict {
        self.recent.retain(|&exit| now.since(exit) < MEMORY);
        self.streak = if self.recent.is_empty() { 1 } else { self.streak.saturating_add(1) };
        self.recent.push_back(now);
        if self.recent.len() >= LIMIT {
            return Verdict::Quarantine;
        }
        let delay = Duration::from_secs(1 << (self.streak - 1).min(4)).min(LONGEST);
        Verdict::RestartAfter(jitter.spread(delay, 0.2))
    }
}

/// How long a quarantine lasts before one incarnation is tried, by the probes that have failed so far.
pub fn probe_delay(failed: u32) -> Duration {
    const PROBES: [Duration; 3] =
        [Duration::from_secs(15 * 60), Duration::from_secs(3600), Duration::from_secs(6 * 3600)];
    PROBES[(failed as usize).min(PROBES.len() - 1)]
}

/// When the `index`-th session of a boot takes its turn, at `per_second` a second, so that a node's start is no flood.
/// The jitter moves it within its own turn only: the rate is constant.
pub fn boot_delay(index: u32, per_second: u32, jitter: Jitter) -> Duration {
    let turn = Duration::from_secs(1) / per_second.max(1);
    turn * index + turn.mul_f64((1.0 + jitter.value()) / 2.0)
}
