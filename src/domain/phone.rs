//! Phone numbers, checked for form and never shown by accident.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number in E.164: `+` and 7 to 15 digits, with a length its country uses.
///
/// `Debug` hides it: a number is personal and belongs into answers and rows, never into a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// Text that is no possible number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PhoneError {
    /// Not `+` and digits.
    #[error(
        "expected E.164: a plus sign, the country code and the number, digits only, such as +15551230001"
    )]
    Form,
    /// No country has this code.
    #[error("no country has this calling code")]
    Country,
    /// The country has no numbers of this length.
    #[error("the country has no numbers of this length")]
    Length,
}

/// Every calling code in order, with a bit for each length that its numbers have without it. `build.rs` writes it.
static CALLING_CODES: &[(u16, u16)] = include!(concat!(env!("OUT_DIR"), "/calling_codes.rs"));

impl JsonSchema for Phone {
    fn schema_name() -> Cow<'static, str> {
        "Phone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^\\+[1-9][0-9]{6,14}$",
            "description": "A number in E.164, of a length that its country uses.",
            "examples": ["+15551230001"],
        })
    }
}

impl Phone {
    /// Takes E.164 text that is possible by length for its country. Whether it is assigned is another question.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let digits = text.strip_prefix('+').ok_or(PhoneError::Form)?;
        let formed = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !formed || digits.starts_with('0') {
            return Err(PhoneError::Form);
        }
        // No calling code begins with another, so the first that a country has is the one.
        let lengths = |code: &str| {
            let code = code.parse().unwrap_or(0);
            CALLING_CODES.binary_search_by_key(&code, |entry| entry.0).ok().map(|at| CALLING_CODES[at].1)
        };
        let (length, lengths) = (1..=3)
            .find_map(|length| Some((length, lengths(&digits[..length])?)))
            .ok_or(PhoneError::Country)?;
        let possible = lengths >> (digits.len() - length) & 1 == 1;
        if possible { Ok(Self(text.to_owned())) } else { Err(PhoneError::Length) }
    }

    /// Takes a number that a store kept or a network reported; it was judged when it came in.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text, for answers, rows and frames.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use phonenumber::metadata::{DATABASE, Descriptors};

    use super::*;

    fn has_length(country: &Descriptors, national: u16) -> bool {
        let kinds = [
            country.fixed_line(),
            country.mobile(),
            country.toll_free(),
            country.premium_rate(),
            country.shared_cost(),
            country.personal_number(),
            country.voip(),
            country.pager(),
            country.uan(),
        ];
        kinds.into_iter().flatten().any(|kind| kind.possible_length().contains(&national))
    }

    #[test]
    fn a_number_is_taken_when_its_country_has_its_length() {
        let table = [
            ("+15551230001", Ok(())),
            ("+15550000463", Ok(())),
            ("+4915112345678", Ok(())),
            ("+5511987654321", Ok(())),
            ("+390612345678", Ok(())),
            ("+1555123000", Err(PhoneError::Length)),
            ("+155512300012", Err(PhoneError::Length)),
            ("+9991234567", Err(PhoneError::Country)),
            ("15551230001", Err(PhoneError::Form)),
            ("+1 555 123 0001", Err(PhoneError::Form)),
            ("+05551230001", Err(PhoneError::Form)),
        ];
        for (text, wanted) in table {
            assert_eq!(Phone::parse(text).map(|_| ()), wanted, "{text}");
        }
    }

    #[test]
    fn the_calling_code_is_the_one_that_parsing_the_whole_number_finds() {
        for head in 1..=999_u32 {
            for tail in ["1512345", "0912345678", "5551230001"] {
                let text = format!("+{head}{tail}");
                let digits = text.len() as u16 - 1;
                let whole = phonenumber::parse(None, &text).ok().map(|number| {
                    let code = number.country().code();
                    let national = digits - code.to_string().len() as u16;
                    let regions = DATABASE.by_code(&code).unwrap_or_default();
                    regions.iter().any(|region| has_length(region.descriptors(), national))
                });
                let wanted = match whole {
                    None => Err(PhoneError::Country),
                    Some(false) => Err(PhoneError::Length),
                    Some(true) => Ok(()),
                };
                assert_eq!(Phone::parse(&text).map(|_| ()), wanted, "{text}");
            }
        }
    }
}
