//! What became of an attempt to tell an endpoint.

use crate::ports::store::StoreError;
use crate::ports::webhooks::Settled;
use crate::storage::sql::book::Book;
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Writes one attempt, its delivery's standing and its endpoint's.
pub struct SettleDelivery(pub Settled);

impl Command for SettleDelivery {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, _: &mut Needs) {}

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.changes.settled.push(self.0.clone());
        Ok(())
    }
}
