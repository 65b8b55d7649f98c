//! A message that came in, or was written on another device of the account.

use super::contacts::suppress;
use crate::domain::id::MessageId;
use crate::domain::message::{Direction, MessageStatus};
use crate::domain::session::{Epoch, Lease};
use crate::domain::stop::Wish;
use crate::ports::contacts::Stop;
use crate::ports::outbox::{Inbound, Stored};
use crate::ports::store::StoreError;
use crate::storage::sql::book::{Book, Charge, Heard, MessageRow};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Command;

/// Stores one message that came in. Not fenced: it was received whoever reports it, and is stored once.
pub struct Hear {
    pub lease: Lease,
    pub inbound: Inbound,
}

impl Hear {
    fn heard(&self) -> Heard {
        let letter = &self.inbound.letter;
        (self.lease.session, letter.chat.clone(), letter.author.clone(), letter.wa_id.clone())
    }

    /// Whether one person wrote: what was held for want of that goes then.
    fn is_answer(&self) -> bool {
        let letter = &self.inbound.letter;
        letter.direction() == Direction::In && !letter.chat.is_group()
    }
}

impl Command for Hear {
    type Answer = Stored;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        let (session, letter) = (self.lease.session, &self.inbound.letter);
        needs.heard(self.heard());
        if letter.own {
            needs.message_by_wa(session, &letter.wa_id);
        }
        if let Some(about) = letter.about() {
            needs.referred(session, letter.chat.clone(), about.clone());
        }
        if self.is_answer() {
            needs.held_in(session, letter.chat.clone());
        }
        if letter.wish().is_some() {
            needs.waiting_for(self.lease.tenant, letter.chat.clone());
        }
    }

    fn decide(&self, book: &mut Book) -> Result<Stored, StoreError> {
        let Lease { tenant, session, .. } = self.lease;
        if book.session(session).is_none_or(|row| row.tenant != tenant) {
            return Err(StoreError::Fenced);
        }
        let Inbound { id, letter, at } = &self.inbound;
        let is_echo = letter.own && book.message_by_wa(session, &letter.wa_id).is_some();
        if is_echo || book.has_heard(&self.heard()) {
            return Ok(Stored::default());
        }
        let about = letter.about().and_then(|about| book.referred(session, &letter.chat, about));
        book.add_message(MessageRow {
            ord: None,
            message: letter.received(*id, tenant, session, about, *at),
            not_before: None,
            epoch: Epoch::default(),
            attempted_at: None,
            charge: Charge::None,
            period: None,
        })?;
        // Whoever writes from another device to a stranger has not heard from them; a group has them in it.
        book.hear(tenant, self.heard(), !letter.own || letter.chat.is_group(), *at);
        let freed = if self.is_answer() { book.held_in(session, &letter.chat) } else { vec![] };
        for &id in &freed {
            self.free(book, id);
        }
        match letter.wish() {
            Some(Wish::Stop) => {
                suppress(book, tenant, &letter.chat, Stop::said_in(*id, *at));
            }
            Some(Wish::Start) => book.edit_contact(tenant, letter.chat.clone()).stopped = None,
            None => {}
        }
        Ok(Stored { new: true, freed: !freed.is_empty() })
    }
}

impl Hear {
    /// It waits for its turn again, and for its own time if it has one.
    fn free(&self, book: &mut Book, id: MessageId) {
        book.pass(id, MessageStatus::Queued, None, self.inbound.at);
        if let Some(row) = book.edit_message(id) {
            row.not_before = row.message.send_at;
        }
    }
}
