//! Subscriptions, invoices and the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::dialect::{self, Fault, Text};
use super::directory::SqlDirectory;
use super::entities::{maybe_time, word};
use super::errands::DecideLedger;
use super::writer::WriterHandle;
use crate::domain::audit::Actor;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::invoice::{CreditNote, Entry, Invoice};
use crate::domain::money::Currency;
use crate::domain::page::{Page, Slice};
use crate::domain::subscription::Subscription;
use crate::domain::time::WallTime;
use crate::ports::directory::Directory as _;
use crate::ports::ledger::{BillingProfile, Decide, InvoiceFilter, Ledger, Matter, Written};
use crate::ports::store::{StoreError, WriteError};

const SUBSCRIPTION: &str = "SELECT body FROM subscription WHERE tenant_id = $1";

const PROFILE: &str = "SELECT body FROM billing_profile WHERE tenant_id = $1";

/// The longest asleep first.
pub(super) const DUE: &str =
    "SELECT tenant_id FROM subscription WHERE wakes_at <= $1 ORDER BY wakes_at LIMIT $2";

/// Those that never had a decision, the oldest first.
const UNDECIDED: &str = "
    SELECT t.id FROM tenant AS t
    WHERE t.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM subscription AS s WHERE s.tenant_id = t.id)
    ORDER BY t.id LIMIT $1";

const INVOICE: &str = "SELECT * FROM invoice WHERE id = $1 AND ($2 IS NULL OR tenant_id = $2)";

pub(super) const INVOICES: &str = "SELECT * FROM invoice WHERE id < $1 ORDER BY id DESC LIMIT $2";

pub(super) const INVOICES_WITH_STATUS: &str =
    "SELECT * FROM invoice WHERE id < $1 AND status = $3 ORDER BY id DESC LIMIT $2";

pub(super) const INVOICES_OF_TENANT: &str = "
    SELECT * FROM invoice WHERE tenant_id = $3 AND id < $1 AND ($4 IS NULL OR status = $4) ORDER BY id DESC LIMIT $2";

/// The oldest first.
pub(super) const OPEN_INVOICES: &str =
    "SELECT * FROM invoice WHERE tenant_id = $1 AND status = 'open' ORDER BY id";

const NOTE: &str = "SELECT paper FROM credit_note WHERE id = $1 AND ($2 IS NULL OR tenant_id = $2)";

const NOTES: &str = "SELECT paper FROM credit_note WHERE invoice_id = $1 ORDER BY id";

pub(super) const ENTRIES: &str =
    "SELECT * FROM ledger_entry WHERE tenant_id = $1 AND ord < $2 ORDER BY ord DESC LIMIT $3";

pub(super) const BALANCES: &str = "
    SELECT currency, CAST(sum(amount_minor) AS BIGINT) FROM ledger_entry WHERE tenant_id = $1
    GROUP BY currency ORDER BY currency";

/// [`Ledger`] over SQL.
pub(super) struct SqlLedger {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
    /// Shows what a decision means for a tenant.
    pub(super) directory: Arc<SqlDirectory>,
    /// Whoever writes.
    pub(super) by: Actor,
}

