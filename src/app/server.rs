//! One server, from its parts to its end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::ServiceConfig;
use strum::IntoEnumIterator as _;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::backends::Backends;
use super::billing;
use super::clock::SystemClock;
use super::data_dir::DataDir;
use super::engines::Engines;
use super::exit::Failure;
use super::installation::RunningServer;
use super::signals::ToldToEnd;
use super::{quick_start, seed};
use crate::actors::arbiters::{Arbiters, Placement};
use crate::actors::couriers::bell::{Bell, Rung};
use crate::actors::couriers::{self, CouriersHandle};
use crate::actors::death::{EXIT_SOFTWARE, RootGuard};
use crate::actors::housekeeper::{self, Housekeeper};
use crate::actors::hub::{HubActor, HubHandle, inbox::Inbox};
use crate::actors::registry::{self, Birth, RegistryActor, RegistryHandle, routes::Routes};
use crate::actors::session::{self, SessionActor};
use crate::actors::subscriber;
use crate::actors::watchdog::Watchdog;
use crate::config::{Config, Setting};
use crate::domain::event::StatusEvent;
use crate::domain::id::WebhookId;
use crate::domain::scope::SystemScope;
use crate::domain::session::Engine;
use crate::domain::time::{Jitter, WallTime};
use crate::egress;
use crate::http::gate::Gate;
use crate::http::render::RECORDS;
use crate::http::state::FeedState;
use crate::http::{self, HttpPorts, HttpState};
use crate::media;
use crate::meters::{self, Exposition};
use crate::ports::clock::Clock;
use crate::ports::egress::Egress;
use crate::ports::feed::FeedSink;
use crate::ports::key_use::KeyUse;
use crate::ports::log_level::LogLevel;
use crate::ports::vault::Writer;
use crate::storage::embedded::key_use::MemoryKeyUse;
use crate::storage::redis::feed::Relay;
use crate::tenancy::operator::OperatorToken;

/// Sessions have this long to end; what is left is abandoned to the next start, which recovers it.
const DRAIN: Duration = Duration::from_secs(12);
/// Feeds have this long to hear that we go.
pub(super) const FAREWELL: Duration = Duration::from_millis(300);
/// Requests of webhooks that are under way have this long to be answered; the others go out after the next start.
const LAST_POST: Duration = Duration::from_millis(1_500);

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The supervisor of its sessions.
    pub registry: RegistryHandle,
    gate: Arc<Gate>,
    hub: HubHandle,
    couriers: CouriersHandle,
    http: ServerHandle,
    key_use: Arc<dyn KeyUse>,
    backends: Backends,
    armed: Arc<AtomicBool>,
    arbiters: [Arbiters; 3],
    data: DataDir,
    /// Path of the page where the first account is made, while there is none.
    setup: Option<Zeroizing<String>>,
}

fn draw() -> Jitter {
    Jitter::from_bits(rand::random())
}

