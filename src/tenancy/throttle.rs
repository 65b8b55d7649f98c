//! How often somebody may guess: each failure makes the next try wait twice as long. Pure; bounded in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::domain::time::Moment;

/// Subjects that are remembered at once. Beyond, new ones share one place.
const REMEMBERED: usize = 10_000;
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
pub struct Throttle<S> {
    patience: Patience,
    records: HashMap<S, Record>,
    /// Of everybody beyond those who can be told apart.
    crowd: Option<Record>,
}

impl<S: Hash + Eq> Throttle<S> {
    /// Nobody has failed yet.
    pub fn new(patience: Patience) -> Self {
        Self { patience, records: HashMap::new(), crowd: None }
    }

    /// How long `subject` has to wait, if it has to.
    pub fn wait(&self, subject: &S, now: Moment) -> Option<Duration> {
        let record = self.records.get(subject).or(self.crowd.as_ref().filter(|_| self.is_full()))?;
        let wait = self.patience.wait(record.failures).saturating_sub(now.since(record.last));
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a try as failed before it is made, so that many at once gain nothing; [`forgive`](Self::forgive) takes it back.
    pub fn count(&mut self, subject: S, now: Moment) {
        if self.is_full() && !self.records.contains_key(&subject) {
            self.records.retain(|_, record| now.since(record.last) < FORGOTTEN);
        }
        let fresh = Record { failures: 0, last: now };
        let record = if self.is_full() && !self.records.contains_key(&subject) {
            self.crowd.get_or_insert(fresh)
        } else {
            self.records.entry(subject).or_insert(fresh)
        };
        if now.since(record.last) >= FORGOTTEN {
            *record = fresh;
        }
        *record = Record { failures: record.failures.saturating_add(1), last: now };
    }

    /// Forgets what `subject` failed at: it has succeeded.
    pub fn forgive(&mut self, subject: &S) {
        self.records.remove(subject);
    }

    /// Takes back one try that was counted and was none.
    pub fn take_back(&mut self, subject: &S) {
        if let Some(record) = self.records.get_mut(subject) {
            record.failures = record.failures.saturating_sub(1);
        }
    }

    /// Subjects remembered now.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn is_full(&self) -> bool {
        self.records.len() >= REMEMBERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATIENCE: Patience =
        Patience { free: 3, first: Duration::from_secs(1), longest: Duration::from_secs(60) };

    fn seconds(n: u64) -> Moment {
        Moment(n * 1_000)
    }

    #[test]
    fn each_failure_beyond_the_free_ones_waits_twice_as_long_up_to_the_longest() {
        let mut throttle = Throttle::new(PATIENCE);
        let mut waits = vec![];
        let mut now = seconds(0);
        for _ in 0..12 {
            throttle.count("ada", now);
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
        let mut throttle = Throttle::new(PATIENCE);
        (0..9).for_each(|_| throttle.count("ada", seconds(0)));
        throttle.count("ada", seconds(3_600));
        assert_eq!(throttle.wait(&"ada", seconds(3_600)), None, "the first failure anew");
    }

    #[test]
    fn a_flood_of_names_is_remembered_in_bounded_memory_and_is_not_the_way_around() {
        let mut throttle = Throttle::new(PATIENCE);
        for name in 0..3 * REMEMBERED {
            throttle.count(name, seconds(1));
        }
        assert_eq!(throttle.len(), REMEMBERED);
        let fresh = 3 * REMEMBERED + 1;
        assert_eq!(throttle.wait(&fresh, seconds(1)), Some(PATIENCE.longest), "strangers share one place");
        throttle.count(fresh, seconds(3_700));
        assert_eq!((throttle.len(), throttle.wait(&fresh, seconds(3_700))), (1, None), "it passes");
    }

    proptest! {
        #[test]
        fn no_order_of_tries_gets_more_than_the_free_ones_and_one_a_wait(gaps in proptest::collection::vec(0..90_u64, 1..60)) {
            let mut throttle = Throttle::new(PATIENCE);
            let (mut now, mut tried) = (seconds(0), 0_u32);
            for gap in gaps {
                now = now + Duration::from_secs(gap);
                if throttle.wait(&(), now).is_none() {
                    throttle.count((), now);
                    tried += 1;
                }
            }
            // By the minute from the ninth failure on, and at most eight before.
            prop_assert!(u64::from(tried) <= 9 + now.0 / 60_000);
        }
    }
}
