//! A new owner: takes the epoch, then deals with what the one before left under way.

use std::time::Duration;

use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Delivery, MessageReason, MessageStatus};
use crate::domain::session::{Epoch, Lease, Standing};
use crate::domain::time::WallTime;
use crate::ports::outbox::Recovered;
use crate::ports::store::StoreError;
use crate::storage::sql::book::{Book, MessageRow};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// An attempt begun longer ago than this is not made again.
const REPLAYED_WITHIN: Duration = Duration::from_secs(600);

/// Fences every older owner of a session, and notes that the new one is starting.
pub struct TakeEpoch {
    pub session: SessionId,
    pub at: WallTime,
}

/// What the session's row says to its new owner.
pub struct Taken {
    pub lease: Lease,
    pub standing: Standing,
    pub paired: bool,
}

impl Command for TakeEpoch {
    type Answer = Taken;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.session);
    }

    fn decide(&self, book: &mut Book) -> Result<Taken, StoreError> {
        // Nobody may own what is absent or deleted.
        book.session(self.session).ok_or(StoreError::Fenced)?;
        let row = book.edit_session(self.session).ok_or(StoreError::Fenced)?;
        row.epoch = Epoch(row.epoch.0 + 1);
        row.supervision.starting_at = Some(self.at);
        let lease = Lease { tenant: row.tenant, session: row.id, epoch: row.epoch };
        Ok(Taken { lease, standing: row.standing, paired: row.paired })
    }
}

/// Deals with messages that older owners left `sending`.
pub struct Recover {
    pub lease: Lease,
    /// What was `sending` a moment ago; each is looked at again.
    pub left: Vec<MessageId>,
    pub at: WallTime,
}

impl Command for Recover {
    type Answer = Recovered;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.lease.session);
        needs.messages(self.left.iter().copied());
    }

    fn decide(&self, book: &mut Book) -> Result<Recovered, StoreError> {
        book.leased(self.lease)?;
        let mut recovered = Recovered::default();
        for &id in &self.left {
            let is_left = |row: &&MessageRow| {
                row.message.session == self.lease.session
                    && row.message.status == MessageStatus::Sending
                    && row.epoch < self.lease.epoch
            };
            let Some(row) = book.message(id).filter(is_left) else { continue };
            if may_be_sent_again(row, self.at) {
                recovered.requeued += 1;
                book.pass(id, MessageStatus::Queued, None, self.at);
            } else {
                recovered.unknown += 1;
                book.pass(id, MessageStatus::Unknown, Some(MessageReason::Interrupted), self.at);
            }
        }
        Ok(recovered)
    }
}

fn may_be_sent_again(row: &MessageRow, now: WallTime) -> bool {
    row.message.delivery == Delivery::AtLeastOnce
        && row.attempted_at.is_some_and(|begun| now.since(begun) < REPLAYED_WITHIN)
        && row.message.expires_at.is_none_or(|end| end > now)
}
