//! Whether a notice comes from Stripe: HMAC-SHA256 over `<time>.<body>`, as `t=<seconds>,v1=<hex>[,v1=<hex>…]` in
//! `Stripe-Signature` (<https://docs.stripe.com/webhooks/signature>).

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::time::WallTime;
use crate::ports::payments::NoticeError;

/// How far its time may be from ours, in both directions. What is older may be a notice somebody kept.
pub const TOLERANCE: Duration = Duration::from_secs(300);
/// Longest header that is looked at.
const HEADER_MAX: usize = 4_096;

/// Checks a header against the body, with every secret that is valid: two while one is being replaced.
///
/// # Errors
/// Says which part of it is wrong, never what would be right.
pub fn check(header: &str, body: &[u8], secrets: &[String], now: WallTime) -> Result<(), NoticeError> {
    let forged = |text: &str| Err(NoticeError::Forged(text.to_owned()));
    if header.len() > HEADER_MAX {
        return forged("the header Stripe-Signature is too long");
    }
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let Some(at) = parts().find(|(name, _)| *name == "t").and_then(|(_, text)| text.parse::<i64>().ok())
    else {
        return forged("the header Stripe-Signature has no time");
    };
    let given: Vec<_> =
        parts().filter(|(name, _)| *name == "v1").filter_map(|(_, text)| hex::decode(text).ok()).collect();
    let is_signed = secrets.iter().any(|secret| {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        let mac = mac.chain_update(at.to_string()).chain_update(b".").chain_update(body);
        // In constant time.
        given.iter().any(|given| mac.clone().verify_slice(given).is_ok())
    });
    if !is_signed {
        return forged(
            "no signature of the header Stripe-Signature is of this body and the secret that is configured",
        );
    }
    let at = WallTime(at.saturating_mul(1_000));
    if now.since(at) > TOLERANCE || at.since(now) > TOLERANCE {
        return forged("the notice is older than five minutes, or a clock is wrong");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";
    const NOW: WallTime = WallTime(1_800_000_000_000);

    fn sign(secret: &str, at: i64, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        hex::encode(
            mac.chain_update(at.to_string()).chain_update(b".").chain_update(body).finalize().into_bytes(),
        )
    }

    #[test]
    fn a_notice_is_believed_when_it_is_signed_and_young() {
        let at = NOW.0 / 1_000;
        let good = sign("whsec_1", at, BODY);
        let secrets = ["whsec_1".to_owned(), "whsec_0".to_owned()];
        for (what, header, believed) in [
            ("signed", format!("t={at},v1={good}"), true),
            ("signed with the secret before", format!("t={at},v1={}", sign("whsec_0", at, BODY)), true),
            ("one of two signatures fits", format!("t={at},v1={},v1={good}", sign("other", at, BODY)), true),
            ("other schemes are passed over", format!("t={at},v0=00,v1={good}"), true),
            ("spaces", format!("t={at}, v1={good}"), true),
            ("another secret", format!("t={at},v1={}", sign("other", at, BODY)), false),
            ("another time than was signed", format!("t={},v1={good}", at + 1), false),
            ("another body", format!("t={at},v1={}", sign("whsec_1", at, b"{}")), false),
            ("kept", format!("t={},v1={}", at - 301, sign("whsec_1", at - 301, BODY)), false),
            ("from the future", format!("t={},v1={}", at + 301, sign("whsec_1", at + 301, BODY)), false),
            ("just young enough", format!("t={},v1={}", at - 300, sign("whsec_1", at - 300, BODY)), true),
            ("only an old scheme", format!("t={at},v0={good}"), false),
            ("no time", format!("v1={good}"), false),
            ("no hex", format!("t={at},v1=zz"), false),
            ("a short signature", format!("t={at},v1={}", &good[..32]), false),
            ("an empty signature", format!("t={at},v1="), false),
            ("nothing", String::new(), false),
            ("rubbish", "🦆=,=,,t=t".to_owned(), false),
            ("too long", format!("t={at},v1={good},{}", "x".repeat(HEADER_MAX)), false),
            ("a time beyond all", format!("t={},v1={good}", i64::MAX), false),
        ] {
            assert_eq!(check(&header, BODY, &secrets, NOW).is_ok(), believed, "{what}");
        }
        assert!(check(&format!("t={at},v1={good}"), BODY, &[], NOW).is_err(), "no secret, no belief");
    }
}
