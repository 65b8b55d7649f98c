//! Subscriptions, invoices and the ledger as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::invoice::{Account, CreditNote, Entry, Invoice, Line};
use crate::domain::money::Currency;
use crate::domain::subscription::Subscription;
use crate::domain::time::{Period, WallTime};
use crate::ports::ledger::Issue;

/// An invoice.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvoiceRecord")]
pub struct InvoiceRecord<'a> {
    /// As it was issued, and what has become of it.
    #[serde(flatten)]
    pub invoice: &'a Invoice,
    /// What is still to be paid; 0 when it is void.
    pub due_minor: i64,
}

/// An invoice with what was taken back of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvoiceWithCreditNotes")]
pub struct InvoiceWithNotes<'a> {
    /// The invoice.
    #[serde(flatten)]
    pub record: InvoiceRecord<'a>,
    /// The oldest first.
    pub credit_notes: &'a [CreditNote],
}

/// An invoice as it stands.
pub fn invoice(invoice: &Invoice) -> InvoiceRecord<'_> {
    InvoiceRecord { invoice, due_minor: invoice.to_pay_minor() }
}

/// What a tenant owes in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Balance {
    /// In which currency.
    pub currency: Currency,
    /// In its minor unit; negative is to the tenant's credit.
    pub owed_minor: i64,
}

/// What a tenant has agreed to, and what it owes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SubscriptionRecord")]
pub struct SubscriptionRecord<'a> {
    /// What was agreed.
    #[serde(flatten)]
    pub subscription: &'a Subscription,
    /// One for each currency that anything was ever asked in.
    pub balances: Vec<Balance>,
}

/// A subscription with sums of its tenant's ledger.
pub fn subscription<'a>(
    subscription: &'a Subscription,
    balances: &[(Currency, i64)],
) -> SubscriptionRecord<'a> {
    let balance = |&(currency, owed_minor): &(Currency, i64)| Balance { currency, owed_minor };
    SubscriptionRecord { subscription, balances: balances.iter().map(balance).collect() }
}

/// An entry of the ledger.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LedgerEntry")]
pub struct EntryRecord<'a> {
    /// Its place in the ledger: entries are only ever added.
    pub seq: i64,
    /// What it says.
    #[serde(flatten)]
    pub entry: &'a Entry,
}

/// What an act would ask for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvoicePreview")]
pub struct PreviewRecord {
    /// Of when it is; a moment later it may be a little less.
    pub at: WallTime,
    /// In which currency.
    pub currency: Currency,
    /// What for; empty when nothing is to be paid now.
    pub lines: Vec<Line>,
    /// How much, as an invoice has it; null when none would be issued.
    pub account: Option<Account>,
    /// The time it is about.
    pub period: Option<Period>,
    /// What would be left to pay.
    pub due_minor: i64,
}

impl PreviewRecord {
    /// No invoice would be issued.
    pub fn nothing(currency: Currency, at: WallTime) -> Self {
        Self { at, currency, lines: vec![], account: None, period: None, due_minor: 0 }
    }
}

/// The invoice that would be issued.
pub fn preview(issue: Issue, at: WallTime) -> PreviewRecord {
    PreviewRecord {
        at,
        currency: issue.draft.currency,
        lines: issue.draft.lines,
        due_minor: issue.account.due_minor(),
        account: Some(issue.account),
        period: Some(issue.draft.period),
    }
}
