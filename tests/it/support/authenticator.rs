//! The phone that shows codes.

use columba::domain::time::WallTime;
use columba::tenancy::second_factor::FactorSecret;

/// What a phone knows, once a secret was typed into it.
pub struct Authenticator(FactorSecret);

impl Authenticator {
    /// Takes the secret as a person reads it.
    pub fn with(text: &str) -> Self {
        let digit = |c: char| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap() as u64;
        let group = |part: &[char]| part.iter().fold(0, |sum, &c| sum << 5 | digit(c));
        let letters: Vec<char> = text.chars().collect();
        let bytes: Vec<u8> =
            letters.chunks(8).flat_map(|part| group(part).to_be_bytes()[3..].to_vec()).collect();
        Self(FactorSecret::of(bytes.into()))
    }

    /// The secret, as it was typed.
    pub fn text(&self) -> String {
        self.0.text().to_string()
    }

    /// What it shows then.
    pub fn code(&self, at: WallTime) -> String {
        self.0.code(at).unwrap()
    }
}
