//! What of an endpoint nobody may read: its signing secrets and its custom headers. And the signature they make.
//!
//! Signatures are those of Standard Webhooks 1.0 (standardwebhooks.com): HMAC-SHA256 over id, timestamp and body.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{CryptoRng, RngExt as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::id::{EventId, WebhookId};
use crate::domain::time::WallTime;

const PREFIX: &str = "whsec_";
/// Standard Webhooks asks for 24 to 64.
const BYTES: usize = 32;

/// Secrets that may be valid at once: the newest, and those whose overlap has not ended.
pub const SECRETS_MAX: usize = 4;

/// One signing secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// `whsec_` and base64, as its owner has it.
    text: String,
    /// From then on it signs no more; none for the newest.
    until: Option<WallTime>,
}

/// What of an endpoint is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidential {
    /// Newest first.
    secrets: Vec<SigningSecret>,
    /// Sent with every request.
    headers: BTreeMap<String, String>,
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Confidential(…)")
    }
}

impl Confidential {
    /// With a new secret.
    pub fn mint(headers: BTreeMap<String, String>, rng: &mut impl CryptoRng) -> Self {
        Self { secrets: vec![SigningSecret { text: mint(rng), until: None }], headers }
    }

    /// Adds a new secret; those before it sign along for `overlap`. `None` when too many would.
    pub fn rotate(mut self, overlap: Duration, now: WallTime, rng: &mut impl CryptoRng) -> Option<Self> {
        let end = now + overlap;
        for secret in &mut self.secrets {
            secret.until = Some(secret.until.map_or(end, |until| until.min(end)));
        }
        self.secrets.retain(|secret| secret.until.is_none_or(|until| until > now));
        self.secrets.insert(0, SigningSecret { text: mint(rng), until: None });
        (self.secrets.len() <= SECRETS_MAX).then_some(self)
    }

    /// The newest secret, to be shown once.
    pub fn newest(&self) -> &str {
        self.secrets.first().map_or("", |secret| &secret.text)
    }

    /// When the last of the older secrets ceases to sign.
    pub fn overlap_until(&self, now: WallTime) -> Option<WallTime> {
        self.secrets.iter().filter_map(|secret| secret.until).filter(|&until| until > now).max()
    }

    /// Custom headers.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// With other custom headers.
    pub fn with_headers(mut self, headers: BTreeMap<String, String>) -> Self {
        self.headers = headers;
        self
    }

    /// The header `webhook-signature`: one signature for each secret that is valid at `at`, newest first.
    pub fn sign(&self, id: EventId, at: WallTime, body: &[u8]) -> String {
        let valid = self.secrets.iter().filter(|secret| secret.until.is_none_or(|until| until > at));
        let signatures = valid.filter_map(|secret| {
            let key = STANDARD.decode(secret.text.strip_prefix(PREFIX)?).map(Zeroizing::new).ok()?;
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
            mac.update(format!("{id}.{}.", seconds(at)).as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// As it is sealed.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Strings and numbers into memory: this cannot fail.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// From what was sealed.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Where an endpoint's sealed part belongs.
pub fn place(webhook: WebhookId) -> String {
    format!("webhooks/{webhook}")
}

/// The header `webhook-timestamp`.
pub fn seconds(at: WallTime) -> i64 {
    at.0.div_euclid(1_000)
}

fn mint(rng: &mut impl CryptoRng) -> String {
    let bytes: Zeroizing<[u8; BYTES]> = Zeroizing::new(rng.random());
    format!("{PREFIX}{}", STANDARD.encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_795_000_000_000);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn fresh() -> Confidential {
        Confidential::mint(BTreeMap::new(), &mut rand::rng())
    }

    fn signatures(of: &Confidential, at: WallTime) -> usize {
        of.sign(EventId::mint(NOW), at, b"{}").split(' ').filter(|one| one.starts_with("v1,")).count()
    }

    /// The example of the specification, with its library's test vector.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let known = Confidential {
            secrets: vec![SigningSecret { text: text.clone(), until: None }],
            headers: BTreeMap::new(),
        };
        let id = EventId::mint(NOW);
        let body = br#"{"test": 2432232314}"#;
        let theirs = standardwebhooks::Webhook::new(&text).expect("a secret");
        let theirs = theirs.sign(&id.to_string(), seconds(NOW), body).expect("signed");
        assert_eq!(known.sign(id, NOW, body), theirs);
    }

    #[test]
    fn rotation_overlaps_and_ends() {
        let first = fresh();
        let second = first.clone().rotate(DAY, NOW, &mut rand::rng()).expect("room");
        assert_ne!(first.newest(), second.newest());
        assert_eq!(second.overlap_until(NOW), Some(NOW + DAY));
        let id = EventId::mint(NOW);
        let both = second.sign(id, NOW, b"{}");
        assert!(both.ends_with(&first.sign(id, NOW, b"{}")), "the old one signs along");
        assert_eq!((signatures(&second, NOW), signatures(&second, NOW + DAY)), (2, 1));
    }

    #[test]
    fn a_rotation_without_overlap_drops_every_older_secret() {
        let some = fresh().rotate(DAY, NOW, &mut rand::rng()).expect("room");
        let one = some.rotate(Duration::ZERO, NOW, &mut rand::rng()).expect("room");
        assert_eq!((signatures(&one, NOW), one.overlap_until(NOW)), (1, None));
    }

    #[test]
    fn more_than_four_secrets_are_not_valid_at_once() {
        let mut some = fresh();
        for _ in 0..3 {
            some = some.rotate(DAY, NOW, &mut rand::rng()).expect("room");
        }
        assert_eq!(signatures(&some, NOW), SECRETS_MAX);
        assert!(some.clone().rotate(DAY, NOW, &mut rand::rng()).is_none());
        assert!(some.rotate(DAY, NOW + DAY, &mut rand::rng()).is_some(), "the old ones have ended");
    }

    #[test]
    fn what_is_sealed_comes_back_as_it_was() {
        let headers = BTreeMap::from([("x-env".to_owned(), "prod".to_owned())]);
        let some = fresh().with_headers(headers).rotate(DAY, NOW, &mut rand::rng()).expect("room");
        assert!(Confidential::from_bytes(&some.to_bytes()) == Some(some));
    }
}
