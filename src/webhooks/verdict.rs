//! What an answer means: for the delivery, for the endpoint's health, for the endpoint itself.

use std::time::Duration;

use crate::domain::time::{Jitter, WallTime};
use crate::domain::webhook::{DeliveryReason, DeliveryStatus, Health, WebhookReason};
use crate::ports::egress::{EgressError, Reply};

/// After the first, second, … failed attempt.
pub const DELAYS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(24 * 3600),
];

/// Attempts of one delivery; they span 31 h, ±20 %.
pub const ATTEMPTS_MAX: u32 = DELAYS.len() as u32 + 1;

/// A delivery that is older is given up, however few its attempts: its endpoint rested meanwhile.
pub const TOO_OLD: Duration = Duration::from_secs(48 * 3600);

/// An endpoint that has only failed for so long is disabled.
pub const FAILING_FOR: Duration = Duration::from_secs(5 * 24 * 3600);

/// So many failures in a row, and the endpoint is given a rest.
pub const FAILURES_MAX: u32 = 10;

/// The first rest; each one after a failed try is twice as long.
pub const FIRST_REST: Duration = Duration::from_secs(30);

/// The longest.
pub const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

const SPREAD: f64 = 0.2;

/// What an endpoint has answered, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Taken,
    /// 410: it wants nothing any more.
    Gone,
    /// Anything else, or nothing.
    Failed {
        /// Not before then, if it said so.
        retry_after: Option<Duration>,
    },
}

impl Answer {
    /// Reads a reply.
    pub fn of(reply: &Result<Reply, EgressError>) -> Self {
        match reply {
            Ok(reply) if (200..300).contains(&reply.status) => Self::Taken,
            Ok(reply) if reply.status == 410 => Self::Gone,
            Ok(reply) => Self::Failed { retry_after: reply.retry_after },
            Err(_) => Self::Failed { retry_after: None },
        }
    }
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How the delivery stands.
    pub status: DeliveryStatus,
    /// Why.
    pub reason: Option<DeliveryReason>,
    /// When it is tried again.
    pub due_at: Option<WallTime>,
    /// How the endpoint stands.
    pub health: Health,
    /// Whether the endpoint is to be disabled.
    pub disable: Option<WebhookReason>,
}

/// Judges the answer to attempt `number` of a delivery made at `since`.
pub fn judge(
    now: WallTime,
    jitter: Jitter,
    health: Health,
    (number, since): (u32, WallTime),
    answer: Answer,
) -> Verdict {
    let dead = |reason, health, disable| Verdict {
        status: DeliveryStatus::Dead,
        reason: Some(reason),
        due_at: None,
        health,
        disable,
    };
    let retry_after = match answer {
        Answer::Taken => {
            return Verdict {
                status: DeliveryStatus::Delivered,
                reason: None,
                due_at: None,
                health: Health::default(),
                disable: None,
            };
        }
        Answer::Gone => {
            return dead(
                DeliveryReason::Disabled,
                after_failure(now, jitter, health),
                Some(WebhookReason::Gone),
            );
        }
        Answer::Failed { retry_after } => retry_after.unwrap_or_default(),
    };
    let health = after_failure(now, jitter, health);
    if health.failing_since.is_some_and(|first| now.since(first) >= FAILING_FOR) {
        return dead(DeliveryReason::Disabled, health, Some(WebhookReason::Failing));
    }
    let Some(&delay) = DELAYS.get(number.saturating_sub(1) as usize) else {
        return dead(DeliveryReason::AttemptsExhausted, health, None);
    };
    let due_at = now + jitter.spread(delay, SPREAD).max(retry_after);
    if due_at.since(since) > TOO_OLD {
        return dead(DeliveryReason::TooOld, health, None);
    }
    Verdict { status: DeliveryStatus::Pending, reason: None, due_at: Some(due_at), health, disable: None }
}

/// An endpoint rests after too many failures in a row, and again when the one try after a rest fails. Answers that come
/// while it rests belong to requests that were under way.
fn after_failure(now: WallTime, jitter: Jitter, health: Health) -> Health {
    let failures = health.failures.saturating_add(1);
    let failing_since = health.failing_since.or(Some(now));
    let rests = health.open_until.is_some_and(|until| until > now);
    let tried = health.open_until.is_some() && !rests;
    if rests || !(tried || failures >= FAILURES_MAX) {
        return Health { failures, failing_since, ..health };
    }
    let rest = FIRST_REST.saturating_mul(1 << health.trips.min(10)).min(LONGEST_REST);
    Health {
        failures,
        failing_since,
        open_until: Some(now + jitter.spread(rest, SPREAD)),
        trips: health.trips.saturating_add(1),
    }
}

