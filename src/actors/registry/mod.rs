//! Supervises sessions: a table that decides, a factory that builds, and this shell.
//!
//! A restart is a new actor from the factory under a new generation. Nothing of the old struct is kept:
//! a panic may have left it half-changed, and what matters is in the store.

use std::collections::{HashMap, VecDeque};
use std::{sync::Arc, time::Duration};

use actix::prelude::*;
use tokio::sync::oneshot;

use self::breaker::{Breaker, Surge};
use self::fleet::BootQueue;
use self::messages::{Drain, Find, Heed, Milestone, Reached, Remove, Restart};
use self::routes::Routes;
use self::table::{Order, Phase, Table, Word};
use super::arbiters::Placement;
use super::death::{Down, DownGuard, RootGuard};
use super::session::{Intent, SessionHandle};
use super::signal;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::scope::SystemScope;
use crate::domain::session::{Desired, Engine, Generation, Origin, Reason, Session, SessionStatus};
use crate::domain::time::Jitter;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::readiness::Readiness;
use crate::ports::sessions::{Sessions, StatusChange};
use crate::ports::vault::Vaults;

pub mod breaker;
mod fleet;
mod handle;
pub mod messages;
pub mod restart;
pub mod routes;
pub mod table;

pub use self::handle::RegistryHandle;

/// What a factory needs to build one incarnation.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its type")]
pub struct Birth {
    pub tenant: TenantId,
    pub engine: Engine,
    pub session: SessionId,
    pub generation: Generation,
    pub intent: Intent,
    pub placement: Placement,
    registry: Recipient<Down>,
    milestones: Recipient<Reached>,
}

impl Birth {
    /// Says where the new actor got. At most once per milestone and start: it queues past every bound.
    pub fn reached(&self, milestone: Milestone) {
        let (session, generation) = (self.session, self.generation);
        signal(&self.milestones, Reached { session, generation, milestone });
    }

    /// The witness that the new actor has to hold as a field.
    pub fn guard(&self) -> DownGuard {
        DownGuard::new(self.session, self.generation, self.registry.clone())
    }
}

/// Builds one incarnation on the thread that `Birth::placement` names. It must not block and must not panic.
pub type Factory = Box<dyn Fn(Birth) -> SessionHandle + Send>;

/// What the registry needs besides its factory.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its type")]
pub struct Setup {
    pub clock: Arc<dyn Clock>,
    pub sessions: Arc<dyn Sessions>,
    pub directory: Arc<dyn Directory>,
    pub vaults: Arc<dyn Vaults>,
    /// Where sessions live.
    pub placement: Placement,
    pub routes: Routes,
    /// Who is told when restarts are held back.
    pub readiness: Arc<dyn Readiness>,
    /// Sessions started per second at boot.
    pub boot_rate: u32,
    /// Called for every delay.
    pub draw: fn() -> Jitter,
}

/// A session that was asked to stop lets its attempts end for 5 s and has its last words written for 2 s. One that has not
/// ended by then is stopped without being asked.
const STOP_LIMIT: Duration = Duration::from_secs(8);
/// One that has not even then is given up: its thread is busy or it is lost. Its epoch is void with the next.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// The supervisor of this node's sessions.
pub struct RegistryActor {
    table: Table,
    /// Keyed by generation, so that a stale notice can remove only its own entry.
    live: HashMap<(SessionId, Generation), SessionHandle>,
    /// Who waits for a session's actor to end.
    farewells: HashMap<SessionId, Vec<oneshot::Sender<()>>>,
    breaker: Breaker,
    /// Whose restart the breaker holds back, in order.
    held_back: VecDeque<(SessionId, Generation)>,
    /// Sessions that were told that their version is no longer served.
    outdated: Surge,
    boot: BootQueue,
    draining: bool,
    factory: Factory,
    setup: Setup,
    _root: RootGuard,
}

impl RegistryActor {
    /// Starts on the thread that `home` names, away from its sessions: one that hangs must not stop its supervisor.
    /// `root` ends the process if the registry dies.
    pub fn launch(factory: Factory, setup: Setup, home: &Placement, root: RootGuard) -> RegistryHandle {
        let (routes, vaults) = (setup.routes.clone(), Arc::clone(&setup.vaults));
        let build = move |_: &mut Context<Self>| Self {
            table: Table::default(),
            live: HashMap::new(),
            farewells: HashMap::new(),
            breaker: Breaker::default(),
            held_back: VecDeque::new(),
            outdated: Surge::default(),
            boot: BootQueue::default(),
            draining: false,
            factory,
            setup,
            _root: root,
        };
        RegistryHandle::new(Self::start_in_arbiter(home.of("registry"), build), routes, vaults)
    }

    fn is_at_rest(&self, tenant: TenantId) -> bool {
        self.setup.directory.snapshot().is_at_rest(tenant)
    }

