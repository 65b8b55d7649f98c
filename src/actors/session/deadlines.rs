//! Several things to wait for, one timer. Every change of the earliest one makes the armed timer stale.

use crate::domain::time::Moment;

/// Stamp of a timer. One that fires with an older stamp is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TimerEpoch(pub u64);

/// What a session may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The state's own end: a back-off, a pairing, a ban, a stop.
    State,
    /// The window, the cadence or a message's time.
    Pump,
    /// The next health probe.
    Probe,
    /// The grace after which earlier owners' attempts are dealt with.
    Recovery,
    /// An ack that is overdue.
    Ack,
    /// A status that could not be written.
    Announce,
}

const PURPOSES: usize = 6;

/// The moments a session waits for, and the timer armed for the earliest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Deadlines {
    at: [Option<Moment>; PURPOSES],
    armed: Option<(TimerEpoch, Moment)>,
    last: TimerEpoch,
}

impl Deadlines {
    /// Waits for `purpose` until `at`, in place of any earlier wish for the same.
    pub fn set(&mut self, purpose: Purpose, at: Moment) {
        self.at[purpose as usize] = Some(at);
    }

    /// No longer waits for `purpose`.
    pub fn clear(&mut self, purpose: Purpose) {
        self.at[purpose as usize] = None;
    }

    /// No longer waits for anything.
    pub fn clear_all(&mut self) {
        self.at = Default::default();
    }

    /// Whether `purpose` is due, which ends the wait for it.
    pub fn take(&mut self, purpose: Purpose, now: Moment) -> bool {
        let due = self.at[purpose as usize].is_some_and(|at| at <= now);
        if due {
            self.clear(purpose);
        }
        due
    }

    /// Whether this timer is the armed one; if so it no longer is.
    pub fn fired(&mut self, epoch: TimerEpoch) -> bool {
        let current = self.armed.is_some_and(|(armed, _)| armed == epoch);
        if current {
            self.armed = None;
        }
        current
    }

    /// The timer to be armed in place of the current one; `None` when that one is right.
    pub fn rearm(&mut self) -> Option<(TimerEpoch, Moment)> {
        let earliest = self.at.iter().flatten().min().copied();
        match (earliest, self.armed) {
            (None, _) => {
                self.armed = None;
                None
            }
            (Some(at), Some((_, armed))) if at == armed => None,
            (Some(at), _) => {
                self.last = TimerEpoch(self.last.0 + 1);
                self.armed = Some((self.last, at));
                self.armed
            }
        }
    }
}
