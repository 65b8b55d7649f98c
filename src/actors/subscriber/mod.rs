//! One listener of the feed, by websocket or as server-sent events. It writes to its socket itself, and ends with it: the client reconnects and resumes.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use self::line::{Line, Wish};
use self::machine::{CloseCode, Input};
use self::messages::{Frame, Gone, Heard};
use self::outlet::Outlet;
use super::hub::HubHandle;
use super::hub::messages::SubscriberId;
use crate::domain::id::OperatorId;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::tickets::{Grant, Holder};

pub(crate) mod event_stream;
pub mod framed;
pub mod line;
pub mod machine;
pub mod messages;
pub mod outlet;
pub mod queue;
mod wire;

pub use self::line::Outgoing;
pub use self::wire::Listening;

const TICK: Duration = Duration::from_secs(5);

/// What a subscriber needs.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its type")]
pub struct Setup {
    pub hub: HubHandle,
    pub clock: Arc<dyn Clock>,
    pub directory: Arc<dyn Directory>,
}

/// One listener of the feed.
pub struct SubscriberActor {
    line: Line,
    id: SubscriberId,
    grant: Grant,
    setup: Setup,
    _listening: meters::Listening,
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
    /// Starts on the current thread, which is its connection's. The stream is what the socket is to be sent.
    pub fn launch(grant: Grant, listening: Listening, setup: Setup) -> (SubscriberHandle, Outgoing) {
        let line = Line::new(grant.sessions.clone(), listening, Arc::clone(&setup.clock));
        let outgoing = Outgoing(line.clone());
        let subscriber = Self {
            line,
            id: setup.hub.name(),
            grant,
            setup,
            _listening: meters::listening(listening.into()),
        };
        (SubscriberHandle(subscriber.start()), outgoing)
    }

    fn on(&mut self, input: Input, ctx: &mut Context<Self>) {
        if let Some(wish) = self.line.tell(input) {
            self.subscribe(wish, ctx);
        }
        // Its last words wait for the socket without it.
        if self.line.is_closed() {
            ctx.stop();
        }
    }

    fn subscribe(&mut self, (filter, resume): Wish, ctx: &mut Context<Self>) {
        let outlet = Outlet::default();
        self.line.attach(outlet.clone());
        let (hub, id, tenant, asked) = (self.setup.hub.clone(), self.id, self.grant.tenant, resume.is_some());
        let answer = async move { hub.subscribe(id, tenant, filter, resume, outlet).await };
        ctx.spawn(answer.into_actor(self).map(move |answer, subscriber, ctx| match answer {
            Some(answer) => subscriber.on(Input::Subscribed { asked, answer }, ctx),
            None => ctx.stop(),
        }));
    }

    fn authorized(&self) -> bool {
        let now = self.setup.clock.wall();
        let snapshot = self.setup.directory.snapshot();
        let key = match self.grant.holder {
            Holder::Key(key) => key,
            Holder::Operator(OperatorId::ROOT) => return true,
            Holder::Operator(operator) => {
                return snapshot.operators.values().any(|account| {
                    account.id == operator
                        && account.revoked_at.is_none_or(|at| at > now)
                        && account.expires_at.is_none_or(|end| end > now)
                });
            }
        };
        let known = snapshot.keys.values().find(|known| known.id == key);
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
        self.tick(ctx);
    }
}

/// On every way out, a panic included: the hub must not keep a dead outlet, nor a client a socket that says nothing.
impl Drop for SubscriberActor {
    fn drop(&mut self) {
        self.line.close(CloseCode::Retry);
        self.setup.hub.unsubscribe(self.id, self.grant.tenant);
    }
}

impl Handler<Heard> for SubscriberActor {
    type Result = ();

    fn handle(&mut self, Heard(frame): Heard, ctx: &mut Context<Self>) {
        self.on(Input::Heard(frame), ctx);
    }
}

impl Handler<Gone> for SubscriberActor {
    type Result = ();

    fn handle(&mut self, _: Gone, ctx: &mut Context<Self>) {
        self.line.close(CloseCode::Goodbye);
        ctx.stop();
    }
}
