//! Stop 7: one message becomes `sending`, with its attempt, or it does not.

use std::time::Duration;

use crate::domain::chat::Chat;
use crate::domain::id::MessageId;
use crate::domain::message::{Direction, MessageReason, MessageStatus};
use crate::domain::restraint::{self, Approach};
use crate::domain::session::Lease;
use crate::domain::time::WallTime;
use crate::ports::outbox::{Claim, Claimed, Work};
use crate::ports::store::StoreError;
use crate::storage::sql::book::{Book, MessageRow};
use crate::storage::sql::changes::Attempt;
use crate::storage::sql::load::{NEIGHBOURS, Needs};
use crate::storage::sql::writer::Command;

/// How long a message waits that comes too early in its chat. What it waits for has no known end.
const SHORTLY: Duration = Duration::from_secs(1);

/// Claims one message.
pub struct TakeOne(pub Claim);

impl Command for TakeOne {
    type Answer = Claimed;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.claim(&self.0);
    }

    fn decide(&self, book: &mut Book) -> Result<Claimed, StoreError> {
        let Claim { lease, message: id, at, lock, approach } = self.0;
        book.leased(lease)?;
        let Some(row) = book.message(id).filter(|row| is_waiting(row, lease, at.wall)) else {
            return Ok(Claimed::Gone);
        };
        if let Some(until) = row.not_before.filter(|&until| until > at.wall) {
            return Ok(Claimed::NotYet { until });
        }
        if let Some(until) = blocked_until(book, row, at.wall) {
            return Ok(Claimed::NotYet { until });
        }
        if let Some(lock) = lock.filter(|lock| lock.until > at.wall)
            && !book.has_met(lease.session, &row.message.chat)
        {
            book.pass(id, MessageStatus::Held, Some(MessageReason::of_lock(lock.kind)), at.wall);
            if let Some(row) = book.edit_message(id) {
                row.not_before = Some(lock.until);
            }
            return Ok(Claimed::NotYet { until: lock.until });
        }
        let (to, is_stranger) = (row.message.chat.clone(), !book.has_met(lease.session, &row.message.chat));
        // A group is no stranger, and who has no number wrote first.
        if let Some(approach) = approach.filter(|_| is_stranger && to.person().is_some())
            && let Some(answer) = restrained(book, lease, (id, &to), approach, at.wall)
        {
            return Ok(answer);
        }
        let Some(row) = book.message(id) else { return Ok(Claimed::Gone) };
        let message = &row.message;
        let number = message.attempts + 1;
        let work = Work {
            lease,
            message: id,
            number,
            wa_id: message.wa_id.clone(),
            to: message.chat.clone(),
            content: message.content.clone(),
            reply_to: message.reply_to,
            referred: None,
            delivery: message.delivery,
            claimed_at: at.now,
        };
        if let Some(row) = book.edit_message(id) {
            row.message.attempts = number;
            row.epoch = lease.epoch;
            row.attempted_at = Some(at.wall);
        }
        book.pass(id, MessageStatus::Sending, None, at.wall);
        book.changes.attempts.push(Attempt { lease, message: id, number, at });
        Ok(Claimed::Work(work))
    }
}

/// What keeps a message to somebody who never wrote from leaving now, if anything does.
fn restrained(
    book: &mut Book,
    lease: Lease,
    (id, to): (MessageId, &Chat),
    approach: Approach,
    now: WallTime,
) -> Option<Claimed> {
    if book.approached(lease.session, to).is_none() {
        let linked = book.session(lease.session).and_then(|row| row.paired_at);
        match approach.opens_at(linked, &book.approaches(lease.session), now) {
            // Asking the network for a number counts as writing to it: nobody lists numbers this way.
            None => book.approach(lease.tenant, lease.session, to.clone(), now),
            Some(until) => {
                book.pass(id, MessageStatus::Held, Some(MessageReason::FirstContact), now);
                if let Some(row) = book.edit_message(id) {
                    row.not_before = Some(until);
                }
                return Some(Claimed::NotYet { until });
            }
        }
    }
    let number = to.person().filter(|_| approach.check)?;
    match restraint::believed(book.contact(lease.tenant, to).account, now) {
        Some(true) => None,
        Some(false) => {
            book.pass(id, MessageStatus::Failed, Some(MessageReason::NotOnWhatsapp), now);
            Some(Claimed::Gone)
        }
        None => Some(Claimed::Unchecked { to: number.clone() }),
    }
}

fn is_waiting(row: &MessageRow, lease: Lease, now: WallTime) -> bool {
    let message = &row.message;
    message.session == lease.session
        && message.direction == Direction::Out
        && matches!(message.status, MessageStatus::Queued | MessageStatus::Held)
        && message.expires_at.is_none_or(|end| end > now)
}

/// Until when another message of the chat stands before this one: one under way, or an earlier one that waits and is
/// neither scheduled for later nor expired.
fn blocked_until(book: &Book, row: &MessageRow, now: WallTime) -> Option<WallTime> {
    let is_earlier = |other: &&MessageRow| match (other.ord, row.ord) {
        (Some(other), Some(own)) => other < own,
        (other, _) => other.is_some(),
    };
    let stands_before = |other: &&MessageRow| {
        let message = &other.message;
        message.send_at.is_none_or(|at| at <= now) && message.expires_at.is_none_or(|end| end > now)
    };
    let soon = now + SHORTLY;
    let mut earlier = 0;
    let mut until = None;
    for other in book.neighbours(&row.message) {
        let blocks = match other.message.status {
            MessageStatus::Sending => Some(soon),
            MessageStatus::Queued | MessageStatus::Held => {
                let blocks = is_earlier(&other) && stands_before(&other);
                blocks.then(|| other.not_before.map_or(soon, |end| end.max(soon)))
            }
            _ => None,
        };
        earlier += usize::from(is_earlier(&other));
        until = until.max(blocks);
    }
    // A crowded chat may hold more than was read.
    until.or((earlier >= NEIGHBOURS).then_some(soon))
}

/// Undoes a claim that sent nothing.
pub struct GiveBack {
    pub lease: Lease,
    pub message: MessageId,
    pub number: u32,
    pub at: WallTime,
}

impl Command for GiveBack {
    type Answer = ();
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.session(self.lease.session);
        needs.message(self.message);
    }

    fn decide(&self, book: &mut Book) -> Result<(), StoreError> {
        book.leased(self.lease)?;
        let is_ours = |row: &&MessageRow| {
            row.message.session == self.lease.session
                && row.message.status == MessageStatus::Sending
                && row.message.attempts == self.number
        };
        if book.message(self.message).filter(is_ours).is_some() {
            book.pass(self.message, MessageStatus::Queued, None, self.at);
        }
        Ok(())
    }
}
