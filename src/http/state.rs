//! What every handler can reach: ports, and the few things this process keeps for its callers.

use std::sync::Arc;
use std::time::Duration;

use super::admin::overview::Glance;
use super::gate::Gate;
use super::guesses::Guesses;
use super::hashing::Hashing;
use super::in_flight::InFlight;
use super::looks::Looks;
use super::middleware::edge_limit::EdgeLimit;
use super::pages::Tree;
use super::pairing_limit::PairingLimit;
use super::pairing_links::PairingLinks;
use super::render::paper::Fonts;
use super::setup_link::SetupLink;
use crate::actors::subscriber::Setup;
use crate::billing::office::Issuer;
use crate::config::http::HttpOptions;
use crate::domain::address::AddressRange;
use crate::domain::session::Engine;
use crate::media::{self, fetch::Fetcher, upload::Uploads};
use crate::meters::{Exposition, Lately};
use crate::outbound::accept::Accept;
use crate::ports::abilities::Abilities;
use crate::ports::audit::Audit;
use crate::ports::clock::Clock;
use crate::ports::contacts::Contacts;
use crate::ports::directory::Directory;
use crate::ports::edge::EdgeBudget;
use crate::ports::egress::Egress;
use crate::ports::installation::Installation;
use crate::ports::key_use::KeyUse;
use crate::ports::ledger::Ledger;
use crate::ports::log_level::LogLevel;
use crate::ports::lookout::Lookout;
use crate::ports::messages::Messages;
use crate::ports::outbox::Outbox;
use crate::ports::payments::PaymentProvider;
use crate::ports::people::People;
use crate::ports::sandbox::Sandbox;
use crate::ports::sealer::Sealer;
use crate::ports::sessions::Sessions;
use crate::ports::signals::Signals;
use crate::ports::supervisor::Supervisor;
use crate::ports::tickets::Tickets;
use crate::ports::webhooks::Webhooks;
use crate::tenancy::operator::OperatorToken;

/// Every port the HTTP face needs.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its port or is documented at its type")]
pub struct HttpPorts {
    pub directory: Arc<dyn Directory>,
    pub audit: Arc<dyn Audit>,
    pub people: Arc<dyn People>,
    pub key_use: Arc<dyn KeyUse>,
    pub edge_budget: Arc<dyn EdgeBudget>,
    pub sessions: Arc<dyn Sessions>,
    pub outbox: Arc<dyn Outbox>,
    pub contacts: Arc<dyn Contacts>,
    pub messages: Arc<dyn Messages>,
    pub media: media::Ports,
    pub sandbox: Arc<dyn Sandbox>,
    pub supervisor: Arc<dyn Supervisor>,
    pub signals: Arc<dyn Signals>,
    pub abilities: Arc<dyn Abilities>,
    pub webhooks: Arc<dyn Webhooks>,
    pub egress: Arc<dyn Egress>,
    pub sealer: Arc<dyn Sealer>,
    pub clock: Arc<dyn Clock>,
    pub exposition: Exposition,
    pub log_level: Arc<dyn LogLevel>,
    pub engines: Vec<Engine>,
    pub ledger: Arc<dyn Ledger>,
    pub issuer: Arc<Issuer>,
    pub fonts: Fonts,
    pub payments: Arc<dyn PaymentProvider>,
    pub lookout: Arc<dyn Lookout>,
    pub lately: &'static Lately,
    pub installation: Arc<dyn Installation>,
}

