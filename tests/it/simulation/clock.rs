//! The server's clocks, and the true time that only the simulation knows.

use std::sync::Mutex;

use columba::domain::time::{BootId, Moment, Reading, WallTime};
use columba::ports::clock::Clock;

/// Wall time when a simulation begins, if no clock is set meanwhile.
pub const START: i64 = 1_795_000_000_000;
/// The machine has been up for an hour then.
const UP: u64 = 3_600_000;

/// Clocks that move only when told to. True time is in milliseconds from the start and never goes back.
pub struct SimClock(Mutex<Clocks>);

struct Clocks {
    truth: u64,
    /// What the boot-time clock shows beyond true time, of each boot so far.
    boots: Vec<i64>,
    /// By how much the wall clock is wrong.
    wall_off: i64,
    /// The most it ever was.
    wall_off_most: u64,
}

impl Default for SimClock {
    fn default() -> Self {
        Self(Mutex::new(Clocks { truth: 0, boots: vec![UP as i64], wall_off: 0, wall_off_most: 0 }))
    }
}

impl SimClock {
    pub fn truth(&self) -> u64 {
        self.0.lock().unwrap().truth
    }

    /// True time as a date.
    pub fn true_wall(&self) -> WallTime {
        dated(self.truth())
    }

    pub fn advance(&self, millis: u64) {
        self.0.lock().unwrap().truth += millis;
    }

    /// Somebody sets the wall clock, to at most an hour off.
    pub fn set_wall(&self, off: i64) {
        let mut clocks = self.0.lock().unwrap();
        clocks.wall_off = off;
        clocks.wall_off_most = clocks.wall_off_most.max(off.unsigned_abs());
    }

    /// By how much the wall clock was ever wrong, in milliseconds.
    pub fn wall_off_most(&self) -> u64 {
        self.0.lock().unwrap().wall_off_most
    }

    /// The machine starts again: the boot-time clock begins at zero.
    pub fn reboot(&self) {
        let mut clocks = self.0.lock().unwrap();
        let begins = -(clocks.truth as i64);
        clocks.boots.push(begins);
    }

    /// True time of a reading.
    pub fn truth_of(&self, at: Reading) -> u64 {
        let clocks = self.0.lock().unwrap();
        (at.now.0 as i64 - clocks.boots[at.boot.0 as usize]) as u64
    }

    /// True time at which the boot-time clock shows `at`, in this boot.
    pub fn truth_at(&self, at: Moment) -> u64 {
        let clocks = self.0.lock().unwrap();
        (at.0 as i64 - clocks.boots[clocks.boots.len() - 1]).max(0) as u64
    }
}

/// True time as a date.
pub fn dated(truth: u64) -> WallTime {
    WallTime(START + truth as i64)
}

impl Clock for SimClock {
    fn now(&self) -> Moment {
        let clocks = self.0.lock().unwrap();
        Moment((clocks.truth as i64 + clocks.boots[clocks.boots.len() - 1]) as u64)
    }

    fn wall(&self) -> WallTime {
        let clocks = self.0.lock().unwrap();
        WallTime(START + clocks.truth as i64 + clocks.wall_off)
    }

    fn boot(&self) -> BootId {
        BootId(self.0.lock().unwrap().boots.len() as u128 - 1)
    }
}
