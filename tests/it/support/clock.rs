//! Time that passes only when a test says so.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use columba::app::clock::SystemClock;
use columba::domain::time::{BootId, Moment, Reading, WallTime};
use columba::ports::clock::Clock;
use serde_json::Value;

/// What the server under test, a process of its own, takes for the time.
pub fn now() -> WallTime {
    SystemClock::new().wall()
}

/// A time in a record.
pub fn time(value: &Value) -> WallTime {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// Milliseconds from one time in a record to another.
pub fn millis(from: &Value, to: &Value) -> i64 {
    time(to).0 - time(from).0
}

/// A clock that a test sets. It starts an hour after a boot, on a day of November 2026.
pub struct ManualClock(Mutex<Reading>);

impl Default for ManualClock {
    fn default() -> Self {
        let wall = WallTime(1_795_000_000_000);
        Self(Mutex::new(Reading { now: Moment(3_600_000), wall, boot: BootId(1) }))
    }
}

impl ManualClock {
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap()
    }

    /// Time passes on both clocks.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.reading();
        reading.now = reading.now + by;
        reading.wall = reading.wall + by;
    }

    /// The machine starts again `down` later: the boot-time clock begins anew.
    pub fn reboot(&self, down: Duration) {
        let mut reading = self.reading();
        *reading = Reading { now: Moment(0), wall: reading.wall + down, boot: BootId(reading.boot.0 + 1) };
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.reading().now
    }

    fn wall(&self) -> WallTime {
        self.reading().wall
    }

    fn boot(&self) -> BootId {
        self.reading().boot
    }
}
