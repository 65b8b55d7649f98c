//! Reads what a batch needs: one statement per table, whatever the size of the batch.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryResult};
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::book::{Book, Charge, Heard, MessageRow, SessionRow, UsageRow};
use super::days::DayTally;
use super::dialect::{self, Fault};
use super::entities::{count, maybe_time, maybe_word, message, session::retry, word};
use super::idempotency::{self, Kind, Owner, json};
use super::kept::Kept;
use super::posting::read_subscribers;
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, SuppressionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::WaId;
use crate::domain::plan::Allowance;
use crate::domain::session::{Epoch, SessionCounters, Standing, Supervision};
use crate::domain::time::{Period, WallTime};
use crate::ports::outbox::Claim;

pub(super) mod acquaintance;

/// Messages of a chat that are read before one that is to be claimed. With this many the chat counts as crowded: the
/// claim waits without looking further.
pub(super) const NEIGHBOURS: usize = 8;

/// What the commands of a batch will look at.
#[derive(Default)]
pub(super) struct Needs {
    sessions: BTreeSet<SessionId>,
    messages: BTreeSet<MessageId>,
    by_wa: BTreeSet<(SessionId, WaId)>,
    claimed: BTreeSet<MessageId>,
    /// The latest time of a claim, or of what is like one.
    claimed_at: WallTime,
    /// Claimed messages of which it matters whether their chat has written to us.
    strangers: BTreeSet<MessageId>,
    heard: BTreeSet<Heard>,
    /// Messages that others are about, by chat and id on the network.
    referred: BTreeSet<(SessionId, Chat, WaId)>,
    /// Chats whose held messages may go.
    held_in: BTreeSet<(SessionId, Chat)>,
    usage: BTreeSet<(TenantId, WallTime)>,
    remembered: BTreeSet<(Uuid, String)>,
    /// Claimed messages that may be approaches.
    approaches: BTreeSet<MessageId>,
    /// People of whom it matters whether they wrote to a session, or it to them first.
    acquaintances: BTreeSet<(SessionId, Chat)>,
    /// Numbers of which it matters what their tenant knows.
    contacts: BTreeSet<(TenantId, Chat)>,
    /// Wishes that are named.
    stops: BTreeSet<(TenantId, SuppressionId)>,
    /// Numbers whose waiting messages are wanted, on every session of the tenant.
    waiting: BTreeSet<(TenantId, Chat)>,
    /// Tenants that will be told something without a session of theirs.
    tenants: BTreeSet<TenantId>,
}

impl Needs {
    pub(super) fn session(&mut self, id: SessionId) {
        self.sessions.insert(id);
    }

    pub(super) fn tenant(&mut self, id: TenantId) {
        self.tenants.insert(id);
    }

    pub(super) fn message(&mut self, id: MessageId) {
        self.messages.insert(id);
    }

    pub(super) fn messages(&mut self, ids: impl IntoIterator<Item = MessageId>) {
        self.messages.extend(ids);
    }

    pub(super) fn message_by_wa(&mut self, session: SessionId, wa_id: &WaId) {
        self.by_wa.insert((session, wa_id.clone()));
    }

    pub(super) fn claim(&mut self, claim: &Claim) {
        self.session(claim.lease.session);
        self.message(claim.message);
        self.claimed.insert(claim.message);
        self.claimed_at = self.claimed_at.max(claim.at.wall);
        if claim.lock.is_some() || claim.approach.is_some() {
            self.strangers.insert(claim.message);
        }
        if claim.approach.is_some() {
            self.approaches.insert(claim.message);
        }
    }

    pub(super) fn acquaintance(&mut self, session: SessionId, chat: Chat, at: WallTime) {
        self.acquaintances.insert((session, chat));
        self.claimed_at = self.claimed_at.max(at);
    }

    pub(super) fn contact(&mut self, tenant: TenantId, phone: Chat) {
        self.contacts.insert((tenant, phone));
    }

    pub(super) fn stop(&mut self, tenant: TenantId, id: SuppressionId) {
        self.stops.insert((tenant, id));
    }

    pub(super) fn waiting_for(&mut self, tenant: TenantId, phone: Chat) {
        self.waiting.insert((tenant, phone.clone()));
        self.contact(tenant, phone);
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        self.session(heard.0);
        self.heard.insert(heard);
    }

