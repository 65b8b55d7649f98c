//! Stops 3 to 5: may this message be accepted, and if so, here it is.

use crate::domain::idempotency::Idempotency;
use crate::domain::message::{Message, MessageStatus, Times};
use crate::domain::refusal::Refusal;
use crate::domain::session::Epoch;
use crate::domain::time::WallTime;
use crate::ports::outbox::{Acceptance, Judge, Usage};
use crate::ports::store::{Created, StoreError, WriteError};
use crate::storage::sql::book::{Book, Charge, MessageRow, SessionRow};
use crate::storage::sql::idempotency::{Kind, Owner, Remembered, replay};
use crate::storage::sql::load::{Needs, subject};
use crate::storage::sql::writer::Command;

/// Accepts one message.
pub struct Accept {
    pub acceptance: Acceptance,
    pub judge: Judge,
}

impl Command for Accept {
    type Answer = Created<Message>;
    type Error = WriteError;

    fn needs(&self, needs: &mut Needs) {
        let asked = &self.acceptance;
        needs.session(asked.session);
        needs.usage(asked.tenant, asked.terms.period);
        needs.contact(asked.tenant, asked.draft.to.clone());
        if let Some(idempotency) = &asked.idempotency {
            needs.remembered(Owner::Tenant(asked.tenant), idempotency);
        }
    }

    fn decide(&self, book: &mut Book) -> Result<Created<Message>, WriteError> {
        let asked = &self.acceptance;
        let owner = Owner::Tenant(asked.tenant).uuid();
        let session = book.session(asked.session).filter(|row| row.tenant == asked.tenant);
        let first = asked.idempotency.as_ref().and_then(|asked| book.remembered(owner, &asked.key));
        if let Some(id) = standing_refusal(session, first, asked.idempotency.as_ref(), asked.at)? {
            let id = subject(id).map_err(StoreError::from)?.into();
            let stored = book.message(id).ok_or_else(answer_is_gone)?;
            return Ok(Created::Replayed(as_accepted(&stored.message)));
        }
        if book.contact(asked.tenant, &asked.draft.to).stopped.is_some() {
            return Err(Refusal::suppressed().into());
        }
        let queued = session.map_or(0, |row| row.tally.queued);
        (self.judge)(&asked.terms, &usage(book, asked, queued), asked.at)?;

        let (draft, terms) = (&asked.draft, &asked.terms);
        let message =
            Message::accepted(asked.id, asked.tenant, asked.session, asked.wa_id.clone(), draft, asked.at);
        book.add_message(MessageRow {
            ord: None,
            message: message.clone(),
            not_before: draft.send_at,
            epoch: Epoch::default(),
            attempted_at: None,
            charge: if terms.metered { Charge::Held } else { Charge::None },
            period: terms.metered.then_some(terms.period.start),
        })?;
        if terms.metered {
            book.hold(asked.tenant, terms.period, terms.allowance);
        }
        if let Some(idempotency) = &asked.idempotency {
            let id = asked.id.uuid().simple().to_string();
            let first = Remembered::new(idempotency, Kind::Message, id, asked.at);
            book.remember(owner, &idempotency.key, first);
        }
        Ok(Created::New(message))
    }
}

/// What is refused before the [`Judge`] is asked, or the id of the message that an earlier request made.
pub fn standing_refusal<'a>(
    session: Option<&SessionRow>,
    first: Option<&'a Remembered>,
    asked: Option<&Idempotency>,
    at: WallTime,
) -> Result<Option<&'a str>, Refusal> {
    let session = session.ok_or_else(Refusal::not_found)?;
    if let Some(asked) = asked
        && let Some(id) = replay(first, asked, Kind::Message, at)?
    {
        return Ok(Some(id));
    }
    if session.paired { Ok(None) } else { Err(Refusal::session_not_ready()) }
}

/// A message as its acceptance answered it, whatever has happened to it since.
pub fn as_accepted(message: &Message) -> Message {
    let queued = <&str>::from(MessageStatus::Queued);
    let times = message.times.get(queued).map(|&at| (queued, at));
    Message {
        status: MessageStatus::Queued,
        reason: None,
        attempts: 0,
        times: Times::from_iter(times),
        ..message.clone()
    }
}

/// What stands in the store, with what earlier commands of the batch took.
fn usage(book: &Book, asked: &Acceptance, queued: u64) -> Usage {
    match book.usage(asked.tenant, asked.terms.period.start) {
        Some(row) => Usage { allowance: row.allowance, used: row.used, held: row.held, queued },
        None => Usage { allowance: asked.terms.allowance, used: 0, held: 0, queued },
    }
}

fn answer_is_gone() -> WriteError {
    StoreError::Unavailable("the answer of this request is no longer stored".into()).into()
}
