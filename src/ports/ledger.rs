//! What tenants have agreed to pay, what they were asked for and what they paid. The rules are in `billing`; a store reads the
//! [`Books`] of one tenant, has them decided on and writes the [`Outcome`], all in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::{StoreError, WriteError};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::event::BillingNews;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::invoice::{
    Account, CreditNote, Entry, EntryKind, Invoice, InvoiceDraft, InvoiceStatus, Party, number,
};
use crate::domain::money::Currency;
use crate::domain::page::{Page, Slice};
use crate::domain::plan::{Plan, Quota};
use crate::domain::refusal::Refusal;
use crate::domain::subscription::Subscription;
use crate::domain::time::{Period, WallTime};
use crate::domain::webhook::Subject;

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

impl BillingProfile {
    /// Whom a paper is for. Where nobody entered a name it is what the operator calls the tenant: none goes to nobody.
    pub fn buyer(&self, tenant: &str) -> Party {
        let party = self.party.clone();
        if party.name.is_empty() { Party { name: tenant.to_owned(), ..party } } else { party }
    }
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
    /// What the operator calls the tenant.
    pub name: String,
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
    /// Begins its number. Each series has numbers of its own, from 1 without gaps.
    pub series: String,
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

impl Issue {
    /// The invoice that is number `count` of its series.
    pub fn numbered(&self, count: u64, tenant: TenantId, at: WallTime) -> Invoice {
        Invoice {
            id: self.id,
            tenant,
            number: number(&self.series, count),
            status: self.status,
            currency: self.draft.currency,
            lines: self.draft.lines.clone(),
            account: self.account,
            period: self.draft.period,
            issued_at: at,
            due_at: self.due_at,
            settled_at: (self.status != InvoiceStatus::Open).then_some(at),
            seller: self.seller.clone(),
            buyer: self.buyer.clone(),
            note: self.note.clone(),
        }
    }
}

/// A credit note to be issued: it gets the next number of its series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNote {
    /// The id it gets.
    pub id: CreditNoteId,
    /// Begins its number, as at [`Issue::series`].
    pub series: String,
    /// To which invoice.
    pub invoice: InvoiceId,
    /// How much, with tax.
    pub amount_minor: i64,
    /// How much of that is tax.
    pub tax_minor: i64,
    /// Why.
    pub reason: String,
}

impl NewNote {
    /// The credit note that is number `count` of its series.
    pub fn numbered(&self, count: u64, of: &Invoice, at: WallTime) -> CreditNote {
        CreditNote {
            id: self.id,
            number: number(&self.series, count),
            tenant: of.tenant,
            invoice: of.id,
            amount_minor: self.amount_minor,
            tax_minor: self.tax_minor,
            currency: of.currency,
            reason: self.reason.clone(),
            issued_at: at,
        }
    }
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

impl Outcome {
    /// What the audit is told, if somebody asked for it. Of people and businesses it says nothing: what stands there stays.
    pub fn act(&self, tenant: TenantId, books: &Books) -> Option<Act> {
        self.said(tenant, books).map(|act| act.of(tenant))
    }

