//! What the clock does to messages. Each names what was due a moment ago and looks again before it acts.

use std::time::Duration;

use crate::domain::id::MessageId;
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::time::WallTime;
use crate::ports::store::StoreError;
use crate::storage::sql::book::{Book, Charge, MessageRow};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// An attempt that is under way for longer was left by a session that never came back.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long the place of a message that nobody knows about stays reserved.
pub const DOUBT_ENDS_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Messages, and the time it is.
pub struct Due {
    pub messages: Vec<MessageId>,
    pub at: WallTime,
}

impl Due {
    /// Does `act` to each that still is as `is_due` wants it; how many.
    fn each(
        &self,
        book: &mut Book,
        is_due: impl Fn(&MessageRow) -> bool,
        act: impl Fn(&mut Book, MessageId),
    ) -> u64 {
        let mut acted = 0;
        for &id in &self.messages {
            if book.message(id).is_some_and(&is_due) {
                act(book, id);
                acted += 1;
            }
        }
        acted
    }
}

/// Ends what waited for too long.
pub struct Expire(pub Due);

impl Command for Expire {
    type Answer = u64;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.messages(self.0.messages.iter().copied());
    }

    fn decide(&self, book: &mut Book) -> Result<u64, StoreError> {
        let at = self.0.at;
        let is_due = |row: &MessageRow| {
            matches!(row.message.status, MessageStatus::Queued | MessageStatus::Held)
                && row.message.expires_at.is_some_and(|end| end <= at)
        };
        Ok(self.0.each(book, is_due, |book, id| {
            book.pass(id, MessageStatus::Expired, Some(MessageReason::Expired), at);
        }))
    }
}

/// Gives up what has been under way for too long.
pub struct Abandon(pub Due);

impl Command for Abandon {
    type Answer = u64;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.messages(self.0.messages.iter().copied());
    }

    fn decide(&self, book: &mut Book) -> Result<u64, StoreError> {
        let at = self.0.at;
        let is_due = |row: &MessageRow| {
            row.message.status == MessageStatus::Sending
                && row.attempted_at.is_none_or(|begun| at.since(begun) > ABANDONED_AFTER)
        };
        Ok(self.0.each(book, is_due, |book, id| {
            book.pass(id, MessageStatus::Unknown, Some(MessageReason::Interrupted), at);
        }))
    }
}

/// Gives back the place of what nobody has known about for too long.
pub struct Release(pub Due);

impl Command for Release {
    type Answer = u64;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.messages(self.0.messages.iter().copied());
    }

    fn decide(&self, book: &mut Book) -> Result<u64, StoreError> {
        let at = self.0.at;
        let doubtful_since = <&str>::from(MessageStatus::Unknown);
        let is_due = |row: &MessageRow| {
            row.message.status == MessageStatus::Unknown
                && row.charge == Charge::Held
                && row
                    .message
                    .times
                    .get(doubtful_since)
                    .is_some_and(|&then| at.since(then) > DOUBT_ENDS_AFTER)
        };
        Ok(self.0.each(book, is_due, Book::release))
    }
}
