//! Whoever issues the invoices, as the configuration has it.

use std::sync::Arc;
use std::time::Duration;

use super::exit::Failure;
use crate::billing::office::Issuer;
use crate::billing::subscription::Patience;
use crate::config::billing::{BillingOptions, IssuerOptions};
use crate::domain::invoice::Party;
use crate::egress;
use crate::http::render::paper::Fonts;
use crate::payments::manual::Manual;
use crate::payments::stripe::Stripe;
use crate::ports::ledger::ByTheClock;
use crate::ports::payments::PaymentProvider;

/// The issuer.
pub fn issuer(options: &BillingOptions) -> Issuer {
    let IssuerOptions { name, address, tax_id, email } = options.issuer.clone();
    let given = |text: String| (!text.is_empty()).then_some(text);
    Issuer {
        party: Party { name, address, tax_id: given(tax_id), email: given(email) },
        note: options.note.clone(),
        tax_rate_bps: options.tax_rate_bps,
        due_after: days(options.due_days),
        patience: Patience { reminder: days(options.reminder_days), grace: days(options.grace_days) },
        zone: options.zone(),
        invoices: options.invoice_prefix.clone(),
        credit_notes: options.credit_note_prefix.clone(),
    }
}

/// What it lets the clock decide.
pub fn by_the_clock(issuer: &Arc<Issuer>) -> ByTheClock {
    let issuer = Arc::clone(issuer);
    Arc::new(move |tenant, books, now| issuer.next(tenant, books, now))
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 3600)
}

/// What papers are written with; a file that is no font ends the start, named.
pub fn fonts(options: &BillingOptions) -> Result<Fonts, Failure> {
    let unusable = |path: &str, why: &dyn std::fmt::Display| {
        Failure::Usage(format!("key `billing.fonts`: {path}: {why}"))
    };
    let mut files = Vec::new();
    for path in &options.fonts {
        files.push(std::fs::read(path).map_err(|error| unusable(path, &error))?);
    }
    Fonts::with(files).map_err(|(index, error)| {
        unusable(options.fonts.get(index).map_or("DejaVu Sans", String::as_str), &error)
    })
}

/// Who takes the money.
pub fn provider(options: &BillingOptions) -> Result<Arc<dyn PaymentProvider>, Failure> {
    if options.stripe.key.is_empty() {
        return Ok(Arc::new(Manual));
    }
    let tls = egress::tls().map_err(|error| Failure::Unavailable(format!("cannot set up TLS: {error}")))?;
    Ok(Arc::new(Stripe::new(options.stripe.clone(), tls)))
}
