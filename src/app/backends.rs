//! What the configuration chose: where the truth is kept, and which network is spoken to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::data_dir::DataDir;
use super::engines::Engines;
use super::exit::Failure;
use crate::billing::quota;
use crate::config::Config;
use crate::config::redis::RedisAddress;
use crate::config::sandbox::SandboxOptions;
use crate::ports::Stores;
use crate::ports::clock::Clock;
use crate::ports::feed::FeedSink;
use crate::ports::limits::TenantWindows;
use crate::ports::readiness::Readiness;
use crate::ports::sealer::Sealer;
use crate::ports::tickets::Tickets;
use crate::ports::vault::Vaults;
use crate::storage::embedded::limits::MemoryWindows;
use crate::storage::embedded::tickets::MemoryTickets;
use crate::storage::redis::Redis;
use crate::storage::redis::limits::RedisWindows;
use crate::storage::redis::tickets::RedisTickets;
use crate::storage::sql::{Place, Sql};
use crate::storage::vault::VaultOptions;
use crate::transport::sandbox::{Latency, Network, RemoteNetwork, SandboxTransport, Wire};

/// Everything below the ports.
pub struct Backends {
    /// Rows.
    pub stores: Stores,
    /// Auth state.
    pub vaults: Arc<dyn Vaults>,
    /// Secrets of tenants in rows.
    pub sealer: Arc<dyn Sealer>,
    /// The sandbox engine, and its players' side.
    pub sandbox: Arc<SandboxTransport>,
    /// It, and the bridges.
    pub engines: Engines,
    /// Sums of tenants' attempts.
    pub windows: Arc<dyn TenantWindows>,
    /// Tickets to the feed.
    pub tickets: Arc<dyn Tickets>,
    sql: Sql,
}

impl Backends {
    /// Opens all of them; what does not answer ends the process with 69, naming it.
    pub async fn open(
        config: &Config,
        data: &DataDir,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn FeedSink>,
        readiness: Arc<dyn Readiness>,
    ) -> Result<Self, Failure> {
        let place = database(config, data.path());
        let sql = crate::storage::sql::open(place.clone(), Arc::clone(&clock), quota::decide, sink)
            .await
            .map_err(|error| Failure::Unavailable(format!("cannot open the database {place}: {error}")))?;
        if config.vault.key_file.is_empty() {
            tracing::warn!(
                "the vault's key lies in the data directory: whoever copies the directory has every account; \
                 set vault.key_file to a path elsewhere"
            );
        }
        let options = vault_options(config, data.path());
        let vaults = crate::storage::vault::open(options, Arc::clone(&clock))
            .await
            .map_err(|error| Failure::Unavailable(format!("cannot open the vault: {error}")))?;
        let (windows, tickets) = match redis_at(config)? {
            None => in_process(&sql.stores),
            Some(address) => {
                let redis = Redis::open(&address, readiness).await.map_err(|error| {
                    Failure::Unavailable(format!("key `redis.url`: this Redis cannot be used: {error}"))
                })?;
                shared(redis, &sql.stores, &clock)
            }
        };
        let sandbox = SandboxTransport::new(wire(&config.sandbox, data, &clock)?, Arc::clone(&clock));
        let sandbox = Arc::new(sandbox);
        let engines = Engines::open(&config.bridges, data.path(), Arc::clone(&sandbox), &clock)?;
        let stores = sql.stores.clone();
        Ok(Self { stores, sealer: vaults.clone(), vaults, sandbox, engines, windows, tickets, sql })
    }

    /// Resolves when nothing can be written any more.
    pub async fn broken(&mut self) {
        self.sql.broken().await;
    }

    /// Writes what is queued and closes the files.
    pub async fn close(self) {
        // Bridges first: what they still write is in the vault.
        self.engines.close().await;
        self.sql.close().await;
    }
}

/// Where Redis is, if it is used.
pub fn redis_at(config: &Config) -> Result<Option<RedisAddress>, Failure> {
    config.redis.address().map_err(|problem| Failure::Usage(format!("key `redis.url`: {problem}")))
}

type Shared = (Arc<dyn TenantWindows>, Arc<dyn Tickets>);

fn in_process(stores: &Stores) -> Shared {
    (Arc::new(MemoryWindows::new(Arc::clone(&stores.outbox))), Arc::new(MemoryTickets::default()))
}

fn shared(redis: Redis, stores: &Stores, clock: &Arc<dyn Clock>) -> Shared {
    let windows = RedisWindows::new(redis.clone(), Arc::clone(&stores.outbox));
    (Arc::new(windows), Arc::new(RedisTickets::new(redis, Arc::clone(clock))))
}

/// Where the rows lie: in the data directory `data`, unless the settings say otherwise.
pub fn database(config: &Config, data: &Path) -> Place {
    match config.database.url.as_str() {
        "" => Place::File(data.join("columba.db")),
        url => Place::named(url),
    }
}

/// Where auth state is kept, and the key that seals it.
pub fn vault_options(config: &Config, data: &Path) -> VaultOptions {
    let key_file = match config.vault.key_file.as_str() {
        "" => data.join("vault.key"),
        path => PathBuf::from(path),
    };
    VaultOptions { data_dir: data.to_owned(), key_file }
}

fn wire(options: &SandboxOptions, data: &DataDir, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Wire>, Failure> {
    if !options.url.is_empty() {
        let remote = RemoteNetwork::at(&options.url)
            .map_err(|error| Failure::Usage(format!("key `sandbox.url`: {error}")))?;
        return Ok(remote);
    }
    let dir = data.path().join("sandbox");
    let network = Network::open(&dir, Arc::clone(clock), latency(options)).map_err(|error| {
        Failure::Unavailable(format!("cannot open the sandbox network in {}: {error}", dir.display()))
    })?;
    Ok(network)
}

/// How long the simulated network takes.
pub fn latency(options: &SandboxOptions) -> Latency {
    let millis = |count: u32| Duration::from_millis(count.into());
    Latency {
        ack: millis(options.ack_ms),
        delivered: millis(options.delivered_ms),
        read: millis(options.read_ms),
        ..Latency::default()
    }
}