/// How many requests an endpoint may have under way, of its share.
pub fn width(now: WallTime, health: Health, share: u32) -> usize {
    match health.open_until {
        Some(until) if until > now => 0,
        Some(_) => 1,
        None => share.max(1) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: WallTime = WallTime(1_795_000_000_000);
    const FAILED: Answer = Answer::Failed { retry_after: None };

    fn reply(status: u16) -> Result<Reply, EgressError> {
        Ok(Reply { status, retry_after: None, body: vec![] })
    }

    #[test]
    fn only_2xx_takes_and_a_redirect_is_a_failure() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(Answer::of(&reply(status)), Answer::Taken, "{status}");
        }
        for status in [100, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503] {
            assert_eq!(Answer::of(&reply(status)), FAILED, "{status}");
        }
        assert_eq!(Answer::of(&reply(410)), Answer::Gone);
        assert_eq!(Answer::of(&Err(EgressError::Timeout)), FAILED);
    }

    #[test]
    fn a_delivery_that_fails_always_is_tried_eight_times_over_more_than_a_day() {
        let (mut now, mut number, mut health) = (NOW, 1, Health::default());
        loop {
            let verdict = judge(now, Jitter::NONE, health, (number, NOW), FAILED);
            health = verdict.health;
            let Some(due) = verdict.due_at else {
                assert_eq!(verdict.reason, Some(DeliveryReason::AttemptsExhausted));
                break;
            };
            (now, number) = (due, number + 1);
        }
        assert_eq!(number, ATTEMPTS_MAX);
        assert!(now.since(NOW) > Duration::from_secs(24 * 3600) && now.since(NOW) < TOO_OLD);
    }

    #[test]
    fn an_endpoint_that_asks_for_patience_gets_it() {
        let hour = Duration::from_secs(3600);
        let patient = Answer::Failed { retry_after: Some(hour) };
        let verdict = judge(NOW, Jitter::NONE, Health::default(), (1, NOW), patient);
        assert_eq!(verdict.due_at, Some(NOW + hour));
    }

    proptest! {
        /// Whatever an endpoint answers, whenever: a delivery is settled or due, never both; health follows the
        /// answers; nobody is disabled before five days of nothing but failures.
        #[test]
        fn a_verdict_is_whole(
            steps in proptest::collection::vec((0..6u8, 0..200_000u64, any::<u64>(), 1..10u32), 1..200),
        ) {
            let (mut now, mut health, mut failing) = (NOW, Health::default(), None);
            for (kind, wait, bits, number) in steps {
                now = now + Duration::from_secs(wait);
                let before = width(now, health, 8);
                let answer = match kind {
                    0 => Answer::Taken,
                    1 => Answer::Gone,
                    2 => Answer::Failed { retry_after: Some(Duration::from_secs(wait)) },
                    _ => FAILED,
                };
                let verdict = judge(now, Jitter::from_bits(bits), health, (number, now), answer);
                let pending = verdict.status == DeliveryStatus::Pending;
                prop_assert_eq!(pending, verdict.due_at.is_some());
                prop_assert!(verdict.due_at.is_none_or(|due| due > now && due.since(now) <= TOO_OLD));
                prop_assert_eq!(verdict.status == DeliveryStatus::Dead, verdict.reason.is_some());
                health = verdict.health;
                match answer {
                    Answer::Taken => {
                        failing = None;
                        prop_assert_eq!(verdict.status, DeliveryStatus::Delivered);
                        prop_assert_eq!(health, Health::default());
                    }
                    Answer::Gone => {
                        failing = failing.or(Some(now));
                        prop_assert_eq!(verdict.disable, Some(WebhookReason::Gone));
                    }
                    Answer::Failed { .. } => {
                        let first = *failing.get_or_insert(now);
                        prop_assert_eq!(verdict.disable.is_some(), now.since(first) >= FAILING_FOR);
                        prop_assert!(!pending || number < ATTEMPTS_MAX);
                        // Whoever failed the one try of a resting endpoint sends it to rest again.
                        prop_assert!(before != 1 || width(now, health, 8) == 0);
                    }
                }
                prop_assert_eq!(health.failing_since, failing);
                let rest = health.open_until.map_or(Duration::ZERO, |until| until.since(now));
                prop_assert!(rest <= LONGEST_REST.mul_f64(1.0 + SPREAD));
            }
        }
    }
}
