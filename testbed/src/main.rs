//! `columba-testbed serve`: the testbed as a process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use columba_testbed::{Settings, Testbed};

/// A WhatsApp-shaped server for tests. It is not WhatsApp and shows nothing about WhatsApp.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until SIGTERM or Ctrl-C.
    Serve {
        /// Where clients connect.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Where the page, the admin API and the media host are.
        #[arg(long, default_value = "127.0.0.1:0")]
        admin: SocketAddr,
        /// Where everything is kept; made if missing.
        #[arg(long, default_value = "testbed-data")]
        data: PathBuf,
        /// Seconds each QR code may be scanned, one after the other.
        #[arg(long, value_delimiter = ',', default_value = "60,20,20,20,20,20")]
        qr_seconds: Vec<u64>,
        /// Print the addresses as one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Command::Serve { listen, admin, data, qr_seconds, json } = Cli::parse().command;
    let testbed = match Testbed::start_with(&data, Settings { listen, admin, qr_seconds }).await {
        Ok(testbed) => testbed,
        Err(error) => {
            eprintln!("columba-testbed: {error} (data directory {})", data.display());
            return ExitCode::from(69);
        }
    };
    let line = if json {
        serde_json::json!({ "url": testbed.url(), "admin": testbed.admin(), "pid": std::process::id() })
            .to_string()
    } else {
        format!("clients connect to {}; page and admin API: {}", testbed.url(), testbed.admin())
    };
    if writeln!(std::io::stdout(), "{line}").and_then(|()| std::io::stdout().flush()).is_err() {
        return ExitCode::from(69);
    }
    stopped().await;
    testbed.stop().await;
    ExitCode::SUCCESS
}

async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).expect("a signal handler can be installed at start");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
