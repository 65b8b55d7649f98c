//! A hard cap: an exact sliding log of attempts. It binds a session, and the sum of a tenant's sessions.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    time::Duration,
};

use super::time::Moment;

/// The receiver must see at most `cap` in any 60 s. An attempt is dated when it is decided and may reach the wire
/// up to 1 s later, so the log looks back 61 s.
pub const SPAN: Duration = Duration::from_secs(61);

/// Attempts kept at most, 512 KiB of them. A cap beyond counts as this one: what is forgotten could not be capped.
pub const KEPT: usize = 65_536;

/// At most `cap` attempts in any [`SPAN`], on a clock that may jump backward, under a cap that may change.
///
/// The log holds every attempt of the span, not only the last `cap`, so that a raised cap finds the past it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    cap: NonZeroU32,
    /// Attempts of the last span, oldest first.
    log: VecDeque<Moment>,
    /// Since when the past before it is unknown: shut for a span from then, whatever the cap.
    unknown_before: Option<Moment>,
}

impl Window {
    /// A window of which nothing is known: it counts as full until `now` + [`SPAN`].
    pub fn full(cap: NonZeroU32, now: Moment) -> Self {
        Self { cap, log: VecDeque::new(), unknown_before: Some(now) }
    }

    /// A window that continues a stored log, in any order. It may reach back further than the span.
    pub fn replay(cap: NonZeroU32, mut attempts: Vec<Moment>) -> Self {
        attempts.sort_unstable();
        let surplus = attempts.len().saturating_sub(KEPT);
        Self { cap, log: attempts.split_off(surplus).into(), unknown_before: None }
    }

    /// When the next attempt may be made: `now`, or a later moment.
    pub fn opens_at(&mut self, now: Moment) -> Moment {
        self.advance(now);
        let shut_until = self.unknown_before.map_or(now, |since| since + SPAN);
        let cap = (self.cap.get() as usize).min(KEPT);
        // The oldest of the last `cap` attempts has to leave the span first.
        let crowded_until = match self.log.len().checked_sub(cap) {
            Some(oldest) => self.log[oldest] + SPAN,
            None => now,
        };
        now.max(shut_until).max(crowded_until)
    }

    /// Enters an attempt made at `now`, due or not: what happened, happened.
    pub fn record(&mut self, now: Moment) {
        self.advance(now);
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back(now);
    }

    /// Binds another cap from `now` on. What was attempted under the old one counts under the new one.
    pub fn recap(&mut self, cap: NonZeroU32, now: Moment) {
        self.advance(now);
        self.cap = cap;
    }

    /// Enters attempts of the past, in any order, that others may have entered before: of those that were made at one
    /// moment, as many are new as it does not hold.
    pub fn enter(&mut self, attempts: Vec<Moment>) {
        let mut held: BTreeMap<Moment, usize> = BTreeMap::new();
        self.log.iter().for_each(|&attempt| *held.entry(attempt).or_default() += 1);
        let is_new = |attempt: &Moment| match held.get_mut(attempt) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        let new: Vec<_> = attempts.into_iter().filter(is_new).collect();
        self.log.extend(new);
        self.log.make_contiguous().sort_unstable();
        self.log.drain(..self.log.len().saturating_sub(KEPT));
    }

    /// What it remembers at `now`: attempts, oldest first, and since when the past before is unknown, if it is.
    pub fn past(&mut self, now: Moment) -> (Vec<Moment>, Option<Moment>) {
        self.advance(now);
        (self.log.iter().copied().collect(), self.unknown_before)
    }

    /// Whether nothing in it can delay an attempt any more: forgetting it changes nothing.
    pub fn is_idle(&mut self, now: Moment) -> bool {
        self.advance(now);
        self.log.is_empty() && self.unknown_before.is_none()
    }

    /// Forgets what is older than the span, and everything when the clock has gone back.
    ///
    /// An attempt dated later than `now` proves a jump backward, and no age in the log can be believed any more.
    /// A smaller jump needs no rule: it makes attempts look younger, which only delays.
    fn advance(&mut self, now: Moment) {
        let newest = self.log.back().copied().max(self.unknown_before);
        if newest.is_some_and(|newest| newest > now) {
            *self = Self::full(self.cap, now);
            return;
        }
        while self.log.front().is_some_and(|&oldest| oldest + SPAN <= now) {
            self.log.pop_front();
        }
        self.unknown_before = self.unknown_before.filter(|&since| since + SPAN > now);
    }
}
