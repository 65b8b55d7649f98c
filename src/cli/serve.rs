//! `columba serve` and `columba sandbox-net`: what goes on until it is told to end.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::Failure;
use super::settings::{DataFlag, Settings};
use crate::app::data_dir::DataDir;
use crate::app::{self, feed, sandbox_net, server, telemetry};
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
    /// What this process does. `api,feed,sessions` is everything, and the only one that writes; `feed` hands out the live
    /// feed and nothing else, beside a process that does everything.
    #[arg(long, value_name = "ROLES", value_delimiter = ',', default_value = "api,feed,sessions")]
    roles: Vec<Role>,
}

/// A part of what a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Role {
    /// Answers calls.
    Api,
    /// Hands out the feed.
    Feed,
    /// Runs the sessions.
    Sessions,
}

/// What the roles come to.
enum Part {
    Everything,
    Feed,
}

fn part(roles: &[Role]) -> Result<Part, Failure> {
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    match roles[..] {
        [Role::Api, Role::Feed, Role::Sessions] => Ok(Part::Everything),
        [Role::Feed] => Ok(Part::Feed),
        _ => Err(Failure::usage(
            "--roles: one process answers calls, runs the sessions and writes; give `feed` for one beside it that hands \
             out the feed, or leave it away",
        )),
    }
}

impl Serve {
    /// Serves until SIGTERM or SIGINT.
    pub fn run(&self) -> Result<(), Failure> {
        let part = part(&self.roles)?;
        let loaded = self.settings.load()?;
        let telemetry = telemetry::init(&loaded.config.log)?;
        for stray in &loaded.strays {
            tracing::warn!("{stray}");
        }
        #[cfg(feature = "failpoints")]
        if let Ok(text) = std::env::var("FAILPOINTS") {
            failpoint::arm(&text).map_err(|error| Failure::usage(format!("FAILPOINTS: {error}")))?;
        }
        let served = match part {
            Part::Everything => {
                let data = DataDir::lock(&self.data.data)?;
                app::block_on(server::run(
                    &loaded.config,
                    loaded.settings,
                    data,
                    telemetry.clone(),
                    self.quick_start,
                ))
            }
            Part::Feed => app::block_on(feed::run(&loaded.config, &self.data.data, telemetry.clone())),
        };
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
