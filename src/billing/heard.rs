//! What a payment provider's word does to a tenant's books. Words come twice and in any order; each is written down by its name
//! at the provider, in the transaction that acts on it, and counts once.

use super::office::{Issuer, NoteAsked, Payment};
use crate::domain::audit::Action;
use crate::domain::id::{CreditNoteId, InvoiceId};
use crate::domain::invoice::{EntryKind, InvoiceStatus};
use crate::domain::money::Currency;
use crate::domain::refusal::Refusal;
use crate::ports::ledger::{Books, Outcome, Posting};

impl Issuer {
    /// Money came in through a provider. As much of it as is due pays the invoice; the rest, such as the second of two
    /// payments, is to the tenant's credit. Money is never refused: it has been taken.
    ///
    /// # Errors
    /// 404 when the tenant has no such invoice.
    pub fn hear_payment(&self, books: &Books, payment: &Payment) -> Result<Outcome, Refusal> {
        if books.is_known {
            return Ok(Outcome::default());
        }
        let asked = books.invoices.iter().find(|invoice| invoice.id == payment.invoice);
        let asked = asked.ok_or_else(Refusal::not_found)?;
        let takes = matches!(asked.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
        let fits = takes && asked.currency == payment.currency;
        let part = if fits { payment.amount_minor.min(asked.account.due_minor()) } else { 0 };
        let mut outcome = Outcome { action: Some(Action::InvoicePay), ..Outcome::default() };
        if part > 0 {
            outcome = self.pay(books, &Payment { amount_minor: part, ..payment.clone() })?;
        }
        if payment.amount_minor > part {
            let rest = Payment { amount_minor: payment.amount_minor - part, ..payment.clone() };
            outcome.entries.extend(self.bank(books, &rest).entries);
        }
        Ok(outcome)
    }

    /// Money went back through a provider: a credit note takes back what it was for, so that both are on paper. What no credit
    /// note can take back any more is an entry alone.
    ///
    /// # Errors
    /// 404 when the tenant has no such invoice.
    pub fn hear_refund(&self, books: &Books, refund: &Refund) -> Result<Outcome, Refusal> {
        if books.is_known {
            return Ok(Outcome::default());
        }
        let asked = books.invoices.iter().find(|invoice| invoice.id == refund.invoice);
        let asked = asked.ok_or_else(Refusal::not_found)?;
        let note = NoteAsked {
            id: refund.note,
            invoice: refund.invoice,
            amount_minor: refund.amount_minor.min(asked.account.total_minor - asked.account.noted_minor),
            reason: "Refunded".to_owned(),
        };
        let fits = note.amount_minor > 0 && asked.currency == refund.currency;
        let noted = if fits { self.note(books, note).unwrap_or_default() } else { Outcome::default() };
        let posting = Posting {
            kind: EntryKind::Refund,
            amount_minor: refund.amount_minor,
            currency: refund.currency,
            invoice: Some(refund.invoice),
            reference: Some(refund.reference.clone()),
        };
        let entries = noted.entries.iter().cloned().chain([posting]).collect();
        Ok(Outcome { entries, action: Some(Action::InvoiceCredit), ..noted })
    }
}

/// Money that went back through a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The id that the credit note gets.
    pub note: CreditNoteId,
    /// For which invoice it had come.
    pub invoice: InvoiceId,
    /// How much.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// The provider's word for it.
    pub reference: String,
}
