//! Section `vault`: where the key that seals all others is kept.

use serde::Deserialize;

/// Section `vault`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultOptions {
    /// A file with 64 hex digits; empty for one in the data directory.
    pub key_file: String,
}