impl SqlLedger {
    async fn scoped(&self, tenant: TenantId) -> Result<dialect::Scoped<'_>, StoreError> {
        Ok(dialect::scoped(&self.readers, tenant).await?)
    }

    async fn read_due(&self, now: WallTime, limit: u32) -> Result<Vec<TenantId>, Fault> {
        let limit = i64::from(limit);
        let mut rows = dialect::query(&self.readers, DUE, [now.0.into(), limit.into()]).await?;
        let room = limit - rows.len() as i64;
        if room > 0 {
            rows.extend(dialect::query(&self.readers, UNDECIDED, [room.into()]).await?);
        }
        rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?.into())).collect()
    }

    async fn read_invoices(&self, filter: InvoiceFilter, page: Page) -> Result<Vec<Invoice>, Fault> {
        let below = page.before.unwrap_or(Uuid::max());
        let limit = i64::from(page.limit) + 1;
        let status = filter.status.map(|status| status.to_string());
        let rows = match (filter.tenant, status) {
            (Some(tenant), status) => {
                let db = &dialect::scoped(&self.readers, tenant).await?;
                let values = [below.into(), limit.into(), tenant.uuid().into(), status.into()];
                dialect::query(db, INVOICES_OF_TENANT, values).await?
            }
            (None, Some(status)) => {
                let values = [below.into(), limit.into(), status.into()];
                dialect::query(&self.readers, INVOICES_WITH_STATUS, values).await?
            }
            (None, None) => dialect::query(&self.readers, INVOICES, [below.into(), limit.into()]).await?,
        };
        rows.iter().map(invoice).collect()
    }

    async fn read_entries(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Entry)>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let values = [tenant.uuid().into(), before.unwrap_or(i64::MAX).into(), i64::from(limit).into()];
        let rows = dialect::query(db, ENTRIES, values).await?;
        rows.iter().map(|row| Ok((row.try_get("", "ord")?, entry(row)?))).collect()
    }
}

#[async_trait]
impl Ledger for SqlLedger {
    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Ledger> {
        Arc::new(Self {
            writer: self.writer.clone(),
            readers: self.readers.clone(),
            directory: Arc::clone(&self.directory),
            by: actor,
        })
    }

    async fn decide(
        &self,
        tenant: TenantId,
        matter: Matter,
        decide: Decide,
        at: WallTime,
    ) -> Result<Written, WriteError> {
        let errand = DecideLedger { tenant, matter, decide, at, by: self.by.clone() };
        let (written, shows) = self.writer.errand(errand).await?;
        if shows {
            self.directory.refresh().await?;
        }
        Ok(written)
    }

    async fn due(&self, now: WallTime, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        Ok(self.read_due(now, limit).await?)
    }

    async fn subscription(&self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        Ok(subscription(&self.scoped(tenant).await?, tenant).await?)
    }

    async fn profile(&self, tenant: TenantId) -> Result<BillingProfile, StoreError> {
        Ok(profile(&self.scoped(tenant).await?, tenant).await?)
    }

    async fn invoices(&self, filter: InvoiceFilter, page: Page) -> Result<Slice<Invoice>, StoreError> {
        Ok(Slice::of(self.read_invoices(filter, page).await?, page))
    }

    async fn invoice(&self, id: InvoiceId, tenant: Option<TenantId>) -> Result<Option<Invoice>, StoreError> {
        Ok(match tenant {
            Some(owner) => invoice_by_id(&self.scoped(owner).await?, id, tenant).await?,
            None => invoice_by_id(&self.readers, id, None).await?,
        })
    }

    async fn note(
        &self,
        id: CreditNoteId,
        tenant: Option<TenantId>,
    ) -> Result<Option<CreditNote>, StoreError> {
        Ok(match tenant {
            Some(owner) => note_by_id(&self.scoped(owner).await?, id, tenant).await?,
            None => note_by_id(&self.readers, id, None).await?,
        })
    }

    async fn notes(&self, invoice: InvoiceId) -> Result<Vec<CreditNote>, StoreError> {
        let rows = dialect::query(&self.readers, NOTES, [invoice.uuid().into()]).await?;
        let read = |row: &QueryResult| parsed(&row.try_get_by_index::<String>(0)?, "credit note");
        Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
    }

    async fn entries(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Entry)>, StoreError> {
        Ok(self.read_entries(tenant, before, limit).await?)
    }

    async fn balances(&self, tenant: TenantId) -> Result<Vec<(Currency, i64)>, StoreError> {
        Ok(balances(&self.scoped(tenant).await?, tenant).await?)
    }
}

/// Reads what was written as JSON.
pub(super) fn parsed<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::unreadable(what))
}

