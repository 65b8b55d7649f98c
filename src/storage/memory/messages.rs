//! Reading messages and taking them back.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{MessageRow, is_waiting};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Message, MessageReason, MessageStatus};
use crate::domain::page::{Page, Slice};
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::time::{Period, WallTime};
use crate::ports::messages::{MessageFilter, Messages, UsageDay};
use crate::ports::outbox::Usage;
use crate::ports::store::{StoreError, WriteError};

fn fits(filter: &MessageFilter, message: &Message) -> bool {
    filter.session.is_none_or(|session| message.session == session)
        && filter.chat.as_ref().is_none_or(|chat| message.chat == *chat)
        && filter.status.is_none_or(|status| message.status == status)
        && filter.direction.is_none_or(|direction| message.direction == direction)
        && filter.client_ref.as_ref().is_none_or(|wanted| message.client_ref.as_ref() == Some(wanted))
}

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
                && fits(&filter, &row.message)
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
