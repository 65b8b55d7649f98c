//! The last hour by parts of a minute, in memory: what an overview shows and a counter that only grows cannot tell. A process that
//! has just begun knows nothing of before, and says so.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::time::WallTime;

/// What is counted together, in milliseconds.
const PART: i64 = 10_000;
/// Parts of a minute.
const MINUTE: i64 = 6;
/// Parts that are kept: an hour, and the one under way.
const KEPT: i64 = 60 * MINUTE;
/// Latencies are of the last minutes.
const LATENCIES: Duration = Duration::from_secs(300);
/// Latencies kept at most.
const SAMPLES: usize = 4_096;

/// What this process did of late.
#[derive(Debug, Default)]
pub struct Lately(Mutex<Past>);

#[derive(Debug, Default)]
struct Past {
    /// The first part that was seen from its beginning.
    known_from: Option<i64>,
    /// By number of the part, oldest first; one in which nothing happened is not there.
    parts: VecDeque<(i64, Part)>,
    /// When, and how long from accept to ack.
    latencies: VecDeque<(WallTime, Duration)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    sent: u64,
    posted: u64,
    not_taken: u64,
    refused_notices: u64,
}

/// What is known of the last hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// Messages that reached the server in the last minute.
    pub sent: Option<u64>,
    /// The same of each of the last 60 minutes, oldest first; nothing for those before this process began.
    pub sent_by_minute: Vec<Option<u64>>,
    /// Of ten messages of the last five minutes about nine and a half were acked within this time of their acceptance.
    pub latency_p95: Option<Duration>,
    /// Attempts at webhooks within the hour, as far as this process has lived.
    pub posted: Option<u64>,
    /// Those of them that were not taken.
    pub not_taken: Option<u64>,
    /// Notices of the payment provider that were refused within the hour, since this process began.
    pub refused_notices: Option<Refused>,
}

/// How many were refused, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// About when the first of them came.
    pub since: WallTime,
    /// About when the last of them came.
    pub latest: WallTime,
}

impl Lately {
    /// The process begins at `at`. What it counts is known from the next part on.
    pub fn begin(&self, at: WallTime) {
        self.past().known_from.get_or_insert(part(at) + 1);
    }

    /// A message reached the server.
    pub fn sent(&self, at: WallTime) {
        self.note(at, |part| part.sent += 1);
    }

    /// A message was acked so long after it was accepted.
    pub fn acked(&self, at: WallTime, took: Duration) {
        let mut past = self.past();
        if past.latencies.len() == SAMPLES {
            past.latencies.pop_front();
        }
        past.latencies.push_back((at, took));
    }

    /// An endpoint was asked to take an event.
    pub fn posted(&self, at: WallTime, taken: bool) {
        self.note(at, |part| {
            part.posted += 1;
            part.not_taken += u64::from(!taken);
        });
    }

    /// A notice of the payment provider was not to be believed, or could not be read.
    pub fn notice_refused(&self, at: WallTime) {
        self.note(at, |part| part.refused_notices += 1);
    }

    /// What is known at `at`, up to the end of the last whole part.
    pub fn read(&self, at: WallTime) -> Recent {
        let past = self.past();
        let now = part(at);
        let since = |from: i64, of: fn(&Part) -> u64| -> u64 {
            past.parts
                .iter()
                .filter(|(number, _)| (from..now).contains(number))
                .map(|(_, part)| of(part))
                .sum()
        };
        let is_known = |from: i64| past.known_from.is_some_and(|known| known <= from);
        let minute = |back: i64| {
            let from = now - back * MINUTE;
            let to = from + MINUTE;
            let within = past.parts.iter().filter(|(number, _)| (from..to).contains(number));
            is_known(from).then(|| within.map(|(_, part)| part.sent).sum())
        };
        let lived = past.known_from.filter(|&known| known < now).map(|known| known.max(now - KEPT));
        Recent {
            sent: minute(1),
            sent_by_minute: (1..=60).rev().map(minute).collect(),
            latency_p95: p95(past.latencies.iter().filter(|(when, _)| at.since(*when) < LATENCIES)),
            posted: lived.map(|from| since(from, |part| part.posted)),
            not_taken: lived.map(|from| since(from, |part| part.not_taken)),
            refused_notices: past.refused(now),
        }
    }

