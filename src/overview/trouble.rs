//! Whom trouble hurts: the tenants that have most of it.

use std::collections::BTreeMap;

use crate::domain::id::TenantId;
use crate::domain::session::{Reason, SessionStatus};
use crate::ports::lookout::Sight;

/// What one tenant has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trouble {
    /// Sessions whose account the network limits.
    pub restricted: u64,
    /// Sessions that were logged out by the network, and not by their people.
    pub logged_out: u64,
    /// Endpoints that are disabled or fail.
    pub failing_webhooks: u64,
    /// Messages that have failed since the day before.
    pub failed_messages: u64,
}

impl Trouble {
    /// How much it is. An account that is gone weighs most, since only a person brings it back; failed messages weigh by the ten,
    /// and no more than a hundred of them: one campaign to bad numbers hides nobody else's trouble.
    pub fn score(&self) -> u64 {
        self.logged_out * 5
            + self.restricted * 3
            + self.failing_webhooks * 3
            + self.failed_messages.min(100).div_ceil(10)
    }
}

/// The `most` tenants with most trouble, worst first; of those that are alike the older one.
pub fn worst(sight: &Sight, most: usize) -> Vec<(TenantId, Trouble)> {
    let mut all: BTreeMap<TenantId, Trouble> = BTreeMap::new();
    for limited in &sight.restricted {
        all.entry(limited.tenant).or_default().restricted += limited.sessions;
    }
    for group in &sight.groups {
        if group.status == SessionStatus::LoggedOut && group.reason != Some(Reason::Requested) {
            all.entry(group.tenant).or_default().logged_out += group.sessions;
        }
    }
    for endpoints in &sight.endpoints {
        all.entry(endpoints.tenant).or_default().failing_webhooks += endpoints.disabled + endpoints.failing;
    }
    for (&tenant, &failed) in &sight.failed {
        all.entry(tenant).or_default().failed_messages += failed;
    }
    let mut ranked: Vec<_> = all.into_iter().filter(|(_, trouble)| trouble.score() > 0).collect();
    ranked.sort_by_key(|(tenant, trouble)| (std::cmp::Reverse(trouble.score()), *tenant));
    ranked.truncate(most);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::WallTime;
    use crate::ports::lookout::{Group, Restricted};

    fn tenant(n: i64) -> TenantId {
        TenantId::below(WallTime(n))
    }

    #[test]
    fn the_worst_stand_first_and_whoever_has_no_trouble_is_not_among_them() {
        let lost = |n: i64, reason, sessions| Group {
            tenant: tenant(n),
            status: SessionStatus::LoggedOut,
            reason: Some(reason),
            sessions,
            since: WallTime(1),
            latest: WallTime(1),
            example: crate::domain::id::SessionId::below(WallTime(1)),
        };
        let example = crate::domain::id::SessionId::below(WallTime(1));
        let sight = Sight {
            groups: vec![lost(1, Reason::Requested, 9), lost(2, Reason::DeviceRemoved, 1)],
            restricted: vec![Restricted { tenant: tenant(3), sessions: 2, until: WallTime(9), example }],
            failed: BTreeMap::from([(tenant(4), 1_000_000), (tenant(5), 1)]),
            ..Sight::default()
        };
        let found: Vec<_> =
            worst(&sight, 10).into_iter().map(|(tenant, trouble)| (tenant, trouble.score())).collect();
        assert_eq!(found, [(tenant(4), 10), (tenant(3), 6), (tenant(2), 5), (tenant(5), 1)]);
        assert_eq!(worst(&sight, 1).len(), 1);
    }
}
