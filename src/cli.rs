//! The command line.

mod audit;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::app::data_dir::DataDir;
use crate::app::exit::Failure;
use crate::app::{self, sandbox_net, server, telemetry};
use crate::config::{self, Config};
#[cfg(feature = "failpoints")]
use crate::failpoint;

/// Supervises many tenants' WhatsApp sessions: an HTTP API, a live feed, hard caps, nothing lost after 202.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C, then drain it.
    Serve(Serve),
    /// Run the sandbox network as a process of its own, so that it outlives a server that is killed.
    SandboxNet(SandboxNet),
    /// The log of what operators did.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Print every setting with its default and what it means.
    DefaultConfig,
    /// Read the settings as `serve` would, and say what is wrong with them.
    CheckConfig(Settings),
}

/// Where settings come from: defaults, then this file, then COLUMBA__SECTION__KEY, then flags.
#[derive(Debug, Args)]
struct Settings {
    /// A TOML file with the settings that differ from the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Where everything is kept. One process at a time.
    #[arg(long, value_name = "DIR", default_value = "./data", env = "COLUMBA_DATA")]
    data: PathBuf,
    /// Print the curl lines to a first message.
    #[arg(long)]
    quick_start: bool,
}

#[derive(Debug, Args)]
struct SandboxNet {
    /// Where frames and owed receipts are kept.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address and port to listen on; loopback only makes sense.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

/// Runs what the command line asks for. Exit codes: 0 done, 1 the answer is no, 64 bad usage or setting, 69 something does not answer,
/// 75 the data directory is in use.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            let code = if asked.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
            // A closed pipe is no reason to fail while failing.
            asked.print().unwrap_or(());
            return code;
        }
    };
    let done = match cli.command {
        Command::Serve(serve) => run_server(&serve),
        Command::SandboxNet(network) => run_network(&network),
        Command::Audit(audit) => audit.run(),
        Command::DefaultConfig => {
            print!("{}", config::DEFAULT);
            Ok(())
        }
        Command::CheckConfig(settings) => load(&settings).map(|_| println!("the settings are good")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}: {failure}", Cli::command().get_name());
            failure.code()
        }
    }
}

fn load(settings: &Settings) -> Result<Config, Failure> {
    let listen = settings.listen.map(|address| ("http.listen", address.to_string()));
    let flags: Vec<_> = listen.into_iter().collect();
    config::load(settings.config.as_deref(), std::env::vars(), &flags)
        .map_err(|error| Failure::Usage(error.to_string()))
}

fn run_server(serve: &Serve) -> Result<(), Failure> {
    let config = load(&serve.settings)?;
    telemetry::init(&config.log)?;
    #[cfg(feature = "failpoints")]
    if let Ok(text) = std::env::var("FAILPOINTS") {
        failpoint::arm(&text).map_err(|error| Failure::Usage(format!("FAILPOINTS: {error}")))?;
    }
    let data = DataDir::lock(&serve.data)?;
    app::block_on(server::run(&config, data, serve.quick_start))
}

fn run_network(network: &SandboxNet) -> Result<(), Failure> {
    let config = load(&Settings { config: None, listen: None })?;
    telemetry::init(&config.log)?;
    let dir: &Path = &network.data;
    app::block_on(sandbox_net::run(&config.sandbox, dir, network.listen))
}
