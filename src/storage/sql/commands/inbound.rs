//! A message that came in.

use super::contacts::suppress;
use crate::domain::message::{Category, Delivery, Direction, Message, MessageStatus, Times};
use crate::domain::session::{Epoch, Lease};
use crate::domain::stop::Wish;
use crate::ports::contacts::Stop;
use crate::ports::outbox::Inbound;
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
        (self.lease.session, self.inbound.from.clone(), self.inbound.wa_id.clone())
    }
}

impl Command for Hear {
    type Answer = bool;
    type Error = StoreError;

    fn needs(&self, needs: &mut Needs) {
        needs.heard(self.heard());
        if self.inbound.wish().is_some() {
            needs.waiting_for(self.lease.tenant, self.inbound.from.clone());
        }
    }

    fn decide(&self, book: &mut Book) -> Result<bool, StoreError> {
        let Lease { tenant, session, .. } = self.lease;
        if book.session(session).is_none_or(|row| row.tenant != tenant) {
            return Err(StoreError::Fenced);
        }
        let Inbound { id, wa_id, from, content, at } = &self.inbound;
        if book.has_heard(&self.heard()) {
            return Ok(false);
        }
        book.add_message(MessageRow {
            ord: None,
            message: Message {
                id: *id,
                tenant,
                session,
                direction: Direction::In,
                chat: from.clone(),
                content: content.clone(),
                status: MessageStatus::Received,
                reason: None,
                wa_id: wa_id.clone(),
                reply_to: None,
                category: Category::default(),
                delivery: Delivery::default(),
                client_ref: None,
                send_at: None,
                expires_at: None,
                attempts: 0,
                held_until: None,
                times: Times::from([(MessageStatus::Received.into(), *at)]),
            },
            not_before: None,
            epoch: Epoch::default(),
            attempted_at: None,
            charge: Charge::None,
            period: None,
        })?;
        book.hear(tenant, self.heard(), *at);
        match self.inbound.wish() {
            Some(Wish::Stop) => {
                suppress(book, tenant, from, Stop::said_in(*id, *at));
            }
            Some(Wish::Start) => book.edit_contact(tenant, from.clone()).stopped = None,
            None => {}
        }
        Ok(true)
    }
}
