//! One server, from its parts to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{SignalKind, signal};

use super::backends::Backends;
use super::clock::SystemClock;
use super::data_dir::DataDir;
use super::exit::Failure;
use super::{quick_start, seed};
use crate::actors::arbiters::{Arbiters, Placement};
use crate::actors::death::{EXIT_SOFTWARE, RootGuard};
use crate::actors::housekeeper::{self, Housekeeper};
use crate::actors::hub::{HubActor, HubHandle, inbox::Inbox};
use crate::actors::registry::{self, Birth, RegistryActor, RegistryHandle, routes::Routes};
use crate::actors::session::{self, SessionActor};
use crate::actors::subscriber;
use crate::actors::watchdog::Watchdog;
use crate::config::Config;
use crate::domain::phone::Phone;
use crate::domain::scope::SystemScope;
use crate::domain::time::Jitter;
use crate::http::gate::Gate;
use crate::http::state::FeedState;
use crate::http::{HttpPorts, HttpState};
use crate::ports::clock::Clock;
use crate::ports::key_use::KeyUse;
use crate::storage::embedded::key_use::MemoryKeyUse;
use crate::storage::embedded::limits::MemoryWindows;
use crate::storage::embedded::tickets::MemoryTickets;
use crate::tenancy::operator::OperatorToken;
use crate::transport::sandbox::SandboxTransport;

/// Sessions have this long to end; what is left is abandoned to the next start, which recovers it.
const DRAIN: Duration = Duration::from_secs(12);
/// Feeds have this long to hear that we go.
const FAREWELL: Duration = Duration::from_millis(300);

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The supervisor of its sessions.
    pub registry: RegistryHandle,
    gate: Arc<Gate>,
    hub: HubHandle,
    http: ServerHandle,
    key_use: Arc<dyn KeyUse>,
    backends: Backends,
    armed: Arc<AtomicBool>,
    arbiters: [Arbiters; 2],
    data: DataDir,
}

fn draw() -> Jitter {
    Jitter::from_bits(rand::random())
}

/// Opens what the configuration names, restores the sessions, and serves. Returns once requests are accepted; sessions
/// may still be starting.
pub async fn start(config: &Config, data: DataDir) -> Result<Running, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let inbox = Inbox::default();
    let backends = Backends::open(config, &data, Arc::clone(&clock), Arc::new(inbox.clone())).await?;
    let stores = backends.stores.clone();
    let operator = OperatorToken::load_or_create(&data.path().join("operator.token"))
        .map_err(|error| Failure::Unavailable(format!("cannot keep the operator's token: {error}")))?;

    seed::plans(&stores.directory, clock.wall()).await?;
    // The table of the world's numbering plans takes a moment to read; the first message should not wait for it.
    actix_web::rt::task::spawn_blocking(|| Phone::parse("+15551230001").is_ok());

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
    let windows = Arc::new(MemoryWindows::new(Arc::clone(&stores.outbox)));
    let ports = session::Ports {
        clock: Arc::clone(&clock),
        transport: Arc::clone(&backends.sandbox) as _,
        outbox: Arc::clone(&stores.outbox),
        sessions: Arc::clone(&stores.sessions),
        vaults: Arc::clone(&backends.vaults),
        directory: Arc::clone(&stores.directory),
        windows,
    };
    let gate = Arc::new(Gate::default());
    let supervision =
        Supervision { routes: routes.clone(), gate: Arc::clone(&gate), armed: Arc::clone(&armed) };
    let registry = launch_registry(config, ports, supervision, &roots, sessions.placement());
    Watchdog::launch(sessions.pulses(), &roots.placement(), || std::process::exit(EXIT_SOFTWARE));
    let key_use: Arc<dyn KeyUse> = Arc::new(MemoryKeyUse::default());
    Housekeeper::launch(
        housekeeper::Ports {
            clock: Arc::clone(&clock),
            sweep: Arc::clone(&stores.sweep),
            directory: Arc::clone(&stores.directory),
            key_use: Arc::clone(&key_use),
            signals: Arc::new(routes.clone()),
            vaults: Arc::clone(&backends.vaults),
        },
        &roots.placement(),
    );

    let http_ports = HttpPorts {
        directory: Arc::clone(&stores.directory),
        audit: Arc::clone(&stores.audit),
        key_use: Arc::clone(&key_use),
        sessions: Arc::clone(&stores.sessions),
        outbox: Arc::clone(&stores.outbox),
        messages: Arc::clone(&stores.messages),
        sandbox: Arc::clone(&backends.sandbox) as _,
        supervisor: Arc::new(registry.clone()),
        signals: Arc::new(routes),
        clock: Arc::clone(&clock),
    };
    let state = HttpState::new(http_ports, operator, Arc::clone(&gate), &config.http);
    let feed = FeedState {
        tickets: Arc::new(MemoryTickets::default()),
        subscribers: subscriber::Setup {
            hub: hub.clone(),
            clock: Arc::clone(&clock),
            directory: Arc::clone(&stores.directory),
        },
        allowed_origins: config.http.allowed_origins.clone(),
    };
    let (server, address) = crate::http::server::serve(state, feed, &config.http).map_err(|error| {
        let listen = &config.http.listen;
        Failure::Unavailable(format!(
            "cannot listen on {listen}: {error}; give another address with --listen"
        ))
    })?;
    let http = server.handle();
    actix_web::rt::spawn(server);

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
    Ok(Running {
        address,
        registry,
        gate,
        hub,
        http,
        key_use,
        backends,
        armed,
        arbiters: [roots, sessions],
        data,
    })
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
    let ports = Arc::new(ports);
    let factory = Box::new(move |birth: Birth| {
        SessionActor::launch(birth, SandboxTransport::writer(), Arc::clone(&ports), draw, rand::random())
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
        housekeeper::note_key_use(&*self.key_use, &*self.backends.stores.directory).await;
        self.backends.close().await;
        for arbiters in &self.arbiters {
            arbiters.stop();
        }
        tracing::info!(data = %self.data.path().display(), "drained");
    }
}

/// Runs a server until it is told to end (SIGTERM or SIGINT), then drains it.
pub async fn run(config: &Config, data: DataDir, hints: bool) -> Result<(), Failure> {
    let lost = |error: std::io::Error| Failure::Unavailable(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(lost)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(lost)?;
    let token = data.path().join("operator.token");
    let mut running = start(config, data).await?;
    println!("columba listens on http://{}", running.address);
    if hints {
        println!("{}", quick_start::lines(running.address, &token));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.backends.broken() => {
            let advice = "the store cannot be written any more; nothing accepted is lost, start the server again";
            return Err(Failure::Software(advice.to_owned()));
        }
    }
    running.drain().await;
    Ok(())
}
