//! I8b: an invoice is what the ledger says. Its total is one entry, what was taken back, given up or paid are others, and numbers
//! of papers have no gap.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Finding};
use crate::domain::id::InvoiceId;
use crate::domain::invoice::{EntryKind, InvoiceStatus, number};
use crate::history::record::{EntryLine, InvoiceLine};
use crate::history::verdict::{Evidence, Invariant, Subject};

pub(super) fn invoices(case: &Case<'_>, finding: &mut Finding) {
    let mut entries: BTreeMap<InvoiceId, Vec<&EntryLine>> = BTreeMap::new();
    for entry in &case.history.entries {
        if let Some(invoice) = entry.invoice {
            entries.entry(invoice).or_default().push(entry);
        }
    }
    for invoice in &case.history.invoices {
        finding.judged(Invariant::I8b);
        finding.counts.invoices += 1;
        let of_it = entries.remove(&invoice.id).unwrap_or_default();
        for (complaint, counted, stands) in wrong(invoice, &of_it) {
            let shown = vec![Evidence::Money { counted, stands }];
            finding.add(Invariant::I8b, Subject::Invoice(invoice.id), complaint, shown);
        }
    }
    for (id, orphans) in entries {
        let counted = sum(&orphans, |_| true);
        let shown = vec![Evidence::Money { counted, stands: 0 }];
        finding.add(Invariant::I8b, Subject::Invoice(id), "the ledger has entries of no such invoice", shown);
    }
}

type Difference = (&'static str, i128, i128);

fn wrong(invoice: &InvoiceLine, entries: &[&EntryLine]) -> Vec<Difference> {
    let account = &invoice.account;
    let of = |kind| sum(entries, |entry| entry.what == kind && entry.currency == invoice.currency);
    let (total, due) = (i128::from(account.total_minor), i128::from(account.due_minor()));
    let taken_back = if invoice.status == InvoiceStatus::Void { -total } else { 0 };
    let given_up = if invoice.status == InvoiceStatus::Uncollectible { -due } else { 0 };
    // Money beyond what was due is entered under the invoice it came for, and is no part of it.
    let paid = i128::from(account.paid_minor);
    let covered = paid.min(-of(EntryKind::Payment));
    let done = i128::from(account.applied_minor) + paid + i128::from(account.credited_minor);
    let left = match invoice.status {
        InvoiceStatus::Paid => 0,
        InvoiceStatus::Open | InvoiceStatus::Uncollectible => due.max(1),
        InvoiceStatus::Void => due.max(0),
    };
    let differences = [
        (
            "its subtotal is not the sum of its lines",
            invoice.lines_minor.into(),
            account.subtotal_minor.into(),
        ),
        (
            "its total is not subtotal and tax",
            i128::from(account.subtotal_minor) + i128::from(account.tax_minor),
            total,
        ),
        ("its total is not what was entered for it", of(EntryKind::Invoice), total),
        (
            "credit notes entered are not those it counts",
            -of(EntryKind::CreditNote),
            account.noted_minor.into(),
        ),
        ("what was entered as taken back does not fit its status", of(EntryKind::Void), taken_back),
        (
            "what was entered as given up does not fit its status",
            of(EntryKind::WriteOff) + of(EntryKind::Recovery),
            given_up,
        ),
        ("it counts payments that were not entered", covered, paid),
        ("more was done about it than it asks for", done.min(total.max(0)), done),
        ("what is left to be paid does not fit its status", left, due.max(0)),
    ];
    differences.into_iter().filter(|(_, counted, stands)| counted != stands).collect()
}

fn sum(entries: &[&EntryLine], wanted: impl Fn(&EntryLine) -> bool) -> i128 {
    entries.iter().filter(|entry| wanted(entry)).map(|entry| i128::from(entry.amount_minor)).sum()
}

pub(super) fn notes(case: &Case<'_>, finding: &mut Finding) {
    let mut noted: BTreeMap<InvoiceId, i128> = BTreeMap::new();
    for note in &case.history.notes {
        *noted.entry(note.invoice).or_default() += i128::from(note.amount_minor);
    }
    for invoice in &case.history.invoices {
        let counted = noted.get(&invoice.id).copied().unwrap_or_default();
        let stands = i128::from(invoice.account.noted_minor);
        if counted != stands {
            let shown = vec![Evidence::Money { counted, stands }];
            let complaint = "its credit notes are not what it counts";
            finding.add(Invariant::I8b, Subject::Invoice(invoice.id), complaint, shown);
        }
    }
}

/// A series may begin as another does and end in digits, so numbers are not taken apart: each that was given has to be on a paper.
pub(super) fn numbers(case: &Case<'_>, finding: &mut Finding) {
    let history = case.history;
    let mut papers: BTreeSet<&str> = BTreeSet::new();
    let all =
        history.invoices.iter().map(|one| &one.number).chain(history.notes.iter().map(|one| &one.number));
    for number in all {
        if !papers.insert(number) {
            let shown = vec![Evidence::Number { number: number.clone() }];
            finding.add(Invariant::I8b, Subject::Issuer, "two papers have one number", shown);
        }
    }
    for series in &history.series {
        for count in 1..series.next {
            let number = number(&series.series, count);
            if !papers.remove(number.as_str()) {
                let shown = vec![Evidence::Number { number }];
                finding.add(Invariant::I8b, Subject::Issuer, "a number was given to no paper", shown);
            }
        }
    }
    for number in papers {
        let shown = vec![Evidence::Number { number: number.to_owned() }];
        finding.add(Invariant::I8b, Subject::Issuer, "a paper has a number that was never given", shown);
    }
}
