//! Where actors live that others depend on: threads of their own, never an HTTP worker's.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix::{Arbiter, ArbiterHandle};

/// A fixed set of threads. What is placed by the same key lands on the same one.
pub struct Arbiters(Vec<Arbiter>);

impl Arbiters {
    /// Starts `count` threads, at least one.
    pub fn start(count: usize) -> Self {
        Self((0..count.max(1)).map(|_| Arbiter::new()).collect())
    }

    /// Handles that may be kept anywhere; they outlive no thread.
    pub fn placement(&self) -> Placement {
        Placement(self.0.iter().map(Arbiter::handle).collect())
    }

    /// Asks every thread to end once its current task yields.
    pub fn stop(&self) {
        for arbiter in &self.0 {
            arbiter.stop();
        }
    }
}

/// Chooses a thread by key.
#[derive(Clone)]
pub struct Placement(Vec<ArbiterHandle>);

impl Placement {
    /// Everything on the current thread: for tests, whose paused time moves only its own thread's timers.
    pub fn here() -> Self {
        Self(vec![Arbiter::current()])
    }

    /// The thread of `key`.
    pub fn of(&self, key: impl Hash) -> &ArbiterHandle {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.0[(hasher.finish() % self.0.len() as u64) as usize]
    }
}
