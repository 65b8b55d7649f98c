//! Stripe's amounts. They are in minor units as ours are, but for a few currencies
//! (<https://docs.stripe.com/currencies>, zero-decimal currencies and special cases).

use crate::domain::money::Currency;

/// Currencies that Stripe counts in another unit than ISO 4217 does: the króna and the shilling of Uganda in hundredths that do
/// not exist, the ariary in whole ones.
const OTHERWISE: [&str; 3] = ["ISK", "UGX", "MGA"];

/// Whether an amount means the same to both. Otherwise it would be taken for a hundredth or a hundredfold of itself, or, with
/// thousandths, of which Stripe takes only every tenth, be refused at times.
pub fn is_same(currency: Currency) -> bool {
    !OTHERWISE.contains(&currency.code()) && currency.digits() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_that_stripe_counts_otherwise_is_known() {
        for (code, same) in
            [("EUR", true), ("JPY", true), ("KWD", false), ("ISK", false), ("UGX", false), ("MGA", false)]
        {
            assert_eq!(code.parse().map(is_same), Ok(same), "{code}");
        }
    }
}
