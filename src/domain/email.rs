//! The address a person signs in with. Nothing is ever sent to it; it is a name that people remember.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

/// Characters of an address at most, as RFC 5321 bounds a path.
pub const EMAIL_MAX: usize = 254;

/// An address in lower case, so that the same one is the same however it is typed. Hidden from `Debug`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Email(#[schemars(length(min = 3, max = EMAIL_MAX))] String);

/// Text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected an email address such as ada@example.com, of at most {EMAIL_MAX} characters, without spaces"
)]
pub struct NotAnEmail;

impl Email {
    /// What is before the `@`.
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;

    /// A plain look: one `@` with something on either side, and nothing that no address has.
    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.split_once('@').ok_or(NotAnEmail)?;
        let strange = |c: char| c.is_whitespace() || c.is_control();
        let bad = text.chars().count() > EMAIL_MAX || text.chars().any(strange);
        if bad || local.is_empty() || domain.is_empty() || domain.contains('@') {
            return Err(NotAnEmail);
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_without_case_and_what_is_none_is_refused() {
        let read = |text: &str| text.parse::<Email>();
        assert_eq!(read(" Ada.L@Example.COM "), read("ada.l@example.com"));
        assert_eq!(read("Ada.L@Example.COM").map(|email| email.local().to_owned()), Ok("ada.l".to_owned()));
        let long = format!("a@{}", "b".repeat(EMAIL_MAX));
        for text in ["", "@", "a@", "@b", "a@b@c", "ab", "a b@c", "a@b\u{0}", "a@b\nc", &long] {
            assert_eq!(read(text), Err(NotAnEmail), "{text}");
        }
        assert_eq!(format!("{:?}", read("a@b")), "Ok(Email(…))");
    }
}
