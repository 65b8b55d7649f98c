//! Section `billing`: on whose clocks, who asks to be paid, and how patient they are.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use chrono_tz::Tz;
use serde::Deserialize;

/// Days of anything.
const DAYS: RangeInclusive<u32> = 0..=365;
/// Longest prefix of numbers.
const PREFIX: usize = 16;
/// Longest foot of an invoice, in characters.
const NOTE: usize = 2_000;

/// Section `billing`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingOptions {
    /// A name of the IANA database.
    pub time_zone: String,
    /// Who asks to be paid.
    pub issuer: IssuerOptions,
    /// At the foot of every invoice.
    pub note: String,
    /// Hundredths of a per cent.
    pub tax_rate_bps: u32,
    /// Days an invoice may take.
    pub due_days: u32,
    /// Days from then until grace.
    pub reminder_days: u32,
    /// Days from then until nothing is sent.
    pub grace_days: u32,
    /// What numbers of invoices begin with.
    pub invoice_prefix: String,
    /// What numbers of credit notes begin with.
    pub credit_note_prefix: String,
    /// Paths of font files for PDFs.
    pub fonts: Vec<String>,
    /// Who takes the money, if it is Stripe.
    pub stripe: StripeOptions,
}

/// Section `billing.stripe`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeOptions {
    /// `https://api.stripe.com`, or another server that speaks as it does.
    pub url: String,
    /// The secret key, `sk_…` or `rk_…`; empty without Stripe.
    pub key: String,
    /// Secrets of the endpoint that hears notices, `whsec_…`: the one that counts and, while it is replaced, the one before.
    pub endpoint_secrets: Vec<String>,
}

/// `Debug` hides the secrets.
impl fmt::Debug for StripeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StripeOptions({})", self.url)
    }
}

/// Section `billing.issuer`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerOptions {
    /// The name of the business.
    pub name: String,
    /// A line each.
    pub address: Vec<String>,
    /// Number with the tax authority; empty if there is none.
    pub tax_id: String,
    /// Empty if there is none.
    pub email: String,
}

impl BillingOptions {
    /// On whose clocks months and days begin.
    pub fn zone(&self) -> Tz {
        // `check` has read it.
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// What types cannot say: the key, what was given, what is allowed.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.time_zone.parse::<Tz>().is_err() {
            let problem = format!(
                "`{}` is no time zone; give a name of the IANA database, such as UTC or Europe/Berlin",
                self.time_zone
            );
            return Err(("billing.time_zone", problem));
        }
        if self.tax_rate_bps > 10_000 {
            let problem =
                format!("{} is not between 0 and 10000 hundredths of a per cent", self.tax_rate_bps);
            return Err(("billing.tax_rate_bps", problem));
        }
        for (key, days) in [
            ("billing.due_days", self.due_days),
            ("billing.reminder_days", self.reminder_days),
            ("billing.grace_days", self.grace_days),
        ] {
            if !DAYS.contains(&days) {
                return Err((key, format!("{days} is not between {} and {} days", DAYS.start(), DAYS.end())));
            }
        }
        for (key, prefix) in [
            ("billing.invoice_prefix", &self.invoice_prefix),
            ("billing.credit_note_prefix", &self.credit_note_prefix),
        ] {
            if !is_prefix(prefix) {
                let problem = format!(
                    "`{prefix}` is not 1 to {PREFIX} letters, digits and any of -/._ that do not end with a digit"
                );
                return Err((key, problem));
            }
        }
        if self.invoice_prefix == self.credit_note_prefix {
            let problem = format!("`{}` is what invoices begin with; give another", self.credit_note_prefix);
            return Err(("billing.credit_note_prefix", problem));
        }
        if let Some(path) = self.fonts.iter().find(|path| !Path::new(path).is_absolute()) {
            return Err(("billing.fonts", format!("`{path}` is not an absolute path")));
        }
        within("billing.note", &self.note, NOTE)?;
        self.stripe.check()?;
        self.issuer.check()
    }
}

impl IssuerOptions {
    fn check(&self) -> Result<(), (&'static str, String)> {
        within("billing.issuer.name", &self.name, 200)?;
        within("billing.issuer.tax_id", &self.tax_id, 64)?;
        within("billing.issuer.email", &self.email, 254)?;
        if self.address.len() > 8 {
            return Err(("billing.issuer.address", format!("{} lines are more than 8", self.address.len())));
        }
        self.address.iter().try_for_each(|line| within("billing.issuer.address", line, 200))
    }
}

impl StripeOptions {
    /// Says nothing of what a secret is, only what it is not.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_url =
            self.url.starts_with("https://") || local.iter().any(|start| self.url.starts_with(start));
        if !is_url || self.url.ends_with('/') {
            let problem = format!(
                "`{}` is no https:// address without a / at its end (http:// is for this machine only)",
                self.url
            );
            return Err(("billing.stripe.url", problem));
        }
        if self.key.is_empty() {
            return Ok(());
        }
        if !["sk_", "rk_"].iter().any(|start| self.key.starts_with(start)) {
            let problem = "it is no secret key, which begins with sk_ or rk_; leave it empty without Stripe";
            return Err(("billing.stripe.key", problem.to_owned()));
        }
        if self.endpoint_secrets.is_empty() || self.endpoint_secrets.iter().any(String::is_empty) {
            let problem = "without the secret of the endpoint that hears notices (whsec_…) no payment would ever be heard of";
            return Err(("billing.stripe.endpoint_secrets", problem.to_owned()));
        }
        Ok(())
    }
}

/// A digit at its end would let two series meet in one number.
fn is_prefix(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-/._".contains(&b);
    (1..=PREFIX).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().next_back().is_some_and(|b| !b.is_ascii_digit())
}

fn within(key: &'static str, text: &str, most: usize) -> Result<(), (&'static str, String)> {
    let given = text.chars().count();
    if given <= most { Ok(()) } else { Err((key, format!("{given} characters are more than {most}"))) }
}
