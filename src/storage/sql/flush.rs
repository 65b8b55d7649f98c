//! Writes what a batch has changed: one statement per table, whatever the size of the batch, and all of them in one
//! text, so that a batch is one round trip to the database.

use std::collections::{BTreeSet, HashMap};

use sea_orm::DatabaseTransaction;
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::book::{Book, MessageRow, SessionRow};
use super::changes::Told;
use super::dialect::{self, Batch, Fault};
use super::entities::count;
use super::idempotency::{Row, json};
use super::kept::Kept;
use super::load::ids;
use super::posting::Outgoing;
use crate::domain::chat::Chat;
use crate::domain::event::StatusEvent;
use crate::domain::id::{SessionId, TenantId, WebhookId};
use crate::domain::message::{Direction, MessageStatus, Times};
use crate::domain::session::Epoch;
use crate::domain::time::WallTime;
use crate::ports::contacts::Contact;

/// What is to be told of once it is committed.
#[derive(Default)]
pub(super) struct News {
    /// To subscribers of the feed, in order.
    pub(super) events: Vec<StatusEvent>,
    /// Endpoints that have something to deliver, or were changed.
    pub(super) posted: BTreeSet<WebhookId>,
}

impl News {
    pub(super) fn extend(&mut self, more: Self) {
        self.events.extend(more.events);
        self.posted.extend(more.posted);
    }
}

/// A message as both message statements take it; each uses its part.
#[derive(Serialize)]
struct MessageOut<'a> {
    ord: Option<i64>,
    id: Simple,
    tenant: Simple,
    session: Simple,
    direction: &'static str,
    chat: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    status: &'static str,
    reason: Option<&'static str>,
    wa_id: &'a str,
    category: &'static str,
    delivery: &'static str,
    reply_to: Option<Simple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quoted: Option<&'a str>,
    client_ref: Option<&'a str>,
    send_at: Option<i64>,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    attempts: u32,
    epoch: i64,
    attempted_at: Option<i64>,
    charge: String,
    period: Option<i64>,
    /// By status; no status is called like a column.
    #[serde(flatten)]
    times: std::collections::BTreeMap<&'static str, i64>,
}

impl<'a> MessageOut<'a> {
    /// The content goes along with a new message only: it never changes.
    fn new(row: &'a MessageRow) -> Result<Self, Fault> {
        Ok(Self { content: Some(json(&row.message.content)?), ..Self::changed(row) })
    }

    fn changed(row: &'a MessageRow) -> Self {
        let message = &row.message;
        Self {
            ord: row.ord,
            id: message.id.uuid().simple(),
            tenant: message.tenant.uuid().simple(),
            session: message.session.uuid().simple(),
            direction: message.direction.into(),
            chat: message.chat.as_str(),
            content: None,
            status: message.status.into(),
            reason: message.reason.map(Into::into),
            wa_id: &message.wa_id.0,
            category: message.category.into(),
            delivery: message.delivery.into(),
            reply_to: message.reply_to.map(|id| id.uuid().simple()),
            author: message.author.as_ref().map(Chat::as_str),
            quoted: message.quoted.as_ref().map(|id| id.0.as_str()),
            client_ref: message.client_ref.as_deref(),
            send_at: message.send_at.map(|at| at.0),
            not_before: row.not_before.map(|at| at.0),
            expires_at: message.expires_at.map(|at| at.0),
            attempts: message.attempts,
            epoch: row.epoch.0,
            attempted_at: row.attempted_at.map(|at| at.0),
            charge: row.charge.to_string(),
            period: row.period.map(|at| at.0),
            times: millis(&message.times),
        }
    }
}

fn millis(times: &Times) -> std::collections::BTreeMap<&'static str, i64> {
    times.iter().map(|(&status, at)| (status, at.0)).collect()
}

#[derive(Serialize)]
struct SessionOut {
    id: Simple,
    epoch: i64,
    desired: &'static str,
    status: &'static str,
    reason: Option<&'static str>,
    reason_code: Option<u16>,
    since: i64,
    paired: bool,
    paired_at: Option<i64>,
    failures: u32,
    retry_at: Option<i64>,
    retry_reason: Option<&'static str>,
    throttle_steps: u32,
    banned_until: Option<i64>,
    timelock_until: Option<i64>,
    new_chats_until: Option<i64>,
    replaced_at: Option<i64>,
    starting_at: Option<i64>,
    unclean_deaths: u32,
    probes: u32,
    deleted_at: Option<i64>,
}

