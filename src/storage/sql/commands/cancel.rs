//! Taking one message back.

use crate::domain::id::MessageId;
use crate::domain::message::{Direction, Message, MessageReason, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::store::WriteError;
use crate::storage::sql::book::{Book, MessageRow};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Takes one message back.
pub struct Cancel {
    pub scope: TenantScope,
    pub message: MessageId,
    pub at: WallTime,
}

impl Command for Cancel {
    type Answer = Message;
    type Error = WriteError;

    fn needs(&self, needs: &mut Needs) {
        needs.message(self.message);
    }

    fn decide(&self, book: &mut Book) -> Result<Message, WriteError> {
        let is_theirs = |row: &&MessageRow| row.message.tenant == self.scope.tenant();
        let row = book.message(self.message).filter(is_theirs).ok_or_else(Refusal::not_found)?;
        match row.message.status {
            MessageStatus::Canceled => {}
            MessageStatus::Queued | MessageStatus::Held => {
                book.pass(self.message, MessageStatus::Canceled, Some(MessageReason::Requested), self.at);
            }
            _ if row.message.direction != Direction::Out => {
                return Err(
                    Refusal::conflict("a message that was not sent from here cannot be taken back").into()
                );
            }
            past => {
                let detail = format!("the message is {past}; only what is queued or held can be taken back");
                return Err(Refusal::conflict(detail).into());
            }
        }
        let row = book.message(self.message).ok_or_else(Refusal::not_found)?;
        Ok(row.message.clone())
    }
}
