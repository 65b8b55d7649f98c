//! Performs what the machine decided. The only place of this actor that spawns, calls ports or arms timers.
//!
//! Nothing here decides: an `if` about sessions in this file is a decision that escaped from the machine.
//! Writes run in tasks of their own: they reach the store in the order they were wanted, and even if the actor ends.

use std::num::NonZeroU32;
use std::{future::Future, sync::Arc, time::Duration};

use actix::prelude::*;
use futures_util::future::{FutureExt as _, Map};
use futures_util::stream::StreamExt as _;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

use super::line;
use super::machine::{Effect, Input};
use super::{Ports, SessionActor};
use crate::actors::session::deadlines::TimerEpoch;
use crate::domain::phone::Phone;
use crate::domain::plan::{Caps, Pacing};
use crate::domain::restraint::Approach;
use crate::domain::session::{Lease, Restriction, RestrictionKind};
use crate::domain::time::Moment;
use crate::domain::{id::MessageId, message::MessageReason};
use crate::failpoint::{self, Point};
use crate::meters;
use crate::outbound::{attempt, claim, hear, settle};
use crate::ports::outbox::{Claim, Claimed, Inbound, Memory, Outcome, Receipt, Settlement};
use crate::ports::questions::{Answer, Question};
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;
use crate::ports::supervisor::SupervisorError;
use crate::ports::transport::{DeliveryId, LinkEvent, PairingCode, Transport, TransportError};
use crate::ports::vault::{Vault, VaultError};

/// How long a question to the store may take. A write that takes longer goes on, and its answer is still heard.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

/// What binds a session whose tenant the directory does not know: next to nothing may leave.
pub(super) const LEAST: Caps = Caps {
    per_minute: NonZeroU32::MIN,
    per_minute_tenant: Some(NonZeroU32::MIN),
    pacing: Pacing::Human,
    first_contacts_per_day: Some(0),
    queue_max: 0,
    sessions_max: 0,
    silent: true,
};

