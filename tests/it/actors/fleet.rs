//! One registry and its sessions over memory stores and a scripted network, on the current arbiter, with time paused.
//!
//! Tests await facts: what was born, what was sent, what the feed says. With nothing else to do, paused time runs ahead
//! to them; what never comes fails at once.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono_tz::Tz;
use columba::actors::arbiters::Placement;
use columba::actors::death::RootGuard;
use columba::actors::registry::routes::Routes;
use columba::actors::registry::table::Phase;
use columba::actors::registry::{Birth, RegistryActor, RegistryHandle, Setup};
use columba::actors::session::{Ports, SessionActor, SessionHandle};
use columba::billing::period::month_of;
use columba::billing::rules;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::event::{Change, StatusEvent};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Category, Delivery, Draft, Message, MessageStatus};
use columba::domain::page::Page;
use columba::domain::plan::{Interval, Pacing, Plan, Quota, SuspendedInbound};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{
    Desired, Engine, Generation, Reason, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use columba::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use columba::domain::time::{Jitter, Moment, WallTime};
use columba::outbound::accept::Accept;
use columba::ports::Stores;
use columba::ports::abilities::Abilities;
use columba::ports::clock::Clock as _;
use columba::ports::feed::FeedSink;
use columba::ports::messages::{MessageFilter, Messages};
use columba::ports::outbox::Usage;
use columba::ports::readiness::Readiness;
use columba::ports::signals::Signals;
use columba::ports::supervisor::{Supervisor as _, Trouble};
use columba::ports::vault::Writer;
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::memory;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::flaky::Flaky;
use super::scripted::{Frame, LinkNews, ScriptedTransport};
use crate::support::tokio_clock::TokioClock;
use crate::support::vault::MemoryVaults;
use crate::support::webhooks::OpenSealer;

pub const ANNA: &str = "+15551230001";

/// The `number`-th of many correspondents.
pub fn person(number: u32) -> String {
    format!("+1555123{number:04}")
}

/// A plan without pacing and with `per_minute` attempts.
pub fn plan(per_minute: u32) -> Plan {
    Plan {
        code: "basic".to_owned(),
        name: "Basic".to_owned(),
        price_minor: 0,
        currency: "EUR".to_owned(),
        interval: Interval::Month,
        messages_per_minute: NonZeroU32::new(per_minute).unwrap(),
        messages_per_minute_tenant: None,
        messages_per_month: 1_000_000,
        quota: Quota::Hard,
        queue_max: 10_000,
        sessions_max: 1_000,
        webhooks_max: 8,
        seats_max: None,
        pacing: Pacing::None,
        first_contacts_per_day: None,
        media_bytes_max: 1024 * 1024,
        media_bytes_total: 4 * 1024 * 1024,
        overage_minor: None,
        overage_tiers: vec![],
        trial_days: 0,
        suspended_inbound: SuspendedInbound::Park,
        retention_days: 30,
        plugins: vec![],
    }
}

/// A message to `to` that is sent again after a crash.
pub fn draft(to: &str, at: WallTime) -> Draft {
    Draft {
        to: Chat::parse(to).unwrap(),
        content: Content::Text(Text { body: "hello".to_owned() }),
        reply_to: None,
        category: Category::Service,
        send_at: None,
        expires_at: at + Duration::from_secs(24 * 3600),
        delivery: Delivery::AtLeastOnce,
        client_ref: None,
    }
}

/// One incarnation, as the factory built it.
pub struct Born {
    pub birth: Birth,
    pub handle: SessionHandle,
    pub at: Moment,
}

struct Tape(UnboundedSender<StatusEvent>);

impl FeedSink for Tape {
    fn publish(&self, events: Vec<StatusEvent>) {
        for event in events {
            self.0.send(event).ok();
        }
    }
}

/// A ring that nobody hears.
struct Silence;

impl Signals for Silence {
    fn wake(&self, _: SessionId) {}
    fn wake_tenant(&self, _: TenantId) {}
}

/// Of engines that have said nothing.
impl Abilities for Silence {
    fn sends(&self, _: SessionId, _: &Draft) -> Option<bool> {
        None
    }
}

/// What the registry has said of itself.
#[derive(Default)]
pub struct Notes(Mutex<Vec<(&'static str, bool)>>);

impl Notes {
    /// Everything since the last call, what is said again once.
    pub fn take(&self) -> Vec<(&'static str, bool)> {
        let mut notes = std::mem::take(&mut *self.0.lock().unwrap());
        notes.dedup();
        notes
    }
}

impl Readiness for Notes {
    fn note(&self, part: &'static str, passes: bool) {
        self.0.lock().unwrap().push((part, passes));
    }

    fn note_spare(&self, part: &'static str, is_there: bool) {
        self.note(part, is_there);
    }
}

/// One tenant's sessions and all they stand on.
pub struct Fleet {
    pub clock: Arc<TokioClock>,
    pub stores: Stores,
    pub outbox: Arc<Flaky>,
    pub vaults: Arc<MemoryVaults>,
    pub network: Arc<ScriptedTransport>,
    pub registry: RegistryHandle,
    pub routes: Routes,
    pub readiness: Arc<Notes>,
    pub tenant: TenantId,
    /// Of rows made from now on.
    pub engine: Engine,
    pub accept: Accept,
    births: UnboundedReceiver<Born>,
    frames: UnboundedReceiver<Frame>,
    links: UnboundedReceiver<LinkNews>,
    feed: UnboundedReceiver<StatusEvent>,
    /// Events that came and that nobody has waited for yet.
    heard: VecDeque<StatusEvent>,
}

impl Fleet {
    /// A tenant under a plan of ten attempts a minute.
    pub async fn start() -> Self {
        Self::under(plan(10)).await
    }

    pub async fn under(plan: Plan) -> Self {
        tokio::time::pause();
        Self::on(plan, &Placement::here(), Placement::here()).await
    }

    /// A registry at `home` and its sessions on `threads`. Paused time passes on the current thread only.
    pub async fn on(plan: Plan, home: &Placement, threads: Placement) -> Self {
        let clock = Arc::new(TokioClock::default());
        let (tape, feed) = mpsc::unbounded_channel();
        let stores = memory::open(clock.clone(), rules(Tz::UTC), Arc::new(Tape(tape)));
        let outbox = Arc::new(Flaky::new(Arc::clone(&stores.outbox)));
        let vaults = Arc::<MemoryVaults>::default();
        let (network, frames, links) = ScriptedTransport::new(clock.clone());
        let at = clock.wall();
        let tenant = Tenant {
            id: TenantId::mint(at),
            name: "Acme".to_owned(),
            plan: plan.code.clone(),
            status: TenantStatus::Active,
            standing: TenantStanding::Active,
            created_at: at,
        };
        stores.directory.create_plan(plan, None, at).await.unwrap();
        stores.directory.create_tenant(tenant.clone(), None).await.unwrap();

        let routes = Routes::default();
        let ports = Ports {
            clock: clock.clone(),
            transport: network.clone(),
            outbox: outbox.clone(),
            contacts: Arc::clone(&stores.contacts),
            media: Arc::clone(&stores.media),
            sessions: Arc::clone(&stores.sessions),
            vaults: vaults.clone(),
            sealer: Arc::new(OpenSealer),
            directory: Arc::clone(&stores.directory),
            windows: Arc::new(MemoryWindows::new(outbox.clone())),
        };
        let (announce, births) = mpsc::unbounded_channel();
        let readiness = Arc::<Notes>::default();
        let places = Places {
            home,
            threads,
            routes: routes.clone(),
            readiness: readiness.clone(),
            messages: Arc::clone(&stores.messages),
        };
        let (registry, accept) = launch(ports, places, announce);
        Self {
            clock,
            stores,
            outbox,
            vaults,
            network,
            registry,
            routes,
            readiness,
            tenant: tenant.id,
            engine: Engine::Sandbox,
            accept,
            births,
            frames,
            links,
            feed,
            heard: VecDeque::new(),
        }
    }

    pub fn scope(&self) -> TenantScope {
        TenantScope::authenticated(self.tenant)
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    // ---- sessions ---------------------------------------------------------------------------------------------

    /// The row of a new session that is to run. Nobody was told.
    pub async fn row(&self, paired: bool) -> Session {
        let at = self.clock.wall();
        let session = Session {
            id: SessionId::mint(at),
            tenant: self.tenant,
            label: "sales".to_owned(),
            engine: self.engine,
            metadata: Default::default(),
            desired: Desired::Running,
            status: SessionStatus::Stopped,
            reason: None,
            reason_code: None,
            since: at,
            paired,
            standing: Standing::default(),
            proxy: false,
            supervision: Supervision::default(),
            counters: SessionCounters::default(),
            created_at: at,
        };
        let caps = self.stores.directory.snapshot().caps_of(self.tenant).unwrap();
        self.stores.sessions.create(self.scope(), session.clone(), caps, None).await.unwrap();
        session
    }

    /// A session that has credentials and is connected, with its first incarnation.
    pub async fn connected(&mut self) -> (Session, Born) {
        let session = self.row(true).await;
        self.registry.heed(&session).await.unwrap();
        let born = self.birth().await;
        assert_eq!(born.birth.session, session.id);
        self.until(session.id, SessionStatus::Connected).await;
        (session, born)
    }

    /// Writes what is wanted, and tells the supervisor.
    pub async fn want(&self, session: SessionId, desired: Desired) {
        let row = self.stores.sessions.set_desired(self.scope(), session, desired).await.unwrap();
        self.registry.heed(&row.unwrap()).await.unwrap();
    }

    /// The session's row as it is now.
    pub async fn look(&self, session: SessionId) -> Session {
        self.stores.sessions.find(SystemScope, session).await.unwrap().unwrap()
    }

    /// Status and reason as they stand in the row.
    pub async fn standing(&self, session: SessionId) -> (SessionStatus, Option<Reason>) {
        let row = self.look(session).await;
        (row.status, row.reason)
    }

    pub async fn find(&self, session: SessionId) -> Option<(Generation, Phase)> {
        self.registry.find(session).await.unwrap()
    }

    /// The session's actor panics.
    pub async fn crash(&self, session: SessionId) {
        let (before, _) = self.find(session).await.unwrap();
        self.registry.play(session, Trouble::Panic).await.unwrap();
        // The answer comes before the panic. Paused time runs on to what comes of it: another generation, or quarantine.
        while self.find(session).await == Some((before, Phase::Running)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The next incarnation.
    pub async fn birth(&mut self) -> Born {
        within_an_hour(self.births.recv()).await.expect("nothing was born for an hour")
    }

    /// Whether nothing is born for an hour.
    pub async fn is_barren(&mut self) -> bool {
        self.is_barren_for(Duration::from_secs(3600)).await
    }

    pub async fn is_barren_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.births.recv()).await.is_err()
    }

    /// Looks away from what was born so far.
    pub fn ignore_births(&mut self) {
        while self.births.try_recv().is_ok() {}
    }

    /// The next opening of a link.
    pub async fn opened(&mut self) -> columba::domain::session::Lease {
        loop {
            match within_an_hour(self.links.recv()).await.expect("no link was opened for an hour") {
                LinkNews::Opened(lease) => return lease,
                LinkNews::Dropped(_) => {}
            }
        }
    }

    /// Whether a link of this session is open, as far as the network has told.
    pub fn has_link(&mut self, session: SessionId) -> bool {
        let mut open = 0;
        while let Ok(news) = self.links.try_recv() {
            match news {
                LinkNews::Opened(lease) if lease.session == session => open += 1,
                LinkNews::Dropped(lease) if lease.session == session => open -= 1,
                LinkNews::Opened(_) | LinkNews::Dropped(_) => {}
            }
        }
        open > 0
    }

    // ---- messages ---------------------------------------------------------------------------------------------

    /// A message is accepted and its session rung.
    pub async fn send(&self, session: SessionId, to: &str) -> MessageId {
        self.post(session, draft(to, self.clock.wall())).await
    }

    pub async fn post(&self, session: SessionId, draft: Draft) -> MessageId {
        let accepted = self.accept.accept(self.scope(), session, true, Ok(draft), None).await;
        accepted.unwrap().into_inner().id
    }

    /// A message is accepted, and nobody rings.
    pub async fn queue(&self, session: SessionId, to: &str) -> MessageId {
        let quiet = Accept { signals: Arc::new(Silence), ..self.accept.clone() };
        let draft = draft(to, self.clock.wall());
        quiet.accept(self.scope(), session, true, Ok(draft), None).await.unwrap().into_inner().id
    }

    /// The next frame that reached the network.
    pub async fn frame(&mut self) -> Frame {
        within_an_hour(self.frames.recv()).await.expect("nothing was sent for an hour")
    }

    pub async fn frames(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = vec![];
        for _ in 0..count {
            frames.push(self.frame().await);
        }
        frames
    }

    /// Whether no frame has come that was not looked at.
    pub fn is_silent(&mut self) -> bool {
        self.frames.try_recv().is_err()
    }

    pub async fn message(&self, id: MessageId) -> Message {
        self.stores.messages.get(self.scope(), id).await.unwrap().unwrap()
    }

    pub async fn usage(&self) -> Usage {
        let period = month_of(self.clock.wall(), Tz::UTC);
        let empty = columba::domain::plan::Allowance { limit: 0, quota: Quota::Hard };
        let usage = self.stores.messages.usage(self.scope(), period).await.unwrap();
        usage.unwrap_or(Usage { allowance: empty, used: 0, held: 0, queued: 0 })
    }

    // ---- the feed ---------------------------------------------------------------------------------------------

    /// Waits until the feed says that the session has this status. What it said of the session before is dropped.
    pub async fn until(&mut self, session: SessionId, status: SessionStatus) {
        let wanted = |event: &StatusEvent| event.session == Some(session) && is_of_session(event);
        self.wait(wanted, Change::Session(status)).await;
    }

    /// Waits until the feed says that the message has this status.
    pub async fn becomes(&mut self, message: MessageId, status: MessageStatus) {
        let wanted = |event: &StatusEvent| event.change.message() == Some(message);
        self.wait(wanted, Change::Message(message, status)).await;
    }

    async fn wait(&mut self, of_subject: impl Fn(&StatusEvent) -> bool, change: Change) {
        loop {
            if let Some(place) =
                self.heard.iter().position(|event| of_subject(event) && event.change == change)
            {
                let later = self.heard.split_off(place + 1);
                self.heard.retain(|event| !of_subject(event));
                self.heard.extend(later);
                return;
            }
            match within_an_hour(self.feed.recv()).await {
                Some(event) => self.heard.push_back(event),
                None => panic!("{change:?} did not come within an hour; heard: {:?}", self.heard),
            }
        }
    }

    /// What the feed has said of the session since the last wait.
    pub fn said(&mut self, session: SessionId) -> Vec<SessionStatus> {
        while let Ok(event) = self.feed.try_recv() {
            self.heard.push_back(event);
        }
        let of_session = |event: &StatusEvent| match event.change {
            Change::Session(status) if event.session == Some(session) => Some(status),
            _ => None,
        };
        let said = self.heard.iter().filter_map(of_session).collect();
        self.heard.retain(|event| of_session(event).is_none());
        said
    }

    // ---- time and the end -------------------------------------------------------------------------------------

    /// Lets paused time run ahead, and everything that is due in it happen.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Ends the test: see [`finish_with`](Self::finish_with). Every message is settled.
    pub async fn finish(self) {
        self.finish_with(&[]).await;
    }

    /// Checks what has to hold at the end: no death that the test has not looked at, no message that waits or is under
    /// way besides `left`, no hold but theirs, nothing left after a drain.
    pub async fn finish_with(mut self, left: &[(MessageId, MessageStatus)]) {
        self.pass(Duration::from_secs(20)).await; // longer than a restart takes
        assert!(self.births.try_recv().is_err(), "a death that nobody expected");
        let all = Page { limit: 1_000, before: None };
        let messages = self.stores.messages.list(self.scope(), MessageFilter::default(), all).await.unwrap();
        assert!(!messages.has_more);
        let is_left = |status: MessageStatus| status.is_live() || status == MessageStatus::Unknown;
        let open = messages.rows.iter().filter(|message| is_left(message.status));
        let mut open: Vec<_> = open.map(|message| (message.id, message.status)).collect();
        open.sort_by_key(|(message, _)| *message);
        let mut left = left.to_vec();
        left.sort_by_key(|(message, _)| *message);
        assert_eq!(open, left, "messages that are not settled");
        assert_eq!(self.usage().await.held, left.len() as u64, "holds");
        self.registry.drain().await.unwrap();
        assert!(self.routes.is_empty(), "sessions that outlived the drain");
    }
}

fn is_of_session(event: &StatusEvent) -> bool {
    matches!(event.change, Change::Session(_))
}

/// Where a registry and its sessions are.
struct Places<'a> {
    home: &'a Placement,
    threads: Placement,
    routes: Routes,
    readiness: Arc<Notes>,
    messages: Arc<dyn Messages>,
}

fn launch(ports: Ports, places: Places<'_>, announce: UnboundedSender<Born>) -> (RegistryHandle, Accept) {
    let accept = Accept {
        outbox: Arc::clone(&ports.outbox),
        messages: places.messages,
        directory: Arc::clone(&ports.directory),
        signals: Arc::new(places.routes.clone()),
        abilities: Arc::new(Silence),
        clock: Arc::clone(&ports.clock),
        zone: Tz::UTC,
    };
    let setup = Setup {
        clock: Arc::clone(&ports.clock),
        sessions: Arc::clone(&ports.sessions),
        directory: Arc::clone(&ports.directory),
        vaults: Arc::clone(&ports.vaults),
        placement: places.threads,
        routes: places.routes,
        readiness: places.readiness,
        boot_rate: 20,
        draw: || Jitter::NONE,
    };
    let ports = Arc::new(ports);
    let factory = Box::new(move |birth: Birth| {
        let at = ports.clock.now();
        let writer = Writer { engine: "scripted".to_owned(), version: "1".to_owned(), format: 1 };
        let handle = SessionActor::launch(birth.clone(), writer, Arc::clone(&ports), || Jitter::NONE, 7);
        announce.send(Born { birth, handle: handle.clone(), at }).ok();
        handle
    });
    let root = RootGuard::new("registry", Arc::default());
    (RegistryActor::launch(factory, setup, places.home, root), accept)
}

/// A bound in paused time: a test that waits for what never comes fails at once instead of hanging.
pub async fn within_an_hour<T>(wait: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(3600), wait).await.ok().flatten()
}
