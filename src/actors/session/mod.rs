//! One connected number: a machine that decides, and the shell that performs.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use self::machine::{Input, Machine, State};
use self::messages::{
    Ask, AskMedia, AskPairingCode, Describe, Description, Kill, LogOut, Outdated, Play, Start, Stop, Wake,
};
use super::death::DownGuard;
use super::pulse::NameTag;
use super::registry::{Birth, messages::Milestone};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::{Lease, Reason};
use crate::domain::time::Jitter;
use crate::outbound::attempt;
use crate::ports::clock::Clock;
use crate::ports::contacts::Contacts;
use crate::ports::directory::Directory;
use crate::ports::limits::TenantWindows;
use crate::ports::media::Media;
use crate::ports::outbox::Outbox;
use crate::ports::questions::Answer;
use crate::ports::sealer::Sealer;
use crate::ports::sessions::Sessions;
use crate::ports::supervisor::{SupervisorError, Trouble};
use crate::ports::transport::{FetchError, PairingCode, Transport};
use crate::ports::vault::{Vault, Vaults, Writer};

pub mod agenda;
pub mod cadence;
pub mod deadlines;
pub mod dispatch;
mod effects;
mod handle;
pub mod health;
mod line;
pub mod machine;
pub mod messages;
pub mod reconnect;

pub use self::handle::SessionHandle;

/// Every port a session needs.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its trait")]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub transport: Arc<dyn Transport>,
    pub outbox: Arc<dyn Outbox>,
    pub contacts: Arc<dyn Contacts>,
    pub media: Arc<dyn Media>,
    pub sessions: Arc<dyn Sessions>,
    pub vaults: Arc<dyn Vaults>,
    pub sealer: Arc<dyn Sealer>,
    pub directory: Arc<dyn Directory>,
    pub windows: Arc<dyn TenantWindows>,
}

impl Ports {
    fn attempt(&self) -> attempt::Ports {
        attempt::Ports {
            outbox: Arc::clone(&self.outbox),
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
        }
    }
}

/// What a new incarnation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// To run.
    Run,
    /// To run, at a person's word.
    Renew,
    /// To give the credentials up.
    LogOut,
}

/// How long a session that plays `hang` blocks its thread.
const HANG: Duration = Duration::from_secs(10);

/// One incarnation of a session. It holds its auth state (the vault), its outbound window and its health-probe timer
/// (both in the machine); a restart is another one.
pub struct SessionActor {
    machine: Machine,
    birth: Birth,
    tenant: TenantId,
    session: SessionId,
    writer: Writer,
    /// What stalls this session's thread has its name.
    tag: NameTag,
    /// The supervisor knows that it is no longer starting.
    started: bool,
    /// The right to act, once the store has given it.
    lease: Option<Lease>,
    /// The auth state, open under that lease.
    vault: Option<Arc<dyn Vault>>,
    ports: Arc<Ports>,
    /// The socket's events; canceling it closes the socket.
    link: Option<SpawnHandle>,
    timer: Option<SpawnHandle>,
    jitter: fn() -> Jitter,
    span: tracing::Span,
    _down: DownGuard,
}

impl SessionActor {
    /// Starts on the thread that `birth` names, over the transport of `ports`, which speaks for its engine. `draw` is called for every delay, `seed` decides the gaps.
    pub fn launch(
        birth: Birth,
        writer: Writer,
        ports: Arc<Ports>,
        draw: fn() -> Jitter,
        seed: u64,
    ) -> SessionHandle {
        let tenant = birth.tenant;
        let span = tracing::info_span!(
            "session",
            tenant = %tenant, session = %birth.session, generation = birth.generation.0
        );
        let (placement, session) = (birth.placement.clone(), birth.session);
        let tag = NameTag::new(session, placement.pulse_of(session).clone());
        let actor = move |_: &mut Context<Self>| {
            let at = ports.clock.read();
            let caps = ports.directory.snapshot().caps_of(tenant).unwrap_or(effects::LEAST).on(birth.engine);
            Self {
                machine: Machine::new(at, caps, draw(), seed),
                tenant,
                session: birth.session,
                writer,
                tag,
                started: false,
                lease: None,
                vault: None,
                _down: birth.guard(),
                birth,
                ports,
                link: None,
                timer: None,
                jitter: draw,
                span,
            }
        };
        SessionHandle::new(Self::start_in_arbiter(placement.of(session), actor), tenant)
    }

    /// The only way in: whatever happened goes through the machine, and what it wants is performed in order.
    fn on(&mut self, input: Input, ctx: &mut Context<Self>) {
        let span = self.span.clone();
        let _entered = span.enter();
        let tag = self.tag.clone();
        let _shown = tag.show();
        let (before, at) = (self.machine.state(), self.ports.clock.read());
        if let Some(caps) = self.ports.directory.snapshot().caps_of(self.tenant) {
            self.machine.bind(caps.on(self.birth.engine), at.now);
        }
        for effect in self.machine.on(at, input) {
            self.perform(effect, ctx);
        }
        let (state, reason) = (self.machine.state(), self.machine.reason());
        if state != before {
            tracing::info!(?state, reason = reason.map(<&str>::from), "session changed");
            self.tell_supervisor(before, state, reason);
        }
    }

