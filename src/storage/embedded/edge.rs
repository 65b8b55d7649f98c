//! The edge of a single process: whoever asks, asks here.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::edge::{EdgeBudget, Rate};

/// There is no other process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl EdgeBudget for Alone {
    async fn take(&self, _: &str, _: Rate) -> Result<(), Duration> {
        Ok(())
    }
}
