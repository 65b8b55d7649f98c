//! Amounts of an invoice, and what may become of it. Every act is a new state and an entry of the ledger; nothing is edited.

use crate::domain::invoice::{Account, EntryKind, InvoiceDraft, InvoiceStatus};
use crate::domain::money::{AMOUNT_MAX, share};
use crate::domain::refusal::{Fault, Refusal};

/// The amounts of an invoice that is issued to a tenant with `available` in credit, and its state.
pub fn issue(draft: &InvoiceDraft, tax_rate_bps: u32, available: i64) -> (Account, InvoiceStatus) {
    let subtotal = draft.lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.amount_minor));
    let tax = share(subtotal, u64::from(tax_rate_bps), 10_000);
    let total = subtotal.saturating_add(tax);
    let account = Account {
        subtotal_minor: subtotal,
        tax_rate_bps,
        tax_minor: tax,
        total_minor: total,
        applied_minor: available.clamp(0, total.max(0)),
        paid_minor: 0,
        credited_minor: 0,
        noted_minor: 0,
    };
    (account, if account.due_minor() <= 0 { InvoiceStatus::Paid } else { InvoiceStatus::Open })
}

/// What an act does: the invoice's amounts and state afterwards, and what the ledger gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Afterwards.
    pub account: Account,
    /// Afterwards.
    pub status: InvoiceStatus,
    /// Entries, signed: positive is owed by the tenant.
    pub entries: Vec<(EntryKind, i64)>,
}

/// Money came in.
///
/// # Errors
/// 409 for an invoice that is paid or void, 422 for an amount that is not within 1 and what is due.
pub fn pay(account: Account, status: InvoiceStatus, amount: i64) -> Result<Act, Refusal> {
    let due = account.due_minor();
    let given_up = match status {
        InvoiceStatus::Open => false,
        InvoiceStatus::Uncollectible => true,
        InvoiceStatus::Paid | InvoiceStatus::Void => return Err(closed(status)),
    };
    within(amount, due, "what is due")?;
    let account = Account { paid_minor: account.paid_minor + amount, ..account };
    let recovery = given_up.then_some((EntryKind::Recovery, amount));
    Ok(Act {
        account,
        status: if account.due_minor() == 0 { InvoiceStatus::Paid } else { status },
        entries: recovery.into_iter().chain([(EntryKind::Payment, -amount)]).collect(),
    })
}

/// A credit note: what was not paid need not be, and what was paid is to the tenant's credit. Together they never pass the
/// invoice's total.
///
/// # Errors
/// 409 for an invoice that is void or given up, 422 for an amount beyond what no note has taken back.
pub fn note(account: Account, status: InvoiceStatus, amount: i64) -> Result<Act, Refusal> {
    if matches!(status, InvoiceStatus::Void | InvoiceStatus::Uncollectible) {
        return Err(closed(status));
    }
    within(amount, account.total_minor - account.noted_minor, "what no credit note has taken back")?;
    let account = Account {
        credited_minor: account.credited_minor + amount.min(account.due_minor()),
        noted_minor: account.noted_minor + amount,
        ..account
    };
    let status = if account.due_minor() == 0 { InvoiceStatus::Paid } else { status };
    Ok(Act { account, status, entries: vec![(EntryKind::CreditNote, -amount)] })
}

/// Taken back as a whole, as if it had never been: only while nobody has paid anything of it.
///
/// # Errors
/// 409 otherwise; a credit note is for that.
pub fn void(account: Account, status: InvoiceStatus) -> Result<Act, Refusal> {
    let untouched = account.paid_minor == 0 && account.noted_minor == 0;
    // Paid with credit alone: the credit comes back.
    let by_credit = status == InvoiceStatus::Paid && untouched;
    if !(untouched && (status == InvoiceStatus::Open || by_credit)) {
        return Err(Refusal::conflict(
            "only an invoice of which nothing was paid or taken back can be voided; issue a credit note",
        ));
    }
    Ok(Act { account, status: InvoiceStatus::Void, entries: vec![(EntryKind::Void, -account.total_minor)] })
}

/// Given up.
///
/// # Errors
/// 409 unless it is open.
pub fn write_off(account: Account, status: InvoiceStatus) -> Result<Act, Refusal> {
    if status != InvoiceStatus::Open {
        return Err(closed(status));
    }
    let entries = vec![(EntryKind::WriteOff, -account.due_minor())];
    Ok(Act { account, status: InvoiceStatus::Uncollectible, entries })
}

/// What a tenant has in credit: what its open invoices ask for beyond what its ledger says it owes.
pub fn available(balance: i64, open_due: i64) -> i64 {
    (open_due - balance).max(0)
}

/// Money goes back: at most what is in credit.
///
/// # Errors
/// 422 for more than that.
pub fn refund(available: i64, amount: i64) -> Result<(EntryKind, i64), Refusal> {
    within(amount, available, "what the tenant has in credit")?;
    Ok((EntryKind::Refund, amount))
}

/// The operator grants a credit.
///
/// # Errors
/// 422 for an amount out of range.
pub fn grant(amount: i64) -> Result<(EntryKind, i64), Refusal> {
    within(amount, AMOUNT_MAX, "the largest amount")?;
    Ok((EntryKind::Grant, -amount))
}

fn within(amount: i64, most: i64, what: &str) -> Result<(), Refusal> {
    if (1..=most).contains(&amount) {
        return Ok(());
    }
    let detail = if most < 1 {
        format!("{amount} was given, and nothing is left: {what} is {most}")
    } else {
        format!("{amount} is not within 1 and {most}, {what}, in the minor unit")
    };
    Err(Refusal::invalid(vec![Fault::new("/amount_minor", "out_of_range", detail)]))
}

fn closed(status: InvoiceStatus) -> Refusal {
    Refusal::conflict(format!("the invoice is {status}"))
}