impl SessionActor {
    pub(super) fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match (effect, self.lease) {
            (Effect::Recall, _) => self.recall(ctx),
            (Effect::Close, _) => self.close(ctx),
            (Effect::Arm { epoch, at }, _) => self.arm(epoch, at, ctx),
            (Effect::Exit, _) => self.exit(ctx),
            (Effect::Fail, _) => self.fail(ctx),
            (effect, Some(lease)) => self.perform_as(lease, effect, ctx),
            (effect, None) => debug_assert!(false, "{effect:?} before the store gave the right to act"),
        }
    }

    /// Effects that need the right to act.
    fn perform_as(&mut self, lease: Lease, effect: Effect, ctx: &mut Context<Self>) {
        let ports = self.ports.clone();
        match effect {
            Effect::Open => self.open(lease, ctx),
            Effect::Announce(change) => self.announce(lease, change, ctx),
            Effect::Remember(standing) => {
                self.detach("remember", async move { ports.sessions.remember(lease, standing).await })
            }
            Effect::CountReconnect => {
                self.detach("count reconnect", async move { ports.sessions.count_reconnect(lease).await })
            }
            Effect::NotePaired => {
                let at = ports.clock.wall();
                self.detach("note paired", async move { ports.sessions.set_paired(lease, true, at).await })
            }
            Effect::Read { turn, after } => {
                let work =
                    async move { in_time(ports.outbox.pending(lease, after, super::dispatch::READ)).await };
                self.report(work, move |answer| Input::Read { turn, answer }, ctx);
            }
            Effect::Claim { turn, message, at, lock } => {
                let caps = ports.directory.snapshot().caps_of(lease.tenant).unwrap_or(LEAST);
                let approach = Approach::of(self.birth.engine, &caps);
                let wanted = Claim { lease, message, at, lock, approach };
                let work = claim(ports, caps.per_minute_tenant, wanted);
                let fact =
                    move |done: Option<_>| Input::Claimed { turn, answer: done.unwrap_or_else(lost_claim) };
                self.report(self.apart(work), fact, ctx);
            }
            Effect::Attempt(work) => {
                let (message, number, jitter) = (work.message, work.number, (self.jitter)());
                let span = tracing::info_span!("attempt", %message, number);
                let sent = attempt::attempt(ports.attempt(), work, jitter).instrument(span);
                let ended = self.apart(sent).map(|end| end.unwrap_or(attempt::End::Open));
                self.report(ended, move |end| Input::Ended { message, number, end }, ctx);
            }
            Effect::GiveBack { message, number } => {
                let ports = self.ports.attempt();
                let work = async move { attempt::take_back(&ports, lease, message, number).await };
                let ended = self.apart(work).map(|end| end.unwrap_or(attempt::End::Open));
                self.report(ended, move |end| Input::Ended { message, number, end }, ctx);
            }
            Effect::GiveUp { message, number } => {
                let work = give_up(ports, lease, message, number);
                self.report(
                    self.apart(work),
                    move |done| Input::GivenUp { message, number, done: done == Some(true) },
                    ctx,
                );
            }
            Effect::Recover => {
                let at = ports.clock.wall();
                let work = async move {
                    failpoint::hit(Point::RecoverBefore).await?;
                    in_time(ports.outbox.recover(lease, at)).await?;
                    Ok(failpoint::hit(Point::RecoverAfter).await?)
                };
                self.report(self.apart(work), |done| Input::Recovered(answer(done)), ctx);
            }
            Effect::Ping => {
                let work = async move {
                    tokio::time::timeout(attempt::DEADLINE, ports.transport.ping(lease)).await.ok()?.ok()
                };
                self.report(work, Input::Pinged, ctx);
            }
            Effect::LogOut { tell } => {
                self.report(
                    self.apart(log_out(ports, lease, tell)),
                    |done| Input::LoggedOut(answer(done)),
                    ctx,
                );
            }
            Effect::Recall | Effect::Close | Effect::Arm { .. } | Effect::Exit | Effect::Fail => {}
        }
    }

    fn recall(&mut self, ctx: &mut Context<Self>) {
        let (ports, session, writer) = (self.ports.clone(), self.session, self.writer.clone());
        let work = async move {
            in_time(async move {
                failpoint::hit(Point::RecallBefore).await?;
                let memory = ports.outbox.recall(session, ports.clock.read()).await?;
                failpoint::hit(Point::RecallAfter).await?;
                let vault = ports.vaults.open(memory.lease, writer).await.map_err(store_error)?;
                Ok((memory, vault))
            })
            .await
        };
        let recalled = self.tag.on(work).into_actor(self).map(
            |answer: Result<(Memory, Arc<dyn Vault>), _>, actor, ctx| {
                let answer = answer.map(|(memory, vault)| {
                    actor.lease = Some(memory.lease);
                    actor.vault = Some(vault);
                    memory
                });
                actor.on(Input::Recalled(answer), ctx);
            },
        );
        ctx.spawn(recalled);
    }

    /// In the store's order of arrival, which is the order of the changes.
    fn announce(&self, lease: Lease, change: StatusChange, ctx: &mut Context<Self>) {
        meters::session_status(change.status, change.reason);
        let sessions = Arc::clone(&self.ports.sessions);
        let work = self.apart(async move { sessions.announce(lease, change).await });
        self.report(work, |done| Input::Announced(answer(done)), ctx);
    }

    /// `StreamHandler` would stop the actor when the link ends, so the stream is polled as a plain future.
    /// A delivery is stored and confirmed before the next event is looked at: order, and back-pressure to the network.
    fn open(&mut self, lease: Lease, ctx: &mut Context<Self>) {
        self.close(ctx);
        let Some(vault) = self.vault.clone() else { return };
        let ports = self.ports.clone();
        let link = line::open(self.ports.clone(), self.birth.engine, lease, vault);
        let facts = link.then(move |event| {
            // Apart: an idle link needs no room for the work of an event.
            fact(Arc::clone(&ports), lease, event).boxed_local()
        });
        let facts = facts.into_actor(self).map(|fact, actor, ctx| actor.on(fact, ctx));
        self.link = Some(ctx.spawn(facts.finish()));
    }

    /// Dropping the stream closes the socket. It may still yield one event in this very poll;
    /// the machine ignores it in every state it closes for.
    fn close(&mut self, ctx: &mut Context<Self>) {
        if let Some(link) = self.link.take() {
            ctx.cancel_future(link);
        }
    }

    /// The epoch makes a stale timer harmless; canceling it makes it cheap as well.
    fn arm(&mut self, epoch: TimerEpoch, at: Moment, ctx: &mut Context<Self>) {
        if let Some(stale) = self.timer.take() {
            ctx.cancel_future(stale);
        }
        let wait = at.since(self.ports.clock.now());
        self.timer = Some(ctx.run_later(wait, move |actor, ctx| {
            actor.on(Input::TimerFired(epoch), ctx);
        }));
    }

    /// The vault is left as after a crash: what did not move may have held it.
    fn fail(&mut self, ctx: &mut Context<Self>) {
        tracing::error!("messages do not move although the link does; this incarnation ends");
        ctx.stop();
    }

    fn exit(&mut self, ctx: &mut Context<Self>) {
        if let Some(vault) = self.vault.take() {
            self.detach("close vault", async move { vault.close().await.map_err(store_error) });
        }
        ctx.stop();
    }

    /// Runs `work` beside the mailbox, which goes on, and tells the machine its answer.
    fn report<T: 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
        fact: impl FnOnce(T) -> Input + 'static,
        ctx: &mut Context<Self>,
    ) {
        let work = self.tag.on(work).into_actor(self);
        ctx.spawn(work.map(|answer, actor, ctx| actor.on(fact(answer), ctx)));
    }

    /// Runs `work` in a task of its own, to its end even if the actor dies first. `None` when it panicked.
    fn apart<T: 'static>(&self, work: impl Future<Output = T> + 'static) -> Apart<T> {
        actix::spawn(self.tag.on(work.in_current_span())).map(Result::ok)
    }

    /// Runs `work` to its end even if the actor dies first. Nobody waits for it: the next recall repairs what it missed.
    fn detach(&self, what: &'static str, work: impl Future<Output = Result<(), StoreError>> + 'static) {
        let work = async move {
            if let Err(error) = work.await {
                tracing::warn!(what, %error, "store call failed");
            }
        };
        actix::spawn(self.tag.on(work.in_current_span()));
    }
}

