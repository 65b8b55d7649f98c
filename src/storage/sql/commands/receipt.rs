//! What the network says about a message it has.

use crate::domain::session::Lease;
use crate::ports::outbox::Receipt;
use crate::ports::store::StoreError;
use crate::storage::sql::book::Book;
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Applies one receipt. True whoever reports it, so the lease only says whose it is.
pub struct Apply {
    pub lease: Lease,
    pub receipt: Receipt,
}

impl Command for Apply {
    type Answer = bool;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.message_by_wa(self.lease.session, &self.receipt.wa_id);
    }

    fn decide(&self, book: &mut Book) -> Result<bool, StoreError> {
        let row = book.message_by_wa(self.lease.session, &self.receipt.wa_id);
        let Some(row) = row.filter(|row| row.message.tenant == self.lease.tenant) else { return Ok(false) };
        let Some(next) = row.message.status.after_receipt(self.receipt.kind) else { return Ok(false) };
        let id = row.message.id;
        book.pass(id, next, None, self.receipt.at);
        Ok(true)
    }
}
