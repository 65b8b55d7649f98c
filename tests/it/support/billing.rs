//! Somebody who asks to be paid.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use columba::billing::office::Issuer;
use columba::billing::subscription::Patience;
use columba::domain::invoice::Party;
use columba::ports::ledger::ByTheClock;

/// Fourteen days to pay, seven until grace, seven more until nothing is sent; 19 % tax; months on UTC.
pub fn issuer() -> Issuer {
    let days = |count: u64| Duration::from_secs(count * 24 * 3600);
    Issuer {
        party: Party { name: "Operator".into(), ..Party::default() },
        note: String::new(),
        tax_rate_bps: 1_900,
        due_after: days(14),
        patience: Patience { reminder: days(7), grace: days(7) },
        zone: Tz::UTC,
        invoices: "INV-".into(),
        credit_notes: "CRN-".into(),
    }
}

/// What it lets the clock decide.
pub fn by_the_clock() -> ByTheClock {
    let issuer = issuer();
    Arc::new(move |tenant, books, now| issuer.next(tenant, books, now))
}
