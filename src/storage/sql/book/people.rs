//! What the rows say of people and groups: what came from them, whom a session wrote to first, who wants no messages, and
//! what waits for them.

use std::collections::HashMap;

use super::{Book, Heard, MessageRow};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, SuppressionId, TenantId};
use crate::domain::message::{Direction, MessageReason, MessageStatus, WaId};
use crate::domain::time::WallTime;
use crate::ports::contacts::{Contact, Stop};

impl Book {
    pub(in crate::storage::sql) fn put_met(&mut self, session: SessionId, chat: Chat) {
        self.met.insert((session, chat));
    }

    pub(in crate::storage::sql) fn put_approached(&mut self, session: SessionId, chat: Chat, at: WallTime) {
        self.approached.entry(session).or_default().insert(chat, at);
    }

    pub(in crate::storage::sql) fn put_contact(&mut self, tenant: TenantId, phone: Chat, contact: Contact) {
        self.contacts.insert((tenant, phone), contact);
    }

    pub(in crate::storage::sql) fn put_heard(&mut self, heard: Heard) {
        self.heard.insert(heard);
    }

    pub(in crate::storage::sql) fn put_referred(&mut self, of: (SessionId, Chat, WaId), id: MessageId) {
        self.referred.insert(of, id);
    }

    /// Whether this very message came in before.
    pub(in crate::storage::sql) fn has_heard(&self, heard: &Heard) -> bool {
        self.heard.contains(heard)
    }

    /// The message of this chat that is called so on the network, whoever wrote it.
    pub(in crate::storage::sql) fn referred(
        &self,
        session: SessionId,
        chat: &Chat,
        wa_id: &WaId,
    ) -> Option<MessageId> {
        let ours = self.message_by_wa(session, wa_id).filter(|row| row.message.chat == *chat);
        let known = self.referred.get(&(session, chat.clone(), wa_id.clone())).copied();
        ours.map(|row| row.message.id).or(known)
    }

    /// What is held in a chat for want of a word from there, as far as it was read, in order of acceptance.
    pub(in crate::storage::sql) fn held_in(&self, session: SessionId, chat: &Chat) -> Vec<MessageId> {
        let waits = |row: &&MessageRow| {
            let reason = row.message.reason;
            row.message.status == MessageStatus::Held && reason.is_some_and(MessageReason::ends_with_a_reply)
        };
        let ids = self.by_chat.get(&(session, chat.clone())).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<_> = ids.iter().filter_map(|id| self.messages.get(id)).filter(waits).collect();
        found.sort_by_key(|row| (row.ord.unwrap_or(i64::MAX), row.message.id));
        found.into_iter().map(|row| row.message.id).collect()
    }

    /// When the session has written to this person first, who never wrote.
    pub(in crate::storage::sql) fn approached(&self, session: SessionId, chat: &Chat) -> Option<WallTime> {
        self.approached.get(&session)?.get(chat).copied()
    }

    /// When the session has written to people first who never wrote: all of the last day, in no order.
    pub(in crate::storage::sql) fn approaches(&self, session: SessionId) -> Vec<WallTime> {
        self.approached.get(&session).into_iter().flat_map(HashMap::values).copied().collect()
    }

    /// What the tenant knows of a number.
    pub(in crate::storage::sql) fn contact(&self, tenant: TenantId, phone: &Chat) -> Contact {
        self.contacts.get(&(tenant, phone.clone())).copied().unwrap_or_default()
    }

    /// A wish by its name, and whose it is.
    pub(in crate::storage::sql) fn stop(&self, tenant: TenantId, id: SuppressionId) -> Option<(Chat, Stop)> {
        self.contacts.iter().find_map(|((of, phone), contact)| {
            let stop = contact.stopped.filter(|stop| *of == tenant && stop.id == id)?;
            Some((phone.clone(), stop))
        })
    }

    /// What waits for a number on any session of the tenant, as far as it was read.
    pub(in crate::storage::sql) fn waiting_for(&self, tenant: TenantId, phone: &Chat) -> Vec<MessageId> {
        let waits = |row: &&MessageRow| {
            let message = &row.message;
            message.tenant == tenant
                && message.chat == *phone
                && message.direction == Direction::Out
                && matches!(message.status, MessageStatus::Queued | MessageStatus::Held)
        };
        let mut found: Vec<_> = self.messages.values().filter(waits).collect();
        // In the order of acceptance; what this batch has accepted comes last.
        found.sort_by_key(|row| (row.ord.unwrap_or(i64::MAX), row.message.id));
        found.into_iter().map(|row| row.message.id).collect()
    }

    /// Whether the correspondent has written to the session.
    pub(in crate::storage::sql) fn has_met(&self, session: SessionId, chat: &Chat) -> bool {
        self.met.contains(&(session, chat.clone()))
    }

    /// Notes that a message came; `met`: whether that makes its chat one that has written.
    pub(in crate::storage::sql) fn hear(&mut self, tenant: TenantId, heard: Heard, met: bool, at: WallTime) {
        let (session, chat) = (heard.0, heard.1.clone());
        self.heard.insert(heard);
        if met {
            self.meet(tenant, session, chat, at);
        }
    }

    /// Notes that a chat has written to the session, or has it as a member.
    pub(in crate::storage::sql) fn meet(
        &mut self,
        tenant: TenantId,
        session: SessionId,
        chat: Chat,
        at: WallTime,
    ) {
        if self.met.insert((session, chat.clone())) {
            self.changes.met.push((tenant, session, chat, at));
        }
    }

    /// Notes that the session writes to somebody who never wrote.
    pub(in crate::storage::sql) fn approach(
        &mut self,
        tenant: TenantId,
        session: SessionId,
        chat: Chat,
        at: WallTime,
    ) {
        self.put_approached(session, chat.clone(), at);
        self.changes.approached.push((tenant, session, chat, at));
    }

    /// What the tenant knows of a number, to be changed and written.
    pub(in crate::storage::sql) fn edit_contact(&mut self, tenant: TenantId, phone: Chat) -> &mut Contact {
        let key = (tenant, phone);
        self.changes.contacts.insert(key.clone());
        self.contacts.entry(key).or_default()
    }
}
