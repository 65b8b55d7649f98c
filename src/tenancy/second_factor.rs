//! The second factor: codes that a phone shows (RFC 6238), and codes on paper for whoever has lost the phone.

use std::fmt;

use rand::{CryptoRng, RngExt as _};
use sha2::{Digest as _, Sha256};
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::domain::email::Email;
use crate::domain::operator::TokenHash;
use crate::domain::time::WallTime;

/// Codes that are handed out at once.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of a secret: as many as the hash has, as RFC 4226 asks for.
const SECRET: usize = 20;
const DIGITS: u8 = 6;
const STEP_S: u64 = 30;
/// Steps before and after the present one whose code is taken too: clocks differ.
const SKEW: u16 = 1;
const ISSUER: &str = "Columba";
/// Letters and digits that nobody mistakes for each other, 32 of them.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Characters of a recovery code: 80 bits.
const RECOVERY: usize = 16;

/// The secret that a phone and the server share. Wiped when dropped, hidden from `Debug`.
#[derive(Clone)]
pub struct FactorSecret(Zeroizing<Vec<u8>>);

impl fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FactorSecret(…)")
    }
}

impl FactorSecret {
    /// A new one, of 160 bits.
    pub fn mint(rng: &mut impl CryptoRng) -> Self {
        let bytes: [u8; SECRET] = rng.random();
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// One that was sealed.
    pub fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The secret itself, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a person types it into a phone that cannot scan.
    pub fn text(&self) -> Zeroizing<String> {
        const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
        // 160 bits are 32 letters: nothing is left over.
        for &byte in self.0.iter() {
            held = (held << 8) | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                text.push(char::from(BASE32[(held >> bits) as usize & 31]));
            }
            held &= (1 << bits) - 1;
        }
        Zeroizing::new(text)
    }

    /// What the picture says that a phone scans.
    pub fn uri(&self, email: &Email) -> Zeroizing<String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@".contains(&b);
        let letter = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        let account: String = email.as_str().bytes().map(letter).collect();
        let secret = self.text();
        let text = format!(
            "otpauth://totp/{ISSUER}:{account}?secret={}&issuer={ISSUER}&algorithm=SHA1&digits={DIGITS}&period={STEP_S}",
            *secret
        );
        Zeroizing::new(text)
    }

    /// Which step of time this code is of, if it is one of the present or a neighbour. That each is good once is for
    /// whoever remembers the last one.
    pub fn step(&self, code: &str, now: WallTime) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        self.totp()?.check(&code, u64::try_from(now.0).ok()? / 1_000)
    }

    /// The code that a phone shows.
    pub fn code(&self, now: WallTime) -> Option<String> {
        Some(self.totp()?.generate(u64::try_from(now.0).ok()? / 1_000).to_string())
    }

    fn totp(&self) -> Option<Totp> {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(SKEW)
            .with_step_duration(STEP_S)
            .with_secret(Secret::from(self.0.as_slice()))
            .build()
            .ok()
    }
}

/// New recovery codes, to be shown once, and how each is recognised.
pub fn recovery_codes(rng: &mut impl CryptoRng) -> (Vec<Zeroizing<String>>, Vec<TokenHash>) {
    let mut code = |_| {
        let letter = |_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
        let text: Vec<char> = (0..RECOVERY).map(letter).collect();
        let parts: Vec<String> = text.chunks(4).map(|part| part.iter().collect()).collect();
        Zeroizing::new(parts.join("-"))
    };
    let texts: Vec<_> = (0..RECOVERY_CODES).map(&mut code).collect();
    let hashes = texts.iter().map(|text| recognised(text)).collect();
    (texts, hashes)
}

/// How a recovery code is recognised, however it was typed. 80 random bits need no slow hash.
pub fn recognised(code: &str) -> TokenHash {
    let plain: Zeroizing<String> =
        Zeroizing::new(code.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect());
    TokenHash(
        Sha256::new().chain_update(b"columba recovery ").chain_update(plain.as_bytes()).finalize().into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Appendix B of RFC 6238, for SHA-1; of its eight digits a phone shows the last six.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = FactorSecret::of(Zeroizing::new(b"12345678901234567890".to_vec()));
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = WallTime(seconds * 1_000);
            assert_eq!(secret.code(now).as_deref(), Some(code), "{seconds}");
            assert_eq!(secret.step(code, now), Some(seconds as u64 / 30), "{seconds}");
        }
        assert_eq!(*secret.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_no_more() {
        let secret = FactorSecret::mint(&mut rand::rng());
        let at = |step: i64| WallTime(step * 30_000 + 7_000);
        let now = 60_000_000;
        for (step, taken) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let code = secret.code(at(now + step)).expect("a code");
            let found = secret.step(&code, at(now));
            assert_eq!(found.is_some(), taken, "{step}");
            assert!(found.is_none_or(|found| found as i64 == now + step));
        }
        let code = secret.code(at(now)).expect("a code");
        assert!(
            secret.step(&format!("{} {}", &code[..3], &code[3..]), at(now)).is_some(),
            "as phones show it"
        );
        for rubbish in ["", "12345", "1234567", "abcdef", "１２３４５６", &format!("{code}0")] {
            assert_eq!(secret.step(rubbish, at(now)), None, "{rubbish}");
        }
        assert_eq!(format!("{secret:?}"), "FactorSecret(…)");
    }

    #[test]
    fn what_a_phone_scans_names_the_server_and_the_person() {
        let secret = FactorSecret::mint(&mut rand::rng());
        let uri = secret.uri(&"ada+ops@example.com".parse().expect("an address"));
        assert!(
            uri.starts_with("otpauth://totp/Columba:ada%2Bops@example.com?secret="),
            "no secret in a message"
        );
        assert!(uri.contains(&*secret.text()) && uri.ends_with("&digits=6&period=30"));
    }

    #[test]
    fn recovery_codes_differ_and_are_recognised_however_they_are_typed() {
        let (texts, hashes) = recovery_codes(&mut rand::rng());
        let all: HashSet<_> = hashes.iter().map(|hash| hash.0).collect();
        assert_eq!((texts.len(), all.len()), (RECOVERY_CODES, RECOVERY_CODES));
        for (text, hash) in texts.iter().zip(&hashes) {
            assert_eq!(text.len(), RECOVERY + 3);
            let typed = text.to_uppercase().replace('-', " ");
            assert!(recognised(text) == *hash && recognised(&typed) == *hash);
        }
    }
}