/// What every handler can reach. Cheap to clone; one is shared by all workers.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its port or is documented at its type")]
pub struct HttpState {
    pub directory: Arc<dyn Directory>,
    pub audit: Arc<dyn Audit>,
    pub people: Arc<dyn People>,
    pub key_use: Arc<dyn KeyUse>,
    pub sessions: Arc<dyn Sessions>,
    pub contacts: Arc<dyn Contacts>,
    pub messages: Arc<dyn Messages>,
    pub sandbox: Arc<dyn Sandbox>,
    pub supervisor: Arc<dyn Supervisor>,
    pub signals: Arc<dyn Signals>,
    pub webhooks: Arc<dyn Webhooks>,
    pub egress: Arc<dyn Egress>,
    pub sealer: Arc<dyn Sealer>,
    pub clock: Arc<dyn Clock>,
    pub exposition: Exposition,
    pub log_level: Arc<dyn LogLevel>,
    /// What sessions can be made for.
    pub engines: Arc<[Engine]>,
    pub accept: Accept,
    pub media: media::Ports,
    pub uploads: Uploads,
    pub fetcher: Fetcher,
    pub ledger: Arc<dyn Ledger>,
    pub issuer: Arc<Issuer>,
    /// What papers are written with.
    pub fonts: Arc<Fonts>,
    pub payments: Arc<dyn PaymentProvider>,
    pub lookout: Arc<dyn Lookout>,
    pub lately: &'static Lately,
    pub installation: Arc<dyn Installation>,
    /// What was last told of the whole.
    pub glance: Arc<Glance>,
    pub operator: OperatorToken,
    pub gate: Arc<Gate>,
    pub in_flight: InFlight,
    pub edge_limit: Arc<EdgeLimit>,
    /// Who may say for whom it speaks.
    pub trusted_proxies: Arc<[AddressRange]>,
    pub pairing_limit: Arc<PairingLimit>,
    pub hashing: Arc<Hashing>,
    pub guesses: Arc<Guesses>,
    pub setup_link: Arc<SetupLink>,
    pub looks: Arc<Looks>,
    pub pairing_links: Arc<PairingLinks>,
    /// Where people reach this server; what they asked for it by, if it is not set.
    pub public_url: Arc<str>,
    /// The files of the web pages.
    pub pages: Arc<Tree>,
    /// Bytes a request's body may have.
    pub body_limit: usize,
    /// In which it has to arrive.
    pub body_timeout: Duration,
}

impl HttpState {
    /// `gate` is closed until whoever boots the server opens it.
    pub fn new(ports: HttpPorts, operator: OperatorToken, gate: Arc<Gate>, options: &HttpOptions) -> Self {
        Self {
            accept: Accept {
                outbox: ports.outbox,
                messages: ports.messages.clone(),
                directory: ports.directory.clone(),
                signals: ports.signals.clone(),
                abilities: ports.abilities,
                clock: ports.clock.clone(),
                zone: ports.issuer.zone,
            },
            uploads: Uploads::new(ports.media.clone()),
            fetcher: Fetcher::new(
                ports.media.clone(),
                Arc::clone(&ports.sessions),
                Arc::clone(&ports.supervisor),
            ),
            media: ports.media,
            ledger: ports.ledger,
            issuer: ports.issuer,
            fonts: Arc::new(ports.fonts),
            payments: ports.payments,
            lookout: ports.lookout,
            lately: ports.lately,
            installation: ports.installation,
            glance: Arc::default(),
            trusted_proxies: options.trusted_proxies.clone().into(),
            edge_limit: Arc::new(EdgeLimit::new(options.edge_limit, ports.clock.clone(), ports.edge_budget)),
            directory: ports.directory,
            audit: ports.audit,
            people: ports.people,
            key_use: ports.key_use,
            sessions: ports.sessions,
            contacts: ports.contacts,
            messages: ports.messages,
            sandbox: ports.sandbox,
            supervisor: ports.supervisor,
            signals: ports.signals,
            webhooks: ports.webhooks,
            egress: ports.egress,
            sealer: ports.sealer,
            clock: ports.clock,
            exposition: ports.exposition,
            log_level: ports.log_level,
            engines: ports.engines.into(),
            operator,
            gate,
            in_flight: InFlight::default(),
            pairing_limit: Arc::default(),
            hashing: Arc::default(),
            guesses: Arc::default(),
            setup_link: Arc::default(),
            looks: Arc::default(),
            pairing_links: Arc::default(),
            public_url: options.public_url.trim_end_matches('/').into(),
            pages: Tree::built(),
            body_limit: options.body_limit,
            body_timeout: Duration::from_secs(options.body_timeout_s.get().into()),
        }
    }
}

/// What the feed needs besides.
#[derive(Clone)]
pub struct FeedState {
    /// Single-use tickets.
    pub tickets: Arc<dyn Tickets>,
    /// What each subscriber is given.
    pub subscribers: Setup,
    /// Origins whose pages may open the feed.
    pub allowed_origins: Vec<String>,
}
