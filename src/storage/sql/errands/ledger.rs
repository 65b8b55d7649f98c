//! Deciding on a tenant's books, and writing what was decided: entries, numbers, papers, subscription and audit in one
//! transaction.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, EntityTrait as _, QueryResult, Value};
use serde::Serialize;
use uuid::Uuid;

use super::plans::newest;
use super::tenants::rewrite_month;
use super::{earlier, remember, touch_directory};
use crate::domain::audit::Actor;
use crate::domain::event::Change;
use crate::domain::id::{InvoiceId, TenantId};
use crate::domain::invoice::Invoice;
use crate::domain::plan::Plan;
use crate::domain::refusal::Refusal;
use crate::domain::subscription::{Subscription, SubscriptionStatus};
use crate::domain::time::WallTime;
use crate::domain::webhook::Subject;
use crate::ports::ledger::{Books, Decide, Matter, Metered, Outcome, Posting, Written, after_act, news};
use crate::ports::store::WriteError;
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{count, plan, tenant};
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::ledger::{
    OPEN_INVOICES, balances, entry_by_place, invoice, invoice_by_id, note_by_id, profile, subscription,
};
use crate::storage::sql::load::{Needs, usage_row};
use crate::storage::sql::posting::Snapshot;
use crate::storage::sql::writer::Errand;

const PLANS: &str = "
    SELECT p.* FROM plan AS p
    WHERE p.version = (SELECT max(newest.version) FROM plan AS newest WHERE newest.code = p.code)";

const METERED: &str = "
    SELECT * FROM usage WHERE tenant_id = $1 AND quota = 'soft' AND used - allowance > billed ORDER BY period_start";

const IS_KNOWN: &str = "SELECT 1 FROM payment WHERE provider = $1 AND id = $2";

