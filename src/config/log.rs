//! Section `log`: what the process says about itself.

use serde::Deserialize;

/// Section `log`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOptions {
    /// A level, or directives of `tracing_subscriber::EnvFilter`.
    pub level: String,
    /// In which form.
    pub format: LogFormat,
}

/// In which form a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, for machines elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}
