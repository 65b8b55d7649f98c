//! A transaction that errands write in, by statements of their own and through books.

use sea_orm::DatabaseTransaction;

use super::book::Book;
use super::dialect::Fault;
use super::flush::{self, flush};
use super::kept::Kept;
use super::load::{Needs, load};
use crate::domain::event::StatusEvent;
use crate::domain::time::WallTime;

/// One transaction.
pub(super) struct Desk<'a> {
    pub(super) txn: &'a DatabaseTransaction,
    /// Dates its events.
    at: WallTime,
    events: Vec<StatusEvent>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(txn: &'a DatabaseTransaction, at: WallTime) -> Self {
        Self { txn, at, events: vec![] }
    }

    /// Reads rows to work on. What was written before is in them; two books must not be open at once.
    pub(super) async fn open(&self, needs: Needs) -> Result<Book, Fault> {
        load(self.txn, needs, &mut Kept::default()).await
    }

    /// Writes what was changed in a book, and its events.
    pub(super) async fn close(&mut self, book: Book) -> Result<(), Fault> {
        let nothing = &mut Kept::default();
        self.events.extend(flush(self.txn, book, nothing, self.at, flush::WITHIN).await?);
        Ok(())
    }

    /// Dates what is written.
    pub(super) fn at(&self) -> WallTime {
        self.at
    }

    /// What is to be told once it is committed, in order.
    pub(super) fn events(self) -> Vec<StatusEvent> {
        self.events
    }
}
