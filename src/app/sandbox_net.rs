//! The sandbox network as a process of its own: it keeps frames and owed receipts while the server is killed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::backends::latency;
use super::clock::SystemClock;
use super::data_dir::DataDir;
use super::exit::Failure;
use super::signals::ToldToEnd;
use crate::config::sandbox::SandboxOptions;
use crate::transport::sandbox::{Network, serve};

/// Serves a network until the process is told to end.
pub async fn run(options: &SandboxOptions, dir: &Path, listen: SocketAddr) -> Result<(), Failure> {
    let mut told = ToldToEnd::listen()?;
    let data = DataDir::lock(dir)?;
    let network =
        Network::open(data.path(), Arc::new(SystemClock::new()), latency(options)).map_err(|error| {
            Failure::Unavailable(format!("cannot open the sandbox network in {}: {error}", dir.display()))
        })?;
    let server = serve(network, listen)
        .await
        .map_err(|error| Failure::Unavailable(format!("{error}; give another address with --listen")))?;
    println!("sandbox network listens on http://{}", server.address());
    told.wait().await;
    server.stop().await;
    Ok(())
}
