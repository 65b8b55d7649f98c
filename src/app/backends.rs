//! What the configuration chose: where the truth is kept, and which network is spoken to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::data_dir::DataDir;
use super::engines::Engines;
use super::exit::Failure;
use crate::billing;
use crate::config::Config;
use crate::config::redis::RedisAddress;
use crate::config::sandbox::SandboxOptions;
use crate::ports::Stores;
use crate::ports::clock::Clock;
use crate::ports::edge::EdgeBudget;
use crate::ports::limits::TenantWindows;
use crate::ports::media::MediaFiles;
use crate::ports::readiness::Readiness;
use crate::ports::sealer::Sealer;
use crate::ports::tickets::Tickets;
use crate::ports::vault::Vaults;
use crate::storage::embedded::edge::Alone;
use crate::storage::embedded::limits::MemoryWindows;
use crate::storage::embedded::tickets::MemoryTickets;
use crate::storage::media::MediaFolder;
use crate::storage::redis::Redis;
use crate::storage::redis::edge::RedisEdge;
use crate::storage::redis::feed::Relay;
use crate::storage::redis::limits::RedisWindows;
use crate::storage::redis::nodes::{Nodes, Role};
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
    /// Files.
    pub files: Arc<dyn MediaFiles>,
    /// Sums of tenants' attempts.
    pub windows: Arc<dyn TenantWindows>,
    /// Tickets to the feed.
    pub tickets: Arc<dyn Tickets>,
    /// What callers may do.
    pub edge_budget: Arc<dyn EdgeBudget>,
    /// This process among those that serve the store, where they can see each other.
    nodes: Option<Arc<Nodes>>,
    sql: Sql,
}

impl Backends {
    /// Opens all of them; what does not answer ends the process with 69, naming it.
    pub async fn open(
        config: &Config,
        data: &DataDir,
        clock: Arc<dyn Clock>,
        relay: Arc<Relay>,
        readiness: Arc<dyn Readiness>,
    ) -> Result<Self, Failure> {
        let place = database(config, data.path());
        let sql = crate::storage::sql::open(
            place.clone(),
            Arc::clone(&clock),
            billing::rules(config.billing.zone()),
            Arc::clone(&relay) as _,
        )
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
        let outbox = Arc::clone(&sql.stores.outbox);
        let epoch = sql.stores.feed_log.epoch();
        let shared = Shared::open(config, epoch, Role::All, &clock, readiness).await?;
        let windows: Arc<dyn TenantWindows> = match &shared.redis {
            None => Arc::new(MemoryWindows::new(outbox)),
            Some((redis, nodes)) => {
                relay.attach(redis.clone(), epoch, Arc::clone(nodes));
                Arc::new(RedisWindows::new(redis.clone(), outbox))
            }
        };
        let Shared { tickets, edge_budget, redis } = shared;
        let nodes = redis.map(|(_, nodes)| nodes);
        let files = MediaFolder::open(data.path()).map_err(|error| {
            Failure::Unavailable(format!("cannot use the folder media in the data directory: {error}"))
        })?;
        let files: Arc<dyn MediaFiles> = Arc::new(files);
        let sandbox = SandboxTransport::new(wire(&config.sandbox, data, &clock)?, Arc::clone(&clock));
        let sandbox = Arc::new(sandbox.with_files(Arc::clone(&files)));
        let engines = Engines::open(&config.bridges, data.path(), Arc::clone(&sandbox), &files, &clock)?;
        let stores = sql.stores.clone();
        Ok(Self {
            stores,
            sealer: vaults.clone(),
            vaults,
            sandbox,
            engines,
            files,
            windows,
            tickets,
            edge_budget,
            nodes,
            sql,
        })
    }

    /// Resolves when nothing can be written any more.
    pub async fn broken(&mut self) {
        self.sql.broken().await;
    }

    /// Writes what is queued and closes the files.
    pub async fn close(self) {
        if let Some(nodes) = &self.nodes {
            nodes.leave().await;
        }
        // Bridges first: what they still write is in the vault.
        self.engines.close().await;
        self.sql.close().await;
    }
}

/// Where Redis is, if it is used.
pub fn redis_at(config: &Config) -> Result<Option<RedisAddress>, Failure> {
    config.redis.address().map_err(|problem| Failure::Usage(format!("key `redis.url`: {problem}")))
}

/// What the processes that serve one store keep together, where they have a Redis; otherwise each keeps its own.
pub(super) struct Shared {
    /// Tickets to the feed.
    pub(super) tickets: Arc<dyn Tickets>,
    /// What callers may do.
    pub(super) edge_budget: Arc<dyn EdgeBudget>,
    /// The line, and this process among the others on it.
    pub(super) redis: Option<(Redis, Arc<Nodes>)>,
}

impl Shared {
    /// Opens Redis if it is to be used, on behalf of the store whose feed has this epoch.
    pub(super) async fn open(
        config: &Config,
        epoch: &str,
        role: Role,
        clock: &Arc<dyn Clock>,
        readiness: Arc<dyn Readiness>,
    ) -> Result<Self, Failure> {
        let Some(address) = redis_at(config)? else {
            let tickets = Arc::new(MemoryTickets::default());
            return Ok(Self { tickets, edge_budget: Arc::new(Alone), redis: None });
        };
        let redis = Redis::open(&address, readiness).await.map_err(|error| {
            Failure::Unavailable(format!("key `redis.url`: this Redis cannot be used: {error}"))
        })?;
        let nodes = Nodes::join(redis.clone(), epoch, role);
        let edge_budget = RedisEdge::new(redis.clone(), Arc::clone(&nodes), Arc::clone(clock));
        let tickets = RedisTickets::new(redis.clone(), Arc::clone(clock));
        Ok(Self {
            tickets: Arc::new(tickets),
            edge_budget: Arc::new(edge_budget),
            redis: Some((redis, nodes)),
        })
    }
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
