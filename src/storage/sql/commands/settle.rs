//! Stop 9: what became of an attempt.

use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::time::WallTime;
use crate::ports::outbox::{Outcome, Settlement};
use crate::ports::store::StoreError;
use crate::storage::sql::book::{Book, MessageRow};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Settles one attempt.
pub struct Settle(pub Settlement);

impl Command for Settle {
    type Answer = bool;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.message(self.0.message);
    }

    fn decide(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Settlement { tenant, message: id, number, outcome, at } = self.0;
        let is_open = |row: &&MessageRow| {
            let message = &row.message;
            message.tenant == tenant && message.attempts == number && message.status == MessageStatus::Sending
        };
        if book.message(id).filter(is_open).is_none() {
            return Ok(false);
        }
        let (status, reason, not_before) = consequence(outcome);
        if let Some(row) = book.edit_message(id).filter(|_| not_before.is_some()) {
            row.not_before = not_before;
        }
        book.pass(id, status, reason, at);
        Ok(true)
    }
}

fn consequence(outcome: Outcome) -> (MessageStatus, Option<MessageReason>, Option<WallTime>) {
    use MessageStatus as S;
    match outcome {
        Outcome::Sent => (S::Sent, None, None),
        Outcome::Failed(reason) => (S::Failed, Some(reason), None),
        Outcome::Retry { not_before, reason } => (S::Queued, Some(reason), Some(not_before)),
        Outcome::Held { until, reason } => (S::Held, Some(reason), Some(until)),
        Outcome::Dead => (S::Dead, Some(MessageReason::AttemptsExhausted), None),
        Outcome::Unknown(reason) => (S::Unknown, Some(reason), None),
    }
}