    fn tell_supervisor(&mut self, before: State, state: State, reason: Option<Reason>) {
        if before == State::Starting && !std::mem::replace(&mut self.started, true) {
            self.birth.reached(Milestone::Started);
        }
        if state == State::Parked && reason == Some(Reason::ClientOutdated) {
            self.birth.reached(Milestone::Outdated);
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        tracing::debug!(session = %self.session, generation = self.birth.generation.0, "session actor started");
        match self.birth.intent {
            Intent::Run => self.on(Input::Start, ctx),
            Intent::Renew => self.on(Input::Renew, ctx),
            Intent::LogOut => self.on(Input::LogOut, ctx),
        }
    }
}

impl Handler<Start> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Start, ctx: &mut Context<Self>) {
        self.on(Input::Start, ctx);
    }
}

impl Handler<Stop> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        let suspended = self.ports.directory.snapshot().is_at_rest(self.tenant);
        let reason = if suspended { Reason::TenantSuspended } else { Reason::Requested };
        self.on(Input::Stop(reason), ctx);
    }
}

impl Handler<Kill> for SessionActor {
    type Result = ();

    /// Whatever the machine thinks of it.
    fn handle(&mut self, _: Kill, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Outdated> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Outdated, ctx: &mut Context<Self>) {
        self.on(Input::Outdated, ctx);
    }
}

impl Handler<LogOut> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: LogOut, ctx: &mut Context<Self>) {
        self.on(Input::LogOut, ctx);
    }
}

impl Handler<Wake> for SessionActor {
    type Result = ();

    fn handle(&mut self, Wake { permit }: Wake, ctx: &mut Context<Self>) {
        // The place is given back first: what changes from here on rings again.
        drop(permit);
        self.on(Input::Wake, ctx);
    }
}

impl Handler<Describe> for SessionActor {
    type Result = Description;

    fn handle(&mut self, _: Describe, _: &mut Context<Self>) -> Description {
        Description {
            status: self.machine.status(),
            reason: self.machine.reason(),
            pairing: self.machine.pairing().cloned(),
            waiting: self.machine.dispatch().waiting(),
        }
    }
}

impl Handler<AskPairingCode> for SessionActor {
    type Result = ResponseFuture<Result<PairingCode, SupervisorError>>;

    fn handle(&mut self, ask: AskPairingCode, _: &mut Context<Self>) -> Self::Result {
        let pairing = self.machine.state() == State::Pairing;
        let (transport, lease) = (Arc::clone(&self.ports.transport), self.lease);
        Box::pin(async move {
            let _held = ask.permit;
            let lease = lease.filter(|_| pairing).ok_or(SupervisorError::NotPairing)?;
            effects::pairing_code(&*transport, lease, &ask.phone).await
        })
    }
}

impl Handler<AskMedia> for SessionActor {
    type Result = ResponseFuture<Result<File, SupervisorError>>;

    /// The bytes come as an open file; they do not pass through here.
    fn handle(&mut self, ask: AskMedia, _: &mut Context<Self>) -> Self::Result {
        let connected = self.machine.state() == State::Connected;
        let (transport, lease) = (Arc::clone(&self.ports.transport), self.lease);
        Box::pin(async move {
            let _held = ask.permit;
            let lease = lease.filter(|_| connected).ok_or(FetchError::NoLink)?;
            Ok(transport.fetch_media(lease, &ask.handle, ask.most).await?)
        })
    }
}

impl Handler<Ask> for SessionActor {
    type Result = ResponseFuture<Result<Answer, SupervisorError>>;

    fn handle(&mut self, Ask { question, permit }: Ask, _: &mut Context<Self>) -> Self::Result {
        let connected = self.machine.state() == State::Connected;
        let (transport, lease) = (Arc::clone(&self.ports.transport), self.lease);
        Box::pin(async move {
            let _held = permit;
            let lease = lease.filter(|_| connected).ok_or(SupervisorError::NotConnected)?;
            effects::ask(&*transport, lease, question).await
        })
    }
}

impl Handler<Play> for SessionActor {
    type Result = ();

    /// Answered before it begins: whoever asked wants to watch, and a panic answers nobody.
    fn handle(&mut self, play: Play, ctx: &mut Context<Self>) {
        ctx.run_later(Duration::ZERO, move |actor, ctx| {
            let _shown = actor.tag.show();
            match play.trouble {
                Trouble::Panic => panic!("asked for by the sandbox"),
                // To block this thread is what was asked for.
                Trouble::Hang => std::thread::sleep(HANG),
                Trouble::Exit => ctx.stop(),
                Trouble::Never => drop(ctx.spawn(std::future::pending().into_actor(actor))),
            }
        });
    }
}
