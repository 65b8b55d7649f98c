//! The rows, and the few changes that keep them in step: status with times, counters, hold and event.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::media::MediaRow;
use crate::domain::audit::{Act, Actor, Entry, Head};
use crate::domain::chat::Chat;
use crate::domain::event::{Change, StatusEvent};
use crate::domain::id::{
    CreditNoteId, DeliveryId, KeyId, MediaId, MessageId, OperatorId, SessionId, SignInId, TenantId, WebhookId,
};
use crate::domain::idempotency::{Idempotency, REMEMBERED};
use crate::domain::message::{Message, MessageReason, MessageStatus};
use crate::domain::operator::OperatorAccount;
use crate::domain::person::{Person, SignIn};
use crate::domain::plan::{Allowance, Plan};
use crate::domain::refusal::Refusal;
use crate::domain::session::{Epoch, Lease, Session, Spell};
use crate::domain::tenant::{ApiKey, Tenant};
use crate::domain::time::{Period, Reading, WallTime};
use crate::domain::webhook::Subject;
use crate::ports::contacts::Contact;
use crate::ports::messages::UsageDay;
use crate::ports::outbox::{DayOf, Position, Usage};
use crate::ports::store::StoreError;
use crate::ports::webhooks::Repeated;

/// Percentages of the month's messages that are told when they are passed.
const THRESHOLDS: [u8; 3] = [50, 80, 100];

/// Everything.
#[derive(Default)]
pub struct State {
    pub tenants: BTreeMap<TenantId, TenantRow>,
    /// Every version of each, oldest first.
    pub plans: BTreeMap<String, Vec<Plan>>,
    pub keys: BTreeMap<KeyId, ApiKey>,
    pub operators: BTreeMap<OperatorId, OperatorAccount>,
    /// What those of them who are people sign in with.
    pub people: BTreeMap<OperatorId, Person>,
    pub sign_ins: BTreeMap<SignInId, SignIn>,
    pub audit: Vec<Entry>,
    pub sessions: BTreeMap<SessionId, SessionRow>,
    pub messages: BTreeMap<MessageId, MessageRow>,
    pub contacts: BTreeMap<(TenantId, Chat), Contact>,
    pub media: BTreeMap<MediaId, MediaRow>,
    pub last_position: Position,
    pub attempts: Vec<Attempt>,
    pub usage: BTreeMap<(TenantId, WallTime), UsageRow>,
    pub remembered: HashMap<(Owner, String), Remembered>,
    pub heads: BTreeMap<TenantId, u64>,
    /// In the order of their commits.
    pub events: Vec<StatusEvent>,
    /// Events of the transaction under way.
    pub told: Vec<StatusEvent>,
    /// Endpoints, and what they are told.
    pub webhooks: super::webhooks::Outbox,
    /// By day and session.
    pub days: BTreeMap<(WallTime, SessionId), (TenantId, UsageDay)>,
    /// What days are.
    pub day_of: Option<DayOf>,
    /// What tenants have agreed to pay, and the ledger.
    pub ledger: super::ledger::Desk,
    /// When the transaction under way commits.
    pub committing_at: WallTime,
}

/// A customer.
pub struct TenantRow {
    pub tenant: Tenant,
    pub deleted_at: Option<WallTime>,
}

/// A session.
pub struct SessionRow {
    pub session: Session,
    /// Of its newest owner.
    pub epoch: Epoch,
    pub deleted: bool,
    /// Correspondents that have written.
    pub met: HashSet<Chat>,
    /// People who never wrote, and when it wrote to them first.
    pub approached: BTreeMap<Chat, WallTime>,
    /// Since when it is linked.
    pub paired_at: Option<WallTime>,
    /// The sealed address of its proxy.
    pub proxy: Option<Vec<u8>>,
    /// How it stood and stands, oldest first.
    pub past: Vec<Spell>,
    /// When it was deleted.
    pub deleted_at: Option<WallTime>,
}

impl SessionRow {
    /// Writes down how it stands now, unless that is how it stood.
    pub fn remember(&mut self) {
        let now = self.session.present();
        let place = self.past.last().map_or(1, |last| last.place + 1);
        match self.past.last_mut() {
            Some(last) if (Spell { place: 0, ..*last }) == now => return,
            Some(last) => last.until = Some(now.since),
            None => {}
        }
        self.past.push(Spell { place, ..now });
    }
}