/// Opens what the configuration names, restores the sessions, and serves. Returns once requests are accepted; sessions
/// may still be starting.
pub async fn start(
    config: &Config,
    settings: Vec<Setting>,
    data: DataDir,
    log_level: Arc<dyn LogLevel>,
) -> Result<Running, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let started_at = clock.wall();
    meters::lately().begin(started_at);
    let inbox = Inbox::default();
    let exposition = Exposition::install()
        .map_err(|error| Failure::Software(format!("the metrics cannot be set up: {error}")))?;
    let bell = Bell::default();
    let sink = Counted(Rung { feed: inbox.clone(), bell: bell.clone() });
    let relay = Arc::new(Relay::before(Arc::new(sink)));
    let gate = Arc::new(Gate::default());
    let backends = Backends::open(config, &data, Arc::clone(&clock), relay, Arc::clone(&gate) as _).await?;
    let stores = backends.stores.clone();
    let operator = OperatorToken::load_or_create(&data.path().join("operator.token"))
        .map_err(|error| Failure::Unavailable(format!("cannot keep the operator's token: {error}")))?;

    seed::plans(&stores.directory, clock.wall()).await?;
    let issuer = Arc::new(billing::issuer(&config.billing));
    let fonts = billing::fonts(&config.billing)?;
    let payments = billing::provider(&config.billing)?;

    // Armed once everything stands: a start that fails takes its parts down itself, and they are not the reason.
    let armed = Arc::new(AtomicBool::new(false));
    let roots = Arbiters::start(1);
    let sessions = Arbiters::start(config.sessions.arbiters.get());
    let unreadable = |what: &str, error: &dyn std::fmt::Display| {
        Failure::Unavailable(format!("cannot read {what}: {error}"))
    };
    let hub = HubActor::launch(
        inbox,
        Arc::clone(&stores.feed_log),
        &roots.placement(),
        RootGuard::new("hub", Arc::clone(&armed)),
    )
    .await
    .map_err(|error| unreadable("the feed", &error))?;

    let routes = Routes::default();
    let ports = session::Ports {
        clock: Arc::clone(&clock),
        transport: Arc::clone(&backends.sandbox) as _,
        outbox: Arc::clone(&stores.outbox),
        contacts: Arc::clone(&stores.contacts),
        media: Arc::clone(&stores.media),
        sessions: Arc::clone(&stores.sessions),
        vaults: Arc::clone(&backends.vaults),
        sealer: Arc::clone(&backends.sealer),
        directory: Arc::clone(&stores.directory),
        windows: Arc::clone(&backends.windows),
    };
    let supervision =
        Supervision { routes: routes.clone(), gate: Arc::clone(&gate), armed: Arc::clone(&armed) };
    let engines = &backends.engines;
    let registry = launch_registry(config, ports, engines, supervision, &roots, sessions.placement());
    Watchdog::launch(sessions.pulses(), &roots.placement(), || std::process::exit(EXIT_SOFTWARE));
    let media = media::Ports {
        records: Arc::clone(&stores.media),
        files: Arc::clone(&backends.files),
        directory: Arc::clone(&stores.directory),
        clock: Arc::clone(&clock),
    };
    let key_use: Arc<dyn KeyUse> = Arc::new(MemoryKeyUse::default());
    Housekeeper::launch(
        housekeeper::Ports {
            clock: Arc::clone(&clock),
            sweep: Arc::clone(&stores.sweep),
            directory: Arc::clone(&stores.directory),
            key_use: Arc::clone(&key_use),
            signals: Arc::new(routes.clone()),
            vaults: Arc::clone(&backends.vaults),
            media: media.clone(),
            ledger: Arc::clone(&stores.ledger),
            by_the_clock: billing::by_the_clock(&issuer),
            sessions: Arc::clone(&stores.sessions),
            supervisor: Arc::new(registry.clone()),
        },
        &roots.placement(),
    );

    let egress = egress::Client::new(egress::Guard::new(&config.webhooks), Arc::new(egress::SystemNames))
        .map_err(|error| Failure::Unavailable(format!("cannot set up TLS: {error}")))?;
    let egress: Arc<dyn Egress> = Arc::new(egress);
    let mail = Arbiters::start(1);
    let couriers = couriers::launch(
        couriers::Ports {
            clock: Arc::clone(&clock),
            webhooks: Arc::clone(&stores.webhooks),
            egress: Arc::clone(&egress),
            sealer: Arc::clone(&backends.sealer),
            records: RECORDS,
            in_flight: Semaphore::new(config.webhooks.in_flight.get()),
            draw,
        },
        bell,
        &mail.placement(),
    );

    let http_ports = HttpPorts {
        directory: Arc::clone(&stores.directory),
        audit: Arc::clone(&stores.audit),
        people: Arc::clone(&stores.people),
        key_use: Arc::clone(&key_use),
        edge_budget: Arc::clone(&backends.edge_budget),
        sessions: Arc::clone(&stores.sessions),
        outbox: Arc::clone(&stores.outbox),
        contacts: Arc::clone(&stores.contacts),
        messages: Arc::clone(&stores.messages),
        media: media.clone(),
        sandbox: Arc::clone(&backends.sandbox) as _,
        supervisor: Arc::new(registry.clone()),
        signals: Arc::new(routes),
        abilities: Arc::new(backends.engines.clone()),
        webhooks: Arc::clone(&stores.webhooks),
        egress,
        sealer: Arc::clone(&backends.sealer),
        clock: Arc::clone(&clock),
        exposition,
        log_level,
        engines: backends.engines.available(),
        ledger: Arc::clone(&stores.ledger),
        issuer,
        fonts,
        payments,
        lookout: Arc::clone(&stores.lookout),
        lately: meters::lately(),
        installation: Arc::new(RunningServer {
            settings,
            engines: backends.engines.clone(),
            place: super::backends::database(config, data.path()),
            data: data.path().to_owned(),
            clock: Arc::clone(&clock),
            started_at,
            backing_up: tokio::sync::Mutex::default(),
        }),
    };
    let state = HttpState::new(http_ports, operator, Arc::clone(&gate), &config.http);
    let nobody = stores.people.is_empty(SystemScope).await;
    let nobody = nobody.map_err(|error| unreadable("operators", &error))?;
    let setup = nobody.then(|| state.setup_link.renew());
    let feed = FeedState {
        tickets: Arc::clone(&backends.tickets),
        subscribers: subscriber::Setup {
            hub: hub.clone(),
            clock: Arc::clone(&clock),
            directory: Arc::clone(&stores.directory),
        },
        allowed_origins: config.http.allowed_origins.clone(),
    };
    let (http, address) = listen(http::routes, state, feed, config)?;

    actix_web::rt::spawn(reconcile(media, clock.wall()));
    let wanted = stores
        .sessions
        .restore(SystemScope, clock.wall())
        .await
        .map_err(|error| unreadable("sessions", &error))?;
    tracing::info!(sessions = wanted.len(), %address, "accepting requests");
    if registry.boot(wanted).await.is_err() {
        return Err(Failure::Unavailable("the registry ended while it booted".to_owned()));
    }
    armed.store(true, Ordering::SeqCst);
    gate.open();
    let arbiters = [roots, sessions, mail];
    Ok(Running {
        address,
        registry,
        gate,
        hub,
        couriers,
        http,
        key_use,
        backends,
        armed,
        arbiters,
        data,
        setup,
    })
}

