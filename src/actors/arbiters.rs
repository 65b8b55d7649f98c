//! Where actors live that others depend on: threads of their own, never an HTTP worker's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle};

use super::pulse::Pulse;

/// How often a thread shows that it turns.
const BEAT: Duration = Duration::from_millis(500);

/// A fixed set of threads. What is placed by the same key lands on the same one.
pub struct Arbiters(Vec<(Arbiter, Arc<Pulse>)>);

impl Arbiters {
    /// Starts `count` threads, at least one.
    pub fn start(count: usize) -> Self {
        let threads = (0..count.max(1)).map(|_| {
            let (arbiter, pulse) = (Arbiter::new(), Arc::<Pulse>::default());
            let beating = Arc::clone(&pulse);
            // It ends with its thread, and a thread that has ended needs nobody to watch it.
            arbiter.spawn(async move {
                loop {
                    tokio::time::sleep(BEAT).await;
                    beating.beat();
                }
            });
            (arbiter, pulse)
        });
        Self(threads.collect())
    }

    /// Handles that may be kept anywhere; they outlive no thread.
    pub fn placement(&self) -> Placement {
        Placement(self.0.iter().map(|(arbiter, pulse)| (arbiter.handle(), Arc::clone(pulse))).collect())
    }

    /// The pulse of every thread.
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        self.0.iter().map(|(_, pulse)| Arc::clone(pulse)).collect()
    }

    /// Asks every thread to end once its current task yields.
    pub fn stop(&self) {
        for (arbiter, _) in &self.0 {
            arbiter.stop();
        }
    }
}

/// Chooses a thread by key.
#[derive(Clone)]
pub struct Placement(Arc<[(ArbiterHandle, Arc<Pulse>)]>);

impl Placement {
    /// Everything on the current thread: for tests, whose paused time moves only its own thread's timers.
    pub fn here() -> Self {
        Self(Arc::new([(Arbiter::current(), Arc::default())]))
    }

    /// The thread of `key`.
    pub fn of(&self, key: impl Hash) -> &ArbiterHandle {
        &self.seat(key).0
    }

    /// The pulse of the thread of `key`.
    pub fn pulse_of(&self, key: impl Hash) -> &Arc<Pulse> {
        &self.seat(key).1
    }

    fn seat(&self, key: impl Hash) -> &(ArbiterHandle, Arc<Pulse>) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.0[(hasher.finish() % self.0.len() as u64) as usize]
    }
}