/// A message.
pub struct MessageRow {
    pub message: Message,
    pub position: Position,
    pub not_before: WallTime,
    pub charge: Charge,
    /// The month it counts to.
    pub period: WallTime,
    /// Who began the last attempt, and when.
    pub attempted_by: Epoch,
    pub attempted_at: WallTime,
}

/// What has become of a message's place in the month.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// It does not count.
    None,
    /// It is reserved.
    Held,
    /// It is used.
    Charged,
    /// It was given back; a late receipt may still use it.
    Released,
}

/// A tenant's month.
pub struct UsageRow {
    pub end: WallTime,
    pub allowance: Allowance,
    pub used: u64,
    pub held: u64,
    /// Highest threshold told.
    pub told: u8,
    /// Messages beyond the quota that are dealt with.
    pub billed: u64,
}

/// One send attempt. The list of them is the truth of the rate window.
pub struct Attempt {
    pub tenant: TenantId,
    pub session: SessionId,
    pub at: Reading,
}

/// Among whom an idempotency key is unique.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    Tenant(TenantId),
    Operators,
}

/// What the first request with a key made.
pub struct Remembered {
    pub fingerprint: [u8; 32],
    pub made: Made,
    pub at: WallTime,
}

/// What a request made.
pub enum Made {
    Message(MessageId),
    Session(SessionId),
    Tenant(TenantId),
    Plan(String),
    Key(KeyId),
    Webhook(WebhookId),
    Delivery(DeliveryId),
    Range(Repeated),
    Operator(OperatorId),
    Media(MediaId),
    /// A credit note, or the place of an entry.
    Ledger(Option<CreditNoteId>, Option<i64>),
}

impl State {
    /// A session, unless it is absent, deleted or somebody else's.
    pub fn session_of(&self, tenant: TenantId, id: SessionId) -> Option<&SessionRow> {
        self.session(id).filter(|row| row.session.tenant == tenant)
    }

    /// A session, unless it is absent or deleted.
    pub fn session(&self, id: SessionId) -> Option<&SessionRow> {
        self.sessions.get(&id).filter(|row| !row.deleted)
    }

    /// The session of its newest owner; fenced for every other.
    pub fn leased(&mut self, lease: Lease) -> Result<&mut SessionRow, StoreError> {
        let held = |row: &&mut SessionRow| {
            !row.deleted && row.session.tenant == lease.tenant && row.epoch == lease.epoch
        };
        self.sessions.get_mut(&lease.session).filter(held).ok_or(StoreError::Fenced)
    }