impl SessionOut {
    fn of(row: &SessionRow) -> Self {
        Self {
            id: row.id.uuid().simple(),
            epoch: row.epoch.0,
            desired: row.desired.into(),
            status: row.status.into(),
            reason: row.reason.map(Into::into),
            reason_code: row.code,
            since: row.since.0,
            paired: row.paired,
            paired_at: row.paired_at.map(|at| at.0),
            failures: row.standing.failures,
            retry_at: row.standing.retry.map(|retry| retry.at.0),
            retry_reason: row.standing.retry.map(|retry| retry.reason.into()),
            throttle_steps: row.standing.throttle_steps,
            banned_until: row.standing.banned_until.map(|at| at.0),
            timelock_until: row.standing.timelock_until.map(|at| at.0),
            new_chats_until: row.standing.new_chats_until.map(|at| at.0),
            replaced_at: row.standing.replaced_at.map(|at| at.0),
            starting_at: row.supervision.starting_at.map(|at| at.0),
            unclean_deaths: row.supervision.unclean_deaths,
            probes: row.supervision.probes,
            deleted_at: row.deleted_at.map(|at| at.0),
        }
    }
}

#[derive(Serialize)]
struct TallyOut {
    id: Simple,
    live: u64,
    sent: u64,
    failed: u64,
    received: u64,
    reconnects: u64,
    day: i64,
    day_sent: u64,
    day_failed: u64,
    day_received: u64,
}

#[derive(Serialize)]
struct DayOut {
    session: Simple,
    day: i64,
    tenant: Simple,
    sent: u64,
    failed: u64,
    received: u64,
}

#[derive(Serialize)]
struct UsageOut {
    tenant: Simple,
    period: i64,
    period_end: i64,
    allowance: u64,
    quota: &'static str,
    used: u64,
    held: u64,
    announced: u8,
}

#[derive(Serialize)]
struct AttemptOut {
    message: Simple,
    number: u32,
    session: Simple,
    tenant: Simple,
    epoch: i64,
    boot: Simple,
    moment: u64,
    wall: i64,
}

#[derive(Serialize)]
struct MetOut<'a> {
    session: Simple,
    chat: &'a str,
    tenant: Simple,
    at: i64,
}

#[derive(Serialize)]
struct HeadOut {
    tenant: Simple,
    seq: u64,
}

#[derive(Serialize)]
struct EventOut {
    tenant: Simple,
    seq: u64,
    at: i64,
    session: Option<Simple>,
    kind: &'static str,
    message: Option<Simple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<Simple>,
    code: std::borrow::Cow<'static, str>,
}

impl EventOut {
    fn of(event: &StatusEvent) -> Self {
        Self {
            tenant: event.tenant.uuid().simple(),
            seq: event.seq,
            at: event.at.0,
            session: event.session.map(|id| id.uuid().simple()),
            kind: event.change.kind().into(),
            message: event.change.message().map(|id| id.uuid().simple()),
            webhook: event.change.webhook().map(|id| id.uuid().simple()),
            code: event.change.code(),
        }
    }
}

/// Writes it, its events with it, and answers what is to be told. What was written is `kept`.
pub(super) async fn flush(
    db: &DatabaseTransaction,
    mut book: Book,
    kept: &mut Kept,
    at: WallTime,
    batch: Batch,
) -> Result<News, Fault> {
    if !book.changes.is_any() {
        kept.keep(book, HashMap::new(), None);
        return Ok(News::default());
    }
    let told = std::mem::take(&mut book.changes.told);
    let mut heads = heads(db, &told, kept).await?;
    let events = number(&told, &mut heads, at);
    let last_ord = match book.changes.new_messages.len() as i64 {
        0 => None,
        some => Some(place(db, &mut book, kept).await? + some),
    };
    let rows = [
        json(&accepted(&book)?)?,
        json(&new_messages(&book)?)?,
        json(&changed_messages(&book))?,
        json(&attempts(&book))?,
        json(&sessions(&book))?,
        json(&tallies(&book))?,
        json(&days(&book))?,
        json(&usage(&book))?,
        json(&remembered(&book))?,
        json(&met(&book.changes.met))?,
        json(&met(&book.changes.approached))?,
        json(&contacts(&book))?,
        json(
            &heads.iter().map(|(id, &seq)| HeadOut { tenant: id.uuid().simple(), seq }).collect::<Vec<_>>(),
        )?,
        json(&events.iter().map(EventOut::of).collect::<Vec<_>>())?,
    ];
    let settled = std::mem::take(&mut book.changes.settled);
    let out = Outgoing::of(std::mem::take(&mut book.changes.postings), &events, at)?;
    if out.is_any() || !settled.is_empty() {
        let rows: Vec<_> = rows.into_iter().chain(out.rows(&settled)?).collect();
        let rows: [String; dialect::ROWS_WITH_WEBHOOKS] =
            rows.try_into().expect("fourteen statements and five");
        dialect::write(db, batch, rows).await?;
    } else {
        dialect::write(db, batch, rows).await?;
    }
    kept.keep(book, heads, last_ord);
    Ok(News { events, posted: out.posted })
}