    pub(super) fn referred(&mut self, session: SessionId, chat: Chat, wa_id: WaId) {
        self.referred.insert((session, chat, wa_id));
    }

    pub(super) fn held_in(&mut self, session: SessionId, chat: Chat) {
        self.held_in.insert((session, chat));
    }

    pub(super) fn usage(&mut self, tenant: TenantId, period: Period) {
        self.usage.insert((tenant, period.start));
    }

    pub(super) fn remembered(&mut self, owner: Owner, asked: &Idempotency) {
        self.remembered.insert((owner.uuid(), asked.key.clone()));
    }
}

#[derive(Serialize)]
struct ByWa<'a> {
    session: Simple,
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<&'a str>,
}

#[derive(Serialize)]
struct Month {
    tenant: Simple,
    period: i64,
}

/// The months that there are among these.
pub(super) async fn read_months(
    db: &impl ConnectionTrait,
    months: impl Iterator<Item = (TenantId, WallTime)>,
) -> Result<Vec<(TenantId, UsageRow)>, Fault> {
    let months = months.map(|(tenant, start)| Month { tenant: tenant.uuid().simple(), period: start.0 });
    let months = json(&months.collect::<Vec<_>>())?;
    dialect::query(db, dialect::USAGE, [months.into()]).await?.iter().map(usage_row).collect()
}

/// Takes it from what is kept, or reads it. What a replay answers, the sessions of every message and the months they
/// count to come along.
pub(super) async fn load(
    txn: &DatabaseTransaction,
    mut needs: Needs,
    kept: &mut Kept,
) -> Result<Book, Fault> {
    let mut book = Book::new(kept.calendar());
    if !needs.remembered.is_empty() {
        let keys = needs.remembered.iter().map(|(owner, key)| (*owner, key.as_str()));
        for (key, first) in idempotency::find(txn, keys).await? {
            if first.kind == Kind::Message {
                needs.message(subject(&first.subject)?.into());
            }
            book.put_remembered(key, first);
        }
    }
    take_messages(&mut needs, &mut book, kept);
    read_messages(txn, &needs, &mut book).await?;
    needs.sessions.retain(|&id| kept.take_session(id).map(|row| book.put_session(row)).is_none());
    read_neighbours(txn, &needs, &mut book).await?;
    read_strangers(txn, &needs, &mut book).await?;
    acquaintance::read(txn, &mut needs, &mut book, kept).await?;
    let more: Vec<_> =
        book.messages().map(|row| (row.message.session, row.message.tenant, row.period)).collect();
    for (session, tenant, period) in more {
        if !book.has_session(session) {
            needs.session(session);
        }
        if let Some(start) = period {
            needs.usage.insert((tenant, start));
        }
    }
    needs.sessions.retain(|&id| kept.take_session(id).map(|row| book.put_session(row)).is_none());
    needs.usage.retain(|&key| kept.take_month(key).map(|row| book.put_usage(key.0, row)).is_none());
    if !needs.sessions.is_empty() {
        let ids = ids(needs.sessions.iter().map(|id| id.uuid()))?;
        for row in dialect::query(txn, dialect::SESSIONS, [ids.into()]).await? {
            book.put_session(session_row(&row)?);
        }
    }
    if !needs.usage.is_empty() {
        for (tenant, usage) in read_months(txn, needs.usage.iter().copied()).await? {
            book.put_usage(tenant, usage);
        }
    }
    read_held(txn, &needs, &mut book).await?;
    read_subscribers(txn, needs.tenants, &mut book, kept).await?;
    Ok(book)
}

/// One session, deleted or not.
pub(super) async fn session_by_id(
    db: &impl ConnectionTrait,
    id: SessionId,
) -> Result<Option<SessionRow>, Fault> {
    let ids = ids(std::iter::once(id.uuid()))?;
    dialect::query(db, dialect::SESSIONS, [ids.into()]).await?.first().map(session_row).transpose()
}

/// What is kept has to be read no more.
fn take_messages(needs: &mut Needs, book: &mut Book, kept: &mut Kept) {
    let mut take = |id, kept: &mut Kept| {
        if let Some(row) = kept.take_message(id) {
            book.put_message(row);
        }
        book.message(id).is_some()
    };
    needs.messages.retain(|&id| !take(id, kept));
    needs.by_wa.retain(|key| match kept.by_wa(key) {
        Some(id) => !take(id, kept),
        None => true,
    });
}