/// The end of a task of its own.
type Apart<T> = Map<JoinHandle<T>, fn(Result<T, JoinError>) -> Option<T>>;

/// A question that nobody answers is one that was not answered: it is asked again.
async fn in_time<T>(question: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable("no answer within half a minute".to_owned()));
    tokio::time::timeout(STORE_PATIENCE, question).await.unwrap_or_else(late)
}

fn answer<T>(done: Option<Result<T, StoreError>>) -> Result<T, StoreError> {
    done.unwrap_or_else(|| Err(panicked()))
}

fn lost_claim() -> Result<Claimed, claim::ClaimError> {
    Err(claim::ClaimError::Store(panicked()))
}

fn panicked() -> StoreError {
    StoreError::Unavailable("the call panicked".to_owned())
}

fn store_error(error: VaultError) -> StoreError {
    match error {
        VaultError::Fenced => StoreError::Fenced,
        VaultError::Sealed => StoreError::Poisoned(error.to_string()),
        VaultError::Unavailable(_) | VaultError::TooLarge(_) => StoreError::Unavailable(error.to_string()),
    }
}

/// Makes a link's event a fact, once what it delivered is on disk and the network may forget it.
async fn fact(ports: Arc<Ports>, lease: Lease, event: LinkEvent) -> Input {
    match event {
        LinkEvent::PairingCode { code, expires_at } => Input::CodeShown { code, expires_at },
        LinkEvent::Passkey(passkey) => Input::PasskeyHeard(passkey),
        LinkEvent::Paired => Input::Paired,
        LinkEvent::Connected => Input::Connected,
        LinkEvent::OfflineSynced => Input::OfflineSynced,
        LinkEvent::Timelocked { until } => {
            Input::Restricted(Some(Restriction { kind: RestrictionKind::Timelock, until }))
        }
        LinkEvent::NewChatsUsedUp { until } => {
            Input::Restricted(Some(Restriction { kind: RestrictionKind::NewChats, until }))
        }
        LinkEvent::Unrestricted => Input::Restricted(None),
        LinkEvent::Closed(reason) => Input::Closed(reason),
        LinkEvent::Receipt { delivery, wa_id, kind } => {
            let receipt = Receipt { wa_id: wa_id.clone(), kind, at: ports.clock.wall() };
            let stored = hear::receipt(&*ports.outbox, lease, receipt).await;
            let stored = heard(ports, lease, delivery, stored).await;
            Input::Heard { wa_id: Some(wa_id), freed: None, stored }
        }
        LinkEvent::Inbound { delivery, letter, handle } => {
            let (at, chat) = (ports.clock.wall(), letter.chat.clone());
            let inbound = Inbound { id: MessageId::mint(at), letter: *letter, at };
            let stored = hear::inbound(&*ports.outbox, &*ports.media, lease, inbound, handle).await;
            let freed = stored.as_ref().is_ok_and(|stored| stored.freed).then_some(chat);
            let stored = heard(ports, lease, delivery, stored.map(drop)).await;
            Input::Heard { wa_id: None, freed, stored }
        }
    }
}

