//! Stop 4: may this message be accepted? Decided inside the accept transaction, on what stands there.

use std::time::Duration;

use crate::domain::plan::Quota;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::outbox::{Terms, Usage};

/// Quota before queue, as API.md orders the refusals. `used + held` never passes a hard limit, nor a soft one of a tenant
/// whose grace has begun.
pub fn decide(terms: &Terms, usage: &Usage, now: WallTime) -> Result<(), Refusal> {
    let taken = usage.used.saturating_add(usage.held);
    let binds = terms.strict || usage.allowance.quota == Quota::Hard;
    if terms.metered && binds && taken >= usage.allowance.limit {
        let renews_in = terms.period.end.since(now).max(Duration::from_secs(1));
        return Err(Refusal::quota_exceeded(usage.allowance.limit, renews_in));
    }
    if usage.queued >= u64::from(terms.caps.queue_max) {
        return Err(Refusal::queue_full(terms.caps.queue_max, drain_time(terms, usage)));
    }
    Ok(())
}

/// How long the cap takes to drain what is beyond the bound, and one place more.
fn drain_time(terms: &Terms, usage: &Usage) -> Duration {
    let beyond = usage.queued - u64::from(terms.caps.queue_max) + 1;
    let per_minute = u64::from(terms.caps.per_minute.get());
    Duration::from_secs((beyond * 60).div_ceil(per_minute))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::billing::period::month_of;
    use crate::domain::plan::{Allowance, Caps, Pacing};
    use crate::domain::refusal::Code;

    const NOW: WallTime = WallTime(1_795_000_000_000);

    fn asked(metered: bool, quota: Quota, used: u64, held: u64, queued: u64) -> Option<(Code, u64)> {
        strictly(false, metered, quota, used, held, queued)
    }

    fn strictly(
        strict: bool,
        metered: bool,
        quota: Quota,
        used: u64,
        held: u64,
        queued: u64,
    ) -> Option<(Code, u64)> {
        let caps = Caps {
            per_minute: std::num::NonZeroU32::new(20).expect("not zero"),
            per_minute_tenant: None,
            pacing: Pacing::Human,
            first_contacts_per_day: None,
            queue_max: 5,
            sessions_max: 1,
            silent: false,
        };
        let allowance = Allowance { limit: 10, quota };
        let terms = Terms { period: month_of(NOW, Tz::UTC), allowance, caps, metered, strict };
        let answer = decide(&terms, &Usage { allowance, used, held, queued }, NOW);
        answer.err().map(|no| (no.code, no.retry_after.map_or(0, |wait| wait.as_secs())))
    }

    #[test]
    fn quota_counts_what_is_held_and_binds_only_hard_and_metered() {
        let until_december = month_of(NOW, Tz::UTC).end.since(NOW).as_secs();
        assert_eq!(asked(true, Quota::Hard, 4, 5, 0), None);
        assert_eq!(asked(true, Quota::Hard, 4, 6, 0), Some((Code::QuotaExceeded, until_december)));
        assert_eq!(asked(true, Quota::Soft, 40, 6, 0), None);
        assert_eq!(strictly(true, true, Quota::Soft, 4, 5, 0), None);
        assert_eq!(strictly(true, true, Quota::Soft, 4, 6, 0), Some((Code::QuotaExceeded, until_december)));
        assert_eq!(asked(false, Quota::Hard, 40, 6, 0), None);
    }

    #[test]
    fn a_full_queue_says_when_the_cap_will_have_drained_a_place() {
        assert_eq!(asked(true, Quota::Hard, 0, 4, 4), None);
        assert_eq!(asked(true, Quota::Hard, 0, 5, 5), Some((Code::QueueFull, 3)));
        assert_eq!(asked(true, Quota::Hard, 0, 5, 9), Some((Code::QueueFull, 15)), "a lowered bound");
        assert_eq!(
            asked(true, Quota::Hard, 0, 10, 9).map(|no| no.0),
            Some(Code::QuotaExceeded),
            "quota first"
        );
    }
}