    /// What the row wants, as an order to the table.
    fn heed(&mut self, session: &Session) -> Order {
        let (id, origin) = (session.id, session.origin());
        if self.is_at_rest(origin.tenant) {
            return self.table.stop(id);
        }
        match session.desired {
            Desired::Running => self.table.start(id, origin, Intent::Renew, Duration::ZERO),
            Desired::Stopped => self.table.stop(id),
            Desired::LoggedOut if session.paired || self.table.find(id).is_some() => {
                self.table.start(id, origin, Intent::LogOut, Duration::ZERO)
            }
            Desired::LoggedOut => self.table.stop(id),
        }
    }
}

impl Actor for RegistryActor {
    type Context = Context<Self>;
}

impl Handler<Heed> for RegistryActor {
    type Result = ();

    fn handle(&mut self, Heed(session): Heed, ctx: &mut Context<Self>) {
        let order = self.heed(&session);
        self.perform(session.id, order, ctx);
    }
}

impl Handler<Restart> for RegistryActor {
    type Result = ();

    fn handle(&mut self, Restart { session, origin }: Restart, ctx: &mut Context<Self>) {
        let order = if self.is_at_rest(origin.tenant) {
            self.table.stop(session)
        } else {
            self.table.restart(session, origin)
        };
        self.perform(session, order, ctx);
    }
}

impl Handler<Remove> for RegistryActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, Remove(session): Remove, ctx: &mut Context<Self>) -> Self::Result {
        // Of the orders only a stop matters: nobody is left to read what a pronouncement would say.
        if let order @ Order::Stop(_) = self.table.stop(session) {
            self.perform(session, order, ctx);
        }
        let ended = self.ended(session);
        let ended = async move { drop(ended.await) };
        Box::pin(ended.into_actor(self).map(move |(), registry, _| registry.forget(session)))
    }
}

impl Handler<Drain> for RegistryActor {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) -> Self::Result {
        self.draining = true;
        let mut all = vec![];
        for session in self.table.active() {
            let order = self.table.stop(session);
            if let Order::Stop(_) = order {
                self.perform(session, order, ctx);
            }
            all.push(self.ended(session));
        }
        let count = all.len();
        Box::pin(async move {
            for ended in all {
                drop(ended.await);
            }
            count
        })
    }
}

impl Handler<Down> for RegistryActor {
    type Result = ();

    fn handle(&mut self, down: Down, ctx: &mut Context<Self>) {
        let Down { session, generation, panicking } = down;
        tracing::info!(%session, generation = generation.0, panicking, "session down");
        self.live.remove(&(session, generation));
        self.setup.routes.remove(session, generation);
        self.boot.starting.remove(&session);
        let sessions = self.table.active_count();
        let now = self.setup.clock.now();
        let order = self.table.down(session, generation, now, (self.setup.draw)());
        let crashed = matches!(order, Order::Crashed(..) | Order::Quarantine { .. });
        meters::session_exit(crashed);
        if crashed {
            self.crashed(session, now, sessions, ctx);
        }
        if !self.is_live(session) {
            // A waiter that has left needs no answer.
            self.farewells
                .remove(&session)
                .into_iter()
                .flatten()
                .for_each(|waiter| waiter.send(()).unwrap_or(()));
        }
        if !self.draining {
            self.perform(session, order, ctx);
        }
    }
}

impl Handler<Reached> for RegistryActor {
    type Result = ();

    fn handle(&mut self, reached: Reached, ctx: &mut Context<Self>) {
        let Reached { session, generation, milestone } = reached;
        if self.table.find(session).is_none_or(|(current, _)| current != generation) {
            return;
        }
        match milestone {
            Milestone::Started => drop(self.boot.starting.remove(&session)),
            Milestone::Outdated => self.told_outdated(session, ctx),
        }
    }
}

impl Handler<Find> for RegistryActor {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(session): Find, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.table.find(session))
    }
}

/// Effects: the only place of this actor that spawns, calls ports or arms timers.
impl RegistryActor {
    fn perform(&mut self, session: SessionId, order: Order, ctx: &mut Context<Self>) {
        match order {
            Order::Nothing => {}
            Order::Call(Duration::ZERO, generation) => self.due(session, generation, ctx),
            Order::Call(delay, generation) => self.call(session, delay, generation, ctx),
            Order::Spawn(generation) => self.spawn(session, generation, ctx),
            Order::Tell(generation) => self.tell(session, generation, ctx),
            Order::Stop(generation) => self.stop(session, generation, ctx),
            Order::Pronounce(Word::Stopped) => self.rest(session, ctx),
            Order::Pronounce(Word::Outdated) => {
                self.pronounce(session, SessionStatus::Parked, Reason::ClientOutdated, None, ctx);
            }
            Order::Quarantine { delay, generation, probes } => {
                tracing::error!(%session, probes, "session quarantined after too many exits");
                self.pronounce(session, SessionStatus::Quarantined, Reason::CrashLoop, Some(probes), ctx);
                self.call(session, delay, generation, ctx);
            }
            Order::Crashed(delay, generation) => {
                self.pronounce(session, SessionStatus::Reconnecting, Reason::Crashed, None, ctx);
                self.call(session, delay, generation, ctx);
            }
        }
    }

    fn due(&mut self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        if self.draining {
            return;
        }
        if !self.breaker.admits(session) {
            return self.held_back.push_back((session, generation));
        }
        let order = self.table.due(session, generation);
        self.perform(session, order, ctx);
    }

