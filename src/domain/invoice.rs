//! What a tenant is asked to pay. Once issued, an invoice is never edited: what becomes of it is written beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{CreditNoteId, InvoiceId, TenantId};
use super::money::Currency;
use super::time::{Period, WallTime};
use super::word::words;

words! {
    /// What becomes of an invoice.
    pub enum InvoiceStatus {
        /// To be paid.
        Open,
        /// Nothing is due any more.
        Paid,
        /// Taken back before anything was paid. Its number stays.
        Void,
        /// Given up. It may be paid all the same.
        Uncollectible,
    }

    /// What a line charges for.
    pub enum LineKind {
        /// The plan's price, for a whole period or for the part of it that was left.
        Base,
        /// What was paid for a plan and not used, because a dearer one took its place.
        Proration,
        /// Messages beyond the quota.
        Overage,
    }
}

/// One line. Its amount is before tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// What for.
    pub kind: LineKind,
    /// In words, as a customer reads it.
    pub text: String,
    /// Which time it is about.
    pub period: Period,
    /// Messages, or 1.
    pub quantity: u64,
    /// In the invoice's minor unit; negative for what is given back.
    pub amount_minor: i64,
}

/// An invoice before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceDraft {
    /// Why: one line at least.
    pub lines: Vec<Line>,
    /// In which currency.
    pub currency: Currency,
    /// The time it is about.
    pub period: Period,
}

/// Who sells or buys, as an invoice has to name them. Kept with the invoice as it was when it was issued.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The name of the business, at most 200 characters.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub name: String,
    /// Its address, a line each, at most 8 of 200 characters.
    #[serde(default)]
    #[schemars(length(max = 8), inner(length(max = 200)))]
    pub address: Vec<String>,
    /// Its number with the tax authority, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub tax_id: Option<String>,
    /// Where invoices go, at most 254 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254))]
    pub email: Option<String>,
}

/// Amounts of an invoice that change after it was issued, and those they are measured by. In minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Sum of the lines.
    pub subtotal_minor: i64,
    /// Hundredths of a per cent.
    pub tax_rate_bps: u32,
    /// The tax on the subtotal.
    pub tax_minor: i64,
    /// What is asked for.
    pub total_minor: i64,
    /// Paid with what the tenant had in credit when it was issued.
    pub applied_minor: i64,
    /// Paid since.
    pub paid_minor: i64,
    /// Given up by credit notes before it was paid.
    pub credited_minor: i64,
    /// Sum of all credit notes, also for what had been paid.
    pub noted_minor: i64,
}

impl Account {
    /// What is still to be paid.
    pub fn due_minor(&self) -> i64 {
        self.total_minor - self.applied_minor - self.paid_minor - self.credited_minor
    }
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Whom it asks.
    pub tenant: TenantId,
    /// Its number: one series per issuer, without gaps.
    pub number: String,
    /// What has become of it.
    pub status: InvoiceStatus,
    /// In which currency.
    pub currency: Currency,
    /// What for.
    pub lines: Vec<Line>,
    /// How much, and what of it is done.
    #[serde(flatten)]
    pub account: Account,
    /// The time it is about.
    pub period: Period,
    /// When it was issued.
    pub issued_at: WallTime,
    /// When it is to be paid.
    pub due_at: WallTime,
    /// When nothing was due any more, or it was taken back or given up.
    pub settled_at: Option<WallTime>,
    /// Who asks.
    pub seller: Party,
    /// Who is asked.
    pub buyer: Party,
    /// How to pay, and what the law wants said.
    pub note: String,
}

impl Invoice {
    /// What is still to be paid; nothing of one that is void.
    pub fn to_pay_minor(&self) -> i64 {
        if self.status == InvoiceStatus::Void { 0 } else { self.account.due_minor() }
    }
}

/// The number of the paper that is `count` in its series, from 1: `INV-000001`.
pub fn number(series: &str, count: u64) -> String {
    format!("{series}{count:06}")
}

/// A credit note: takes an invoice back in whole or in part. Amounts are with tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreditNote {
    /// Its id.
    pub id: CreditNoteId,
    /// Its number, in a series of its own without gaps.
    pub number: String,
    /// Whose.
    pub tenant: TenantId,
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// How much, with tax.
    pub amount_minor: i64,
    /// How much of that is tax.
    pub tax_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Why, at most 500 characters.
    pub reason: String,
    /// When.
    pub issued_at: WallTime,
}

words! {
    /// What an entry of the ledger is. A positive amount is owed by the tenant.
    pub enum EntryKind {
        /// An invoice was issued: its total.
        Invoice,
        /// It was taken back.
        Void,
        /// A credit note was issued.
        CreditNote,
        /// Money came in.
        Payment,
        /// Money went back.
        Refund,
        /// The operator granted a credit.
        Grant,
        /// An invoice was given up: what was due.
        WriteOff,
        /// An invoice that was given up was paid after all.
        Recovery,
    }
}

/// One entry of a tenant's ledger. Entries are added, never changed and never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// What.
    pub kind: EntryKind,
    /// How much, in the minor unit; positive: owed by the tenant.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Which invoice.
    pub invoice: Option<InvoiceId>,
    /// The other side's word for it: a transfer's reference, a provider's id. At most 255 characters.
    pub reference: Option<String>,
    /// When.
    pub at: WallTime,
}
