//! The rows as a history, for `columba-check`. Read through a connection of its own that cannot write, in one
//! transaction: a server may go on writing meanwhile, and what is read is one state of the whole.
//!
//! The texts walk through whole tables, batch by batch. They are for a person who checks, not for a server.

use sea_orm::{ConnectionTrait, QueryResult, TransactionTrait as _};
use uuid::Uuid;

use super::Place;
use super::dialect::{self, Fault};
use super::entities::{count, maybe_time, word};
use crate::domain::chat::Chat;
use crate::domain::invoice::{CreditNote, Invoice};
use crate::domain::message::WaId;
use crate::domain::plan::Plan;
use crate::domain::session::Epoch;
use crate::domain::time::WallTime;
use crate::history::record::{
    AttemptLine, CapLine, EntryLine, InvoiceLine, MessageLine, NoteLine, Record, SeriesLine, SessionLine,
    UsageLine,
};
use crate::ports::store::StoreError;

/// Rows read at once.
const BATCH: i64 = 5_000;

const MESSAGES: &str = "
    SELECT ord, id, tenant_id, session_id, direction, chat, wa_id, status, attempts, delivery, charge, period_start,
        send_at, not_before, expires_at, queued_at, attempted_at, sent_at, received_at
    FROM message WHERE ord > $1 ORDER BY ord LIMIT $2";

const ATTEMPTS: &str = "
    SELECT ord, message_id, number, session_id, tenant_id, epoch, boot_id, moment, wall
    FROM send_attempt WHERE ord > $1 ORDER BY ord LIMIT $2";

const SESSIONS: &str = "
    SELECT id, tenant_id, epoch, status, since, deleted_at IS NOT NULL FROM session ORDER BY id";

/// Every version of the plan a tenant is under now. Which plan it was under before is not kept.
const CAPS: &str = "
    SELECT t.id, p.body, p.created_at FROM tenant AS t JOIN plan AS p ON p.code = t.plan
    ORDER BY t.id, p.version";

const USAGE: &str = "SELECT tenant_id, period_start, used, held FROM usage ORDER BY tenant_id, period_start";

const INVOICES: &str = "SELECT id, tenant_id, number, status, paper, account FROM invoice ORDER BY id";

const NOTES: &str = "SELECT paper FROM credit_note ORDER BY id";

const ENTRIES: &str = "SELECT ord, kind, amount_minor, currency, invoice_id FROM ledger_entry WHERE ord > $1 ORDER BY ord LIMIT $2";

const SERIES: &str = "SELECT series, next FROM number_series ORDER BY series";

/// Reads the rows of the database at `place` and tells `each` one by one: sessions, caps, months, messages in the order
/// of acceptance, attempts in theirs. Writes nothing; the file has to exist. Works beside a server.
pub async fn rows(place: &Place, mut each: impl FnMut(Record)) -> Result<(), StoreError> {
    let db = dialect::open_witness(place).await?;
    let read = read(&db, &mut each).await;
    db.close().await.map_err(Fault::from)?;
    Ok(read?)
}

async fn read(db: &sea_orm::DatabaseConnection, each: &mut impl FnMut(Record)) -> Result<(), Fault> {
    let state = db.begin().await?;
    for row in dialect::query(&state, SESSIONS, []).await? {
        each(Record::Session(session(&row)?));
    }
    for row in dialect::query(&state, CAPS, []).await? {
        each(Record::Cap(cap(&row)?));
    }
    for row in dialect::query(&state, USAGE, []).await? {
        each(Record::Usage(month(&row)?));
    }
    for row in dialect::query(&state, INVOICES, []).await? {
        each(Record::Invoice(invoice(&row)?));
    }
    for row in dialect::query(&state, NOTES, []).await? {
        each(Record::CreditNote(note(&row)?));
    }
    for row in dialect::query(&state, SERIES, []).await? {
        each(Record::Series(series(&row)?));
    }
    in_batches(&state, ENTRIES, |row| {
        let (ord, line) = entry(row)?;
        each(Record::Entry(line));
        Ok(ord)
    })
    .await?;
    in_batches(&state, MESSAGES, |row| {
        let line = message(row)?;
        let ord = line.ord;
        each(Record::Message(line));
        Ok(ord)
    })
    .await?;
    in_batches(&state, ATTEMPTS, |row| {
        let line = attempt(row)?;
        let ord = line.ord;
        each(Record::Attempt(line));
        Ok(ord)
    })
    .await?;
    Ok(state.commit().await?)
}

/// Walks through a table in the order of its keys; `take` answers a row's.
async fn in_batches(
    db: &impl ConnectionTrait,
    text: &'static str,
    mut take: impl FnMut(&QueryResult) -> Result<i64, Fault>,
) -> Result<(), Fault> {
    let mut after = i64::MIN;
    loop {
        let rows = dialect::query(db, text, [after.into(), BATCH.into()]).await?;
        for row in &rows {
            after = take(row)?;
        }
        if (rows.len() as i64) < BATCH {
            return Ok(());
        }
    }
}