    fn call(&self, session: SessionId, delay: Duration, generation: Generation, ctx: &mut Context<Self>) {
        ctx.run_later(delay, move |registry, ctx| registry.due(session, generation, ctx));
    }

    fn spawn(&mut self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        let Some((Origin { tenant, engine }, intent)) = self.table.purpose(session) else { return };
        let placement = self.setup.placement.clone();
        let registry = ctx.address().recipient();
        let milestones = ctx.address().recipient();
        let birth = Birth { tenant, engine, session, generation, intent, placement, registry, milestones };
        let handle = (self.factory)(birth);
        self.setup.routes.insert(session, generation, handle.clone());
        self.live.insert((session, generation), handle);
    }

    /// A failed send needs no answer: the actor is gone, and its `Down` is on the way.
    fn tell(&self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        let intent = self.table.purpose(session).map(|(_, intent)| intent);
        if let Some(handle) = self.live.get(&(session, generation)).cloned() {
            let told = async move {
                match intent {
                    Some(Intent::LogOut) => handle.log_out().await.unwrap_or(()),
                    _ => handle.start().await.unwrap_or(()),
                }
            };
            ctx.spawn(told.into_actor(self));
        }
    }

    fn stop(&self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        if let Some(handle) = self.live.get(&(session, generation)).cloned() {
            let asked = async move { handle.stop().await.unwrap_or(()) };
            ctx.spawn(asked.into_actor(self));
            ctx.run_later(STOP_LIMIT, move |registry, ctx| registry.kill(session, generation, ctx));
        }
    }

    /// Ends an actor that was asked to end and did not.
    fn kill(&self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        if let Some(handle) = self.live.get(&(session, generation)).cloned() {
            tracing::warn!(%session, generation = generation.0, "session did not stop in time, ending it");
            let killed = async move { handle.kill().await.unwrap_or(()) };
            ctx.spawn(killed.into_actor(self));
            ctx.run_later(KILL_LIMIT, move |registry, ctx| registry.abandon(session, generation, ctx));
        }
    }

    /// Goes on without an actor that cannot be ended. It may come to itself: then it finds the order to end in its mailbox,
    /// and whatever it asks of the store before that is refused as soon as there is a new owner.
    fn abandon(&mut self, session: SessionId, generation: Generation, ctx: &mut Context<Self>) {
        if self.live.contains_key(&(session, generation)) {
            tracing::error!(%session, generation = generation.0, "session cannot be ended, going on without it");
            self.handle(Down { session, generation, panicking: false }, ctx);
        }
    }

    /// The word of the supervisor about a session that has no actor to speak for itself.
    fn pronounce(
        &self,
        session: SessionId,
        status: SessionStatus,
        reason: Reason,
        probes: Option<u32>,
        ctx: &mut Context<Self>,
    ) {
        let sessions = Arc::clone(&self.setup.sessions);
        let since = self.setup.clock.wall();
        let change = StatusChange { status, reason: Some(reason), code: reason.code(), since };
        let written = async move {
            let written = match probes {
                Some(probes) => sessions.quarantine(SystemScope, session, change, probes).await,
                None => sessions.pronounce(SystemScope, session, change).await,
            };
            if let Err(error) = written {
                tracing::warn!(%session, %error, "status not written");
            }
        };
        ctx.spawn(written.into_actor(self));
    }

    /// Sees to it that the row says stopped and why. What the actor's own last words have said is not said again.
    fn rest(&self, session: SessionId, ctx: &mut Context<Self>) {
        let sessions = Arc::clone(&self.setup.sessions);
        let read = async move { sessions.find(SystemScope, session).await };
        ctx.spawn(read.into_actor(self).map(move |row, registry, ctx| match row {
            Ok(Some(row)) if !registry.is_wanted(session) => {
                let suspended = registry.is_at_rest(row.tenant);
                let reason = if suspended { Reason::TenantSuspended } else { Reason::Requested };
                if (row.status, row.reason) != (SessionStatus::Stopped, Some(reason)) {
                    registry.pronounce(session, SessionStatus::Stopped, reason, None, ctx);
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%session, %error, "status not written"),
        }));
    }

    fn is_wanted(&self, session: SessionId) -> bool {
        self.table.find(session).is_some_and(|(_, phase)| phase.is_wanted())
    }

    /// Forgets a session that was removed, unless somebody wants it again.
    fn forget(&mut self, session: SessionId) {
        if !self.is_live(session) && !self.is_wanted(session) {
            self.table.remove(session);
        }
    }

    fn is_live(&self, session: SessionId) -> bool {
        matches!(self.table.find(session), Some((generation, _)) if self.live.contains_key(&(session, generation)))
    }

    /// Resolves when the session's actor has ended; at once when it has none.
    fn ended(&mut self, session: SessionId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.is_live(session) {
            self.farewells.entry(session).or_default().push(sender);
        }
        receiver
    }
}

impl Phase {
    /// Whether an actor is wanted.
    pub fn is_wanted(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Stopping { then_start: true })
    }
}
