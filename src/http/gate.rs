//! Whether the server takes work now. Boot opens it, drain closes it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::refusal::Refusal;
use crate::ports::readiness::Readiness;

/// Whether the server takes work now, and what else readiness depends on. Closed when made.
#[derive(Debug, Default)]
pub struct Gate {
    accepting: AtomicBool,
    checks: Mutex<BTreeMap<&'static str, bool>>,
    spares: Mutex<BTreeMap<&'static str, bool>>,
}

impl Gate {
    /// From now on messages are accepted.
    pub fn open(&self) {
        self.accepting.store(true, Ordering::SeqCst);
    }

    /// From now on they are refused with 503, and `/readyz` says so.
    pub fn close(&self) {
        self.accepting.store(false, Ordering::SeqCst);
    }

    /// Whether messages are accepted.
    pub fn is_open(&self) -> bool {
        self.accepting.load(Ordering::SeqCst)
    }

    /// Every check and whether it passes; `accepting` first.
    pub fn report(&self) -> Vec<(&'static str, bool)> {
        let accepting = std::iter::once(("accepting", self.is_open()));
        accepting.chain(self.checks().iter().map(|(&check, &passes)| (check, passes))).collect()
    }

    /// Parts that can be done without, and whether each is there.
    pub fn spares(&self) -> Vec<(&'static str, bool)> {
        let spares = self.spares.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        spares.iter().map(|(&part, &is_there)| (part, is_there)).collect()
    }

    /// 503 while messages are not accepted.
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.is_open() {
            return Ok(());
        }
        Err(Refusal::unavailable("the server is starting or ending and accepts no messages; try again"))
    }

    fn checks(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.checks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A part that does not pass makes `/readyz` answer 503; messages are accepted still.
impl Readiness for Gate {
    fn note(&self, part: &'static str, passes: bool) {
        self.checks().insert(part, passes);
    }

    fn note_spare(&self, part: &'static str, is_there: bool) {
        self.spares.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(part, is_there);
    }
}