    fn said(&self, tenant: TenantId, books: &Books) -> Option<Act> {
        let action = self.action?;
        let seen = |account: &Account, status: InvoiceStatus| json!({"status": status, "due_minor": account.due_minor()});
        Some(match action {
            Action::SubscriptionChange | Action::SubscriptionEnd | Action::SubscriptionReactivate => {
                let mut act = Act::new(action, "subscription", tenant);
                act = books.subscription.iter().fold(act, |act, was| act.before(was));
                self.subscription.iter().fold(act, |act, is| act.after(is))
            }
            Action::BillingProfile => {
                let rate = |profile: &BillingProfile| json!({"tax_rate_bps": profile.tax_rate_bps});
                let act = Act::new(action, "tenant", tenant).before(&rate(&books.profile));
                self.profile.iter().fold(act, |act, profile| act.after(&rate(profile)))
            }
            _ => match (self.changed.first(), self.entries.first()) {
                (Some((id, account, status)), _) => {
                    let was = books.invoices.iter().find(|invoice| invoice.id == *id);
                    let act = Act::new(action, "invoice", id).after(&seen(account, *status));
                    was.iter().fold(act, |act, was| act.before(&seen(&was.account, was.status)))
                }
                (None, Some(entry)) => {
                    let act = match entry.invoice {
                        Some(invoice) => Act::new(action, "invoice", invoice),
                        None => Act::new(action, "tenant", tenant),
                    };
                    let Posting { kind, amount_minor, currency, .. } = entry;
                    act.after(&json!({"kind": kind, "amount_minor": amount_minor, "currency": currency}))
                }
                (None, None) => Act::new(action, "tenant", tenant),
            },
        })
    }
}

/// What a tenant is told of what was written, with the records as they are. That a subscription has begun is no news.
pub fn news(books: &Books, written: &Written) -> Vec<(BillingNews, Subject)> {
    let mut news = Vec::new();
    for invoice in &written.invoices {
        let was = books.invoices.iter().find(|was| was.id == invoice.id).map(|was| was.status);
        let mut tell = |what| news.push((what, Subject::Invoice(Box::new(invoice.clone()))));
        if was.is_none() {
            tell(BillingNews::InvoiceIssued);
        }
        if invoice.status == InvoiceStatus::Paid && was != Some(InvoiceStatus::Paid) {
            tell(BillingNews::InvoicePaid);
        }
    }
    let seen = |one: &Subscription| (one.status, one.deal.plan.clone(), one.next_plan.clone(), one.ends);
    if let (Some(was), Some(is)) = (&books.subscription, &written.subscription)
        && seen(was) != seen(is)
    {
        news.push((BillingNews::SubscriptionUpdated, Subject::Subscription(Box::new(is.clone()))));
    }
    news
}

/// An invoice after an act that left it with these amounts and this status.
pub fn after_act(was: &Invoice, account: Account, status: InvoiceStatus, at: WallTime) -> Invoice {
    let settled_at = match status {
        InvoiceStatus::Open => None,
        same if same == was.status => was.settled_at,
        _ => Some(at),
    };
    Invoice { account, status, settled_at, ..was.clone() }
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

impl Posting {
    /// What the ledger gets for an invoice.
    pub fn of(invoice: &Invoice) -> Self {
        Self {
            kind: EntryKind::Invoice,
            amount_minor: invoice.account.total_minor,
            currency: invoice.currency,
            invoice: Some(invoice.id),
            reference: Some(invoice.number.clone()),
        }
    }

    /// The entry it becomes.
    pub fn entered(&self, at: WallTime) -> Entry {
        let Self { kind, amount_minor, currency, invoice, reference } = self.clone();
        Entry { kind, amount_minor, currency, invoice, reference, at }
    }

    /// What it gets for a credit note.
    pub fn of_note(note: &CreditNote) -> Self {
        Self {
            kind: EntryKind::CreditNote,
            amount_minor: -note.amount_minor,
            currency: note.currency,
            invoice: Some(note.invoice),
            reference: Some(note.number.clone()),
        }
    }
}

/// What a decision is about, besides the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matter {
    /// An invoice that has to be among the books, whatever has become of it: 404 when the tenant has none of this id.
    pub invoice: Option<InvoiceId>,
    /// A payment by its provider's name and id: [`Books::is_known`] says whether it was written down before, and it is written
    /// down with the outcome.
    pub payment: Option<(String, String)>,
    /// The operator's request that it comes from, if that may come twice: the second time nothing is decided or written, and
    /// what the first one wrote is answered as it stands.
    pub request: Option<Idempotency>,
}

/// A rule of `billing`: called in the transaction, once or, when a batch has to be halved, again.
pub type Decide = Arc<dyn Fn(&Books) -> Result<Outcome, Refusal> + Send + Sync>;

/// What the clock lets be decided on a tenant's books by a time: `billing::office::Issuer::next`.
pub type ByTheClock = Arc<dyn Fn(TenantId, &Books, WallTime) -> Result<Outcome, Refusal> + Send + Sync>;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subscription as it is.
    pub subscription: Option<Subscription>,
    /// Invoices that were issued or changed.
    pub invoices: Vec<Invoice>,
    /// The credit note.
    pub note: Option<CreditNote>,
    /// The entry that stands for itself and not for a paper, if there is one: a credit, a refund, a payment.
    pub entry: Option<(i64, Entry)>,
    /// Whether an earlier request wrote it.
    pub is_replay: bool,
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

    /// Reads the tenant's books, decides, writes: all or nothing. A tenant that was deleted has books all the same, until
    /// nothing is due any more; its clock stops once the month it was deleted in is closed.
    ///
    /// # Errors
    /// 404 for a tenant or an invoice that does not exist; 422 `idempotency_mismatch` when the key was another request's; what
    /// `decide` refuses.
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

    /// One credit note, of one tenant if it is named.
    async fn note(
        &self,
        id: CreditNoteId,
        tenant: Option<TenantId>,
    ) -> Result<Option<CreditNote>, StoreError>;

    /// Credit notes to an invoice, the oldest first.
    async fn notes(&self, invoice: InvoiceId) -> Result<Vec<CreditNote>, StoreError>;

    /// Entries of a tenant's ledger, newest first; the page goes by their order.
    async fn entries(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Entry)>, StoreError>;

    /// What the tenant owes, by currency: sums of its entries.
    async fn balances(&self, tenant: TenantId) -> Result<Vec<(Currency, i64)>, StoreError>;
}
