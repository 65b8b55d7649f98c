//! What tenants have agreed to pay, what they were asked for and what they paid. The rules are in `billing`; a store reads the
//! [`Books`] of one tenant, has them decided on and writes the [`Outcome`], all in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::store::{StoreError, WriteError};
use crate::domain::audit::{Action, Actor};
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::invoice::{
    Account, CreditNote, Entry, EntryKind, Invoice, InvoiceDraft, InvoiceStatus, Party,
};
use crate::domain::money::Currency;
use crate::domain::page::{Page, Slice};
use crate::domain::plan::{Plan, Quota};
use crate::domain::refusal::Refusal;
use crate::domain::subscription::Subscription;
use crate::domain::time::{Period, WallTime};

/// A month's messages beyond its quota, as far as no invoice has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metered {
    /// Which month.
    pub month: Period,
    /// Messages the quota covers.
    pub limit: u64,
    /// What happens beyond.
    pub quota: Quota,
    /// Messages that reached `sent`.
    pub used: u64,
    /// Messages beyond the quota that are on an invoice, or were waived.
    pub billed: u64,
}

impl Metered {
    /// Messages beyond the quota.
    pub fn beyond(&self) -> u64 {
        match self.quota {
            Quota::Hard => 0,
            Quota::Soft => self.used.saturating_sub(self.limit),
        }
    }
}

/// Whom invoices are for, as the operator entered it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BillingProfile {
    /// As invoices name it.
    #[serde(default)]
    pub party: Party,
    /// Hundredths of a per cent; the issuer's own rate if there is none.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub tax_rate_bps: Option<u32>,
    /// The payment provider's name for the tenant.
    #[serde(default)]
    #[schemars(length(max = 255))]
    pub customer: Option<String>,
}

/// Everything of one tenant that a decision may need, as it stands in the transaction.
#[derive(Debug, Clone)]
pub struct Books {
    /// What it has agreed to; nothing before the first decision.
    pub subscription: Option<Subscription>,
    /// Code of the plan whose caps bind it.
    pub plan: String,
    /// Newest version of every plan, by code.
    pub plans: BTreeMap<String, Plan>,
    /// Whom invoices are for.
    pub profile: BillingProfile,
    /// Invoices that are open, the oldest first, and the one that was asked for.
    pub invoices: Vec<Invoice>,
    /// Sums of the ledger, for each currency in it.
    pub balances: Vec<(Currency, i64)>,
    /// Months of soft quotas with messages beyond them that no invoice has, the oldest first, with the month under way.
    pub metered: Vec<Metered>,
    /// Whether the payment that was asked for is known already.
    pub is_known: bool,
}

/// An invoice to be issued: it gets the next number of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The id it gets.
    pub id: InvoiceId,
    /// What it asks for.
    pub draft: InvoiceDraft,
    /// How much.
    pub account: Account,
    /// Open, or paid with credit.
    pub status: InvoiceStatus,
    /// When it is to be paid.
    pub due_at: WallTime,
    /// Who asks.
    pub seller: Party,
    /// Who is asked.
    pub buyer: Party,
    /// How to pay, and what the law wants said.
    pub note: String,
}

/// A credit note to be issued: it gets the next number of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    /// The id it gets.
    pub id: CreditNoteId,
    /// To which invoice.
    pub invoice: InvoiceId,
    /// How much, with tax.
    pub amount_minor: i64,
    /// How much of that is tax.
    pub tax_minor: i64,
    /// Why.
    pub reason: String,
}

/// What is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The subscription as it is now; `None` leaves it.
    pub subscription: Option<Subscription>,
    /// When the clock asks for the next decision.
    pub wakes_at: Option<WallTime>,
    /// The plan whose caps bind from now on.
    pub plan: Option<String>,
    /// Invoices that are issued.
    pub issued: Vec<Issue>,
    /// Invoices of [`Books::invoices`] as they are now.
    pub changed: Vec<(InvoiceId, Account, InvoiceStatus)>,
    /// Entries of the ledger besides those of issued invoices, which the store adds itself.
    pub entries: Vec<Posting>,
    /// A credit note, which also adds its entry.
    pub note: Option<NewNote>,
    /// Months, and how many messages beyond their quota are dealt with.
    pub billed: Vec<(Period, u64)>,
    /// The profile as it is now.
    pub profile: Option<BillingProfile>,
    /// What the audit calls it; `None` for what the clock did, which the ledger tells.
    pub action: Option<Action>,
}

/// An entry to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// What.
    pub kind: EntryKind,
    /// How much; positive: owed by the tenant.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Which invoice.
    pub invoice: Option<InvoiceId>,
    /// The other side's word for it.
    pub reference: Option<String>,
}

/// What a decision is about, besides the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matter {
    /// An invoice that has to be among the books, whatever has become of it: 404 when the tenant has none of this id.
    pub invoice: Option<InvoiceId>,
    /// A payment by its provider's name and id: [`Books::is_known`] says whether it was written down before, and it is written
    /// down with the outcome.
    pub payment: Option<(String, String)>,
}

/// A rule of `billing`: called in the transaction, once or, when a batch has to be halved, again.
pub type Decide = Arc<dyn Fn(&Books) -> Result<Outcome, Refusal> + Send + Sync>;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subscription as it is.
    pub subscription: Option<Subscription>,
    /// Invoices that were issued or changed.
    pub invoices: Vec<Invoice>,
    /// The credit note.
    pub note: Option<CreditNote>,
}

/// Which invoices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    /// Of which tenant; of all for operators.
    pub tenant: Option<TenantId>,
    /// With this status.
    pub status: Option<InvoiceStatus>,
}

/// The ledger and what stands around it. Numbers have no gaps: one is taken in the transaction that writes its paper.
/// Entries, invoices and credit notes are never removed, also when their tenant is.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The same ledger; what is written through it is written by `actor`.
    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Ledger>;

    /// Reads the tenant's books, decides, writes: all or nothing.
    ///
    /// # Errors
    /// 404 for a tenant or an invoice that does not exist; what `decide` refuses.
    async fn decide(
        &self,
        tenant: TenantId,
        matter: Matter,
        decide: Decide,
        at: WallTime,
    ) -> Result<Written, WriteError>;

    /// Tenants whose clock has come, at most `limit`: those that woke longest ago first, and those that never had a decision.
    async fn due(&self, now: WallTime, limit: u32) -> Result<Vec<TenantId>, StoreError>;

    /// What a tenant has agreed to.
    async fn subscription(&self, tenant: TenantId) -> Result<Option<Subscription>, StoreError>;

    /// Whom a tenant's invoices are for.
    async fn profile(&self, tenant: TenantId) -> Result<BillingProfile, StoreError>;

    /// Invoices, newest first.
    async fn invoices(&self, filter: InvoiceFilter, page: Page) -> Result<Slice<Invoice>, StoreError>;

    /// One invoice, of one tenant if it is named.
    async fn invoice(&self, id: InvoiceId, tenant: Option<TenantId>) -> Result<Option<Invoice>, StoreError>;

    /// Credit notes to an invoice, the oldest first.
    async fn notes(&self, invoice: InvoiceId) -> Result<Vec<CreditNote>, StoreError>;

    /// Entries of a tenant's ledger, newest first; the page goes by their order.
    async fn entries(&self, tenant: TenantId, before: Option<i64>, limit: u32) -> Result<Vec<(i64, Entry)>, StoreError>;

    /// What the tenant owes, by currency: sums of its entries.
    async fn balances(&self, tenant: TenantId) -> Result<Vec<(Currency, i64)>, StoreError>;
}
