//! The queue: accept, claim, settle, receipts and recovery.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Attempt, Charge, Made, MessageRow, Owner, State, is_waiting};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::{Delivery, Direction, Message, MessageReason, MessageStatus, WaId};
use crate::domain::refusal::Refusal;
use crate::domain::restraint;
use crate::domain::session::{Epoch, Lease};
use crate::domain::stop::Wish;
use crate::domain::time::{Moment, Reading, WallTime};
use crate::domain::window::SPAN;
use crate::ports::contacts::Stop;
use crate::ports::outbox::{
    Acceptance, Claim, Claimed, Inbound, Memory, Outbox, Outcome, Pending, Position, Receipt, Recovered,
    Referred, Settlement, Stored, Work,
};
use crate::ports::store::{Created, StoreError, WriteError};

/// When to ask again for a message whose chat is busy.
const CHAT_BUSY: Duration = Duration::from_secs(1);
/// An attempt begun longer ago is not made again.
const REPLAYED_WITHIN: Duration = Duration::from_secs(600);

impl State {
    /// The refusals that stand before the quota, and the answer of a replay.
    fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        asked: Option<&Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, Refusal> {
        let row = self.session_of(tenant, session).ok_or_else(Refusal::not_found)?;
        match self.replay(Owner::Tenant(tenant), asked, at)? {
            Some(Made::Message(first)) => {
                let first = self.messages.get(first).ok_or_else(Refusal::not_found)?;
                Ok(Some(as_accepted(&first.message)))
            }
            Some(_) => Err(Refusal::idempotency_mismatch()),
            None if row.session.paired => Ok(None),
            None => Err(Refusal::session_not_ready()),
        }
    }

    /// Until when a message may not be sent, if so; and why it is to be held until then, if it is.
    fn obstacle(&self, claim: &Claim, row: &MessageRow) -> Option<(WallTime, Option<MessageReason>)> {
        let now = claim.at.wall;
        if row.not_before > now {
            return Some((row.not_before, None));
        }
        let message = &row.message;
        let before = |other: &MessageRow| {
            other.message.status == MessageStatus::Sending
                || (is_waiting(other)
                    && other.position < row.position
                    && !is_scheduled(other, now)
                    && !has_expired(&other.message, now))
        };
        let of_chat = self.messages.values().filter(|other| {
            other.message.session == message.session
                && other.message.chat == message.chat
                && other.message.id != message.id
        });
        if of_chat.into_iter().any(before) {
            return Some((now + CHAT_BUSY, None));
        }
        let lock = claim.lock.filter(|lock| lock.until > now)?;
        let is_new = !self.sessions.get(&message.session)?.met.contains(&message.chat);
        is_new.then_some((lock.until, Some(MessageReason::of_lock(lock.kind))))
    }

    /// What keeps a message to somebody who never wrote from leaving now, if anything does.
    fn restrained(&mut self, claim: &Claim) -> Option<Claimed> {
        let (approach, now) = (claim.approach?, claim.at.wall);
        let to = self.messages.get(&claim.message)?.message.chat.clone();
        let number = to.person()?.clone();
        let session = self.sessions.get_mut(&claim.lease.session)?;
        if session.met.contains(&to) {
            return None;
        }
        if !session.approached.contains_key(&to) {
            let approached: Vec<WallTime> = session.approached.values().copied().collect();
            if let Some(until) = approach.opens_at(session.paired_at, &approached, now) {
                self.pass(claim.message, MessageStatus::Held, Some(MessageReason::FirstContact), now);
                self.set_not_before(claim.message, until);
                return Some(Claimed::NotYet { until });
            }
            session.approached.insert(to.clone(), now);
        }
        if !approach.check {
            return None;
        }
        let said = self.contacts.get(&(claim.lease.tenant, to.clone())).and_then(|contact| contact.account);
        match restraint::believed(said, now) {
            Some(true) => None,
            Some(false) => {
                self.pass(claim.message, MessageStatus::Failed, Some(MessageReason::NotOnWhatsapp), now);
                Some(Claimed::Gone)
            }
            None => Some(Claimed::Unchecked { to: number }),
        }
    }

