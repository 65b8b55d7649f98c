//! Section `sandbox`: the simulated network.

use serde::Deserialize;

/// Section `sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxOptions {
    /// `http://…` of a network of its own; empty for one in this process.
    pub url: String,
    /// Milliseconds from a frame to its ack.
    pub ack_ms: u32,
    /// Milliseconds from a frame to its delivery.
    pub delivered_ms: u32,
    /// Milliseconds from a frame until it is read.
    pub read_ms: u32,
}
