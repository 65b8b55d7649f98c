//! What is known of a number: whether it wants messages, and whether it has an account.

use crate::domain::chat::Chat;
use crate::domain::id::{SessionId, SuppressionId, TenantId};
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::phone::Phone;
use crate::domain::refusal::Refusal;
use crate::domain::restraint::{self, Approach};
use crate::domain::time::WallTime;
use crate::ports::contacts::{Considered, Stop, StoppedBy, Suppression};
use crate::ports::store::{StoreError, WriteError};
use crate::storage::sql::book::Book;
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Notes what the network said of a number.
pub struct NoteAccount {
    pub tenant: TenantId,
    pub phone: Phone,
    pub has_account: bool,
    pub at: WallTime,
}

impl Command for NoteAccount {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.contact(self.tenant, self.phone.clone().into());
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.edit_contact(self.tenant, self.phone.clone().into()).account = Some((self.has_account, self.at));
        Ok(())
    }
}

/// Says which numbers a session may ask for, and notes that it does.
pub struct Consider {
    pub tenant: TenantId,
    pub session: SessionId,
    pub phones: Vec<Phone>,
    pub approach: Option<Approach>,
    pub at: WallTime,
}

impl Consider {
    fn verdict(&self, book: &mut Book, phone: &Phone) -> Considered {
        let (session, chat, at) = (self.session, Chat::from(phone.clone()), self.at);
        if let Some(exists) = restraint::believed(book.contact(self.tenant, &chat).account, at) {
            return Considered::Known(exists);
        }
        let Some(approach) = self.approach.filter(|_| !book.has_met(session, &chat)) else {
            return Considered::Ask;
        };
        if book.approached(session, &chat).is_none() {
            let linked = book.session(session).and_then(|row| row.paired_at);
            if let Some(until) = approach.opens_at(linked, &book.approaches(session), at) {
                return Considered::NotBefore(until);
            }
            book.approach(self.tenant, session, chat, at);
        }
        Considered::Ask
    }
}

impl Command for Consider {
    type Answer = Vec<Considered>;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.session);
        for phone in &self.phones {
            needs.contact(self.tenant, phone.clone().into());
            if self.approach.is_some() {
                needs.acquaintance(self.session, phone.clone().into(), self.at);
            }
        }
    }

    fn decide(&self, book: &mut Book) -> Result<Vec<Considered>, StoreError> {
        book.session(self.session).filter(|row| row.tenant == self.tenant).ok_or(StoreError::Fenced)?;
        Ok(self.phones.iter().map(|phone| self.verdict(book, phone)).collect())
    }
}

/// Notes groups that an account is in.
pub struct NoteGroups {
    pub tenant: TenantId,
    pub session: SessionId,
    pub groups: Vec<Chat>,
    pub at: WallTime,
}

impl Command for NoteGroups {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.session);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.session(self.session).filter(|row| row.tenant == self.tenant).ok_or(StoreError::Fenced)?;
        for group in &self.groups {
            book.meet(self.tenant, self.session, group.clone(), self.at);
        }
        Ok(())
    }
}

/// Suppresses a number on behalf of its tenant.
pub struct Suppress {
    pub tenant: TenantId,
    pub id: SuppressionId,
    pub phone: Phone,
    pub at: WallTime,
}

impl Command for Suppress {
    type Answer = Suppression;
    type Error = WriteError;

    fn needs(&self, needs: &mut Needs) {
        needs.waiting_for(self.tenant, self.phone.clone().into());
    }

    fn decide(&self, book: &mut Book) -> Result<Suppression, WriteError> {
        let new = Stop { id: self.id, at: self.at, by: StoppedBy::Tenant };
        let phone = Chat::from(self.phone.clone());
        let Stop { id, at, by } = suppress(book, self.tenant, &phone, new);
        Ok(Suppression { id, phone, since: at, by })
    }
}

/// Takes back what the tenant wished.
pub struct Allow {
    pub tenant: TenantId,
    pub id: SuppressionId,
}

impl Command for Allow {
    type Answer = ();
    type Error = WriteError;

    fn needs(&self, needs: &mut Needs) {
        needs.stop(self.tenant, self.id);
    }

    fn decide(&self, book: &mut Book) -> Result<(), WriteError> {
        let (phone, stop) = book.stop(self.tenant, self.id).ok_or_else(Refusal::not_found)?;
        if stop.by == StoppedBy::Contact {
            return Err(Refusal::closed_by_their_word().into());
        }
        book.edit_contact(self.tenant, phone).stopped = None;
        Ok(())
    }
}

/// A number wants no messages from now on, and what waits for it is canceled; what stands then.
pub fn suppress(book: &mut Book, tenant: TenantId, phone: &Chat, new: Stop) -> Stop {
    let contact = book.edit_contact(tenant, phone.clone());
    let stands = contact.stopped.map_or(new, |stop| stop.and(new));
    contact.stopped = Some(stands);
    for id in book.waiting_for(tenant, phone) {
        book.pass(id, MessageStatus::Canceled, Some(MessageReason::Suppressed), new.at);
    }
    stands
}
