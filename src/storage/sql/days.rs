//! What sessions did each day. The day under way stands in the session's tally, which is written anyway; it becomes a row of its
//! own when the first message of another day comes.

use crate::domain::time::{Period, WallTime};
use crate::ports::outbox::DayOf;

/// A day of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DayTally {
    /// When it began.
    pub(super) start: WallTime,
    /// Messages that count to usage and reached the server.
    pub(super) sent: u64,
    /// Messages that failed for good.
    pub(super) failed: u64,
    /// Messages that came in.
    pub(super) received: u64,
}

impl DayTally {
    /// Counts what happened on the day that began at `start`; the day before, if that is over now. A clock that was set back
    /// counts to the later day.
    pub(super) fn count(&mut self, start: WallTime, sent: u64, failed: u64, received: u64) -> Option<Self> {
        let mut over = None;
        if start > self.start {
            let was = std::mem::replace(self, Self { start, ..Self::default() });
            over = Some(was).filter(|was| was.sent + was.failed + was.received > 0);
        }
        self.sent += sent;
        self.failed += failed;
        self.received += received;
        over
    }
}

/// Days on the clocks of the operator's zone. Remembers the last one, which most messages of a batch are in.
#[derive(Clone)]
pub(super) struct Calendar {
    day_of: DayOf,
    last: Period,
}

impl Calendar {
    pub(super) fn new(day_of: DayOf) -> Self {
        Self { day_of, last: Period { start: WallTime(0), end: WallTime(0) } }
    }

    /// When the day began that `at` lies in.
    pub(super) fn day(&mut self, at: WallTime) -> WallTime {
        if !(self.last.start..self.last.end).contains(&at) {
            self.last = (self.day_of)(at);
        }
        self.last.start
    }
}
