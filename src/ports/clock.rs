//! The only source of time. clippy forbids every other one.

use crate::domain::time::{BootId, Moment, Reading, WallTime};

/// The only source of time.
pub trait Clock: Send + Sync {
    /// Milliseconds on a clock that also counts suspended time. Cheap, never fails.
    fn now(&self) -> Moment;

    /// What people's clocks show. May jump either way.
    fn wall(&self) -> WallTime;

    /// Which start of the machine [`now`](Self::now) belongs to.
    fn boot(&self) -> BootId;

    /// All three.
    fn read(&self) -> Reading {
        Reading { now: self.now(), wall: self.wall(), boot: self.boot() }
    }
}

/// A clock that stands at its first moment.
#[cfg(test)]
pub struct Still;

#[cfg(test)]
impl Clock for Still {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn wall(&self) -> WallTime {
        WallTime(0)
    }

    fn boot(&self) -> BootId {
        BootId(0)
    }
}
