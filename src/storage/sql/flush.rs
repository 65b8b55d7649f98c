//! Writes what a batch has changed: one statement per table, whatever the size of the batch.

use sea_orm::DatabaseTransaction;
use serde::Serialize;
use uuid::fmt::Simple;

use super::book::{Book, MessageRow, SessionRow, Told};
use super::dialect::{self, Fault};
use super::idempotency::{Row, json};
use crate::domain::message::Times;

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
    client_ref: Option<&'a str>,
    send_at: Option<i64>,
    not_before: Option<i64>,
    expires_at: Option<i64>,
    attempts: u32,
    epoch: i64,
    attempted_at: Option<i64>,
    charge: String,
    period: Option<i64>,
    times: std::collections::BTreeMap<&'static str, i64>,
}

impl<'a> MessageOut<'a> {
    /// The content goes along with a new message only: it never changes.
    fn of(row: &'a MessageRow) -> Result<Self, Fault> {
        let message = &row.message;
        let content = match row.ord {
            None => Some(json(&message.content)?),
            Some(_) => None,
        };
        Ok(Self {
            ord: row.ord,
            id: message.id.uuid().simple(),
            tenant: message.tenant.uuid().simple(),
            session: message.session.uuid().simple(),
            direction: message.direction.into(),
            chat: message.chat.as_str(),
            content,
            status: message.status.into(),
            reason: message.reason.map(Into::into),
            wa_id: &message.wa_id.0,
            category: message.category.into(),
            delivery: message.delivery.into(),
            reply_to: message.reply_to.map(|id| id.uuid().simple()),
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
        })
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
    failures: u32,
    retry_at: Option<i64>,
    retry_reason: Option<&'static str>,
    throttle_steps: u32,
    banned_until: Option<i64>,
    timelock_until: Option<i64>,
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
            failures: row.standing.failures,
            retry_at: row.standing.retry.map(|retry| retry.at.0),
            retry_reason: row.standing.retry.map(|retry| retry.reason.into()),
            throttle_steps: row.standing.throttle_steps,
            banned_until: row.standing.banned_until.map(|at| at.0),
            timelock_until: row.standing.timelock_until.map(|at| at.0),
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

/// Writes it, and answers what is to be told, in order.
pub(super) async fn flush(txn: &DatabaseTransaction, mut book: Book) -> Result<Vec<Told>, Fault> {
    let told = std::mem::take(&mut book.changes.told);
    let changes = &book.changes;
    write(txn, dialect::INSERT_MESSAGES, new_messages(&book)?).await?;
    write(txn, dialect::UPDATE_MESSAGES, changed_messages(&book)?).await?;
    write(txn, dialect::INSERT_ATTEMPTS, attempts(&book)).await?;
    write(txn, dialect::UPDATE_SESSIONS, sessions(&book)).await?;
    write(txn, dialect::UPDATE_TALLIES, tallies(&book)).await?;
    write(txn, dialect::PUT_USAGE, usage(&book)).await?;
    let remembered = changes
        .remembered
        .iter()
        .filter_map(|key| Some(Row::new(key.0, &key.1, book.remembered(key.0, &key.1)?)));
    write(txn, dialect::PUT_REMEMBERED, remembered.collect()).await?;
    let met = changes.met.iter().map(|(tenant, session, chat, at)| MetOut {
        session: session.uuid().simple(),
        chat: chat.as_str(),
        tenant: tenant.uuid().simple(),
        at: at.0,
    });
    write(txn, dialect::INSERT_MET, met.collect()).await?;
    Ok(told)
}

async fn write<T: Serialize>(
    txn: &DatabaseTransaction,
    text: &'static str,
    rows: Vec<T>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    dialect::execute(txn, text, [json(&rows)?.into()]).await.map(drop)
}

fn new_messages(book: &Book) -> Result<Vec<MessageOut<'_>>, Fault> {
    let rows = book.changes.new_messages.iter().filter_map(|id| book.message(*id));
    rows.map(MessageOut::of).collect()
}

/// A message added in this very batch is written with its last state, by its insert.
fn changed_messages(book: &Book) -> Result<Vec<MessageOut<'_>>, Fault> {
    let mut rows: Vec<_> = book.changes.messages.iter().filter_map(|id| book.message(*id)).collect();
    rows.retain(|row| row.ord.is_some());
    rows.sort_unstable_by_key(|row| row.ord);
    rows.into_iter().map(MessageOut::of).collect()
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
