//! A transaction that errands write in, by statements of their own and through books.

use sea_orm::DatabaseTransaction;

use super::book::Book;
use super::days::Calendar;
use super::dialect::{Batch, Fault};
use super::flush::{News, flush};
use super::kept::Kept;
use super::load::{Needs, load};
use crate::domain::id::WebhookId;
use crate::domain::time::WallTime;

/// One transaction.
pub(super) struct Desk<'a> {
    pub(super) txn: &'a DatabaseTransaction,
    calendar: Calendar,
    /// Dates its events.
    at: WallTime,
    news: News,
}

impl<'a> Desk<'a> {
    pub(super) fn new(txn: &'a DatabaseTransaction, calendar: Calendar, at: WallTime) -> Self {
        Self { txn, calendar, at, news: News::default() }
    }

    /// Reads rows to work on. What was written before is in them; two books must not be open at once.
    pub(super) async fn open(&self, needs: Needs) -> Result<Book, Fault> {
        load(self.txn, needs, &mut Kept::new(self.calendar.clone())).await
    }

    /// Writes what was changed in a book, and its events.
    pub(super) async fn close(&mut self, book: Book) -> Result<(), Fault> {
        let nothing = &mut Kept::new(self.calendar.clone());
        self.news.extend(flush(self.txn, book, nothing, self.at, Batch::Within).await?);
        Ok(())
    }

    /// Dates what is written.
    pub(super) fn at(&self) -> WallTime {
        self.at
    }

    /// Lets an endpoint look at its rows once it is committed.
    pub(super) fn posted(&mut self, webhook: WebhookId) {
        self.news.posted.insert(webhook);
    }

    /// What is to be told once it is committed.
    pub(super) fn news(self) -> News {
        self.news
    }
}
