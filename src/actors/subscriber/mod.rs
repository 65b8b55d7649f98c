//! One websocket of the feed. It writes to its socket itself, and ends with it: the client reconnects and resumes.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_ws::CloseReason;
use bytestring::ByteString;

use self::machine::{CloseCode, Input, Machine, Output};
use self::messages::{Flush, Frame, Gone, Heard};
use self::outlet::Outlet;
use super::arbiters::Placement;
use super::hub::HubHandle;
use super::hub::messages::{Filter, Resume, SubscriberId};
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::tickets::Grant;

pub mod machine;
pub mod messages;
pub mod outlet;
pub mod queue;

const TICK: Duration = Duration::from_secs(5);
/// How long a close frame may take to leave; a client that does not read is then left alone.
const FAREWELL: Duration = Duration::from_secs(30);

/// What a subscriber needs.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its type")]
pub struct Setup {
    pub hub: HubHandle,
    pub clock: Arc<dyn Clock>,
    pub directory: Arc<dyn Directory>,
    pub placement: Placement,
}

/// One websocket of the feed.
pub struct SubscriberActor {
    machine: Machine,
    greeting: Vec<Output>,
    id: SubscriberId,
    grant: Grant,
    socket: Option<actix_ws::Session>,
    outlet: Option<Outlet>,
    setup: Setup,
}

/// What the socket's reader holds.
#[derive(Clone)]
pub struct SubscriberHandle(Addr<SubscriberActor>);

impl SubscriberHandle {
    /// Hands over a frame and waits until it was looked at; whether the subscriber is still there.
    pub async fn heard(&self, frame: Frame) -> bool {
        self.0.send(Heard(frame)).await.is_ok()
    }

    /// The socket is gone.
    pub async fn gone(&self) {
        // One that has ended already needs no news.
        self.0.send(Gone).await.unwrap_or(());
    }
}

impl SubscriberActor {
    /// Starts on a thread of the feed.
    pub fn launch(grant: Grant, socket: actix_ws::Session, setup: Setup) -> SubscriberHandle {
        let id = setup.hub.name();
        let placement = setup.placement.clone();
        let build = move |_: &mut Context<Self>| {
            let (machine, greeting) = Machine::new(grant.sessions.clone(), setup.clock.now());
            Self { machine, greeting, id, grant, socket: Some(socket), outlet: None, setup }
        };
        SubscriberHandle(Self::start_in_arbiter(placement.of(id), build))
    }

    fn on(&mut self, input: Input, ctx: &mut Context<Self>) {
        let outputs = self.machine.on(self.setup.clock.now(), input);
        self.perform(outputs, ctx);
    }

    fn perform(&mut self, outputs: Vec<Output>, ctx: &mut Context<Self>) {
        for output in outputs {
            match output {
                Output::Write(frames) => self.write(frames, ctx),
                Output::Subscribe(filter, resume) => self.subscribe(filter, resume, ctx),
                Output::Collect => self.collect(ctx),
                Output::Ping => self.ping(ctx),
                Output::Close(last, code) => self.close(last, code, ctx),
            }
        }
    }

    /// All frames are handed over before the next batch: what the socket takes meanwhile leaves in one write.
    fn write(&self, frames: Vec<ByteString>, ctx: &mut Context<Self>) {
        let Some(mut socket) = self.socket.clone() else { return };
        let writing = async move {
            for frame in frames {
                socket.text(frame).await?;
            }
            Ok::<_, actix_ws::Closed>(())
        };
        ctx.spawn(writing.into_actor(self).map(|written, subscriber, ctx| match written {
            Ok(()) => subscriber.on(Input::Written, ctx),
            Err(_closed) => ctx.stop(),
        }));
    }

    fn subscribe(&mut self, filter: Filter, resume: Option<Resume>, ctx: &mut Context<Self>) {
        let outlet = Outlet::new(ctx.address().recipient());
        self.outlet = Some(outlet.clone());
        let (hub, id, tenant, asked) = (self.setup.hub.clone(), self.id, self.grant.tenant, resume.is_some());
        let answer = async move { hub.subscribe(id, tenant, filter, resume, outlet).await };
        ctx.spawn(answer.into_actor(self).map(move |answer, subscriber, ctx| match answer {
            Some(answer) => subscriber.on(Input::Subscribed { asked, answer }, ctx),
            None => subscriber.close(vec![], CloseCode::Retry, ctx),
        }));
    }

    fn collect(&mut self, ctx: &mut Context<Self>) {
        if self.machine.wants_more()
            && let Some(left) = self.outlet.as_ref().map(Outlet::take)
        {
            self.on(Input::Left(left), ctx);
        }
    }

    fn ping(&self, ctx: &mut Context<Self>) {
        let Some(mut socket) = self.socket.clone() else { return };
        let ping = async move { socket.ping(b"").await.is_ok() };
        ctx.spawn(ping.into_actor(self).map(|alive, _, ctx| {
            if !alive {
                ctx.stop();
            }
        }));
    }

    /// In a task of its own, since the actor's futures end with it, and behind what the socket has taken before.
    fn close(&mut self, last: Vec<ByteString>, code: CloseCode, ctx: &mut Context<Self>) {
        if let Some(mut socket) = self.socket.take() {
            actix::spawn(async move {
                let reason = CloseReason::from(actix_ws::CloseCode::from(code as u16));
                let farewell = async move {
                    for frame in last {
                        socket.text(frame).await?;
                    }
                    socket.close(Some(reason)).await
                };
                if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
                    tracing::debug!("a client that does not read was left without a close frame");
                }
            });
        }
        ctx.stop();
    }

    fn authorized(&self) -> bool {
        let now = self.setup.clock.wall();
        let snapshot = self.setup.directory.snapshot();
        let known = snapshot.keys.values().find(|key| key.id == self.grant.key);
        known.is_some_and(|key| key.expires_at.is_none_or(|end| end > now))
            && snapshot
                .tenants
                .get(&self.grant.tenant)
                .is_some_and(|tenant| tenant.status == crate::domain::tenant::TenantStatus::Active)
    }

    fn tick(&self, ctx: &mut Context<Self>) {
        ctx.run_later(TICK, |subscriber, ctx| {
            let authorized = subscriber.authorized();
            subscriber.on(Input::Tick { authorized }, ctx);
            subscriber.tick(ctx);
        });
    }
}

impl Actor for SubscriberActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let greeting = std::mem::take(&mut self.greeting);
        self.perform(greeting, ctx);
        self.tick(ctx);
    }
}

/// On every way out, a panic included: the hub must not keep a dead outlet.
impl Drop for SubscriberActor {
    fn drop(&mut self) {
        self.setup.hub.unsubscribe(self.id, self.grant.tenant);
    }
}

impl Handler<Heard> for SubscriberActor {
    type Result = ();

    fn handle(&mut self, Heard(frame): Heard, ctx: &mut Context<Self>) {
        self.on(Input::Heard(frame), ctx);
    }
}

impl Handler<Flush> for SubscriberActor {
    type Result = ();

    fn handle(&mut self, Flush { permit }: Flush, ctx: &mut Context<Self>) {
        // The place is given back first: what the hub leaves from here on rings again.
        drop(permit);
        self.collect(ctx);
    }
}

impl Handler<Gone> for SubscriberActor {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