    /// Attempts of the last span that `wanted` picks, unless another boot, or another machine, may have made some of
    /// them. Those can only be dated by the wall, which is not believed in the first minute of a boot.
    fn recent_attempts(&self, at: Reading, wanted: impl Fn(&Attempt) -> bool) -> Option<Vec<Moment>> {
        let mut recent = vec![];
        for attempt in self.attempts.iter().filter(|attempt| wanted(attempt)) {
            if attempt.at.boot == at.boot {
                recent.extend((at.now.since(attempt.at.now) < SPAN).then_some(attempt.at.now));
            } else if at.now < Moment::default() + SPAN || attempt.at.wall >= at.wall - SPAN {
                return None;
            }
        }
        Some(recent)
    }
}

/// What an idempotent replay answers: the record as it was accepted.
fn as_accepted(message: &Message) -> Message {
    let accepted_at = message.times.get("queued").map(|&at| ("queued", at));
    Message {
        status: MessageStatus::Queued,
        reason: None,
        attempts: 0,
        held_until: None,
        times: accepted_at.into_iter().collect(),
        ..message.clone()
    }
}

/// Whether it takes no place in the order of its chat yet.
fn is_scheduled(row: &MessageRow, now: WallTime) -> bool {
    row.message.send_at.is_some_and(|send_at| send_at > now)
}

