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
#[serde(try_from = "String")]
pub enum LogFormat {
    /// For people on a terminal, for machines elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// By hand, because an operator who mistypes a word has to be told the others.
impl TryFrom<String> for LogFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is none of auto, text, json")),
        }
    }
}