    /// The tenants that exist.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id).filter(|row| row.deleted_at.is_none()).map(|row| &row.tenant)
    }

    /// The version of a plan that binds.
    pub fn plan(&self, code: &str) -> Option<&Plan> {
        self.plans.get(code).and_then(|versions| versions.last())
    }

    /// What stands in the books of a month, and live messages of one session or, without one, of all.
    pub fn usage_of(
        &self,
        tenant: TenantId,
        period: WallTime,
        first: Allowance,
        session: Option<SessionId>,
    ) -> Usage {
        let live = self.sessions.values().filter(|row| row.session.tenant == tenant && !row.deleted);
        let live = live.filter(|row| session.is_none_or(|session| row.session.id == session));
        let queued = live.map(|row| row.session.counters.queued).sum();
        match self.usage.get(&(tenant, period)) {
            Some(row) => Usage { allowance: row.allowance, used: row.used, held: row.held, queued },
            None => Usage { allowance: first, used: 0, held: 0, queued },
        }
    }

    /// What the first request with this key made, if it was the same request and is not forgotten.
    pub fn replay(
        &self,
        owner: Owner,
        asked: Option<&Idempotency>,
        at: WallTime,
    ) -> Result<Option<&Made>, Refusal> {
        let Some(asked) = asked else { return Ok(None) };
        match self.remembered.get(&(owner, asked.key.clone())) {
            Some(first) if at.since(first.at) < REMEMBERED => {
                let same = first.fingerprint == asked.fingerprint;
                if same { Ok(Some(&first.made)) } else { Err(Refusal::idempotency_mismatch()) }
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Remembers what a request made.
    pub fn remember(&mut self, owner: Owner, asked: Option<Idempotency>, made: Made, at: WallTime) {
        if let Some(Idempotency { key, fingerprint }) = asked {
            self.remembered.insert((owner, key), Remembered { fingerprint, made, at });
        }
    }

    /// The end of the audit.
    pub fn audit_head(&self) -> Head {
        self.audit.last().map(Entry::head).unwrap_or_default()
    }

    /// Adds an entry to the audit.
    pub fn record(&mut self, by: &Actor, act: Act) {
        let entry = Entry::following(self.audit_head(), by, act, self.committing_at);
        self.audit.push(entry);
    }

    /// Adds a message with its counters and its event.
    pub fn add(&mut self, row: MessageRow) {
        let message = &row.message;
        let (id, tenant, session, status) = (message.id, message.tenant, message.session, message.status);
        if let Some(row) = self.sessions.get_mut(&session) {
            row.session.counters.queued += u64::from(status.is_live());
            row.session.counters.received += u64::from(status == MessageStatus::Received);
        }
        let at = message.times.get(<&str>::from(MessageStatus::Received)).copied();
        self.messages.insert(id, row);
        if let Some(day) = at.and_then(|at| self.day(tenant, session, at)) {
            day.received += 1;
        }
        let received = status == MessageStatus::Received;
        let change = if received { Change::Received(id) } else { Change::Message(id, status) };
        self.tell(tenant, Some(session), change);
    }

    /// Gives a message another status, and everything that hangs on it.
    pub fn pass(
        &mut self,
        id: MessageId,
        to: MessageStatus,
        reason: Option<MessageReason>,
        at: WallTime,
    ) -> Option<Message> {
        let row = self.messages.get_mut(&id)?;
        let was = row.message.status;
        let was_sent = row.message.times.contains_key(<&str>::from(MessageStatus::Sent));
        row.message.status = to;
        row.message.reason = reason;
        row.message.held_until = None;
        for &reached in implied(&to) {
            row.message.times.entry(reached.into()).or_insert(at);
        }
        let (message, charge) = (row.message.clone(), row.charge);
        if let Some(row) = self.sessions.get_mut(&message.session) {
            let counters = &mut row.session.counters;
            counters.queued -= u64::from(was.is_live() && !to.is_live());
            counters.sent += u64::from(!was_sent && is_with_server(to));
            counters.failed += u64::from(matches!(to, MessageStatus::Failed | MessageStatus::Dead));
        }
        let sent = u64::from(!was_sent && is_with_server(to) && charge != Charge::None);
        let failed = u64::from(matches!(to, MessageStatus::Failed | MessageStatus::Dead));
        if sent + failed > 0
            && let Some(day) = self.day(message.tenant, message.session, at)
        {
            day.sent += sent;
            day.failed += failed;
        }
        match to {
            MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read => self.charge(id),
            MessageStatus::Failed
            | MessageStatus::Expired
            | MessageStatus::Canceled
            | MessageStatus::Dead => self.release(id),
            MessageStatus::Queued
            | MessageStatus::Held
            | MessageStatus::Sending
            | MessageStatus::Unknown
            | MessageStatus::Received => {}
        }
        if was != to {
            self.tell(message.tenant, Some(message.session), Change::Message(id, to));
        }
        Some(message)
    }

    /// A session's day, to be counted on.
    fn day(&mut self, tenant: TenantId, session: SessionId, at: WallTime) -> Option<&mut UsageDay> {
        let start = self.day_of.as_ref()?(at).start;
        // A clock that was set back counts to the later day.
        let last = self.days.keys().rev().find(|(_, of)| *of == session).map_or(start, |(day, _)| *day);
        let day = start.max(last);
        let new = || (tenant, UsageDay { day, session, sent: 0, failed: 0, received: 0 });
        Some(&mut self.days.entry((day, session)).or_insert_with(new).1)
    }

    /// Reserves a place in a tenant's month, and tells when that passes a threshold.
    pub fn hold(&mut self, tenant: TenantId, period: Period, first: Allowance) {
        let new = UsageRow { end: period.end, allowance: first, used: 0, held: 0, told: 0, billed: 0 };
        let row = self.usage.entry((tenant, period.start)).or_insert(new);
        row.held += 1;
        let taken = (row.used + row.held) * 100;
        let passed: Vec<u8> = THRESHOLDS
            .into_iter()
            .filter(|&percent| percent > row.told && taken >= row.allowance.limit * u64::from(percent))
            .collect();
        row.told = passed.last().copied().unwrap_or(row.told);
        passed.into_iter().for_each(|percent| self.tell(tenant, None, Change::Usage(percent)));
    }

    /// Uses a message's place, also when it was given back meanwhile.
    fn charge(&mut self, id: MessageId) {
        let Some(row) = self.messages.get_mut(&id) else { return };
        let Some(usage) = self.usage.get_mut(&(row.message.tenant, row.period)) else { return };
        match row.charge {
            Charge::None | Charge::Charged => return,
            Charge::Held => usage.held -= 1,
            Charge::Released => {}
        }
        usage.used += 1;
        row.charge = Charge::Charged;
    }

    /// Gives a message's place back.
    pub fn release(&mut self, id: MessageId) {
        let Some(row) = self.messages.get_mut(&id) else { return };
        let Some(usage) = self.usage.get_mut(&(row.message.tenant, row.period)) else { return };
        if row.charge == Charge::Held {
            usage.held -= 1;
            row.charge = Charge::Released;
        }
    }

    /// Another plan is another contract: its quota binds the month that runs.
    pub fn rewrite_month(&mut self, tenant: TenantId, allowance: Allowance, at: WallTime) {
        let months = self.usage.iter_mut().filter(|((of, _), _)| *of == tenant);
        for (_, row) in months.filter(|((_, start), row)| (*start..row.end).contains(&at)) {
            row.allowance = allowance;
        }
    }

    /// Takes back what waits on a session; how many.
    pub fn cancel_waiting(&mut self, session: SessionId, reason: MessageReason, at: WallTime) -> u64 {
        let waiting = self.ids(|row| row.message.session == session && is_waiting(row));
        for &id in &waiting {
            self.pass(id, MessageStatus::Canceled, Some(reason), at);
        }
        waiting.len() as u64
    }

    /// Marks a session deleted, takes back what waits and takes away the files that came in on it.
    pub fn delete_session(&mut self, id: SessionId, at: WallTime) {
        self.cancel_waiting(id, MessageReason::SessionGone, at);
        self.take_media_away(usize::MAX, |file| file.session == Some(id));
        if let Some(row) = self.sessions.get_mut(&id) {
            row.deleted = true;
            row.proxy = None;
            row.deleted_at = Some(at);
        }
    }

    /// Messages of a kind, in order of acceptance.
    pub fn ids(&self, wanted: impl Fn(&MessageRow) -> bool) -> Vec<MessageId> {
        let mut found: Vec<_> = self.messages.values().filter(|row| wanted(row)).collect();
        found.sort_by_key(|row| row.position);
        found.into_iter().map(|row| row.message.id).collect()
    }

    /// The next place in the order of acceptance.
    pub fn next_position(&mut self) -> Position {
        self.last_position.0 += 1;
        self.last_position
    }

    /// Writes an event at the tenant's next position.
    pub fn tell(&mut self, tenant: TenantId, session: Option<SessionId>, change: Change) {
        self.tell_with(tenant, session, change, None);
    }

    /// The same, of a record that is not found by the change.
    pub fn tell_with(
        &mut self,
        tenant: TenantId,
        session: Option<SessionId>,
        change: Change,
        record: Option<Subject>,
    ) {
        let head = self.heads.entry(tenant).or_default();
        *head += 1;
        let event = StatusEvent { tenant, seq: *head, session, change, at: self.committing_at };
        self.post(event, record);
        self.events.push(event);
        self.told.push(event);
    }
}

/// Whether it is queued or held.
pub fn is_waiting(row: &MessageRow) -> bool {
    matches!(row.message.status, MessageStatus::Queued | MessageStatus::Held)
}

fn is_with_server(status: MessageStatus) -> bool {
    matches!(status, MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read)
}

/// Every status that is reached with this one: who has read a message also got it.
fn implied(status: &MessageStatus) -> &[MessageStatus] {
    use MessageStatus::{Delivered, Read, Sent};
    match status {
        Read => &[Sent, Delivered, Read],
        Delivered => &[Sent, Delivered],
        other => std::slice::from_ref(other),
    }
}
