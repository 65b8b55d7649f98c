//! Log lines, on standard error: ids come from spans, and nothing personal is in them.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use super::exit::Failure;
#[cfg(feature = "otlp")]
use super::otlp::Export;
use crate::config::log::{LogFormat, LogOptions};
use crate::ports::log_level::LogLevel;

/// What is logged, changed while the process runs.
pub struct Filter {
    handle: reload::Handle<EnvFilter, Registry>,
    level: Mutex<String>,
    #[cfg(feature = "otlp")]
    export: Option<Export>,
}

/// Begins to log. In a process that logs already nothing changes but what is answered, which then changes nothing
/// either: tests start many servers in one process, and the first one's logger serves them all.
pub fn init(options: &LogOptions) -> Result<Arc<Filter>, Failure> {
    let filter = filter(&options.level)
        .map_err(|detail| Failure::Usage(format!("key `log.level`: {detail}; try info or debug")))?;
    let json = match options.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = match json {
        true => lines.json().flatten_event(true).with_current_span(false).boxed(),
        false => lines.boxed(),
    };
    #[cfg(feature = "otlp")]
    let export = Export::from_environment()?;
    let all = tracing_subscriber::registry().with(filter).with(lines);
    #[cfg(feature = "otlp")]
    let all = all.with(export.as_ref().map(Export::layer));
    if all.try_init().is_err() {
        tracing::debug!("logging had begun before");
    }
    Ok(Arc::new(Filter {
        handle,
        level: Mutex::new(options.level.clone()),
        #[cfg(feature = "otlp")]
        export,
    }))
}

impl Filter {
    /// The process ends: hands over what a collector has not been told yet.
    pub fn end(&self) {
        #[cfg(feature = "otlp")]
        if let Some(export) = &self.export {
            export.end();
        }
    }
}

/// sqlx speaks of statements at info and of slow ones at warn; texts are constant and hold no row.
fn filter(level: &str) -> Result<EnvFilter, String> {
    let directives = format!("{level},sqlx=warn,sea_orm_migration=warn,actix_server=warn");
    EnvFilter::try_new(directives).map_err(|error| format!("`{level}` is no filter ({error})"))
}

impl LogLevel for Filter {
    fn get(&self) -> String {
        self.level.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, level: &str) -> Result<(), String> {
        let filter = filter(level)?;
        let mut held = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.reload(filter).map_err(|error| error.to_string())?;
        level.clone_into(&mut held);
        drop(held);
        tracing::info!(level, "logs another level now");
        Ok(())
    }
}
