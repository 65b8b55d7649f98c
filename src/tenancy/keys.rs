//! The text of an API key: `col_live_` or `col_test_`, 32 random characters, 6 of checksum.
//!
//! The checksum lets a scanner of source code, or this server, tell a key from any other text without a look-up.

use std::fmt;

use rand::{CryptoRng, RngExt as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::tenant::KeyHash;

const LIVE: &str = "col_live_";
const TEST: &str = "col_test_";
const RANDOM: usize = 32;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Text that is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an API key of this server")]
pub struct NotAKey;

/// The text of one key. Wiped from memory when dropped, hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(Zeroizing<String>);

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyText(…)")
    }
}

impl KeyText {
    /// A new key, with 190 bits from `rng`.
    pub fn mint(test: bool, rng: &mut impl CryptoRng) -> Self {
        let prefix = if test { TEST } else { LIVE };
        let mut text = Zeroizing::new(String::with_capacity(prefix.len() + RANDOM + CHECK));
        text.push_str(prefix);
        text.push_str(&random_text(RANDOM, rng));
        let check = checksum(&text);
        text.push_str(&check);
        Self(text)
    }

    /// Takes what [`mint`](Self::mint) may have made. Says nothing about whether such a key exists.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let rest = text.strip_prefix(LIVE).or_else(|| text.strip_prefix(TEST)).ok_or(NotAKey)?;
        if rest.len() != RANDOM + CHECK || !rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NotAKey);
        }
        let (head, check) = text.split_at(text.len() - CHECK);
        if check != checksum(head) {
            return Err(NotAKey);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// How stores recognise it.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// Last four characters, so that a person can tell keys apart.
    pub fn last4(&self) -> String {
        self.0[self.0.len() - 4..].to_owned()
    }

    /// The text itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The text of a feed ticket: 190 random bits.
pub fn ticket_text(rng: &mut impl CryptoRng) -> Zeroizing<String> {
    random_text(RANDOM, rng)
}

/// `length` random letters and digits.
pub(super) fn random_text(length: usize, rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let letter = |_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
    Zeroizing::new((0..length).map(letter).collect())
}

fn checksum(head: &str) -> String {
    let mut rest = crc32fast::hash(head.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    proptest! {
        #[test]
        fn a_minted_key_is_recognised_and_any_one_changed_character_is_not(
            seed: u64, test: bool, at in 0..47_usize, to in "[0-9A-Za-z_]",
        ) {
            let key = KeyText::mint(test, &mut StdRng::seed_from_u64(seed));
            prop_assert_eq!(key.expose().len(), 47);
            prop_assert_eq!(key.expose().starts_with("col_test_"), test);
            prop_assert_eq!(KeyText::parse(key.expose()), Ok(key.clone()));
            prop_assert!(key.expose().ends_with(&key.last4()));

            let mut other = key.expose().to_owned();
            other.replace_range(at..=at, &to);
            prop_assert_eq!(KeyText::parse(&other).is_ok(), other == key.expose(), "{}", at);
        }

        #[test]
        fn any_text_can_be_asked_about(text: String) {
            prop_assert!(KeyText::parse(&text).is_err());
        }
    }

    #[test]
    fn keys_do_not_repeat_use_the_whole_alphabet_and_hash_apart() {
        let mut rng = StdRng::seed_from_u64(7);
        let keys: Vec<_> = (0..1_000).map(|_| KeyText::mint(false, &mut rng)).collect();
        let hashes: HashSet<_> = keys.iter().map(|key| key.hash().0).collect();
        assert_eq!(hashes.len(), keys.len());
        let letters: HashSet<_> = keys.iter().flat_map(|key| key.expose()[9..41].chars()).collect();
        assert_eq!(letters.len(), 62);
    }

    #[test]
    fn a_key_is_not_shown_by_debug() {
        let key = KeyText::mint(false, &mut StdRng::seed_from_u64(1));
        assert!(!format!("{key:?}").contains(&key.last4()));
    }
}