/// The last position of every feed that is told something.
async fn heads(
    db: &DatabaseTransaction,
    told: &[Told],
    kept: &Kept,
) -> Result<HashMap<TenantId, u64>, Fault> {
    let mut heads = HashMap::new();
    let mut unknown = BTreeSet::new();
    for told in told {
        match kept.head(told.tenant) {
            Some(seq) => drop(heads.insert(told.tenant, seq)),
            None => drop(unknown.insert(told.tenant)),
        }
    }
    if !unknown.is_empty() {
        let wanted = ids(unknown.iter().map(|id| id.uuid()))?;
        heads.extend(unknown.into_iter().map(|tenant| (tenant, 0)));
        for row in dialect::query(db, dialect::HEADS, [wanted.into()]).await? {
            heads.insert(row.try_get_by_index::<Uuid>(0)?.into(), count(row.try_get_by_index(1)?));
        }
    }
    Ok(heads)
}

/// Gives every event its place in its tenant's feed.
fn number(told: &[Told], heads: &mut HashMap<TenantId, u64>, at: WallTime) -> Vec<StatusEvent> {
    let numbered = told.iter().map(|told| {
        let seq = heads.entry(told.tenant).or_default();
        *seq += 1;
        StatusEvent { tenant: told.tenant, seq: *seq, session: told.session, change: told.change, at }
    });
    numbered.collect()
}

/// Gives every new message its place in the order of acceptance; the place before the first.
async fn place(db: &DatabaseTransaction, book: &mut Book, kept: &Kept) -> Result<i64, Fault> {
    let last = match kept.last_ord() {
        Some(last) => last,
        None => match dialect::query(db, dialect::LAST_ORD, []).await?.first() {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        },
    };
    book.place(last);
    Ok(last)
}

/// A message that was accepted and nothing else: most that are new.
#[derive(Serialize)]
struct AcceptedOut<'a> {
    ord: Option<i64>,
    id: Simple,
    tenant: Simple,
    session: Simple,
    chat: &'a str,
    content: String,
    wa_id: &'a str,
    category: &'static str,
    delivery: &'static str,
    charge: String,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Simple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ref: Option<&'a str>,
}

/// When it was accepted, if that is all that happened to it.
fn just_accepted(row: &MessageRow) -> Option<WallTime> {
    let message = &row.message;
    let queued = <&str>::from(MessageStatus::Queued);
    let untouched = message.direction == Direction::Out
        && message.status == MessageStatus::Queued
        && message.reason.is_none()
        && message.attempts == 0
        && message.times.len() == 1
        && row.epoch == Epoch::default()
        && row.attempted_at.is_none()
        && row.not_before == message.send_at;
    message.times.get(queued).copied().filter(|_| untouched)
}

fn accepted(book: &Book) -> Result<Vec<AcceptedOut<'_>>, Fault> {
    let rows = book.changes.new_messages.iter().filter_map(|id| book.message(*id));
    let rows = rows.filter_map(|row| Some((row, just_accepted(row)?)));
    rows.map(|(row, at)| {
        let message = &row.message;
        Ok(AcceptedOut {
            ord: row.ord,
            id: message.id.uuid().simple(),
            tenant: message.tenant.uuid().simple(),
            session: message.session.uuid().simple(),
            chat: message.chat.as_str(),
            content: json(&message.content)?,
            wa_id: &message.wa_id.0,
            category: message.category.into(),
            delivery: message.delivery.into(),
            charge: row.charge.to_string(),
            at: at.0,
            period: row.period.map(|at| at.0),
            expires_at: message.expires_at.map(|at| at.0),
            send_at: message.send_at.map(|at| at.0),
            reply_to: message.reply_to.map(|id| id.uuid().simple()),
            client_ref: message.client_ref.as_deref(),
        })
    })
    .collect()
}

