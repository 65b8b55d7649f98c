//! Section `feed`: the websocket subscribers.

use std::num::NonZeroUsize;

use serde::Deserialize;

/// Section `feed`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedOptions {
    /// Threads that subscribers live on.
    pub arbiters: NonZeroUsize,
}
