//! Reading messages and taking them back.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{MessageRow, is_waiting};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Direction, Message, MessageReason, MessageStatus};
use crate::domain::page::{Page, Slice};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::{Period, WallTime};
use crate::ports::messages::{LogFilter, LogPage, MessageFilter, Messages, Queue, QueueHead, UsageDay};
use crate::ports::outbox::Usage;
use crate::ports::store::{StoreError, WriteError};

#[async_trait]
impl Messages for MemoryStore {
    async fn get(&self, scope: TenantScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        let state = self.read();
        let row = state.messages.get(&id).filter(|row| row.message.tenant == scope.tenant());
        Ok(row.map(|row| row.message.clone()))
    }

    async fn list(
        &self,
        scope: TenantScope,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Slice<Message>, StoreError> {
        let state = self.read();
        let wanted = |row: &&MessageRow| {
            row.message.tenant == scope.tenant()
                && page.before.is_none_or(|before| row.message.id.uuid() < before)
                && filter.fits(&row.message)
        };
        let rows = state.messages.values().rev().filter(wanted).take(page.limit as usize + 1);
        Ok(Slice::of(rows.map(|row| row.message.clone()).collect(), page))
    }

    async fn knows_chat(
        &self,
        scope: TenantScope,
        session: SessionId,
        chat: &Chat,
    ) -> Result<bool, StoreError> {
        let state = self.read();
        Ok(state.session_of(scope.tenant(), session).is_some_and(|row| row.met.contains(chat)))
    }

    async fn cancel(&self, scope: TenantScope, id: MessageId, at: WallTime) -> Result<Message, WriteError> {
        self.write(|state| {
            let row = state.messages.get(&id).filter(|row| row.message.tenant == scope.tenant());
            let row = row.ok_or_else(Refusal::not_found)?;
            if row.message.status == MessageStatus::Canceled {
                return Ok(row.message.clone());
            }
            if !is_waiting(row) {
                let status = row.message.status;
                return Err(
                    Refusal::conflict(format!("the message is {status} and cannot be taken back")).into()
                );
            }
            let canceled = state.pass(id, MessageStatus::Canceled, Some(MessageReason::Requested), at);
            Ok(canceled.ok_or_else(Refusal::not_found)?)
        })
    }

    async fn cancel_all(
        &self,
        scope: TenantScope,
        session: SessionId,
        at: WallTime,
    ) -> Result<u64, WriteError> {
        self.write(|state| {
            state.session_of(scope.tenant(), session).ok_or_else(Refusal::not_found)?;
            Ok(state.cancel_waiting(session, MessageReason::Requested, at))
        })
    }

    async fn usage(&self, scope: TenantScope, period: Period) -> Result<Option<Usage>, StoreError> {
        let (state, tenant) = (self.read(), scope.tenant());
        let row = state.usage.get(&(tenant, period.start));
        Ok(row.map(|row| state.usage_of(tenant, period.start, row.allowance, None)))
    }

    async fn days(
        &self,
        scope: TenantScope,
        period: Period,
        after: Option<(WallTime, SessionId)>,
        limit: u32,
    ) -> Result<Vec<UsageDay>, StoreError> {
        let state = self.read();
        let wanted = |(key, (tenant, _)): &(&(WallTime, SessionId), &(TenantId, UsageDay))| {
            *tenant == scope.tenant()
                && (period.start..period.end).contains(&key.0)
                && after.is_none_or(|after| **key > after)
        };
        let days = state.days.iter().filter(wanted).map(|(_, (_, day))| *day);
        Ok(days.take(limit as usize).collect())
    }

    async fn find(&self, _: SystemScope, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.read().messages.get(&id).map(|row| row.message.clone()))
    }

    async fn log(&self, _: SystemScope, filter: LogFilter, page: Page) -> Result<LogPage, StoreError> {
        let state = self.read();
        let wanted = |row: &&MessageRow| {
            let message = &row.message;
            let at = message.id.minted_at();
            filter.tenant.is_none_or(|tenant| message.tenant == tenant)
                && filter.id.is_none_or(|id| message.id == id)
                && filter.wa_id.as_ref().is_none_or(|wa_id| {
                    let known = message.direction == Direction::Out || filter.narrowed.session.is_some();
                    known && message.wa_id == *wa_id
                })
                && filter.from.is_none_or(|from| at >= from)
                && filter.until.is_none_or(|until| at < until)
                && page.before.is_none_or(|before| message.id.uuid() < before)
                && filter.narrowed.fits(message)
        };
        let rows = state.messages.values().rev().filter(wanted).take(page.limit as usize + 1);
        let slice = Slice::of(rows.map(|row| row.message.clone()).collect(), page);
        let beyond = slice.rows.last().filter(|_| slice.has_more).map(|message| message.id);
        Ok(LogPage { rows: slice.rows, beyond })
    }

    async fn queue(&self, scope: TenantScope, session: SessionId, at: WallTime) -> Result<Queue, StoreError> {
        let state = self.read();
        let mut queue = Queue::default();
        let live = state.ids(|row| {
            row.message.session == session
                && row.message.tenant == scope.tenant()
                && (is_waiting(row) || row.message.status == MessageStatus::Sending)
        });
        for row in live.iter().filter_map(|id| state.messages.get(id)) {
            match row.message.status {
                MessageStatus::Queued => queue.queued += 1,
                MessageStatus::Held => queue.held += 1,
                _ => queue.sending += 1,
            }
            if is_waiting(row) && queue.head.is_none() {
                let until = Some(row.not_before).filter(|until| *until > at);
                let Message { id, status, reason, .. } = row.message;
                queue.head = Some(QueueHead { id, status, reason, until });
            }
        }
        Ok(queue)
    }

    async fn attempts_of(
        &self,
        scope: TenantScope,
        session: SessionId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<WallTime>, StoreError> {
        let state = self.read();
        let own = state.attempts.iter().filter(|attempt| {
            attempt.tenant == scope.tenant() && attempt.session == session && attempt.at.wall > since
        });
        let mut walls: Vec<_> = own.map(|attempt| attempt.at.wall).collect();
        walls.sort_unstable();
        Ok(walls.split_off(walls.len().saturating_sub(limit as usize)))
    }

    async fn attempts_since(
        &self,
        scope: TenantScope,
        since: WallTime,
    ) -> Result<Vec<(SessionId, u64)>, StoreError> {
        let mut counts = BTreeMap::new();
        for attempt in &self.read().attempts {
            if attempt.tenant == scope.tenant() && attempt.at.wall >= since {
                *counts.entry(attempt.session).or_default() += 1;
            }
        }
        Ok(counts.into_iter().collect())
    }
}
