//! How often somebody may guess: each failure makes the next try wait twice as long. Pure; bounded in memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::time::Duration;

use crate::domain::time::Moment;

/// Places in which failures are remembered. Two subjects that fall into one share it: who falls where nobody outside can
/// know, so a flood of made-up names neither makes the server forget somebody nor shuts anybody out on purpose.
const PLACES: u64 = 1 << 16;
/// Nothing is remembered of who has not failed for so long.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// How much patience one kind of subject is met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries that cost no waiting.
    pub free: u32,
    /// What the next one waits; each further one twice as long.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Patience {
    fn wait(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free) else { return Duration::ZERO };
        self.first.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(self.longest)
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    last: Moment,
}

/// Failures of subjects of one kind.
#[derive(Debug)]
pub struct Throttle<S, H = RandomState> {
    patience: Patience,
    hasher: H,
    records: HashMap<u64, Record>,
    subject: PhantomData<S>,
}

impl<S: Hash, H: BuildHasher + Default> Throttle<S, H> {
    /// Nobody has failed yet.
    pub fn new(patience: Patience) -> Self {
        Self { patience, hasher: H::default(), records: HashMap::new(), subject: PhantomData }
    }

    /// How long `subject` has to wait, if it has to.
    pub fn wait(&self, subject: &S, now: Moment) -> Option<Duration> {
        let record = self.records.get(&self.place(subject))?;
        let wait = self.patience.wait(record.failures).saturating_sub(now.since(record.last));
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a try as failed before it is made, so that many at once gain nothing; [`forgive`](Self::forgive) takes it back.
    pub fn count(&mut self, subject: &S, now: Moment) {
        let fresh = Record { failures: 0, last: now };
        let record = self.records.entry(self.place(subject)).or_insert(fresh);
        if now.since(record.last) >= FORGOTTEN {
            *record = fresh;
        }
        *record = Record { failures: record.failures.saturating_add(1), last: now };
    }

    /// Forgets what `subject` failed at: it has succeeded.
    pub fn forgive(&mut self, subject: &S) {
        self.records.remove(&self.place(subject));
    }

    /// Takes back one try that was counted and was none.
    pub fn take_back(&mut self, subject: &S) {
        if let Some(record) = self.records.get_mut(&self.place(subject)) {
            record.failures = record.failures.saturating_sub(1);
        }
    }

    fn place(&self, subject: &S) -> u64 {
        self.hasher.hash_one(subject) % PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{BuildHasherDefault, DefaultHasher};

    const PATIENCE: Patience =
        Patience { free: 3, first: Duration::from_secs(1), longest: Duration::from_secs(60) };

    /// The same places in every run.
    type Known<S> = Throttle<S, BuildHasherDefault<DefaultHasher>>;

    fn seconds(n: u64) -> Moment {
        Moment(n * 1_000)
    }

    #[test]
    fn each_failure_beyond_the_free_ones_waits_twice_as_long_up_to_the_longest() {
        let mut throttle = Known::new(PATIENCE);
        let mut waits = vec![];
        let mut now = seconds(0);
        for _ in 0..12 {
            throttle.count(&"ada", now);
            let wait = throttle.wait(&"ada", now).unwrap_or_default();
            waits.push(wait.as_secs());
            now = now + wait;
            assert_eq!(throttle.wait(&"ada", now), None, "who has waited may try");
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(throttle.wait(&"eve", now), None, "somebody else is somebody else");
        throttle.forgive(&"ada");
        assert_eq!(throttle.wait(&"ada", now), None);
    }

    #[test]
    fn an_hour_without_a_failure_is_forgotten() {
        let mut throttle = Known::new(PATIENCE);
        (0..9).for_each(|_| throttle.count(&"ada", seconds(0)));
        throttle.count(&"ada", seconds(3_600));
        assert_eq!(throttle.wait(&"ada", seconds(3_600)), None, "the first failure anew");
    }

    #[test]
    fn a_flood_of_names_is_bounded_in_memory_forgets_nobody_and_shuts_few_out() {
        let mut throttle = Known::new(PATIENCE);
        (0..9).for_each(|_| throttle.count(&u64::MAX, seconds(1)));
        for name in 0..200_000_u64 {
            throttle.count(&name, seconds(1));
        }
        assert!(throttle.records.len() as u64 <= PLACES);
        assert_eq!(throttle.wait(&u64::MAX, seconds(1)), Some(PATIENCE.longest), "whoever failed before");
        let mut few = Known::new(PATIENCE);
        for name in 0..3 * 10_000_u64 {
            few.count(&(name % 10_000), seconds(1));
        }
        let shut_out = (20_000..21_000_u64).filter(|name| few.wait(name, seconds(1)).is_some()).count();
        assert!(shut_out < 200, "{shut_out} of 1000 who never failed, by ten thousand who did");
    }

    proptest! {
        #[test]
        fn no_order_of_tries_gets_more_than_the_free_ones_and_one_a_wait(gaps in proptest::collection::vec(0..90_u64, 1..60)) {
            let mut throttle = Known::new(PATIENCE);
            let (mut now, mut tried) = (seconds(0), 0_u32);
            for gap in gaps {
                now = now + Duration::from_secs(gap);
                if throttle.wait(&(), now).is_none() {
                    throttle.count(&(), now);
                    tried += 1;
                }
            }
            // By the minute from the ninth failure on, and at most eight before.
            prop_assert!(u64::from(tried) <= 9 + now.0 / 60_000);
        }
    }
}
