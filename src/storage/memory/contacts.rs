//! What tenants know of numbers.

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{State, is_waiting};
use crate::domain::chat::Chat;
use crate::domain::id::{SessionId, SuppressionId, TenantId};
use crate::domain::message::{Direction, MessageReason, MessageStatus};
use crate::domain::page::{Page, Slice};
use crate::domain::phone::Phone;
use crate::domain::refusal::Refusal;
use crate::domain::restraint::{self, Approach};
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::contacts::{Considered, Contacts, Stop, StoppedBy, Suppression};
use crate::ports::store::{StoreError, WriteError};

impl State {
    /// The number wants no messages from now on, and what waits for it is canceled; what stands then.
    pub(super) fn suppress(&mut self, tenant: TenantId, phone: &Chat, new: Stop) -> Stop {
        let contact = self.contacts.entry((tenant, phone.clone())).or_default();
        let stands = contact.stopped.map_or(new, |stop| stop.and(new));
        contact.stopped = Some(stands);
        let waiting = self.ids(|row| {
            let message = &row.message;
            message.tenant == tenant
                && message.chat == *phone
                && message.direction == Direction::Out
                && is_waiting(row)
        });
        for id in waiting {
            self.pass(id, MessageStatus::Canceled, Some(MessageReason::Suppressed), new.at);
        }
        stands
    }
}

#[async_trait]
impl Contacts for MemoryStore {
    async fn suppressions(&self, scope: TenantScope, page: Page) -> Result<Slice<Suppression>, StoreError> {
        let state = self.read();
        let rows = state.contacts.iter().filter(|((tenant, _), _)| *tenant == scope.tenant());
        let rows = rows.filter_map(|((_, phone), contact)| {
            let Stop { id, at, by } = contact.stopped?;
            Some(Suppression { id, phone: phone.clone(), since: at, by })
        });
        let wanted = |row: &Suppression| page.before.is_none_or(|before| row.id.uuid() < before);
        let mut rows: Vec<_> = rows.filter(wanted).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        Ok(Slice::of(rows, page))
    }

    async fn suppress(
        &self,
        scope: TenantScope,
        id: SuppressionId,
        phone: Phone,
        at: WallTime,
    ) -> Result<Suppression, WriteError> {
        Ok(self.write(|state| {
            let (new, phone) = (Stop { id, at, by: StoppedBy::Tenant }, Chat::from(phone));
            let Stop { id, at, by } = state.suppress(scope.tenant(), &phone, new);
            Suppression { id, phone, since: at, by }
        }))
    }

    async fn allow(&self, scope: TenantScope, id: SuppressionId) -> Result<(), WriteError> {
        self.write(|state| {
            let named = state.contacts.iter_mut().find(|((tenant, _), contact)| {
                *tenant == scope.tenant() && contact.stopped.is_some_and(|stop| stop.id == id)
            });
            let (_, contact) = named.ok_or_else(Refusal::not_found)?;
            if contact.stopped.is_some_and(|stop| stop.by == StoppedBy::Contact) {
                return Err(Refusal::closed_by_their_word().into());
            }
            contact.stopped = None;
            Ok(())
        })
    }

    async fn consider(
        &self,
        scope: TenantScope,
        session: SessionId,
        phones: Vec<Phone>,
        approach: Option<Approach>,
        at: WallTime,
    ) -> Result<Vec<Considered>, StoreError> {
        self.write(|state| {
            let tenant = scope.tenant();
            state.session_of(tenant, session).ok_or(StoreError::Fenced)?;
            let known: Vec<_> = phones
                .iter()
                .map(|phone| state.contacts.get(&(tenant, phone.clone().into())).and_then(|one| one.account))
                .collect();
            let row = state.sessions.get_mut(&session).ok_or(StoreError::Fenced)?;
            let verdict = |(phone, account): (Phone, _)| {
                if let Some(exists) = restraint::believed(account, at) {
                    return Considered::Known(exists);
                }
                let chat = Chat::from(phone);
                let Some(approach) = approach.filter(|_| !row.met.contains(&chat)) else {
                    return Considered::Ask;
                };
                if !row.approached.contains_key(&chat) {
                    let others: Vec<_> = row.approached.values().copied().collect();
                    if let Some(until) = approach.opens_at(row.paired_at, &others, at) {
                        return Considered::NotBefore(until);
                    }
                    row.approached.insert(chat, at);
                }
                Considered::Ask
            };
            Ok(phones.into_iter().zip(known).map(verdict).collect())
        })
    }

    async fn note_groups(
        &self,
        scope: TenantScope,
        session: SessionId,
        groups: Vec<Chat>,
        _: WallTime,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            state.session_of(scope.tenant(), session).ok_or(StoreError::Fenced)?;
            if let Some(row) = state.sessions.get_mut(&session) {
                row.met.extend(groups);
            }
            Ok(())
        })
    }

    async fn note_account(
        &self,
        tenant: TenantId,
        phone: Phone,
        has_account: bool,
        at: WallTime,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            let contact = state.contacts.entry((tenant, phone.into())).or_default();
            contact.account = Some((has_account, at));
        });
        Ok(())
    }
}
