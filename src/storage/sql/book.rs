//! The rows a batch works on. Read once, changed by its commands in order of arrival, written once: so every command
//! sees what those before it did, at the price of one statement per table.
//!
//! Nothing here waits or fails; what keeps tallies, holds and events in step with a message's status is in
//! [`Book::pass`] and nowhere else.

mod people;

use std::collections::{HashMap, HashSet};

use strum::{Display, EnumString};
use uuid::Uuid;

use super::changes::{Changes, Told};
use super::days::{Calendar, DayTally};
use super::idempotency::Remembered;
use super::posting::{Posting, Snapshot, Subscribers};
use crate::domain::chat::Chat;
use crate::domain::event::Change;
use crate::domain::id::{MessageId, SessionId, TenantId, WebhookId};
use crate::domain::message::{Direction, Message, MessageReason, MessageStatus, WaId};
use crate::domain::plan::Allowance;
use crate::domain::session::{
    Desired, Epoch, Lease, Reason, SessionCounters, SessionStatus, Standing, Supervision,
};
use crate::domain::time::{Period, WallTime};
use crate::domain::webhook::{MessageState, SessionState, WebhookReason, event_type};
use crate::ports::contacts::Contact;
use crate::ports::store::StoreError;

/// Percentages of the month's messages that are told when they are passed.
pub(super) const THRESHOLDS: [u8; 3] = [50, 80, 100];

/// A session, as far as a batch may change it.
#[derive(Debug, Clone)]
pub(super) struct SessionRow {
    pub(super) id: SessionId,
    pub(super) tenant: TenantId,
    pub(super) epoch: Epoch,
    pub(super) desired: Desired,
    pub(super) status: SessionStatus,
    pub(super) reason: Option<Reason>,
    pub(super) code: Option<u16>,
    pub(super) since: WallTime,
    pub(super) paired: bool,
    /// Since when; unknown for what was linked before this was written down.
    pub(super) paired_at: Option<WallTime>,
    pub(super) standing: Standing,
    pub(super) supervision: Supervision,
    pub(super) deleted_at: Option<WallTime>,
    pub(super) tally: SessionCounters,
    /// The day under way.
    pub(super) day: DayTally,
}

/// What has become of the message's place in the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Charge {
    /// It does not count.
    None,
    /// It is reserved.
    Held,
    /// It is used.
    Charged,
    /// It was given back. A late receipt may still use it.
    Released,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct MessageRow {
    /// Place in the order of acceptance; none before it is written.
    pub(super) ord: Option<i64>,
    pub(super) message: Message,
    pub(super) not_before: Option<WallTime>,
    /// Who made the last attempt.
    pub(super) epoch: Epoch,
    /// When it began.
    pub(super) attempted_at: Option<WallTime>,
    pub(super) charge: Charge,
    /// The month it counts to.
    pub(super) period: Option<WallTime>,
}

/// A tenant's month.
#[derive(Debug, Clone)]
pub(super) struct UsageRow {
    pub(super) period: Period,
    pub(super) allowance: Allowance,
    pub(super) used: u64,
    pub(super) held: u64,
    /// Highest threshold told.
    pub(super) announced: u8,
}

/// What distinguishes a message that came in: session, chat, author in a group, id on the network.
pub(super) type Heard = (SessionId, Chat, Option<Chat>, WaId);

/// The rows a batch works on.
pub(super) struct Book {
    calendar: Calendar,
    sessions: HashMap<SessionId, SessionRow>,
    messages: HashMap<MessageId, MessageRow>,
    by_wa: HashMap<(SessionId, WaId), MessageId>,
    /// Those that were live when they were read.
    by_chat: HashMap<(SessionId, Chat), Vec<MessageId>>,
    usage: HashMap<(TenantId, WallTime), UsageRow>,
    remembered: HashMap<(Uuid, String), Remembered>,
    met: HashSet<(SessionId, Chat)>,
    heard: HashSet<Heard>,
    /// Messages of any direction by what others name them with.
    referred: HashMap<(SessionId, Chat, WaId), MessageId>,
    contacts: HashMap<(TenantId, Chat), Contact>,
    /// People who never wrote, and when the session wrote to them first: those that are asked about, and those of the last
    /// day.
    approached: HashMap<SessionId, HashMap<Chat, WallTime>>,
    /// Tenants that have endpoints, and those.
    subscribers: HashMap<TenantId, Subscribers>,

    pub(super) changes: Changes,
}

/// The rows of a book, for whoever remembers them.
pub(super) struct Rows {
    pub(super) sessions: HashMap<SessionId, SessionRow>,
    pub(super) messages: HashMap<MessageId, MessageRow>,
    pub(super) months: HashMap<(TenantId, WallTime), UsageRow>,
    /// Tenants of which a number is known now.
    pub(super) acquainted: HashSet<TenantId>,
}