const PUT_SUBSCRIPTION: &str = "
    INSERT INTO subscription (tenant_id, status, body, wakes_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (tenant_id) DO UPDATE SET status = excluded.status, body = excluded.body, wakes_at = excluded.wakes_at";

const WAKE: &str = "UPDATE subscription SET wakes_at = $1 WHERE tenant_id = $2";

const SET_STANDING: &str = "UPDATE tenant SET standing = $1 WHERE id = $2";

const SET_PLAN: &str = "UPDATE tenant SET plan = $1 WHERE id = $2";

/// Answers the number that is taken. The row is locked until the transaction ends, so that a number is taken or it is not.
const NEXT_NUMBER: &str = "
    INSERT INTO number_series (series, next) VALUES ($1, 2)
    ON CONFLICT (series) DO UPDATE SET next = number_series.next + 1
    RETURNING next - 1";

const INSERT_INVOICE: &str = "
    INSERT INTO invoice (id, tenant_id, number, paper, status, account, settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

const UPDATE_INVOICE: &str = "UPDATE invoice SET status = $1, account = $2, settled_at = $3 WHERE id = $4";

const INSERT_NOTE: &str =
    "INSERT INTO credit_note (id, tenant_id, invoice_id, number, paper) VALUES ($1, $2, $3, $4, $5)";

const INSERT_ENTRY: &str = "
    INSERT INTO ledger_entry (tenant_id, kind, amount_minor, currency, invoice_id, reference, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING ord";

const INSERT_PAYMENT: &str =
    "INSERT INTO payment (provider, id, tenant_id, invoice_id, at) VALUES ($1, $2, $3, $4, $5)";

const PUT_PROFILE: &str = "
    INSERT INTO billing_profile (tenant_id, body) VALUES ($1, $2)
    ON CONFLICT (tenant_id) DO UPDATE SET body = excluded.body";

const SET_BILLED: &str = "UPDATE usage SET billed = $1 WHERE tenant_id = $2 AND period_start = $3";

/// Decides and writes. Besides what was written it answers whether the directory shows something else now.
pub struct DecideLedger {
    pub tenant: TenantId,
    pub matter: Matter,
    pub decide: Decide,
    pub at: WallTime,
    pub by: Actor,
}

#[async_trait]
impl Errand for DecideLedger {
    type Answer = (Written, bool);
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(Written, bool), WriteError>, Fault> {
        let Some(row) = tenant::Entity::find_by_id(self.tenant.uuid()).one(desk.txn).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        let asked = self.matter.request.as_ref();
        match earlier(desk, Owner::Operator, asked, Kind::Ledger, self.at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(subject)) => return Ok(Ok((self.replayed(desk, &subject).await?, false))),
            Ok(None) => {}
        }
        let books = self.books(desk, &row).await?;
        if let Some(asked) = self.matter.invoice
            && !books.invoices.iter().any(|invoice| invoice.id == asked)
        {
            return Ok(Err(Refusal::not_found().into()));
        }
        let outcome = match (self.decide)(&books) {
            Ok(outcome) => outcome,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let shows = self.write_terms(desk, &row, &books, &outcome).await?;
        let written = self.write_papers(desk, &books, &outcome).await?;
        self.tell(desk, &books, &written).await?;
        remember(desk, Owner::Operator, asked, Kind::Ledger, made(&written), self.at).await?;
        if let Some(act) = outcome.act(self.tenant, &books) {
            audit::record(desk, &self.by, act).await?;
        }
        if shows {
            touch_directory(desk).await?;
        }
        Ok(Ok((written, shows)))
    }
}

impl DecideLedger {
    /// What the first request of its kind wrote, as it stands.
    async fn replayed(&self, desk: &Desk<'_>, subject: &str) -> Result<Written, Fault> {
        let (db, tenant) = (desk.txn, self.tenant);
        let invoice = match self.matter.invoice {
            Some(id) => invoice_by_id(db, id, Some(tenant)).await?,
            None => None,
        };
        let unreadable = || Fault::unreadable("what a request made");
        let (kind, name) = subject.split_once(' ').unwrap_or_default();
        let note = match kind {
            "note" => {
                let id = Uuid::parse_str(name).map_err(|_| unreadable())?;
                note_by_id(db, id.into(), Some(tenant)).await?
            }
            _ => None,
        };
        let entry = match kind {
            "entry" => entry_by_place(db, tenant, name.parse().map_err(|_| unreadable())?).await?,
            _ => None,
        };
        Ok(Written {
            subscription: subscription(db, tenant).await?,
            invoices: invoice.into_iter().collect(),
            note,
            entry,
            is_replay: true,
        })
    }

    async fn books(&self, desk: &Desk<'_>, row: &tenant::Model) -> Result<Books, Fault> {
        let (db, id) = (desk.txn, self.tenant);
        let mut invoices: Vec<Invoice> = dialect::query(db, OPEN_INVOICES, [id.uuid().into()])
            .await?
            .iter()
            .map(invoice)
            .collect::<Result<_, _>>()?;
        if let Some(asked) = self.matter.invoice
            && !invoices.iter().any(|invoice| invoice.id == asked)
        {
            invoices.extend(invoice_by_id(db, asked, Some(id)).await?);
        }
        let is_known = match &self.matter.payment {
            Some((provider, payment)) => {
                let values = [provider.as_str().into(), payment.as_str().into()];
                !dialect::query(db, IS_KNOWN, values).await?.is_empty()
            }
            None => false,
        };
        Ok(Books {
            subscription: subscription(db, id).await?,
            plan: row.plan.clone(),
            plans: plans(db).await?,
            name: row.name.clone(),
            profile: profile(db, id).await?,
            invoices,
            balances: balances(db, id).await?,
            metered: metered(db, id).await?,
            is_known,
        })
    }

    /// What was agreed, and what it lets the tenant do; whether the directory shows something else now.
    async fn write_terms(
        &self,
        desk: &Desk<'_>,
        row: &tenant::Model,
        books: &Books,
        outcome: &Outcome,
    ) -> Result<bool, Fault> {
        let (db, id) = (desk.txn, self.tenant.uuid());
        let mut shows = false;
        match (&outcome.subscription, outcome.wakes_at) {
            (Some(subscription), wakes_at) => {
                let wakes_at = wakes_at.filter(|_| ticks(row, subscription));
                let status = subscription.status;
                let values = [
                    id.into(),
                    status.to_string().into(),
                    text(subscription)?.into(),
                    millis(wakes_at).into(),
                ];
                dialect::execute(db, PUT_SUBSCRIPTION, values).await?;
                let standing = status.standing().to_string();
                if standing != row.standing {
                    dialect::execute(db, SET_STANDING, [standing.into(), id.into()]).await?;
                    shows = true;
                }
            }
            (None, Some(wakes_at)) => {
                let ticks = books.subscription.as_ref().is_some_and(|was| ticks(row, was));
                let wakes_at = Some(wakes_at).filter(|_| ticks);
                dialect::execute(db, WAKE, [millis(wakes_at).into(), id.into()]).await?;
            }
            (None, None) => {}
        }
        if let Some(code) = outcome.plan.as_ref().filter(|&code| *code != row.plan)
            && let Some(plan) = newest(db, code).await?
        {
            rewrite_month(desk, self.tenant, &plan.into_domain()?, self.at).await?;
            dialect::execute(db, SET_PLAN, [code.as_str().into(), id.into()]).await?;
            shows = true;
        }
        for (month, billed) in &outcome.billed {
            let values = [number(*billed).into(), id.into(), month.start.0.into()];
            dialect::execute(db, SET_BILLED, values).await?;
        }
        if let Some(profile) = &outcome.profile {
            dialect::execute(db, PUT_PROFILE, [id.into(), text(profile)?.into()]).await?;
        }
        Ok(shows)
    }

    /// Invoices, the credit note, entries and the payment.
    async fn write_papers(
        &self,
        desk: &Desk<'_>,
        books: &Books,
        outcome: &Outcome,
    ) -> Result<Written, Fault> {
        let (db, at) = (desk.txn, self.at);
        let subscription = outcome.subscription.clone().or_else(|| books.subscription.clone());
        let mut written =
            Written { subscription, invoices: vec![], note: None, entry: None, is_replay: false };
        for issue in &outcome.issued {
            let invoice = issue.numbered(next_number(db, &issue.series).await?, self.tenant, at);
            let values = [
                invoice.id.uuid().into(),
                self.tenant.uuid().into(),
                invoice.number.as_str().into(),
                text(&invoice)?.into(),
                invoice.status.to_string().into(),
                text(&invoice.account)?.into(),
                millis(invoice.settled_at).into(),
            ];
            dialect::execute(db, INSERT_INVOICE, values).await?;
            self.enter(db, &Posting::of(&invoice)).await?;
            written.invoices.push(invoice);
        }
        for (id, account, status) in &outcome.changed {
            let Some(was) = books.invoices.iter().find(|invoice| invoice.id == *id) else { continue };
            let invoice = after_act(was, *account, *status, at);
            let values = [
                invoice.status.to_string().into(),
                text(&invoice.account)?.into(),
                millis(invoice.settled_at).into(),
                id.uuid().into(),
            ];
            dialect::execute(db, UPDATE_INVOICE, values).await?;
            written.invoices.push(invoice);
        }
        for posting in &outcome.entries {
            let place = self.enter(db, posting).await?;
            written.entry.get_or_insert_with(|| (place, posting.entered(at)));
        }
        if let Some(new) = &outcome.note
            && let Some(of) = books.invoices.iter().find(|invoice| invoice.id == new.invoice)
        {
            let note = new.numbered(next_number(db, &new.series).await?, of, at);
            let values = [
                note.id.uuid().into(),
                self.tenant.uuid().into(),
                note.invoice.uuid().into(),
                note.number.as_str().into(),
                text(&note)?.into(),
            ];
            dialect::execute(db, INSERT_NOTE, values).await?;
            self.enter(db, &Posting::of_note(&note)).await?;
            written.note = Some(note);
        }
        if let Some((provider, payment)) = self.matter.payment.as_ref().filter(|_| !books.is_known) {
            let values = [
                provider.as_str().into(),
                payment.as_str().into(),
                self.tenant.uuid().into(),
                self.matter.invoice.map(InvoiceId::uuid).into(),
                at.0.into(),
            ];
            dialect::execute(db, INSERT_PAYMENT, values).await?;
        }
        Ok(written)
    }

    async fn tell(&self, desk: &mut Desk<'_>, books: &Books, written: &Written) -> Result<(), Fault> {
        let news = news(books, written);
        if news.is_empty() {
            return Ok(());
        }
        let mut needs = Needs::default();
        needs.tenant(self.tenant);
        let mut book = desk.open(needs).await?;
        for (what, subject) in news {
            let record = match subject {
                Subject::Invoice(invoice) => Snapshot::Invoice(invoice),
                Subject::Subscription(subscription) => Snapshot::Subscription(subscription),
                _ => Snapshot::Gone,
            };
            book.tell_with(self.tenant, Change::Billing(what), record);
        }
        desk.close(book).await
    }

    /// Adds an entry; its place.
    async fn enter(&self, db: &impl ConnectionTrait, posting: &Posting) -> Result<i64, Fault> {
        let values: [Value; 7] = [
            self.tenant.uuid().into(),
            posting.kind.to_string().into(),
            posting.amount_minor.into(),
            posting.currency.code().into(),
            posting.invoice.map(InvoiceId::uuid).into(),
            posting.reference.clone().into(),
            self.at.0.into(),
        ];
        let rows = dialect::query(db, INSERT_ENTRY, values).await?;
        let row = rows.first().ok_or_else(|| Fault::unreadable("place of an entry"))?;
        Ok(row.try_get_by_index(0)?)
    }
}

/// Ends what a tenant has agreed to; the clock still closes its month.
pub(super) async fn end(desk: &Desk<'_>, tenant: TenantId, at: WallTime) -> Result<(), Fault> {
    const END: &str = "UPDATE subscription SET status = $1, body = $2 WHERE tenant_id = $3";
    let Some(was) = subscription(desk.txn, tenant).await? else { return Ok(()) };
    let ended = was.ended(at);
    let values = [ended.status.to_string().into(), text(&ended)?.into(), tenant.uuid().into()];
    dialect::execute(desk.txn, END, values).await.map(drop)
}

/// Whether the clock still has something to do: a deleted tenant's last month is closed, and then it is at rest.
fn ticks(row: &tenant::Model, subscription: &Subscription) -> bool {
    let over =
        |gone: i64| subscription.month.start.0 > gone && subscription.status == SubscriptionStatus::Canceled;
    !row.deleted_at.is_some_and(over)
}

async fn plans(db: &impl ConnectionTrait) -> Result<BTreeMap<String, Plan>, Fault> {
    let rows = plan::Entity::find().from_raw_sql(dialect::statement(db, PLANS, [])).all(db).await?;
    rows.into_iter().map(|row| Ok((row.code.clone(), row.into_domain()?))).collect()
}

async fn metered(db: &impl ConnectionTrait, tenant: TenantId) -> Result<Vec<Metered>, Fault> {
    let read = |row: &QueryResult| {
        let (_, month) = usage_row(row)?;
        Ok(Metered {
            month: month.period,
            limit: month.allowance.limit,
            quota: month.allowance.quota,
            used: month.used,
            billed: count(row.try_get("", "billed")?),
        })
    };
    let rows = dialect::query(db, METERED, [tenant.uuid().into()]).await?;
    rows.iter().map(read).collect()
}

async fn next_number(db: &impl ConnectionTrait, series: &str) -> Result<u64, Fault> {
    let rows = dialect::query(db, NEXT_NUMBER, [series.into()]).await?;
    let row = rows.first().ok_or_else(|| Fault::unreadable("series of numbers"))?;
    Ok(count(row.try_get_by_index(0)?))
}

/// What a request wrote, for the next one of its kind.
fn made(written: &Written) -> String {
    match (&written.note, &written.entry) {
        (Some(note), _) => format!("note {}", note.id.uuid().simple()),
        (None, Some((place, _))) => format!("entry {place}"),
        (None, None) => String::new(),
    }
}

fn text(record: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(record).map_err(|_| Fault::Row("a record of the ledger cannot be written".into()))
}

fn millis(at: Option<WallTime>) -> Option<i64> {
    at.map(|at| at.0)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
