//! What is known of a number: whether it wants messages, and whether it has an account.

use crate::domain::id::{SuppressionId, TenantId};
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::phone::Phone;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::contacts::{Stop, StoppedBy, Suppression};
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
        needs.contact(self.tenant, self.phone.clone());
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.edit_contact(self.tenant, self.phone.clone()).account = Some((self.has_account, self.at));
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
        needs.waiting_for(self.tenant, self.phone.clone());
    }

    fn decide(&self, book: &mut Book) -> Result<Suppression, WriteError> {
        let new = Stop { id: self.id, at: self.at, by: StoppedBy::Tenant };
        let Stop { id, at, by } = suppress(book, self.tenant, &self.phone, new);
        Ok(Suppression { id, phone: self.phone.clone(), since: at, by })
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
pub fn suppress(book: &mut Book, tenant: TenantId, phone: &Phone, new: Stop) -> Stop {
    let contact = book.edit_contact(tenant, phone.clone());
    let stands = contact.stopped.map_or(new, |stop| stop.and(new));
    contact.stopped = Some(stands);
    for id in book.waiting_for(tenant, phone) {
        book.pass(id, MessageStatus::Canceled, Some(MessageReason::Suppressed), new.at);
    }
    stands
}
