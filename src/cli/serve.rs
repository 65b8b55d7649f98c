//! `columba serve` and `columba sandbox-net`: what goes on until it is told to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::exit::Failure;
use super::settings::{DataFlag, Settings};
use crate::app::data_dir::DataDir;
use crate::app::{self, sandbox_net, server, telemetry};
#[cfg(feature = "failpoints")]
use crate::failpoint;

/// The server.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    data: DataFlag,
    /// Print the curl lines to a first message.
    #[arg(long)]
    quick_start: bool,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub fn run(&self) -> Result<(), Failure> {
        let loaded = self.settings.load()?;
        let telemetry = telemetry::init(&loaded.config.log)?;
        for stray in &loaded.strays {
            tracing::warn!("{stray}");
        }
        #[cfg(feature = "failpoints")]
        if let Ok(text) = std::env::var("FAILPOINTS") {
            failpoint::arm(&text).map_err(|error| Failure::usage(format!("FAILPOINTS: {error}")))?;
        }
        let data = DataDir::lock(&self.data.data)?;
        let served = app::block_on(server::run(&loaded.config, data, telemetry.clone(), self.quick_start));
        telemetry.end();
        Ok(served?)
    }
}

/// The sandbox network apart.
#[derive(Debug, Args)]
pub struct SandboxNet {
    /// Where frames and owed receipts are kept.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address and port to listen on; loopback only makes sense.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

impl SandboxNet {
    /// Serves until SIGTERM or SIGINT.
    pub fn run(&self) -> Result<(), Failure> {
        let config = Settings { config: None, listen: None }.load()?.config;
        telemetry::init(&config.log)?;
        Ok(app::block_on(sandbox_net::run(&config.sandbox, &self.data, self.listen))?)
    }
}
