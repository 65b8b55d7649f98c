//! How often codes may be asked for. A code takes over an account, and asking for one rings somebody's phone.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use crate::domain::id::TenantId;
use crate::domain::phone::Phone;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;

const WINDOW: Duration = Duration::from_secs(3600);
/// Codes for one phone in any hour, whoever asks.
pub const PER_PHONE: usize = 3;
/// Codes for one tenant in any hour, whichever phone.
pub const PER_TENANT: usize = 10;
/// Beyond so many subjects those that no longer count are cleared out.
const CLEAR_AT: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Subject {
    Phone(Phone),
    Tenant(TenantId),
}

/// The last hour's requests for codes.
#[derive(Debug, Default)]
pub struct PairingLimit(Mutex<HashMap<Subject, VecDeque<Moment>>>);

impl PairingLimit {
    /// Counts one request, or answers 429 and counts nothing.
    pub fn take(&self, tenant: TenantId, phone: &Phone, now: Moment) -> Result<(), Refusal> {
        let mut log = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if log.len() >= CLEAR_AT {
            log.retain(|_, moments| moments.back().is_some_and(|&last| now.since(last) < WINDOW));
        }
        let limits = [(Subject::Phone(phone.clone()), PER_PHONE), (Subject::Tenant(tenant), PER_TENANT)];
        for (subject, limit) in &limits {
            let Some(moments) = log.get_mut(subject) else { continue };
            moments.retain(|&moment| now.since(moment) < WINDOW);
            if let Some(&oldest) = moments.front().filter(|_| moments.len() >= *limit) {
                let detail =
                    format!("at most {limit} pairing codes an hour; use the QR code instead, or wait");
                return Err(Refusal::rate_limited(detail, WINDOW.saturating_sub(now.since(oldest))));
            }
        }
        for (subject, _) in limits {
            log.entry(subject).or_default().push_back(now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::WallTime;

    fn phone(n: u32) -> Phone {
        Phone::stored(format!("+1555123{n:04}"))
    }

    fn minutes(n: u64) -> Moment {
        Moment(n * 60_000)
    }

    #[test]
    fn a_phone_rings_three_times_an_hour_whoever_asks() {
        let limit = PairingLimit::default();
        for n in 0..3 {
            let tenant = TenantId::mint(WallTime(1));
            limit.take(tenant, &phone(1), minutes(n)).expect("within the limit");
        }
        let tenant = TenantId::mint(WallTime(1));
        let refusal = limit.take(tenant, &phone(1), minutes(30)).expect_err("the fourth");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(30 * 60)));
        limit.take(tenant, &phone(1), minutes(60)).expect("the first is an hour old");
        assert!(limit.take(tenant, &phone(1), minutes(60)).is_err(), "the second is not");
    }

    #[test]
    fn a_tenant_asks_ten_times_an_hour_and_what_was_refused_does_not_count() {
        let limit = PairingLimit::default();
        let tenant = TenantId::mint(WallTime(1));
        for n in 0..10 {
            limit.take(tenant, &phone(n), minutes(0)).expect("within the limit");
        }
        for _ in 0..5 {
            assert!(limit.take(tenant, &phone(10), minutes(1)).is_err());
        }
        let other = TenantId::mint(WallTime(1));
        for _ in 0..3 {
            limit.take(other, &phone(10), minutes(2)).expect("that phone never rang");
        }
    }
}
