//! Log lines, on standard error: ids come from spans, and nothing personal is in them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::exit::Failure;
use crate::config::log::{LogFormat, LogOptions};

/// Begins to log. A second call changes nothing.
pub fn init(options: &LogOptions) -> Result<(), Failure> {
    // sqlx speaks of statements at info and of slow ones at warn; texts are constant and hold no row.
    let directives = format!("{},sqlx=warn,sea_orm_migration=warn,actix_server=warn", options.level);
    let filter = EnvFilter::try_new(directives).map_err(|error| {
        Failure::Usage(format!(
            "key `log.level`: `{}` is no filter ({error}); try info or debug",
            options.level
        ))
    })?;
    let json = match options.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_span_events(FmtSpan::NONE);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        lines.try_init()
    };
    // Tests start many servers in one process: the first one's logger serves them all.
    if started.is_err() {
        tracing::debug!("logging had begun before");
    }
    Ok(())
}