/// Beside everything else: what it finds was left by an earlier process, and nobody waits for it.
async fn reconcile(media: media::Ports, begun: WallTime) {
    if let Err(error) = media.reconcile(begun).await {
        tracing::warn!(%error, "bytes and records of media were not compared; the next start does it");
    }
}

/// Serves the paths of `table` from now on.
pub(super) fn listen(
    table: fn(&mut ServiceConfig),
    state: HttpState,
    feed: FeedState,
    config: &Config,
) -> Result<(ServerHandle, SocketAddr), Failure> {
    let (server, address) = http::server::serve(table, state, feed, &config.http).map_err(|error| {
        let listen = &config.http.listen;
        Failure::Unavailable(format!(
            "cannot listen on {listen}: {error}; give another address with --listen"
        ))
    })?;
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((handle, address))
}

/// Counts what was committed on its way to the hub.
struct Counted<S>(S);

impl<S: FeedSink> FeedSink for Counted<S> {
    fn publish(&self, events: Vec<StatusEvent>) {
        meters::events(&events);
        self.0.publish(events);
    }

    fn posted(&self, endpoints: &[WebhookId]) {
        self.0.posted(endpoints);
    }
}

/// What the registry shares with the rest.
struct Supervision {
    routes: Routes,
    gate: Arc<Gate>,
    armed: Arc<AtomicBool>,
}

fn launch_registry(
    config: &Config,
    ports: session::Ports,
    engines: &Engines,
    shared: Supervision,
    roots: &Arbiters,
    placement: Placement,
) -> RegistryHandle {
    let setup = registry::Setup {
        clock: Arc::clone(&ports.clock),
        sessions: Arc::clone(&ports.sessions),
        directory: Arc::clone(&ports.directory),
        vaults: Arc::clone(&ports.vaults),
        placement,
        routes: shared.routes,
        readiness: shared.gate,
        boot_rate: config.sessions.boot_per_second.get(),
        draw,
    };
    let engines: HashMap<Engine, (Arc<session::Ports>, Writer)> = Engine::iter()
        .map(|engine| {
            let (transport, writer) = engines.of(engine);
            (engine, (Arc::new(session::Ports { transport, ..ports.clone() }), writer))
        })
        .collect();
    let factory = Box::new(move |birth: Birth| {
        let (ports, writer) = &engines[&birth.engine];
        SessionActor::launch(birth, writer.clone(), Arc::clone(ports), draw, rand::random())
    });
    RegistryActor::launch(factory, setup, &roots.placement(), RootGuard::new("registry", shared.armed))
}

impl Running {
    /// Ends in good order: refuses new messages, says goodbye to feeds, lets attempts end, closes sessions and files.
    pub async fn drain(self) {
        tracing::info!("draining");
        self.gate.close();
        self.armed.store(false, Ordering::SeqCst);
        match tokio::time::timeout(DRAIN, self.registry.drain()).await {
            Ok(Ok(count)) => tracing::info!(sessions = count, "sessions ended"),
            Ok(Err(error)) => tracing::warn!(%error, "sessions not ended"),
            Err(_) => {
                tracing::warn!("some sessions did not end in time; the next start recovers what they left")
            }
        }
        self.hub.go_away().await;
        tokio::time::sleep(FAREWELL).await;
        self.http.stop(true).await;
        if tokio::time::timeout(LAST_POST, self.couriers.drain()).await.is_err() {
            tracing::info!("some webhooks did not answer in time; the next start delivers them again");
        }
        let noted = housekeeper::note_key_use(&*self.key_use, &*self.backends.stores.directory).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "when keys were last used is not written");
        }
        self.backends.close().await;
        for arbiters in &self.arbiters {
            arbiters.stop();
        }
        tracing::info!(data = %self.data.path().display(), "drained");
    }
}

/// Runs a server until it is told to end (SIGTERM or SIGINT), then drains it.
pub async fn run(
    config: &Config,
    settings: Vec<Setting>,
    data: DataDir,
    log_level: Arc<dyn LogLevel>,
    hints: bool,
) -> Result<(), Failure> {
    let mut told = ToldToEnd::listen()?;
    let token = data.path().join("operator.token");
    let mut running = start(config, settings, data, log_level).await?;
    println!("columba listens on http://{}", running.address);
    if let Some(path) = &running.setup {
        println!("make the first account, once, at http://{}{}", running.address, path.as_str());
    }
    if hints {
        println!("{}", quick_start::lines(running.address, &token));
    }
    tokio::select! {
        () = told.wait() => {}
        () = running.backends.broken() => {
            let advice = "the store cannot be written any more; nothing accepted is lost, start the server again";
            return Err(Failure::Software(advice.to_owned()));
        }
    }
    running.drain().await;
    Ok(())
}