fn has_expired(message: &Message, now: WallTime) -> bool {
    message.expires_at.is_some_and(|end| end <= now)
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn accept(&self, asked: Acceptance) -> Result<Created<Message>, WriteError> {
        self.write(|state| {
            let Acceptance { tenant, session, id, wa_id, draft, terms, idempotency, at } = asked;
            if let Some(first) = state.foresee(tenant, session, idempotency.as_ref(), at)? {
                return Ok(Created::Replayed(first));
            }
            let contact = state.contacts.get(&(tenant, draft.to.clone()));
            if contact.is_some_and(|contact| contact.stopped.is_some()) {
                return Err(Refusal::suppressed().into());
            }
            let usage = state.usage_of(tenant, terms.period.start, terms.allowance, Some(session));
            (self.rules.judge)(&terms, &usage, at)?;
            let message = Message::accepted(id, tenant, session, wa_id, &draft, at);
            state.remember(Owner::Tenant(tenant), idempotency, Made::Message(id), at);
            let position = state.next_position();
            state.add(MessageRow {
                message: message.clone(),
                position,
                not_before: draft.send_at.unwrap_or(at),
                charge: if terms.metered { Charge::Held } else { Charge::None },
                period: terms.period.start,
                attempted_by: Epoch::default(),
                attempted_at: WallTime::default(),
            });
            if terms.metered {
                state.hold(tenant, terms.period, terms.allowance);
            }
            Ok(Created::New(message))
        })
    }

    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, WriteError> {
        Ok(self.read().foresee(tenant, session, idempotency.as_ref(), at)?)
    }

    async fn recall(&self, session: SessionId, at: Reading) -> Result<Memory, StoreError> {
        self.write(|state| {
            let attempts = state.recent_attempts(at, |attempt| attempt.session == session);
            let row = state.sessions.get_mut(&session).filter(|row| !row.deleted);
            let row = row.ok_or(StoreError::Fenced)?;
            row.epoch.0 += 1;
            row.session.supervision.starting_at = Some(at.wall);
            let lease = Lease { tenant: row.session.tenant, session, epoch: row.epoch };
            Ok(Memory { lease, attempts, standing: row.session.standing, paired: row.session.paired })
        })
    }

    async fn pending(&self, lease: Lease, after: Position, limit: u32) -> Result<Vec<Pending>, StoreError> {
        let now = self.clock.wall();
        let mut state = self.read();
        state.leased(lease)?;
        let ids = state.ids(|row| {
            row.message.session == lease.session && row.message.status.is_live() && row.position > after
        });
        let rows = ids.iter().filter_map(|id| state.messages.get(id)).take(limit as usize);
        Ok(rows
            .map(|row| Pending {
                message: row.message.id,
                position: row.position,
                chat: row.message.chat.clone(),
                not_before: row.not_before,
                scheduled: is_scheduled(row, now),
                attempts: row.message.attempts,
                status: row.message.status,
            })
            .collect())
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.write(|state| {
            let Claim { lease, message: id, at, .. } = claim;
            state.leased(lease)?;
            let row = state.messages.get(&id).filter(|row| row.message.session == lease.session);
            let Some(row) = row.filter(|row| is_waiting(row) && !has_expired(&row.message, at.wall)) else {
                return Ok(Claimed::Gone);
            };
            if let Some((until, hold)) = state.obstacle(&claim, row) {
                if let Some(reason) = hold {
                    state.pass(id, MessageStatus::Held, Some(reason), at.wall);
                    state.set_not_before(id, until);
                }
                return Ok(Claimed::NotYet { until });
            }
            if let Some(answer) = state.restrained(&claim) {
                return Ok(answer);
            }
            state.attempts.push(Attempt { tenant: lease.tenant, session: lease.session, at });
            let Some(message) = state.begin(id, lease.epoch, at.wall) else { return Ok(Claimed::Gone) };
            Ok(Claimed::Work(Work {
                lease,
                message: id,
                number: message.attempts,
                wa_id: message.wa_id,
                to: message.chat,
                content: message.content,
                reply_to: message.reply_to,
                referred: None,
                delivery: message.delivery,
                claimed_at: at.now,
            }))
        })
    }

    async fn give_back(&self, lease: Lease, message: MessageId, number: u32) -> Result<(), StoreError> {
        self.write(|state| {
            state.leased(lease)?;
            if state.under_way(lease.tenant, message, number) {
                let at = state.committing_at;
                state.pass(message, MessageStatus::Queued, None, at);
            }
            Ok(())
        })
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        Ok(self.write(|state| {
            let Settlement { tenant, message, number, outcome, at } = settlement;
            let under_way = state.under_way(tenant, message, number);
            if under_way {
                let (status, reason, not_before) = aftermath(outcome);
                state.pass(message, status, reason, at);
                if let Some(not_before) = not_before {
                    state.set_not_before(message, not_before);
                }
            }
            under_way
        }))
    }

    async fn receipt(&self, lease: Lease, receipt: Receipt) -> Result<bool, StoreError> {
        Ok(self.write(|state| {
            let found = state.messages.values().find(|row| {
                row.message.session == lease.session
                    && row.message.direction == Direction::Out
                    && row.message.wa_id == receipt.wa_id
            });
            let next =
                found.and_then(|row| Some((row.message.id, row.message.status.after_receipt(receipt.kind)?)));
            next.and_then(|(id, status)| state.pass(id, status, None, receipt.at)).is_some()
        }))
    }

    async fn recover(&self, lease: Lease, at: WallTime) -> Result<Recovered, StoreError> {
        self.write(|state| {
            state.leased(lease)?;
            let left = state.ids(|row| {
                row.message.session == lease.session
                    && row.message.status == MessageStatus::Sending
                    && row.attempted_by < lease.epoch
            });
            let mut recovered = Recovered::default();
            for id in left {
                let again = state.messages.get(&id).is_some_and(|row| {
                    row.message.delivery == Delivery::AtLeastOnce
                        && at.since(row.attempted_at) < REPLAYED_WITHIN
                        && !has_expired(&row.message, at)
                });
                if again {
                    state.pass(id, MessageStatus::Queued, None, at);
                    recovered.requeued += 1;
                } else {
                    state.pass(id, MessageStatus::Unknown, Some(MessageReason::Interrupted), at);
                    recovered.unknown += 1;
                }
            }
            Ok(recovered)
        })
    }

    async fn inbound(&self, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError> {
        self.write(|state| {
            let Inbound { id, letter, at } = inbound;
            let known = state.messages.values().any(|row| {
                let message = &row.message;
                let came = message.direction != Direction::Out
                    && message.chat == letter.chat
                    && message.author == letter.author;
                message.session == lease.session
                    && message.wa_id == letter.wa_id
                    && (came || letter.own && message.direction == Direction::Out)
            });
            if known {
                return Ok(Stored::default());
            }
            let about = letter.about().and_then(|about| state.named(lease.session, &letter.chat, about));
            let position = state.next_position();
            let row = state.sessions.get_mut(&lease.session).filter(|row| !row.deleted);
            let row = row.ok_or(StoreError::Fenced)?;
            if !letter.own || letter.chat.is_group() {
                row.met.insert(letter.chat.clone());
            }
            state.add(MessageRow {
                message: letter.received(id, lease.tenant, lease.session, about, at),
                position,
                not_before: at,
                charge: Charge::None,
                period: WallTime::default(),
                attempted_by: Epoch::default(),
                attempted_at: at,
            });
            let answer = letter.direction() == Direction::In && !letter.chat.is_group();
            let freed = answer && state.free(lease.session, &letter.chat, at);
            match letter.wish() {
                Some(Wish::Stop) => {
                    state.suppress(lease.tenant, &letter.chat, Stop::said_in(id, at));
                }
                Some(Wish::Start) => {
                    state.contacts.entry((lease.tenant, letter.chat)).or_default().stopped = None;
                }
                None => {}
            }
            Ok(Stored { new: true, freed })
        })
    }

    async fn referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, StoreError> {
        let state = self.read();
        let found = state.messages.get(&message).map(|row| &row.message);
        let found = found.filter(|one| one.session == lease.session && one.tenant == lease.tenant);
        Ok(found.cloned().map(Referred::of))
    }

    async fn tenant_attempts(
        &self,
        tenant: TenantId,
        at: Reading,
    ) -> Result<Option<Vec<Moment>>, StoreError> {
        Ok(self.read().recent_attempts(at, |attempt| attempt.tenant == tenant))
    }
}

impl State {
    /// The message of this chat that is called so on the network.
    fn named(&self, session: SessionId, chat: &Chat, wa_id: &WaId) -> Option<MessageId> {
        let found =
            self.messages.values().map(|row| &row.message).find(|message| {
                message.session == session && message.chat == *chat && message.wa_id == *wa_id
            });
        found.map(|message| message.id)
    }

    /// What was held for want of a word from there waits for its turn; whether anything was.
    fn free(&mut self, session: SessionId, chat: &Chat, at: WallTime) -> bool {
        let held = self.ids(|row| {
            let message = &row.message;
            message.session == session
                && message.chat == *chat
                && message.status == MessageStatus::Held
                && message.reason.is_some_and(MessageReason::ends_with_a_reply)
        });
        for &id in &held {
            let send_at = self.pass(id, MessageStatus::Queued, None, at).and_then(|message| message.send_at);
            self.set_not_before(id, send_at.unwrap_or(at));
        }
        !held.is_empty()
    }

    /// Whether this is the attempt that a message is waiting for.
    fn under_way(&self, tenant: TenantId, message: MessageId, number: u32) -> bool {
        self.messages.get(&message).is_some_and(|row| {
            row.message.tenant == tenant
                && row.message.status == MessageStatus::Sending
                && row.message.attempts == number
        })
    }

    fn begin(&mut self, id: MessageId, by: Epoch, at: WallTime) -> Option<Message> {
        let row = self.messages.get_mut(&id)?;
        row.message.attempts += 1;
        row.attempted_by = by;
        row.attempted_at = at;
        self.pass(id, MessageStatus::Sending, None, at)
    }

    fn set_not_before(&mut self, id: MessageId, at: WallTime) {
        if let Some(row) = self.messages.get_mut(&id) {
            row.not_before = at;
            row.message.held_until = (row.message.status == MessageStatus::Held).then_some(at);
        }
    }
}

/// Status and reason after an attempt, and when the message may be claimed again.
fn aftermath(outcome: Outcome) -> (MessageStatus, Option<MessageReason>, Option<WallTime>) {
    match outcome {
        Outcome::Sent => (MessageStatus::Sent, None, None),
        Outcome::Failed(reason) => (MessageStatus::Failed, Some(reason), None),
        Outcome::Retry { not_before, reason } => (MessageStatus::Queued, Some(reason), Some(not_before)),
        Outcome::Held { until, reason } => (MessageStatus::Held, Some(reason), Some(until)),
        Outcome::Dead => (MessageStatus::Dead, Some(MessageReason::AttemptsExhausted), None),
        Outcome::Unknown(reason) => (MessageStatus::Unknown, Some(reason), None),
    }
}