/// Filling it.
impl Book {
    /// An empty one.
    pub(super) fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            sessions: HashMap::new(),
            messages: HashMap::new(),
            by_wa: HashMap::new(),
            by_chat: HashMap::new(),
            usage: HashMap::new(),
            remembered: HashMap::new(),
            met: HashSet::new(),
            heard: HashSet::new(),
            referred: HashMap::new(),
            contacts: HashMap::new(),
            approached: HashMap::new(),
            subscribers: HashMap::new(),
            changes: Changes::default(),
        }
    }

    pub(super) fn put_session(&mut self, row: SessionRow) {
        self.sessions.insert(row.id, row);
    }

    pub(super) fn put_message(&mut self, row: MessageRow) {
        let message = &row.message;
        let (id, session) = (message.id, message.session);
        if self.messages.contains_key(&id) {
            return; // found twice, by two roads
        }
        if message.direction == Direction::Out {
            self.by_wa.insert((session, message.wa_id.clone()), id);
        }
        if message.status.is_live() {
            self.by_chat.entry((session, message.chat.clone())).or_default().push(id);
        }
        self.messages.insert(id, row);
    }

    pub(super) fn put_usage(&mut self, tenant: TenantId, row: UsageRow) {
        self.usage.insert((tenant, row.period.start), row);
    }

    pub(super) fn put_remembered(&mut self, key: (Uuid, String), first: Remembered) {
        self.remembered.insert(key, first);
    }

    pub(super) fn put_subscribers(&mut self, tenant: TenantId, subscribers: Subscribers) {
        self.subscribers.insert(tenant, subscribers);
    }
}

/// Reading it.
impl Book {
    /// A session, unless it is absent or deleted.
    pub(super) fn session(&self, id: SessionId) -> Option<&SessionRow> {
        self.sessions.get(&id).filter(|row| row.deleted_at.is_none())
    }