async fn body<T: DeserializeOwned>(
    db: &impl ConnectionTrait,
    text: impl Into<Text>,
    tenant: TenantId,
    what: &'static str,
) -> Result<Option<T>, Fault> {
    let rows = dialect::query(db, text, [tenant.uuid().into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    parsed(&row.try_get_by_index::<String>(0)?, what).map(Some)
}

/// What a tenant has agreed to.
pub(super) async fn subscription(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Option<Subscription>, Fault> {
    body(db, SUBSCRIPTION, tenant, "subscription").await
}

/// Whom a tenant's invoices are for.
pub(super) async fn profile(db: &impl ConnectionTrait, tenant: TenantId) -> Result<BillingProfile, Fault> {
    Ok(body(db, PROFILE, tenant, "billing profile").await?.unwrap_or_default())
}

/// One invoice, of one tenant if it is named.
pub(super) async fn invoice_by_id(
    db: &impl ConnectionTrait,
    id: InvoiceId,
    tenant: Option<TenantId>,
) -> Result<Option<Invoice>, Fault> {
    let values = [id.uuid().into(), tenant.map(TenantId::uuid).into()];
    dialect::query(db, INVOICE, values).await?.first().map(invoice).transpose()
}

/// One credit note, of one tenant if it is named.
pub(super) async fn note_by_id(
    db: &impl ConnectionTrait,
    id: CreditNoteId,
    tenant: Option<TenantId>,
) -> Result<Option<CreditNote>, Fault> {
    let values = [id.uuid().into(), tenant.map(TenantId::uuid).into()];
    let rows = dialect::query(db, NOTE, values).await?;
    rows.first().map(|row| parsed(&row.try_get_by_index::<String>(0)?, "credit note")).transpose()
}

/// One entry of a tenant's.
pub(super) async fn entry_by_place(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    place: i64,
) -> Result<Option<(i64, Entry)>, Fault> {
    let values = [tenant.uuid().into(), place.saturating_add(1).into(), 1_i64.into()];
    let rows = dialect::query(db, ENTRIES, values).await?;
    let found = rows.first().map(|row| Ok::<_, Fault>((row.try_get("", "ord")?, entry(row)?))).transpose()?;
    Ok(found.filter(|(ord, _)| *ord == place))
}

/// Sums of a tenant's entries.
pub(super) async fn balances(
    db: &impl ConnectionTrait,
    tenant: TenantId,
) -> Result<Vec<(Currency, i64)>, Fault> {
    let rows = dialect::query(db, BALANCES, [tenant.uuid().into()]).await?;
    let read =
        |row: &QueryResult| Ok((currency(&row.try_get_by_index::<String>(0)?)?, row.try_get_by_index(1)?));
    rows.iter().map(read).collect()
}

/// The paper, with what has become of it.
pub(super) fn invoice(row: &QueryResult) -> Result<Invoice, Fault> {
    let paper: Invoice = parsed(&row.try_get::<String>("", "paper")?, "invoice")?;
    Ok(Invoice {
        status: word(&row.try_get::<String>("", "status")?, "status of an invoice")?,
        account: parsed(&row.try_get::<String>("", "account")?, "amounts of an invoice")?,
        settled_at: maybe_time(row.try_get("", "settled_at")?),
        ..paper
    })
}

fn entry(row: &QueryResult) -> Result<Entry, Fault> {
    Ok(Entry {
        kind: word(&row.try_get::<String>("", "kind")?, "kind of an entry")?,
        amount_minor: row.try_get("", "amount_minor")?,
        currency: currency(&row.try_get::<String>("", "currency")?)?,
        invoice: row.try_get::<Option<Uuid>>("", "invoice_id")?.map(Into::into),
        reference: row.try_get("", "reference")?,
        at: WallTime(row.try_get("", "at")?),
    })
}

fn currency(text: &str) -> Result<Currency, Fault> {
    word(text, "currency")
}
