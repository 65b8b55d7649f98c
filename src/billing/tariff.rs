//! What messages beyond the quota cost: graduated tiers, each a price for a number of messages.

use crate::domain::money::{AMOUNT_MAX, share};
use crate::domain::plan::Tier;
use crate::domain::refusal::Fault;

/// Most tiers of one tariff.
pub const TIERS_MAX: usize = 20;
/// Most messages that one price may stand for.
const PER_MAX: u32 = 1_000_000;

/// What `units` messages beyond the quota cost. Each tier is rounded once, so that a thousand messages of a third of a
/// cent are three euros and thirty-three, not nothing.
pub fn price(tiers: &[Tier], units: u64) -> i64 {
    let mut counted = 0;
    let mut sum: i64 = 0;
    for tier in tiers {
        let upto = tier.up_to.unwrap_or(u64::MAX).min(units);
        let within = upto.saturating_sub(counted);
        sum = sum.saturating_add(share(tier.price_minor, within, u64::from(tier.per.get())));
        counted = counted.max(upto);
    }
    sum
}

/// What is wrong with `tiers`, which stand at `pointer`: bounds have to rise, the last one has none.
pub fn faults(tiers: &[Tier], pointer: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        faults.push(Fault::new(pointer, "out_of_range", format!("1 to {TIERS_MAX} tiers")));
        return faults;
    }
    let mut below = 0;
    for (index, tier) in tiers.iter().enumerate() {
        let last = index + 1 == tiers.len();
        match tier.up_to {
            Some(_) if last => faults.push(Fault::new(
                format!("{pointer}/{index}/up_to"),
                "not_allowed",
                "the last tier has no bound: what comes after it would have no price",
            )),
            None if !last => faults.push(Fault::new(
                format!("{pointer}/{index}/up_to"),
                "missing",
                "only the last tier may do without a bound",
            )),
            Some(bound) if bound <= below => faults.push(Fault::new(
                format!("{pointer}/{index}/up_to"),
                "out_of_range",
                format!("{bound} is not above {below}, where the tier before ends"),
            )),
            Some(bound) => below = bound,
            None => {}
        }
        if !(0..=AMOUNT_MAX).contains(&tier.price_minor) {
            faults.push(Fault::new(
                format!("{pointer}/{index}/price_minor"),
                "out_of_range",
                format!("{} is not within 0 to {AMOUNT_MAX}", tier.price_minor),
            ));
        }
        if tier.per.get() > PER_MAX {
            faults.push(Fault::new(
                format!("{pointer}/{index}/per"),
                "out_of_range",
                format!("{} is not within 1 to {PER_MAX}", tier.per),
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn tier(up_to: Option<u64>, price_minor: i64, per: u32) -> Tier {
        Tier { up_to, price_minor, per: NonZeroU32::new(per).expect("not zero") }
    }

    #[test]
    fn each_tier_prices_what_lies_within_it() {
        let tiers = [tier(Some(100), 2, 1), tier(Some(1_000), 1, 1), tier(None, 500, 1_000)];
        for (units, cost) in
            [(0, 0), (1, 2), (100, 200), (101, 201), (1_000, 1_100), (2_000, 1_600), (1_001, 1_101)]
        {
            assert_eq!(price(&tiers, units), cost, "{units}");
        }
        assert_eq!(price(&[tier(None, 1, 3)], 1_000), 333);
        assert_eq!(price(&[], 7), 0);
        assert_eq!(price(&[tier(None, AMOUNT_MAX, 1)], u64::MAX), i64::MAX, "saturates, never wraps");
    }

    #[test]
    fn every_fault_names_its_place() {
        for (tiers, places) in [
            (vec![], vec!["/t"]),
            (vec![tier(Some(1), 1, 1)], vec!["/t/0/up_to"]),
            (vec![tier(None, 1, 1), tier(None, 1, 1)], vec!["/t/0/up_to"]),
            (vec![tier(Some(5), 1, 1), tier(Some(5), 1, 1), tier(None, 1, 1)], vec!["/t/1/up_to"]),
            (vec![tier(Some(0), 1, 1), tier(None, 1, 1)], vec!["/t/0/up_to"]),
            (vec![tier(None, -1, 1)], vec!["/t/0/price_minor"]),
            (vec![tier(None, AMOUNT_MAX + 1, PER_MAX + 1)], vec!["/t/0/price_minor", "/t/0/per"]),
            (vec![tier(Some(1), 1, 1), tier(None, 0, 1)], vec![]),
        ] {
            let found: Vec<_> = faults(&tiers, "/t").into_iter().map(|fault| fault.pointer).collect();
            assert_eq!(found, places, "{tiers:?}");
        }
    }

    proptest! {
        #[test]
        fn more_messages_never_cost_less(
            bounds in prop::collection::btree_set(1_u64..10_000, 0..5), prices in prop::collection::vec(0_i64..10_000, 6),
            pers in prop::collection::vec(1_u32..1_000, 6), units in 0_u64..20_000, more in 0_u64..20_000,
        ) {
            let ends = bounds.into_iter().map(Some).chain([None]);
            let tiers: Vec<_> = ends.zip(prices).zip(pers).map(|((end, cost), per)| tier(end, cost, per)).collect();
            prop_assert!(faults(&tiers, "").is_empty());
            prop_assert!(price(&tiers, units + more) >= price(&tiers, units));
        }
    }
}