    fn note(&self, at: WallTime, count: impl FnOnce(&mut Part)) {
        let mut past = self.past();
        let number = part(at);
        // A clock that was set back counts to the last part.
        match past.parts.back_mut() {
            Some((last, part)) if *last >= number => count(part),
            _ => {
                let mut part = Part::default();
                count(&mut part);
                past.parts.push_back((number, part));
            }
        }
        while past.parts.front().is_some_and(|(oldest, _)| *oldest < number - KEPT) {
            past.parts.pop_front();
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    /// Also of the part under way: who refuses notices is told at once.
    fn refused(&self, now: i64) -> Option<Refused> {
        let within =
            self.parts.iter().filter(|(number, part)| *number > now - KEPT && part.refused_notices > 0);
        within.fold(None, |all: Option<Refused>, (number, part)| {
            let begin = WallTime(number * PART);
            let all = all.unwrap_or(Refused { count: 0, since: begin, latest: begin });
            Some(Refused { count: all.count + part.refused_notices, latest: begin, ..all })
        })
    }
}

fn part(at: WallTime) -> i64 {
    at.0.div_euclid(PART)
}

fn p95<'a>(samples: impl Iterator<Item = &'a (WallTime, Duration)>) -> Option<Duration> {
    let mut all: Vec<Duration> = samples.map(|(_, took)| *took).collect();
    all.sort_unstable();
    all.get((all.len() * 95).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_000_000_000);

    fn at(secs: i64) -> WallTime {
        WallTime(NOW.0 + secs * 1_000)
    }

    #[test]
    fn refused_notices_are_told_at_once_and_for_an_hour() {
        let lately = Lately::default();
        assert_eq!(lately.read(NOW).refused_notices, None);
        for secs in [0, 1, 100] {
            lately.notice_refused(at(secs));
        }
        let seen = |secs| {
            lately
                .read(at(secs))
                .refused_notices
                .map(|refused| (refused.count, refused.since, refused.latest))
        };
        assert_eq!(seen(100), Some((3, at(0), at(100))));
        assert_eq!(seen(3_600), Some((1, at(100), at(100))), "the first two were an hour ago");
        assert_eq!(seen(3_700), None);
    }

    #[test]
    fn what_was_before_the_process_is_not_known_and_not_nothing() {
        let lately = Lately::default();
        assert_eq!(lately.read(NOW).sent, None, "nobody said that it began");
        lately.begin(NOW);
        lately.sent(at(5));
        assert_eq!(lately.read(at(9)).sent, None);
        for secs in [12, 30, 69] {
            lately.sent(at(secs));
        }
        assert_eq!(
            lately.read(at(69)).sent,
            None,
            "a whole minute has not passed since the first whole part"
        );
        let recent = lately.read(at(70));
        assert_eq!((recent.sent, recent.sent_by_minute.len()), (Some(3), 60));
        assert_eq!(recent.sent_by_minute.iter().flatten().count(), 1);
        let later = lately.read(at(70 + 59 * 60));
        assert_eq!((later.sent, later.sent_by_minute[0]), (Some(0), Some(3)));
        assert_eq!(lately.read(at(70 + 60 * 60)).sent_by_minute[0], Some(0), "an hour later it is gone");
    }

    #[test]
    fn attempts_at_webhooks_are_counted_for_an_hour() {
        let lately = Lately::default();
        lately.begin(NOW);
        assert_eq!(lately.read(at(9)).posted, None);
        lately.posted(at(15), true);
        lately.posted(at(16), false);
        let recent = lately.read(at(20));
        assert_eq!((recent.posted, recent.not_taken), (Some(2), Some(1)));
        assert_eq!(lately.read(at(3_700)).posted, Some(0));
    }

    #[test]
    fn the_latency_is_that_of_the_slow_ones_of_the_last_minutes() {
        let lately = Lately::default();
        assert_eq!(lately.read(NOW).latency_p95, None);
        for millis in 1..=100 {
            lately.acked(NOW, Duration::from_millis(millis));
        }
        assert_eq!(lately.read(NOW).latency_p95, Some(Duration::from_millis(95)));
        assert_eq!(lately.read(at(300)).latency_p95, None);
        for _ in 0..10_000 {
            lately.acked(at(300), Duration::from_millis(7));
        }
        assert_eq!(lately.read(at(300)).latency_p95, Some(Duration::from_millis(7)));
    }
}