async fn read_messages(txn: &DatabaseTransaction, needs: &Needs, book: &mut Book) -> Result<(), Fault> {
    if !needs.messages.is_empty() {
        let ids = ids(needs.messages.iter().map(|id| id.uuid()))?;
        put(txn, dialect::statement(txn, dialect::MESSAGES, [ids.into()]), book).await?;
    }
    if !needs.by_wa.is_empty() {
        let wanted = needs.by_wa.iter().map(|(session, wa_id)| ByWa {
            session: session.uuid().simple(),
            wa_id: Some(&wa_id.0),
            chat: None,
        });
        let wanted = json(&wanted.collect::<Vec<_>>())?;
        put(txn, dialect::statement(txn, dialect::MESSAGES_BY_WA, [wanted.into()]), book).await?;
    }
    Ok(())
}

/// Reads the neighbours of what is to be claimed, unless every live message of its session is in the book already.
async fn read_neighbours(txn: &DatabaseTransaction, needs: &Needs, book: &mut Book) -> Result<(), Fault> {
    if needs.claimed.is_empty() {
        return Ok(());
    }
    let known = book.live_by_session();
    let is_complete = |session: SessionId| {
        let live = book.session(session).map(|row| row.tally.queued);
        live.is_some_and(|live| known.get(&session) == Some(&live))
    };
    let open = needs.claimed.iter().filter(|&&id| {
        let session = book.message(id).map(|row| row.message.session);
        session.is_some_and(|session| !is_complete(session))
    });
    let open: Vec<_> = open.map(|id| id.uuid()).collect();
    if !open.is_empty() {
        let values = [ids(open.into_iter())?.into(), needs.claimed_at.0.into(), (NEIGHBOURS as i64).into()];
        put(txn, dialect::statement(txn, dialect::NEIGHBOURS, values), book).await?;
    }
    Ok(())
}

fn named<'a>(session: SessionId, chat: &'a Chat, wa_id: Option<&'a WaId>) -> ByWa<'a> {
    ByWa { session: session.uuid().simple(), wa_id: wa_id.map(|id| id.0.as_str()), chat: Some(chat.as_str()) }
}

/// Reads what is held in the chats of those who wrote, on sessions that have anything waiting at all.
async fn read_held(txn: &DatabaseTransaction, needs: &Needs, book: &mut Book) -> Result<(), Fault> {
    let waits = |session| book.session(session).is_some_and(|row| row.tally.queued > 0);
    let wanted = needs.held_in.iter().filter(|(session, _)| waits(*session));
    let wanted: Vec<_> = wanted.map(|(session, chat)| named(*session, chat, None)).collect();
    if !wanted.is_empty() {
        let wanted = json(&wanted)?;
        put(txn, dialect::statement(txn, dialect::HELD_IN, [wanted.into()]), book).await?;
    }
    Ok(())
}

async fn read_strangers(txn: &DatabaseTransaction, needs: &Needs, book: &mut Book) -> Result<(), Fault> {
    if !needs.strangers.is_empty() {
        let ids = ids(needs.strangers.iter().map(|id| id.uuid()))?;
        for row in dialect::query(txn, dialect::MET, [ids.into()]).await? {
            let session: Uuid = row.try_get_by_index(0)?;
            book.put_met(session.into(), Chat::stored(row.try_get_by_index(1)?));
        }
    }
    if !needs.heard.is_empty() {
        let wanted = needs.heard.iter().map(|(session, chat, _, wa_id)| named(*session, chat, Some(wa_id)));
        let wanted = json(&wanted.collect::<Vec<_>>())?;
        for row in dialect::query(txn, dialect::HEARD, [wanted.into()]).await? {
            let session: Uuid = row.try_get_by_index(0)?;
            let chat = Chat::stored(row.try_get_by_index(1)?);
            let author = row.try_get_by_index::<Option<String>>(2)?.map(Chat::stored);
            book.put_heard((session.into(), chat, author, WaId(row.try_get_by_index(3)?)));
        }
    }
    if !needs.referred.is_empty() {
        let wanted = needs.referred.iter().map(|(session, chat, wa_id)| named(*session, chat, Some(wa_id)));
        let wanted = json(&wanted.collect::<Vec<_>>())?;
        for row in dialect::query(txn, dialect::REFERRED, [wanted.into()]).await? {
            let session: Uuid = row.try_get_by_index(0)?;
            let (chat, wa_id) = (Chat::stored(row.try_get_by_index(1)?), WaId(row.try_get_by_index(2)?));
            book.put_referred((session.into(), chat, wa_id), row.try_get_by_index::<Uuid>(3)?.into());
        }
    }
    Ok(())
}

