//! Section `database`: where the truth is kept.

use serde::Deserialize;

/// Section `database`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseOptions {
    /// `sqlite://…`, `postgres://…`, or empty for a file in the data directory.
    pub url: String,
}
