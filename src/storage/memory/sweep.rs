//! What has to happen by the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Charge, MessageRow, State, is_waiting};
use crate::domain::id::{MessageId, SessionId};
use crate::domain::idempotency::REMEMBERED;
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::scope::SystemScope;
use crate::domain::time::{Reading, WallTime};
use crate::domain::window::SPAN;
use crate::ports::store::StoreError;
use crate::ports::sweep::Sweep;

const ABANDONED: Duration = Duration::from_secs(15 * 60);
const DOUBTED: Duration = Duration::from_secs(24 * 3600);
const ATTEMPTS_KEPT: Duration = Duration::from_secs(3600);
const EVENTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const SPELLS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Those that are due, longest due first: at most `limit` of them.
fn longest_due(state: &State, limit: u32, due: impl Fn(&MessageRow) -> Option<WallTime>) -> Vec<MessageId> {
    let mut found: Vec<_> = state
        .messages
        .values()
        .filter_map(|row| due(row).map(|since| (since, row.position, row.message.id)))
        .collect();
    found.sort_unstable();
    found.into_iter().take(limit as usize).map(|(_, _, id)| id).collect()
}

#[async_trait]
impl Sweep for MemoryStore {
    async fn expire(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let ids = longest_due(state, limit, |row| {
                row.message.expires_at.filter(|&end| is_waiting(row) && end <= at)
            });
            for &id in &ids {
                state.pass(id, MessageStatus::Expired, Some(MessageReason::Expired), at);
            }
            ids.len() as u64
        }))
    }

    async fn due(&self, _: SystemScope, at: WallTime) -> Result<Vec<SessionId>, StoreError> {
        let state = self.read();
        let due = state.messages.values().filter(|row| is_waiting(row) && row.not_before <= at);
        let sessions: BTreeSet<_> = due.map(|row| row.message.session).collect();
        Ok(sessions.into_iter().collect())
    }

    async fn abandon(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let ids = longest_due(state, limit, |row| {
                let is_left =
                    row.message.status == MessageStatus::Sending && at.since(row.attempted_at) > ABANDONED;
                is_left.then_some(row.attempted_at)
            });
            for &id in &ids {
                state.pass(id, MessageStatus::Unknown, Some(MessageReason::Interrupted), at);
            }
            ids.len() as u64
        }))
    }

    async fn release(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let since = |row: &MessageRow| row.message.times.get("unknown").copied();
            let ids = longest_due(state, limit, |row| {
                let is_held = row.message.status == MessageStatus::Unknown && row.charge == Charge::Held;
                since(row).filter(|&since| is_held && at.since(since) > DOUBTED)
            });
            ids.iter().for_each(|&id| state.release(id));
            ids.len() as u64
        }))
    }

    async fn erase(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let is_old = |row: &MessageRow| {
                let tenant = state.tenants.get(&row.message.tenant);
                let plan = tenant.and_then(|row| state.plan(&row.tenant.plan));
                plan.is_some_and(|plan| {
                    let before = at - plan.retention();
                    row.message.id.minted_at() < before
                        && row.message.send_at.is_none_or(|time| time < before)
                })
            };
            let rests = |row: &MessageRow| !row.message.status.is_live() && row.charge != Charge::Held;
            let mut old = state.ids(|row| rests(row) && is_old(row));
            old.truncate(limit as usize);
            for id in &old {
                state.messages.remove(id);
                state.webhooks.erase(*id);
            }
            old.len() as u64
        }))
    }

    async fn forget(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        let now = self.clock.read();
        // What this boot's clock still sees in the window stays, whatever the wall clock says.
        let is_seen = move |row: &Reading| row.boot == now.boot && now.now.since(row.now) <= SPAN;
        Ok(self.write(|state| {
            let mut left = limit;
            // One budget for the four kinds of rows.
            let mut drop_one = move |old: bool| {
                let drop = old && left > 0;
                left -= u32::from(drop);
                drop
            };
            let spells = |state: &State| state.sessions.values().map(|row| row.past.len()).sum::<usize>();
            let size = |state: &State| {
                state.remembered.len() + state.attempts.len() + state.events.len() + spells(state)
            };
            let before = size(state);
            state.remembered.retain(|_, row| !drop_one(at.since(row.at) >= REMEMBERED));
            state
                .attempts
                .retain(|row| !drop_one(at.since(row.at.wall) > ATTEMPTS_KEPT && !is_seen(&row.at)));
            state.events.retain(|row| !drop_one(at.since(row.at) > EVENTS_KEPT));
            for row in state.sessions.values_mut() {
                row.past.retain(|spell| !drop_one(at.since(spell.since) > SPELLS_KEPT));
            }
            (before - size(state)) as u64
        }))
    }
}
