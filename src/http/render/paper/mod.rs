//! Papers a business can send: an invoice or a credit note, as a page for a browser and as a PDF. Both show the same
//! [`Paper`], so that neither can say what the other does not.

mod html;
mod pdf;

use chrono_tz::Tz;
use serde::Serialize;

pub use html::page;
pub use pdf::{Fonts, NotAFont, PdfError, document};

use crate::domain::invoice::{CreditNote, Invoice, InvoiceStatus, Line, LineKind, Party};
use crate::domain::money::Currency;
use crate::domain::time::{Period, WallTime};

/// What is written on it, in its order. All of it is text by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paper {
    /// What it is.
    pub title: &'static str,
    /// Its number.
    pub number: String,
    /// What has become of it, where that has to be seen at once.
    pub stamp: Option<&'static str>,
    /// Names and values at its head: dates, what it refers to.
    pub facts: Vec<(&'static str, String)>,
    /// Who asks.
    pub seller: Side,
    /// Who is asked.
    pub buyer: Side,
    /// One row a line.
    pub rows: Vec<Row>,
    /// Names and amounts below; the last is the one that counts.
    pub sums: Vec<(String, String)>,
    /// How to pay, and what the law wants said. A line each.
    pub notes: Vec<String>,
}

/// One side of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The name of the business.
    pub name: String,
    /// The lines below it.
    pub lines: Vec<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What for.
    pub text: String,
    /// Which time.
    pub period: String,
    /// How many.
    pub quantity: String,
    /// How much.
    pub amount: String,
}

/// The invoice, with dates on the clocks of `zone`.
pub fn invoice(invoice: &Invoice, zone: Tz) -> Paper {
    let (currency, account) = (invoice.currency, &invoice.account);
    let money = |minor| currency.show(minor);
    let mut sums = vec![
        ("Subtotal".to_owned(), money(account.subtotal_minor)),
        (format!("Tax {}", percent(account.tax_rate_bps)), money(account.tax_minor)),
        ("Total".to_owned(), money(account.total_minor)),
    ];
    let taken = [
        ("Paid with your credit", account.applied_minor),
        ("Paid", account.paid_minor),
        ("Taken back by credit note", account.credited_minor),
    ];
    sums.extend(
        taken
            .iter()
            .filter(|(_, minor)| *minor != 0)
            .map(|(name, minor)| ((*name).to_owned(), money(-minor))),
    );
    sums.push(("To be paid".to_owned(), money(invoice.to_pay_minor())));
    Paper {
        title: "Invoice",
        number: invoice.number.clone(),
        stamp: match invoice.status {
            InvoiceStatus::Open => None,
            InvoiceStatus::Paid => Some("Paid"),
            InvoiceStatus::Void => Some("Void"),
            InvoiceStatus::Uncollectible => Some("Written off"),
        },
        facts: vec![
            ("Date", day(invoice.issued_at, zone)),
            ("Period", days(invoice.period, zone)),
            ("To be paid by", day(invoice.due_at, zone)),
        ],
        seller: side(&invoice.seller),
        buyer: side(&invoice.buyer),
        rows: invoice.lines.iter().map(|line| row(line, currency, zone)).collect(),
        sums,
        notes: invoice.note.lines().map(str::to_owned).collect(),
    }
}

/// A credit note to `invoice`.
pub fn credit_note(note: &CreditNote, invoice: &Invoice, zone: Tz) -> Paper {
    let money = |minor| note.currency.show(minor);
    Paper {
        title: "Credit note",
        number: note.number.clone(),
        stamp: None,
        facts: vec![
            ("Date", day(note.issued_at, zone)),
            ("To invoice", invoice.number.clone()),
            ("Of", day(invoice.issued_at, zone)),
        ],
        seller: side(&invoice.seller),
        buyer: side(&invoice.buyer),
        rows: vec![Row {
            text: note.reason.clone(),
            period: days(invoice.period, zone),
            quantity: String::new(),
            amount: money(-(note.amount_minor - note.tax_minor)),
        }],
        sums: vec![
            (format!("Tax {}", percent(invoice.account.tax_rate_bps)), money(-note.tax_minor)),
            ("Total".to_owned(), money(-note.amount_minor)),
        ],
        notes: vec![],
    }
}

fn row(line: &Line, currency: Currency, zone: Tz) -> Row {
    Row {
        text: line.text.clone(),
        period: days(line.period, zone),
        quantity: match line.kind {
            LineKind::Overage => line.quantity.to_string(),
            LineKind::Base | LineKind::Proration => String::new(),
        },
        amount: currency.show(line.amount_minor),
    }
}

fn side(party: &Party) -> Side {
    let tax_id = party.tax_id.as_ref().map(|id| format!("Tax ID {id}"));
    let lines = party.address.iter().cloned().chain(party.email.clone()).chain(tax_id);
    Side { name: party.name.clone(), lines: lines.collect() }
}

/// `2027-01-31`: read the same everywhere.
fn day(at: WallTime, zone: Tz) -> String {
    at.utc().with_timezone(&zone).format("%Y-%m-%d").to_string()
}

/// The first day and the last one, which is the one before the next begins.
fn days(period: Period, zone: Tz) -> String {
    let (first, last) = (day(period.start, zone), day(WallTime(period.end.0 - 1), zone));
    if first == last { first } else { format!("{first} to {last}") }
}

/// `19 %`, `7.5 %`.
fn percent(bps: u32) -> String {
    format!("{} %", f64::from(bps) / 100.0)
}
