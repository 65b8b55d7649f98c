//! Amounts: whole numbers of a currency's minor unit. Nothing here rounds by accident, and nothing overflows silently.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rusty_money::{Formatter, Money, Params, Position, iso};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The largest price or amount anybody may name, in minor units: ten thousand million of a currency with cents. A million
/// of them still fit into 64 bits.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency(&'static iso::Currency);

/// Text that is no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an ISO 4217 code of a currency in use, such as EUR")]
pub struct NotACurrency;

impl Currency {
    /// Its three letters.
    pub fn code(self) -> &'static str {
        self.0.iso_alpha_code
    }

    /// An amount as people read it, with the code in front, which is read the same everywhere: `EUR -1,234.50`.
    pub fn show(self, minor: i64) -> String {
        let params = Params {
            positions: &[Position::Code, Position::Space, Position::Sign, Position::Amount],
            code: Some(self.code()),
            rounding: Some(self.digits()),
            ..Params::default()
        };
        Formatter::money(&Money::from_minor(minor, self.0), params)
    }

    /// Digits of its minor unit: 2 for cents, 0 for the yen.
    pub fn digits(self) -> u32 {
        self.0.exponent
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        // Codes for tests and for no currency at all name nothing that a price could be in.
        let found = iso::find(text).filter(|found| !matches!(found.iso_alpha_code, "XXX" | "XTS"));
        found.map(Self).ok_or(NotACurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "A currency of ISO 4217.",
            "examples": ["EUR"],
        })
    }
}

/// `amount × part / whole`, to the nearest minor unit, halves away from zero. A `whole` of nothing shares nothing.
///
/// The same for a charge and its refund: what a part is worth does not depend on the direction.
pub fn share(amount: i64, part: u64, whole: u64) -> i64 {
    if whole == 0 {
        return 0;
    }
    let (product, whole) = (i128::from(amount) * i128::from(part), i128::from(whole));
    let rounded = (product.abs() * 2 + whole) / (whole * 2) * product.signum();
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_currency_is_one_that_prices_are_counted_in() {
        for (code, digits) in [("EUR", 2), ("JPY", 0), ("BHD", 3), ("INR", 2)] {
            assert_eq!(code.parse::<Currency>().map(Currency::digits), Ok(digits), "{code}");
        }
        for code in ["", "eur", "EURO", "XXX", "ZZZ", "€"] {
            assert_eq!(code.parse::<Currency>(), Err(NotACurrency), "{code}");
        }
    }

    #[test]
    fn an_amount_is_shown_with_the_digits_of_its_currency() {
        for (code, minor, shown) in [
            ("EUR", 123_456_789, "EUR 1,234,567.89"),
            ("EUR", -5, "EUR -0.05"),
            ("JPY", 1_234, "JPY 1,234"),
            ("BHD", 1_234, "BHD 1.234"),
            ("INR", 15_000_000, "INR 150,000.00"),
            ("EUR", 0, "EUR 0.00"),
        ] {
            assert_eq!(code.parse::<Currency>().map(|currency| currency.show(minor)), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (amount, part, whole, share_is) in
            [(1, 1, 2, 1), (-1, 1, 2, -1), (1, 49, 100, 0), (1, 51, 100, 1), (100, 1, 3, 33), (200, 1, 3, 67)]
        {
            assert_eq!(share(amount, part, whole), share_is, "{amount} × {part}/{whole}");
        }
        assert_eq!(share(100, 1, 0), 0);
    }

    proptest! {
        #[test]
        fn a_share_is_never_more_than_the_whole_and_is_the_same_in_both_directions(
            amount in 0..=AMOUNT_MAX, whole in 1..=u64::from(u32::MAX) * 1_000, part in any::<u64>(),
        ) {
            let part = part % (whole + 1);
            let charged = share(amount, part, whole);
            prop_assert!((0..=amount).contains(&charged));
            prop_assert_eq!(share(-amount, part, whole), -charged);
            let rest = share(amount, whole - part, whole);
            prop_assert!((charged + rest - amount).abs() <= 1, "two parts are the whole but for their rounding");
        }
    }
}
