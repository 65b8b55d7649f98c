//! The same request twice is one effect.

use std::time::Duration;

/// How long an answer is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What the caller put into `Idempotency-Key`, with what it was put there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// 1 to 255 visible ASCII characters, unique per tenant (or among operators).
    pub key: String,
    /// SHA-256 over method, path and body. The same key with another one is refused.
    pub fingerprint: [u8; 32],
}