/// What is not on disk is not confirmed: it comes again with the next link.
async fn heard(
    ports: Arc<Ports>,
    lease: Lease,
    delivery: DeliveryId,
    stored: Result<(), StoreError>,
) -> Result<(), StoreError> {
    match &stored {
        Ok(()) | Err(StoreError::Poisoned(_)) => {
            if let Err(error) = ports.transport.confirm(lease, &delivery).await {
                tracing::debug!(%error, "delivery not confirmed, it will come again");
            }
        }
        Err(error) => tracing::warn!(%error, "delivery not stored, it will come again"),
    }
    stored
}

async fn give_up(ports: Arc<Ports>, lease: Lease, message: MessageId, number: u32) -> bool {
    let outcome = Outcome::Unknown(MessageReason::NoAck);
    let settlement = Settlement { tenant: lease.tenant, message, number, outcome, at: ports.clock.wall() };
    settle::settle(&*ports.outbox, settlement).await.is_ok()
}

/// Every step is idempotent. When the tenant asked, the row that says "no credentials" comes last: a crash before it
/// begins again. When the server threw us out it comes first, before anybody reads `logged_out`: nothing that was
/// accepted meanwhile could be sent, and credentials a crash leaves behind are refused by the server once more.
async fn log_out(ports: Arc<Ports>, lease: Lease, tell: bool) -> Result<(), StoreError> {
    let at = ports.clock.wall();
    if tell {
        let told = tokio::time::timeout(attempt::DEADLINE, ports.transport.log_out(lease)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::warn!("the server was not told of the log-out; the phone may still list this device");
        }
        ports.vaults.archive(lease, at).await.map_err(store_error)?;
        return ports.sessions.set_paired(lease, false, at).await;
    }
    ports.sessions.set_paired(lease, false, at).await?;
    ports.vaults.archive(lease, at).await.map_err(store_error)
}

pub(super) async fn pairing_code(
    transport: &dyn Transport,
    lease: Lease,
    phone: &Phone,
) -> Result<PairingCode, SupervisorError> {
    let asked = tokio::time::timeout(attempt::DEADLINE, transport.pairing_code(lease, phone)).await;
    asked.map_err(|_| SupervisorError::Busy)?.map_err(|error| match error {
        TransportError::NoLink | TransportError::NotPairing => SupervisorError::NotPairing,
        TransportError::Unsupported => SupervisorError::Unsupported,
    })
}

pub(super) async fn ask(
    transport: &dyn Transport,
    lease: Lease,
    question: Question,
) -> Result<Answer, SupervisorError> {
    let asked = tokio::time::timeout(attempt::DEADLINE, transport.ask(lease, question)).await;
    asked.map_err(|_| SupervisorError::Busy)?.map_err(|error| match error {
        TransportError::NoLink | TransportError::NotPairing => SupervisorError::NotConnected,
        TransportError::Unsupported => SupervisorError::Unsupported,
    })
}

/// Claims a message, and asks for the number of a stranger first where that has to be known.
async fn claim(
    ports: Arc<Ports>,
    tenant_cap: Option<NonZeroU32>,
    wanted: Claim,
) -> Result<Claimed, claim::ClaimError> {
    match claim::claim(&*ports.outbox, &*ports.windows, tenant_cap, wanted).await? {
        Claimed::Unchecked { to } => {
            let (contacts, transport) = (&*ports.contacts, &*ports.transport);
            let until = claim::ask_for(contacts, transport, &*ports.clock, wanted.lease, to).await?;
            Ok(Claimed::NotYet { until })
        }
        claimed => Ok(claimed),
    }
}
