//! A process that hands out the feed and nothing else, beside the one that does the rest. It writes nothing: its
//! listeners stay while the other one is started anew.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::dev::ServerHandle;

use super::backends::{Shared, database, redis_at};
use super::clock::SystemClock;
use super::data_dir::DataDir;
use super::elsewhere::Elsewhere;
use super::exit::Failure;
use super::server::{FAREWELL, listen};
use super::signals::ToldToEnd;
use crate::actors::arbiters::Arbiters;
use crate::actors::death::RootGuard;
use crate::actors::follower;
use crate::actors::hub::{HubActor, HubHandle, inbox::Inbox};
use crate::actors::subscriber;
use crate::billing;
use crate::config::Config;
use crate::domain::scope::SystemScope;
use crate::http::gate::Gate;
use crate::http::state::FeedState;
use crate::http::{self, HttpPorts, HttpState};
use crate::media;
use crate::meters::Exposition;
use crate::ports::clock::Clock;
use crate::ports::feed::FeedStream;
use crate::ports::log_level::LogLevel;
use crate::storage::embedded::key_use::MemoryKeyUse;
use crate::storage::redis::feed::RedisFeed;
use crate::storage::redis::nodes::{Nodes, Role};
use crate::storage::sql::{self, Onlooker};
use crate::tenancy::operator::OperatorToken;

/// A process that hands out the feed.
struct Running {
    address: SocketAddr,
    gate: Arc<Gate>,
    hub: HubHandle,
    http: ServerHandle,
    store: Onlooker,
    nodes: Option<Arc<Nodes>>,
    armed: Arc<AtomicBool>,
    roots: Arbiters,
}

async fn start(config: &Config, data: &Path, log_level: Arc<dyn LogLevel>) -> Result<Running, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let exposition = Exposition::install()
        .map_err(|error| Failure::Software(format!("the metrics cannot be set up: {error}")))?;
    let place = database(config, data);
    let store = sql::look_on(&place, Arc::clone(&clock), billing::rules(config.billing.zone()))
        .await
        .map_err(|error| Failure::Unavailable(format!("cannot open the database {place}: {error}")))?;
    DataDir::make(data)?;
    let operator = OperatorToken::load_or_create(&data.join("operator.token"))
        .map_err(|error| Failure::Unavailable(format!("cannot keep the operator's token: {error}")))?;
    let stores = store.stores.clone();
    let epoch = stores.feed_log.epoch();
    let gate = Arc::new(Gate::default());
    let Shared { tickets, edge_budget, redis } =
        Shared::open(config, epoch, Role::Feed, &clock, Arc::clone(&gate) as _).await?;
    let stream = match redis_at(config)? {
        None => None,
        Some(address) => {
            let stream = RedisFeed::new(&address, epoch).map_err(Failure::Unavailable)?;
            Some(Box::new(stream) as Box<dyn FeedStream>)
        }
    };

    let armed = Arc::new(AtomicBool::new(false));
    let roots = Arbiters::start(1);
    let inbox = Inbox::default();
    let unreadable = |error| Failure::Unavailable(format!("cannot read the feed: {error}"));
    // Before the hub reads the same: what comes in between is handed over twice and told once.
    let heads = stores.feed_log.heads(SystemScope).await.map_err(unreadable)?;
    let root = |what| RootGuard::new(what, Arc::clone(&armed));
    let hub = HubActor::launch(inbox.clone(), Arc::clone(&stores.feed_log), &roots.placement(), root("hub"))
        .await
        .map_err(unreadable)?;
    let ports = follower::Ports {
        log: Arc::clone(&stores.feed_log),
        directory: Arc::clone(&stores.directory),
        readiness: Arc::clone(&gate) as _,
        hub: Arc::new(inbox),
        stream,
    };
    follower::launch(ports, heads, &roots.placement(), root("follower"));

    let elsewhere = Arc::new(Elsewhere);
    let ports = HttpPorts {
        directory: Arc::clone(&stores.directory),
        audit: stores.audit,
        people: stores.people,
        key_use: Arc::new(MemoryKeyUse::default()),
        edge_budget,
        sessions: stores.sessions,
        outbox: stores.outbox,
        contacts: stores.contacts,
        messages: stores.messages,
        media: media::Ports {
            records: stores.media,
            files: elsewhere.clone(),
            directory: Arc::clone(&stores.directory),
            clock: Arc::clone(&clock),
        },
        sandbox: elsewhere.clone(),
        supervisor: elsewhere.clone(),
        signals: elsewhere.clone(),
        abilities: elsewhere.clone(),
        webhooks: stores.webhooks,
        egress: elsewhere.clone(),
        sealer: elsewhere,
        clock: Arc::clone(&clock),
        exposition,
        log_level,
        engines: vec![],
        ledger: stores.ledger,
        issuer: Arc::new(super::billing::issuer(&config.billing)),
        fonts: super::billing::fonts(&config.billing)?,
        payments: Arc::new(crate::payments::manual::Manual),
        lookout: stores.lookout,
        lately: crate::meters::lately(),
        installation: Arc::new(Elsewhere),
    };
    let state = HttpState::new(ports, operator, Arc::clone(&gate), &config.http);
    let feed = FeedState {
        tickets,
        subscribers: subscriber::Setup { hub: hub.clone(), clock, directory: stores.directory },
        allowed_origins: config.http.allowed_origins.clone(),
    };
    let (http, address) = listen(http::feed_routes, state, feed, config)?;
    armed.store(true, Ordering::SeqCst);
    gate.open();
    tracing::info!(%address, store = %place, "handing out the feed");
    let nodes = redis.map(|(_, nodes)| nodes);
    Ok(Running { address, gate, hub, http, store, nodes, armed, roots })
}

impl Running {
    async fn drain(self) {
        tracing::info!("draining");
        self.gate.close();
        self.armed.store(false, Ordering::SeqCst);
        if let Some(nodes) = &self.nodes {
            nodes.leave().await;
        }
        self.hub.go_away().await;
        tokio::time::sleep(FAREWELL).await;
        self.http.stop(true).await;
        self.roots.stop();
        self.store.close().await;
        tracing::info!("drained");
    }
}

/// Hands out the feed of the store that `config` names, or that lies in `data`, until it is told to end.
pub async fn run(config: &Config, data: &Path, log_level: Arc<dyn LogLevel>) -> Result<(), Failure> {
    let mut told = ToldToEnd::listen()?;
    let running = start(config, data, log_level).await?;
    println!("columba's feed listens on http://{}", running.address);
    told.wait().await;
    running.drain().await;
    Ok(())
}
