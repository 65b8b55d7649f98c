//! Passwords: what is taken as one, how it is kept, and how it is compared.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::{CryptoRng, RngExt as _};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::domain::email::Email;
use crate::domain::person::PasswordHash;

/// Characters a password has at the least.
pub const PASSWORD_MIN: usize = 12;
/// And at most.
pub const PASSWORD_MAX: usize = 256;
/// A part of an address that is shorter stands in too many words to be forbidden in a password.
const LOCAL_MIN: usize = 4;

/// Argon2id with 19 MiB, two passes and one lane: what OWASP's Password Storage Cheat Sheet asks for at the least.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT: usize = 32;
const SALT: usize = 16;

/// The commonest passwords of twelve characters and more, in lower case.
const COMMON: &[&str] = &[
    "000000000000",
    "111111111111",
    "112233445566",
    "121212121212",
    "123123123123",
    "123456123456",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "123456789abc",
    "1234567890qwerty",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "abc123abc123",
    "abcdefghijkl",
    "abcdefghijklmnopqrstuvwxyz",
    "adminadminadmin",
    "administrator",
    "administrator1",
    "asdfasdfasdf",
    "asdfghjkl123",
    "changemechangeme",
    "changeme1234",
    "columbacolumba",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "iloveyouforever",
    "letmeinletmein",
    "mypassword123",
    "p@ssw0rd1234",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123456",
    "password1234567890",
    "passwordpassword",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwerty1234567",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertyuiopasdfghjkl",
    "welcome12345",
    "welcomewelcome",
];

/// A password as it was typed, in one of the forms that Unicode has for it. Wiped when dropped, hidden from `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Whatever was typed, to be compared.
    pub fn typed(text: &str) -> Self {
        // Keyboards differ in how they write the same letter.
        Self(Zeroizing::new(text.nfkc().take(4 * PASSWORD_MAX).collect()))
    }

    /// What keeps it from being chosen by whoever has this address, in words.
    pub fn wrong(&self, email: &Email) -> Option<String> {
        let length = self.0.chars().count();
        if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&length) {
            return Some(format!("{PASSWORD_MIN} to {PASSWORD_MAX} characters; any will do"));
        }
        let lower = Zeroizing::new(self.0.to_lowercase());
        if COMMON.contains(&lower.as_str()) {
            return Some("one of the first that anybody would try; take another".to_owned());
        }
        let local = email.local();
        if local.chars().count() >= LOCAL_MIN && lower.contains(local) {
            return Some("it holds the first part of the email address; take another".to_owned());
        }
        None
    }

    /// The hash to keep. Takes some 30 ms of one core and 19 MiB: not for an async thread.
    pub fn hash(&self, rng: &mut impl CryptoRng) -> Option<PasswordHash> {
        let salt: [u8; SALT] = rng.random();
        let kept = argon()?.hash_password_with_salt(self.0.as_bytes(), &salt).ok()?;
        Some(PasswordHash(kept.to_string()))
    }

    /// Whether it is the one that was hashed, by the parameters that stand in the hash. Takes as long as hashing does: not
    /// for an async thread.
    pub fn is(&self, kept: &PasswordHash) -> bool {
        let verified = |argon: Argon2<'_>| {
            let kept = Phc::new(&kept.0).ok()?;
            argon.verify_password(self.0.as_bytes(), &kept).ok()
        };
        argon().and_then(verified).is_some()
    }
}

fn argon() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT)).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> Email {
        "Ada.Lovelace@example.com".parse().expect("an address")
    }

    #[test]
    fn a_password_is_known_by_its_hash_and_no_other_is() {
        let rng = &mut rand::rng();
        let kept = Password::typed("Zürich weiß mehr").hash(rng).expect("a hash");
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "the parameters stand in it");
        assert!(Password::typed("Zürich weiß mehr").is(&kept));
        assert!(Password::typed("Zu\u{308}rich weiß mehr").is(&kept), "however the keyboard writes ü");
        for other in ["", "zürich weiß mehr", "Zürich weiß mehr ", "Zürich weiß"] {
            assert!(!Password::typed(other).is(&kept), "{other}");
        }
        let again = Password::typed("Zürich weiß mehr").hash(rng).expect("a hash");
        assert_ne!(again, kept, "each has its own salt");
        assert!(!Password::typed("x").is(&PasswordHash("rubbish".to_owned())));
        assert_eq!(format!("{:?} {kept:?}", Password::typed("secret")), "Password(…) PasswordHash(…)");
    }

    #[test]
    fn twelve_characters_that_nobody_would_try_first_are_enough() {
        let wrong = |text: &str| Password::typed(text).wrong(&email()).is_some();
        for good in ["correct-horse", "            ", "пароль на двенадцать", &"x".repeat(PASSWORD_MAX)]
        {
            assert!(!wrong(good), "{good}");
        }
        for bad in [
            "",
            "elevenchars",
            &"x".repeat(PASSWORD_MAX + 1),
            "PasswordPassword",
            "my Ada.Lovelace!",
            "ADA.LOVELACE2026",
        ] {
            assert!(wrong(bad), "{bad}");
        }
        let short: Email = "ada@example.com".parse().expect("an address");
        assert_eq!(Password::typed("salad adapter").wrong(&short), None, "three letters stand in many words");
        assert!(COMMON.iter().all(|text| text.len() >= PASSWORD_MIN && text.to_lowercase() == *text));
    }
}