pub(super) async fn put(
    txn: &DatabaseTransaction,
    statement: sea_orm::Statement,
    book: &mut Book,
) -> Result<(), Fault> {
    for model in message::Entity::find().from_raw_sql(statement).all(txn).await? {
        book.put_message(message_row(model)?);
    }
    Ok(())
}

/// Ids as the JSON array that a batch statement takes.
pub(super) fn ids(ids: impl Iterator<Item = Uuid>) -> Result<String, Fault> {
    json(&ids.map(Uuid::simple).collect::<Vec<_>>())
}

/// The id a remembered request made.
pub(super) fn subject(text: &str) -> Result<Uuid, Fault> {
    Uuid::try_parse(text).map_err(|_| Fault::unreadable("id"))
}

fn message_row(model: message::Model) -> Result<MessageRow, Fault> {
    Ok(MessageRow {
        ord: Some(model.ord),
        not_before: maybe_time(model.not_before),
        epoch: Epoch(model.epoch),
        attempted_at: maybe_time(model.attempted_at),
        charge: word::<Charge>(&model.charge, "charge")?,
        period: maybe_time(model.period_start),
        message: model.into_domain()?,
    })
}

fn session_row(row: &QueryResult) -> Result<SessionRow, Fault> {
    let text = |column: &str| row.try_get::<String>("", column);
    let number = |column: &str| row.try_get::<i64>("", column);
    let time = |column: &str| row.try_get::<Option<i64>>("", column).map(maybe_time);
    Ok(SessionRow {
        id: row.try_get::<Uuid>("", "id")?.into(),
        tenant: row.try_get::<Uuid>("", "tenant_id")?.into(),
        epoch: Epoch(number("epoch")?),
        desired: word(&text("desired")?, "wish for a session")?,
        status: word(&text("status")?, "session status")?,
        reason: maybe_word(row.try_get::<Option<String>>("", "reason")?.as_deref(), "session reason")?,
        code: row.try_get::<Option<i64>>("", "reason_code")?.and_then(|code| u16::try_from(code).ok()),
        since: WallTime(number("since")?),
        paired: row.try_get("", "paired")?,
        paired_at: time("paired_at")?,
        standing: Standing {
            failures: count(number("failures")?) as u32,
            retry: retry(time("retry_at")?, row.try_get::<Option<String>>("", "retry_reason")?.as_deref())?,
            throttle_steps: count(number("throttle_steps")?) as u32,
            banned_until: time("banned_until")?,
            timelock_until: time("timelock_until")?,
            new_chats_until: time("new_chats_until")?,
            replaced_at: time("replaced_at")?,
        },
        supervision: Supervision {
            starting_at: time("starting_at")?,
            unclean_deaths: count(number("unclean_deaths")?) as u32,
            probes: count(number("probes")?) as u32,
        },
        deleted_at: time("deleted_at")?,
        tally: SessionCounters {
            queued: count(number("live")?),
            sent: count(number("sent")?),
            failed: count(number("failed")?),
            received: count(number("received")?),
            reconnects: count(number("reconnects")?),
        },
        day: DayTally {
            start: WallTime(number("day")?),
            sent: count(number("day_sent")?),
            failed: count(number("day_failed")?),
            received: count(number("day_received")?),
        },
    })
}

/// A tenant's month, as it stands in its row.
pub(super) fn usage_row(row: &QueryResult) -> Result<(TenantId, UsageRow), Fault> {
    let number = |column: &str| row.try_get::<i64>("", column);
    let usage = UsageRow {
        period: Period { start: WallTime(number("period_start")?), end: WallTime(number("period_end")?) },
        allowance: Allowance {
            limit: count(number("allowance")?),
            quota: word(&row.try_get::<String>("", "quota")?, "quota")?,
        },
        used: count(number("used")?),
        held: count(number("held")?),
        announced: count(number("announced")?) as u8,
    };
    Ok((row.try_get::<Uuid>("", "tenant_id")?.into(), usage))
}