    /// Whether a session was read, deleted or not.
    pub(super) fn has_session(&self, id: SessionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// How many messages of each session were read and live then.
    pub(super) fn live_by_session(&self) -> HashMap<SessionId, u64> {
        let mut live = HashMap::new();
        for ((session, _), ids) in &self.by_chat {
            *live.entry(*session).or_default() += ids.len() as u64;
        }
        live
    }

    /// The session of a lease, unless a newer owner holds it or it is gone.
    pub(super) fn leased(&self, lease: Lease) -> Result<&SessionRow, StoreError> {
        let held = |row: &&SessionRow| row.tenant == lease.tenant && row.epoch == lease.epoch;
        self.session(lease.session).filter(held).ok_or(StoreError::Fenced)
    }

    /// Every session that was read, in no order, deleted ones too.
    pub(super) fn every_session(&self) -> impl Iterator<Item = &SessionRow> {
        self.sessions.values()
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&MessageRow> {
        self.messages.get(&id)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &MessageRow> {
        self.messages.values()
    }

    pub(super) fn message_by_wa(&self, session: SessionId, wa_id: &WaId) -> Option<&MessageRow> {
        self.messages.get(self.by_wa.get(&(session, wa_id.clone()))?)
    }

    /// Other messages of the same chat that were read and live then, in no order.
    pub(super) fn neighbours(&self, of: &Message) -> impl Iterator<Item = &MessageRow> {
        let ids = self.by_chat.get(&(of.session, of.chat.clone())).map_or(&[][..], Vec::as_slice);
        let own = of.id;
        ids.iter().filter(move |&&id| id != own).filter_map(|id| self.messages.get(id))
    }

    pub(super) fn usage(&self, tenant: TenantId, period: WallTime) -> Option<&UsageRow> {
        self.usage.get(&(tenant, period))
    }

    pub(super) fn remembered(&self, owner: Uuid, key: &str) -> Option<&Remembered> {
        self.remembered.get(&(owner, key.to_owned()))
    }
}

/// Changing it.
impl Book {
    /// A session, to be changed and written.
    pub(super) fn edit_session(&mut self, id: SessionId) -> Option<&mut SessionRow> {
        let row = self.sessions.get_mut(&id)?;
        self.changes.sessions.insert(id);
        Some(row)
    }

    /// A session's counters, to be changed and written.
    pub(super) fn edit_tally(&mut self, id: SessionId) -> Option<&mut SessionCounters> {
        let row = self.sessions.get_mut(&id)?;
        self.changes.tallies.insert(id);
        Some(&mut row.tally)
    }

    /// A message, to be changed and written. Its status is changed by [`pass`](Self::pass) only.
    pub(super) fn edit_message(&mut self, id: MessageId) -> Option<&mut MessageRow> {
        let row = self.messages.get_mut(&id)?;
        self.changes.messages.insert(id);
        Some(row)
    }

    /// Adds a message, its event and its place among what waits. One id names one message.
    pub(super) fn add_message(&mut self, row: MessageRow) -> Result<(), StoreError> {
        let (id, tenant, session) = (row.message.id, row.message.tenant, row.message.session);
        if self.messages.contains_key(&id) {
            return Err(StoreError::Poisoned("a message of this id exists".into()));
        }
        let status = row.message.status;
        if let Some(&at) = row.message.times.get(<&str>::from(MessageStatus::Received)) {
            self.count_day(session, at, 0, 0, 1);
        }
        let change = match status {
            MessageStatus::Received => Change::Received(id),
            _ => Change::Message(id, status),
        };
        if let Some(tally) = self.edit_tally(session) {
            tally.queued += u64::from(status.is_live());
            tally.received += u64::from(status == MessageStatus::Received);
        }
        if row.message.direction != Direction::Out {
            let name = (session, row.message.chat.clone(), row.message.wa_id.clone());
            self.referred.insert(name, id);
        }
        self.put_message(row);
        self.changes.new_messages.push(id);
        self.tell(tenant, Some(session), change);
        Ok(())
    }

    /// Reserves a place in a tenant's month, and tells when that passes a threshold.
    pub(super) fn hold(&mut self, tenant: TenantId, period: Period, allowance: Allowance) {
        let key = (tenant, period.start);
        let row =
            self.usage.entry(key).or_insert(UsageRow { period, allowance, used: 0, held: 0, announced: 0 });
        row.held += 1;
        let passed = passed(row.used + row.held, row.allowance.limit);
        let news: Vec<u8> =
            THRESHOLDS.into_iter().filter(|&percent| percent > row.announced && percent <= passed).collect();
        row.announced = row.announced.max(passed);
        self.changes.usage.insert(key);
        for percent in news {
            self.tell(tenant, None, Change::Usage(percent));
        }
    }

    /// Remembers a request under its key.
    pub(super) fn remember(&mut self, owner: Uuid, key: &str, first: Remembered) {
        let key = (owner, key.to_owned());
        self.changes.remembered.push(key.clone());
        self.remembered.insert(key, first);
    }

    /// Gives a message another status, and everything that hangs on it: times, counters, hold and event.
    pub(super) fn pass(
        &mut self,
        id: MessageId,
        to: MessageStatus,
        reason: Option<MessageReason>,
        at: WallTime,
    ) {
        let Some(row) = self.edit_message(id) else { return };
        let was = row.message.status;
        let arrived = !row.message.times.contains_key(<&str>::from(MessageStatus::Sent));
        row.message.status = to;
        row.message.reason = reason;
        for reached in implied(to) {
            row.message.times.entry(reached.into()).or_insert(at);
        }
        let (tenant, session) = (row.message.tenant, row.message.session);
        let sent = u64::from(arrived && is_with_server(to));
        let failed = u64::from(matches!(to, MessageStatus::Failed | MessageStatus::Dead));
        let counts = u64::from(row.charge != Charge::None);
        if let Some(tally) = self.edit_tally(session) {
            tally.queued -= u64::from(was.is_live() && !to.is_live()).min(tally.queued);
            tally.sent += sent;
            tally.failed += failed;
        }
        self.count_day(session, at, sent * counts, failed, 0);
        match to {
            _ if is_with_server(to) => self.charge(id),
            MessageStatus::Failed
            | MessageStatus::Dead
            | MessageStatus::Expired
            | MessageStatus::Canceled => {
                self.release(id);
            }
            _ => {}
        }
        if was != to {
            self.tell(tenant, Some(session), Change::Message(id, to));
        }
    }

    /// Counts on the session's day.
    fn count_day(&mut self, id: SessionId, at: WallTime, sent: u64, failed: u64, received: u64) {
        let Some(row) = self.sessions.get_mut(&id).filter(|_| sent + failed + received > 0) else { return };
        if let Some(over) = row.day.count(self.calendar.day(at), sent, failed, received) {
            self.changes.days.push((row.tenant, id, over));
        }
    }

    /// Uses up the place a message has in its month, also when it was given back meanwhile.
    fn charge(&mut self, id: MessageId) {
        self.settle_hold(id, Charge::Charged, |was, usage| {
            usage.held -= u64::from(was == Charge::Held).min(usage.held);
            usage.used += 1;
        });
    }

    /// Gives back the place a message has reserved.
    pub(super) fn release(&mut self, id: MessageId) {
        self.settle_hold(id, Charge::Released, |_, usage| usage.held -= 1.min(usage.held));
    }

    fn settle_hold(&mut self, id: MessageId, to: Charge, apply: impl FnOnce(Charge, &mut UsageRow)) {
        let Some(row) = self.messages.get_mut(&id) else { return };
        let open = match row.charge {
            Charge::Held => true,
            Charge::Released => to == Charge::Charged,
            Charge::None | Charge::Charged => false,
        };
        let Some(period) = row.period.filter(|_| open) else { return };
        let was = std::mem::replace(&mut row.charge, to);
        let key = (row.message.tenant, period);
        self.changes.messages.insert(id);
        if let Some(usage) = self.usage.get_mut(&key) {
            apply(was, usage);
            self.changes.usage.insert(key);
        }
    }

    /// Gives every new message its place in the order of acceptance, after `last`. The last act before it is written:
    /// a message added in this very batch is written with its last state, by its insert.
    pub(super) fn place(&mut self, last: i64) {
        for (id, ord) in self.changes.new_messages.iter().zip(last + 1..) {
            self.changes.messages.remove(id);
            if let Some(row) = self.messages.get_mut(id) {
                row.ord = Some(ord);
            }
        }
    }

    /// What is in it, as it stands.
    pub(super) fn into_rows(self) -> Rows {
        let acquainted = self.changes.contacts.iter().map(|(tenant, _)| *tenant).collect();
        Rows { sessions: self.sessions, messages: self.messages, months: self.usage, acquainted }
    }

    /// Tells a change that is made in the book already.
    pub(super) fn tell(&mut self, tenant: TenantId, session: Option<SessionId>, change: Change) {
        self.post(tenant, session, change, None);
        self.changes.told.push(Told { tenant, session, change });
    }

    /// Tells that an endpoint was disabled.
    pub(super) fn tell_disabled(&mut self, tenant: TenantId, webhook: WebhookId, reason: WebhookReason) {
        self.tell_with(tenant, Change::Webhook(webhook), Snapshot::Webhook(reason));
    }

    /// Tells a change that is made elsewhere, with its record.
    pub(super) fn tell_with(&mut self, tenant: TenantId, change: Change, record: Snapshot) {
        self.post(tenant, None, change, Some(record));
        self.changes.told.push(Told { tenant, session: None, change });
    }

    /// Keeps what is told next for the endpoints that want it, with the record as it stands.
    fn post(
        &mut self,
        tenant: TenantId,
        session: Option<SessionId>,
        change: Change,
        snapshot: Option<Snapshot>,
    ) {
        let Some(subscribers) = self.subscribers.get(&tenant) else { return };
        let kind = event_type(change);
        let wanting = subscribers.iter().filter(|one| one.wants(&kind, session));
        let to: Vec<_> = wanting.map(|one| (one.webhook, one.active)).collect();
        if !to.is_empty() {
            let snapshot = snapshot.unwrap_or_else(|| self.snapshot(session, change));
            self.changes.postings.push(Posting { told: self.changes.told.len(), kind, snapshot, to });
        }
    }

    fn snapshot(&self, session: Option<SessionId>, change: Change) -> Snapshot {
        let found = match change {
            Change::Message(id, _) | Change::Received(id) => {
                self.messages.get(&id).map(|row| Snapshot::Message(MessageState::of(&row.message)))
            }
            Change::Session(_) => session.and_then(|id| self.sessions.get(&id)).map(|row| {
                let status = (row.status, row.reason, row.code);
                let state = SessionState::of(status, row.since, row.paired, &row.standing, &row.tally);
                Snapshot::Session(state)
            }),
            Change::Usage(percent) => Some(Snapshot::Usage(percent)),
            Change::Webhook(_) | Change::Billing(_) => None,
        };
        found.unwrap_or(Snapshot::Gone)
    }
}

/// Highest threshold that `taken` of `limit` messages reach, 0 for none.
pub(super) fn passed(taken: u64, limit: u64) -> u8 {
    let reached = |percent: &u8| taken.saturating_mul(100) >= limit.saturating_mul(u64::from(*percent));
    THRESHOLDS.into_iter().filter(reached).max().unwrap_or_default()
}

/// Whether the message reached the server.
fn is_with_server(status: MessageStatus) -> bool {
    matches!(status, MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read)
}

/// Every status that is reached with this one: who has read a message also got it.
fn implied(status: MessageStatus) -> impl Iterator<Item = MessageStatus> {
    use MessageStatus as S;
    let before: &[S] = match status {
        S::Read => &[S::Sent, S::Delivered],
        S::Delivered => &[S::Sent],
        _ => &[],
    };
    before.iter().copied().chain([status])
}
