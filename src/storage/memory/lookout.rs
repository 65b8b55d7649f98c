//! All tenants at one glance.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::domain::id::TenantId;
use crate::domain::message::MessageStatus;
use crate::domain::scope::SystemScope;
use crate::domain::session::{Engine, Session, SessionStatus};
use crate::domain::time::WallTime;
use crate::domain::webhook::WebhookStatus;
use crate::ports::lookout::{
    Endpoints, Group, Lookout, MonthUsed, RECONNECTING, Restricted, Shift, Shifts, Sight,
};
use crate::ports::store::StoreError;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn groups<'a>(sessions: impl Iterator<Item = &'a Session>, at: WallTime) -> Vec<Group> {
    let mut found: BTreeMap<_, Group> = BTreeMap::new();
    for session in sessions {
        let is_unwell = match session.status {
            SessionStatus::Reconnecting => session.since < at - RECONNECTING,
            SessionStatus::Parked | SessionStatus::LoggedOut | SessionStatus::Quarantined => true,
            _ => false,
        };
        if !is_unwell {
            continue;
        }
        let (tenant, status, reason) = (session.tenant, session.status, session.reason);
        let (since, example) = (session.since, session.id);
        let new = Group { tenant, status, reason, sessions: 0, since, latest: since, example };
        let group = found.entry((tenant, status, reason)).or_insert(new);
        group.sessions += 1;
        group.since = group.since.min(since);
        group.latest = group.latest.max(since);
        group.example = group.example.min(example);
    }
    found.into_values().collect()
}

fn restricted<'a>(sessions: impl Iterator<Item = &'a Session>, at: WallTime) -> Vec<Restricted> {
    let mut found: BTreeMap<TenantId, Restricted> = BTreeMap::new();
    for session in sessions.filter(|session| session.standing.restriction(at).is_some()) {
        let standing = &session.standing;
        let ends = [standing.banned_until, standing.timelock_until, standing.new_chats_until];
        let until = ends.into_iter().flatten().max().unwrap_or(at);
        let (tenant, example) = (session.tenant, session.id);
        let limited = found.entry(tenant).or_insert(Restricted { tenant, sessions: 0, until, example });
        limited.sessions += 1;
        limited.until = limited.until.max(until);
        limited.example = limited.example.min(example);
    }
    found.into_values().collect()
}

fn endpoints(state: &State) -> Vec<Endpoints> {
    let mut found: BTreeMap<TenantId, Endpoints> = BTreeMap::new();
    for webhook in state.webhooks.endpoints.values().filter(|row| !row.deleted).map(|row| &row.webhook) {
        let new = || Endpoints::well(webhook.tenant);
        let failing = webhook.health.failing_since.filter(|_| webhook.status == WebhookStatus::Active);
        if webhook.status == WebhookStatus::Disabled {
            let all = found.entry(webhook.tenant).or_insert_with(new);
            all.disabled += 1;
            all.disabled_since = all.disabled_since.max(Some(webhook.since));
        } else if let Some(since) = failing {
            let all = found.entry(webhook.tenant).or_insert_with(new);
            all.failing += 1;
            all.failing_since = Some(all.failing_since.map_or(since, |first| first.min(since)));
        }
    }
    found.into_values().collect()
}

#[async_trait]
impl Lookout for MemoryStore {
    async fn look(&self, _: SystemScope, at: WallTime) -> Result<Sight, StoreError> {
        let state = self.read();
        let sessions = || state.sessions.values().filter(|row| !row.deleted).map(|row| &row.session);
        let mut sight = Sight {
            groups: groups(sessions(), at),
            restricted: restricted(sessions(), at),
            endpoints: endpoints(&state),
            ..Sight::default()
        };
        for session in sessions() {
            *sight.census.sessions.entry(session.status).or_default() += 1;
            *sight.engines.entry(session.engine).or_default() += 1;
            sight.census.waiting += session.counters.queued;
        }
        for message in state.messages.values().map(|row| &row.message) {
            match message.status {
                MessageStatus::Held => {
                    if let Some(reason) = message.reason {
                        *sight.held.entry(reason).or_default() += 1;
                    }
                }
                MessageStatus::Sending => sight.sending += 1,
                _ => {}
            }
        }
        for ((day, _), (tenant, done)) in &state.days {
            if *day > at - DAY && done.failed > 0 {
                *sight.failed.entry(*tenant).or_default() += done.failed;
            }
        }
        Ok(sight)
    }

    async fn usage(
        &self,
        _: SystemScope,
        period: WallTime,
        tenants: &[TenantId],
    ) -> Result<BTreeMap<TenantId, MonthUsed>, StoreError> {
        let state = self.read();
        let used = |&tenant: &TenantId| {
            let row = state.usage.get(&(tenant, period))?;
            Some((tenant, MonthUsed { used: row.used + row.held, limit: row.allowance.limit }))
        };
        Ok(tenants.iter().filter_map(used).collect())
    }

    async fn engines(&self, scope: SystemScope) -> Result<BTreeMap<Engine, u64>, StoreError> {
        Ok(self.look(scope, WallTime::default()).await?.engines)
    }

    async fn shifts(&self, _: SystemScope, since: WallTime, width: Duration) -> Result<Shifts, StoreError> {
        let state = self.read();
        let width = width.as_millis() as i64;
        let mut counted: BTreeMap<_, u64> = BTreeMap::new();
        let mut known_since: Option<WallTime> = None;
        for row in state.sessions.values() {
            let mut was = None;
            let mut changes: Vec<_> =
                row.past.iter().map(|spell| (spell.since, Some(spell.status))).collect();
            changes.extend(row.deleted_at.map(|at| (at, None)));
            for (at, became) in changes {
                known_since = Some(known_since.map_or(at, |first| first.min(at)));
                if at >= since && was != became {
                    *counted.entry((at.0 / width, was, became)).or_default() += 1;
                }
                was = became;
            }
        }
        let shift = |((span, was, became), sessions)| Shift { span, was, became, sessions };
        Ok(Shifts { shifts: counted.into_iter().map(shift).collect(), known_since })
    }
}