/// Takes the columns of a row one by one, in the order of its text.
struct Columns<'a>(&'a QueryResult, usize);

impl Columns<'_> {
    fn next<T: sea_orm::TryGetable>(&mut self) -> Result<T, Fault> {
        self.1 += 1;
        Ok(self.0.try_get_by_index(self.1 - 1)?)
    }

    fn id<T: From<Uuid>>(&mut self) -> Result<T, Fault> {
        Ok(self.next::<Uuid>()?.into())
    }

    fn word<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<T, Fault> {
        word(&self.next::<String>()?, what)
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, what: &'static str) -> Result<T, Fault> {
        serde_json::from_str(&self.next::<String>()?).map_err(|_| Fault::unreadable(what))
    }

    fn time(&mut self) -> Result<WallTime, Fault> {
        Ok(WallTime(self.next()?))
    }

    fn maybe_time(&mut self) -> Result<Option<WallTime>, Fault> {
        Ok(maybe_time(self.next()?))
    }

    fn count(&mut self) -> Result<u64, Fault> {
        Ok(count(self.next()?))
    }
}

fn session(row: &QueryResult) -> Result<SessionLine, Fault> {
    let mut columns = Columns(row, 0);
    Ok(SessionLine {
        id: columns.id()?,
        tenant: columns.id()?,
        epoch: Epoch(columns.next()?),
        status: columns.word("session status")?,
        since: columns.time()?,
        deleted: columns.next()?,
    })
}

fn cap(row: &QueryResult) -> Result<CapLine, Fault> {
    let mut columns = Columns(row, 0);
    let tenant = columns.id()?;
    let plan: Plan = columns.json("plan")?;
    Ok(CapLine {
        tenant,
        from: columns.time()?,
        per_minute: plan.messages_per_minute.get(),
        per_minute_tenant: plan.messages_per_minute_tenant.map(Into::into),
    })
}

fn month(row: &QueryResult) -> Result<UsageLine, Fault> {
    let mut columns = Columns(row, 0);
    Ok(UsageLine {
        tenant: columns.id()?,
        period: columns.time()?,
        used: columns.count()?,
        held: columns.count()?,
    })
}

fn invoice(row: &QueryResult) -> Result<InvoiceLine, Fault> {
    let mut columns = Columns(row, 0);
    let (id, tenant, number) = (columns.id()?, columns.id()?, columns.next()?);
    let status = columns.word("invoice status")?;
    let paper: Invoice = columns.json("invoice")?;
    Ok(InvoiceLine {
        id,
        tenant,
        number,
        status,
        currency: paper.currency,
        lines_minor: paper.lines.iter().map(|line| line.amount_minor).sum(),
        account: columns.json("invoice account")?,
    })
}

fn note(row: &QueryResult) -> Result<NoteLine, Fault> {
    let paper: CreditNote = Columns(row, 0).json("credit note")?;
    Ok(NoteLine { number: paper.number, invoice: paper.invoice, amount_minor: paper.amount_minor })
}

fn entry(row: &QueryResult) -> Result<(i64, EntryLine), Fault> {
    let mut columns = Columns(row, 0);
    let ord = columns.next()?;
    let line = EntryLine {
        what: columns.word("ledger entry")?,
        amount_minor: columns.next()?,
        currency: columns.word("currency")?,
        invoice: columns.next::<Option<Uuid>>()?.map(Into::into),
    };
    Ok((ord, line))
}

fn series(row: &QueryResult) -> Result<SeriesLine, Fault> {
    let mut columns = Columns(row, 0);
    Ok(SeriesLine { series: columns.next()?, next: columns.count()? })
}

fn message(row: &QueryResult) -> Result<MessageLine, Fault> {
    let mut columns = Columns(row, 0);
    Ok(MessageLine {
        ord: columns.next()?,
        id: columns.id()?,
        tenant: columns.id()?,
        session: columns.id()?,
        direction: columns.word("direction")?,
        chat: Chat::stored(columns.next()?),
        wa_id: WaId(columns.next()?),
        status: columns.word("message status")?,
        attempts: columns.count()? as u32,
        delivery: columns.word("delivery")?,
        charge: columns.word("charge")?,
        period: columns.maybe_time()?,
        send_at: columns.maybe_time()?,
        not_before: columns.maybe_time()?,
        expires_at: columns.maybe_time()?,
        queued_at: columns.maybe_time()?,
        attempted_at: columns.maybe_time()?,
        sent_at: columns.maybe_time()?,
        received_at: columns.maybe_time()?,
    })
}

fn attempt(row: &QueryResult) -> Result<AttemptLine, Fault> {
    let mut columns = Columns(row, 0);
    Ok(AttemptLine {
        ord: columns.next()?,
        message: columns.id()?,
        number: columns.count()? as u32,
        session: columns.id()?,
        tenant: columns.id()?,
        epoch: Epoch(columns.next()?),
        boot: columns.next()?,
        moment: columns.count()?,
        wall: columns.time()?,
    })
}
