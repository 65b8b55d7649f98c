//! A clock that tests hold in their hands.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use columba::domain::time::{BootId, Moment, WallTime};
use columba::ports::clock::Clock;
use tokio::time::Instant;

/// 2026-11-22T10:00:00Z.
const START: WallTime = WallTime(1_795_341_600_000);

/// Shows tokio's time, which tests pause, and can be set ahead by hand without anything else moving. Can do something
/// when it is asked next, in the middle of whoever asks.
pub struct TokioClock {
    origin: Instant,
    ahead_ms: AtomicU64,
    trap: Mutex<Option<Trap>>,
}

type Trap = Box<dyn FnOnce() + Send>;

impl Default for TokioClock {
    fn default() -> Self {
        Self { origin: Instant::now(), ahead_ms: AtomicU64::new(0), trap: Mutex::new(None) }
    }
}

impl TokioClock {
    /// Sets both clocks ahead. Timers of tokio do not fire for it.
    pub fn skip(&self, time: Duration) {
        self.ahead_ms.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    /// The next question is answered with a panic.
    pub fn panic_next(&self) {
        self.on_next(|| panic!("the test asked for this panic"));
    }

    /// Does this before the next question is answered.
    pub fn on_next(&self, trap: impl FnOnce() + Send + 'static) {
        *self.trap.lock().unwrap() = Some(Box::new(trap));
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        let trap = self.trap.lock().unwrap().take();
        if let Some(trap) = trap {
            trap();
        }
        Moment(self.origin.elapsed().as_millis() as u64 + self.ahead_ms.load(Ordering::SeqCst))
    }

    fn wall(&self) -> WallTime {
        START + Duration::from_millis(self.now().0)
    }

    fn boot(&self) -> BootId {
        BootId(1)
    }
}
