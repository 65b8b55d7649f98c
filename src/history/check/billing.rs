//! I8: a message is charged when it reaches the server, once, and its place is held until then.
//!
//! Of each row: charged if and only if it reached the server; given back only if it came to another end or its fate is
//! unknown; held otherwise. Of each month: what stands as used and held is what its rows are.

use std::collections::BTreeMap;

use super::{Case, Finding};
use crate::domain::id::TenantId;
use crate::domain::message::MessageStatus;
use crate::domain::time::WallTime;
use crate::history::record::{Charge, MessageLine};
use crate::history::verdict::{Evidence, Invariant, Subject};

pub(super) fn charges(case: &Case<'_>, finding: &mut Finding) {
    for row in case.outbound() {
        if let Some(complaint) = wrong(row) {
            finding.add(Invariant::I8, Subject::Message(row.id), complaint, vec![row.into()]);
        }
    }
}

fn wrong(row: &MessageLine) -> Option<&'static str> {
    use MessageStatus as S;
    let reached = row.sent_at.is_some();
    let may_come_back = matches!(row.status, S::Queued | S::Held | S::Sending);
    match row.charge {
        Charge::None => None,
        Charge::Charged => (!reached).then_some("charged, and never reached the server"),
        Charge::Held | Charge::Released if reached => Some("reached the server, and is not charged"),
        Charge::Held => {
            let open = may_come_back || row.status == S::Unknown;
            (!open).then_some("came to its end, and its place is still held")
        }
        Charge::Released => may_come_back.then_some("may still be sent, and its place was given back"),
    }
}

#[derive(Default)]
struct Month {
    used: u64,
    held: u64,
}

pub(super) fn months(case: &Case<'_>, finding: &mut Finding) {
    if !case.history.has_rows {
        return;
    }
    let mut counted: BTreeMap<(TenantId, WallTime), Month> = BTreeMap::new();
    for row in case.outbound() {
        let Some(period) = row.period.filter(|_| row.charge != Charge::None) else { continue };
        let month = counted.entry((row.tenant, period)).or_default();
        month.used += u64::from(row.charge == Charge::Charged);
        month.held += u64::from(row.charge == Charge::Held);
    }
    let stands: BTreeMap<_, _> =
        case.history.usage.iter().map(|line| ((line.tenant, line.period), line)).collect();
    for &(tenant, period) in counted.keys().chain(stands.keys().filter(|key| !counted.contains_key(key))) {
        finding.judged(Invariant::I8);
        finding.counts.months += 1;
        let (rows, line) = (counted.get(&(tenant, period)), stands.get(&(tenant, period)));
        let (used, held) = rows.map_or((0, 0), |month| (month.used, month.held));
        let (stands_used, stands_held) = line.map_or((0, 0), |line| (line.used, line.held));
        let mut differ = |counted, stands, complaint| {
            if counted != stands {
                let shown =
                    vec![Evidence::Count { counted, stands }, Evidence::Bound { value: stands, at: period }];
                finding.add(Invariant::I8, Subject::Tenant(tenant), complaint, shown);
            }
        };
        differ(used, stands_used, "the month's used messages are not those that are charged");
        differ(held, stands_held, "the month's held messages are not those that are held");
    }
}
