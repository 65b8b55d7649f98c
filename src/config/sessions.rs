//! Section `sessions`: where they live, and how fast they start.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::Deserialize;

/// Section `sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsOptions {
    /// Threads that sessions live on.
    pub arbiters: NonZeroUsize,
    /// Sessions started per second at boot.
    pub boot_per_second: NonZeroU32,
}
