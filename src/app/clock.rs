//! The machine's clocks. The one place that asks them.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time::{BootId, Moment, WallTime};
use crate::ports::clock::Clock;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// `CLOCK_BOOTTIME`, which also counts suspended time, and the system's wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    boot: BootId,
}

impl SystemClock {
    /// Reads which boot this is.
    pub fn new() -> Self {
        let boot = std::fs::read_to_string(BOOT_ID).ok();
        let boot = boot.and_then(|text| uuid::Uuid::try_parse(text.trim()).ok());
        // Without one every boot looks the same. Windows stay safe: moments of an earlier boot either lie ahead, which
        // counts as a clock set back, or are as old as this boot at least.
        Self { boot: BootId(boot.unwrap_or_default().as_u128()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let time = clock_gettime(ClockId::Boottime);
        Moment(time.tv_sec.max(0) as u64 * 1_000 + time.tv_nsec.max(0) as u64 / 1_000_000)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the port's adapter")]
    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(since.as_millis() as i64)
    }

    fn boot(&self) -> BootId {
        self.boot
    }
}
