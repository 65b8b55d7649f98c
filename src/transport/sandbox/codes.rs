//! Codes a person scans or types, and the token a scan earns.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::wire::DeviceToken;

/// Letters and digits that nobody mistakes for one another; 32 of them, so that five random bits name one.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// What a QR holds: a reference and three keys, as WhatsApp's do. The reference alone is 256 random bits.
pub(super) fn qr() -> String {
    let [reference, noise, identity, secret] = std::array::from_fn(|_| STANDARD.encode(bytes()));
    format!("2@{reference},{noise},{identity},{secret}")
}

/// `ABCD-EFGH`: 40 random bits.
pub(super) fn typed() -> String {
    let letters = bytes().into_iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    let mut code: String = letters.take(8).collect();
    code.insert(4, '-');
    code
}

/// Whether `entered` is the typed code `issued`. People leave out the dash and the shift key.
pub(super) fn is_typed(issued: &str, entered: &str) -> bool {
    let bare = |code: &str| code.chars().filter(|c| *c != '-').collect::<String>().to_ascii_uppercase();
    bare(issued) == bare(entered)
}

/// A new device's credential.
pub(super) fn token() -> DeviceToken {
    DeviceToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes())))
}

/// From the thread's cryptographic generator.
fn bytes() -> [u8; 32] {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_code_is_two_groups_of_four_from_the_alphabet() {
        for _ in 0..100 {
            let code = typed();
            let groups: Vec<&str> = code.split('-').collect();
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4, 4], "{code}");
            assert!(groups.concat().bytes().all(|b| ALPHABET.contains(&b)), "{code}");
        }
    }

    #[test]
    fn a_typed_code_is_known_without_dash_and_in_lower_case() {
        assert!(is_typed("ABCD-EFGH", "abcdefgh"));
        assert!(!is_typed("ABCD-EFGH", "ABCD-EFGJ"));
    }
}
