//! What all processes of one store let a caller do together.

use std::time::Duration;

use async_trait::async_trait;

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Once in this time, for ever.
    pub every: Duration,
    /// So often at once after a pause.
    pub burst: u32,
}

/// One budget for a caller of several processes. Each process keeps to the rate by itself before it asks.
#[async_trait]
pub trait EdgeBudget: Send + Sync {
    /// Takes one, or says how long there is none. `caller` names whoever asks, and for what. Where there is nobody to share
    /// with, or nobody can be asked, there is always one.
    async fn take(&self, caller: &str, rate: Rate) -> Result<(), Duration>;
}
