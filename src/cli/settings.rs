//! Where settings come from on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::exit::Failure;
use crate::config::{self, Loaded};

/// Defaults, then this file, then COLUMBA__SECTION__KEY, then flags.
#[derive(Debug, Args)]
pub struct Settings {
    /// A TOML file with the settings that differ from the defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// The data directory, for commands that work on it themselves.
#[derive(Debug, Args)]
pub struct DataFlag {
    /// Where everything is kept. One process at a time.
    #[arg(long, value_name = "DIR", default_value = "./data", env = "COLUMBA_DATA", hide_env_values = true)]
    pub data: PathBuf,
}

impl Settings {
    /// Reads them. Every fault is a wrong setting.
    pub fn load(&self) -> Result<Loaded, Failure> {
        let listen = self.listen.map(|address| ("http.listen", address.to_string()));
        let flags: Vec<_> = listen.into_iter().collect();
        config::load(self.config.as_deref(), std::env::vars(), &flags).map_err(|error| {
            Failure::usage(error.to_string())
                .next("columba default-config prints every key with its default and what it means")
        })
    }
}