fn new_messages(book: &Book) -> Result<Vec<MessageOut<'_>>, Fault> {
    let rows = book.changes.new_messages.iter().filter_map(|id| book.message(*id));
    rows.filter(|row| just_accepted(row).is_none()).map(MessageOut::new).collect()
}

fn changed_messages(book: &Book) -> Vec<MessageOut<'_>> {
    let mut rows: Vec<_> = book.changes.messages.iter().filter_map(|id| book.message(*id)).collect();
    rows.sort_unstable_by_key(|row| row.ord);
    rows.into_iter().map(MessageOut::changed).collect()
}

fn attempts(book: &Book) -> Vec<AttemptOut> {
    let rows = book.changes.attempts.iter().map(|attempt| AttemptOut {
        message: attempt.message.uuid().simple(),
        number: attempt.number,
        session: attempt.lease.session.uuid().simple(),
        tenant: attempt.lease.tenant.uuid().simple(),
        epoch: attempt.lease.epoch.0,
        boot: uuid::Uuid::from_u128(attempt.at.boot.0).simple(),
        moment: attempt.at.now.0,
        wall: attempt.at.wall.0,
    });
    rows.collect()
}

fn sessions(book: &Book) -> Vec<SessionOut> {
    let rows = book.every_session().filter(|row| book.changes.sessions.contains(&row.id));
    rows.map(SessionOut::of).collect()
}

fn tallies(book: &Book) -> Vec<TallyOut> {
    let rows =
        book.every_session().filter(|row| book.changes.tallies.contains(&row.id)).map(|row| TallyOut {
            id: row.id.uuid().simple(),
            live: row.tally.queued,
            sent: row.tally.sent,
            failed: row.tally.failed,
            received: row.tally.received,
            reconnects: row.tally.reconnects,
            day: row.day.start.0,
            day_sent: row.day.sent,
            day_failed: row.day.failed,
            day_received: row.day.received,
        });
    rows.collect()
}

fn days(book: &Book) -> Vec<DayOut> {
    let rows = book.changes.days.iter().map(|(tenant, session, day)| DayOut {
        session: session.uuid().simple(),
        day: day.start.0,
        tenant: tenant.uuid().simple(),
        sent: day.sent,
        failed: day.failed,
        received: day.received,
    });
    rows.collect()
}

fn usage(book: &Book) -> Vec<UsageOut> {
    let rows = book.changes.usage.iter().filter_map(|&(tenant, start)| {
        let row = book.usage(tenant, start)?;
        Some(UsageOut {
            tenant: tenant.uuid().simple(),
            period: row.period.start.0,
            period_end: row.period.end.0,
            allowance: row.allowance.limit.min(i64::MAX as u64),
            quota: row.allowance.quota.into(),
            used: row.used,
            held: row.held,
            announced: row.announced,
        })
    });
    rows.collect()
}

fn remembered(book: &Book) -> Vec<Row<'_>> {
    let keys = book.changes.remembered.iter();
    keys.filter_map(|key| Some(Row::new(key.0, &key.1, book.remembered(key.0, &key.1)?))).collect()
}

fn met(met: &[(TenantId, SessionId, Chat, WallTime)]) -> Vec<MetOut<'_>> {
    let rows = met.iter().map(|(tenant, session, chat, at)| MetOut {
        session: session.uuid().simple(),
        chat: chat.as_str(),
        tenant: tenant.uuid().simple(),
        at: at.0,
    });
    rows.collect()
}

#[derive(Serialize)]
struct ContactOut<'a> {
    tenant: Simple,
    phone: &'a str,
    stop_id: Option<Simple>,
    stopped_at: Option<i64>,
    stopped_by: Option<&'static str>,
    account: Option<bool>,
    checked_at: Option<i64>,
}

fn contacts(book: &Book) -> Vec<ContactOut<'_>> {
    let rows = book.changes.contacts.iter().map(|(tenant, phone)| {
        let Contact { stopped, account } = book.contact(*tenant, phone);
        ContactOut {
            tenant: tenant.uuid().simple(),
            phone: phone.as_str(),
            stop_id: stopped.map(|stop| stop.id.uuid().simple()),
            stopped_at: stopped.map(|stop| stop.at.0),
            stopped_by: stopped.map(|stop| stop.by.into()),
            account: account.map(|(has, _)| has),
            checked_at: account.map(|(_, at)| at.0),
        }
    });
    rows.collect()
}
