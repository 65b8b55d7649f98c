//! The one source of chance: everything follows from its seed.

use columba::domain::time::Jitter;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

pub struct Dice(SmallRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }

    pub fn jitter(&mut self) -> Jitter {
        Jitter::from_bits(self.below(u64::MAX))
    }
}
