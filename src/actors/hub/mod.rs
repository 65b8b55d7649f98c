//! Fans committed events to subscribers: in order, each encoded once. Stop 10 of the route.

use std::{collections::HashMap, sync::Arc};

use actix::prelude::*;

use self::inbox::Inbox;
use self::lane::{Lane, Lanes};
use self::messages::{Arrived, GoAway, Subscribe, Subscribed, SubscriberId, Unsubscribe};
use self::ring::{Entered, Ring};
use super::arbiters::Placement;
use super::death::RootGuard;
use super::subscriber::framed::Framed;
use crate::domain::event::{EventKind, MAX_BYTES, StatusEvent};
use crate::domain::id::TenantId;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::ports::feed::FeedLog;
use crate::ports::store::StoreError;

mod handle;
pub mod inbox;
pub mod lane;
pub mod messages;
pub mod ring;

pub use self::handle::HubHandle;

/// Events read at start to fill the rings.
const TAIL: u32 = 50_000;
/// The longest hole that is filled; a longer one is announced.
const LONGEST_HOLE: u64 = 10_000;

/// One tenant's feed.
#[derive(Default)]
struct Feed {
    ring: Ring,
    /// Who listens, and on which thread.
    listeners: HashMap<SubscriberId, Lane>,
    /// Each thread on which somebody listens, once.
    lanes: Vec<Lane>,
    /// What came while a hole is being filled; `None` when there is none.
    waiting: Option<Vec<StatusEvent>>,
}

impl Feed {
    fn tell(&self, event: &StatusEvent) {
        if self.lanes.is_empty() {
            return;
        }
        let text = encode(event);
        self.lanes.iter().for_each(|lane| lane.event(*event, text.apart()));
    }

    fn enter(&mut self, subscriber: SubscriberId, lane: Lane) {
        if !self.lanes.iter().any(|known| known.is(&lane)) {
            self.lanes.push(lane.clone());
        }
        self.listeners.insert(subscriber, lane);
    }

    fn leave(&mut self, subscriber: SubscriberId) -> Option<Lane> {
        let left = self.listeners.remove(&subscriber)?;
        if !self.listeners.values().any(|lane| lane.is(&left)) {
            self.lanes.retain(|lane| !lane.is(&left));
        }
        Some(left)
    }
}

/// An event's frame, shared by all who get it on one thread.
pub fn encode(event: &StatusEvent) -> Framed {
    Framed::of(MAX_BYTES, |frame| event.write(frame))
}

/// Fans committed events to subscribers.
pub struct HubActor {
    feeds: HashMap<TenantId, Feed>,
    /// Events told to those who watch all tenants.
    told_fleet: u64,
    /// Every thread on which anybody has listened.
    lanes: Vec<Lane>,
    inbox: Inbox,
    log: Arc<dyn FeedLog>,
    _root: RootGuard,
}

impl HubActor {
    /// Fills the rings from the log, then starts on its own thread and takes what `inbox` has collected meanwhile.
    pub async fn launch(
        inbox: Inbox,
        log: Arc<dyn FeedLog>,
        placement: &Placement,
        root: RootGuard,
    ) -> Result<HubHandle, StoreError> {
        let mut feeds: HashMap<TenantId, Feed> = HashMap::new();
        for (tenant, head) in log.heads(SystemScope).await? {
            feeds.entry(tenant).or_default().ring = Ring::at(head);
        }
        let mut filled: HashMap<TenantId, Ring> = HashMap::new();
        for event in log.tail(SystemScope, TAIL).await? {
            filled.entry(event.tenant).or_insert_with(|| Ring::at(event.seq - 1)).refill(event);
        }
        for (tenant, ring) in filled {
            feeds.entry(tenant).or_default().ring = ring;
        }
        let lanes = Lanes::new(root.armed());
        let build = move |_: &mut Context<Self>| Self {
            feeds,
            told_fleet: 0,
            lanes: vec![],
            inbox,
            log,
            _root: root,
        };
        Ok(HubHandle::new(Self::start_in_arbiter(placement.of("hub"), build), lanes))
    }

    fn enter(&mut self, event: StatusEvent, ctx: &mut Context<Self>) {
        let feed = self.feeds.entry(event.tenant).or_default();
        if let Some(waiting) = &mut feed.waiting {
            return waiting.push(event);
        }
        match feed.ring.enter(event) {
            Entered::InOrder => {
                feed.tell(&event);
                self.tell_fleet(&event);
            }
            Entered::Known => {}
            Entered::Hole { first } => {
                feed.waiting = Some(vec![event]);
                self.fill(event.tenant, first, event.seq - 1, ctx);
            }
        }
    }

    /// Whoever watches all tenants is told how sessions stand, and nothing else: what is written and paid is each tenant's own.
    fn tell_fleet(&mut self, event: &StatusEvent) {
        if event.change.kind() != EventKind::Session {
            return;
        }
        let Some(fleet) = self.feeds.get(&TenantId::FLEET).filter(|fleet| !fleet.lanes.is_empty()) else {
            return;
        };
        self.told_fleet += 1;
        let seq = self.told_fleet;
        let text = Framed::of(MAX_BYTES, |frame| event.write_for_fleet(seq, frame));
        let routed = StatusEvent { tenant: TenantId::FLEET, seq, ..*event };
        fleet.lanes.iter().for_each(|lane| lane.event(routed, text.apart()));
    }

    /// Reads what is missing; what comes meanwhile waits.
    fn fill(&self, tenant: TenantId, first: u64, last: u64, ctx: &mut Context<Self>) {
        tracing::warn!(%tenant, first, last, "hole in a feed, filling it from the log");
        let log = Arc::clone(&self.log);
        let read = async move {
            match last - first {
                few if few < LONGEST_HOLE => log.range(TenantScope::authenticated(tenant), first, last).await,
                _ => Ok(vec![]),
            }
        };
        ctx.spawn(read.into_actor(self).map(move |missing, hub, ctx| hub.filled(tenant, last, missing, ctx)));
    }

    /// What could not be read is announced: every listener is told to look at the state again.
    fn filled(
        &mut self,
        tenant: TenantId,
        last: u64,
        missing: Result<Vec<StatusEvent>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        let feed = self.feeds.entry(tenant).or_default();
        let waiting = feed.waiting.take().unwrap_or_default();
        let mut found = missing.unwrap_or_default();
        found.retain(|event| feed.ring.enter(*event) == Entered::InOrder);
        found.iter().for_each(|event| feed.tell(event));
        let is_lost = feed.ring.head() < last;
        if is_lost {
            feed.ring = Ring::at(last);
            feed.lanes.iter().for_each(|lane| lane.resync(tenant));
        }
        found.iter().for_each(|event| self.tell_fleet(event));
        if is_lost && let Some(fleet) = self.feeds.get(&TenantId::FLEET) {
            fleet.lanes.iter().for_each(|lane| lane.resync(TenantId::FLEET));
        }
        for event in waiting {
            self.enter(event, ctx);
        }
        self.ring();
    }

    /// Threads hear of a batch when all of it has been handed over.
    fn ring(&self) {
        self.lanes.iter().for_each(Lane::ring);
    }
}

impl Actor for HubActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.inbox.attach(ctx.address().recipient());
    }
}

impl Handler<Arrived> for HubActor {
    type Result = ();

    fn handle(&mut self, Arrived { permit }: Arrived, ctx: &mut Context<Self>) {
        // The place is given back before the inbox is emptied: an event that comes later rings again.
        drop(permit);
        for event in self.inbox.take() {
            self.enter(event, ctx);
        }
        self.ring();
    }
}

impl Handler<Subscribe> for HubActor {
    type Result = Subscribed;

    fn handle(&mut self, wish: Subscribe, _: &mut Context<Self>) -> Subscribed {
        let epoch = self.log.epoch().to_owned();
        let is_fleet = wish.tenant == TenantId::FLEET;
        let feed = self.feeds.entry(wish.tenant).or_default();
        // What all tenants' sessions did is not kept: whoever comes back reads what there is.
        let known = wish.resume.filter(|resume| resume.epoch == epoch && !is_fleet);
        let missed = known.and_then(|resume| {
            let events = feed.ring.after(resume.seq)?;
            Some(events.filter(|event| wish.filter.admits(event)).copied().collect())
        });
        let seq = if is_fleet { self.told_fleet } else { feed.ring.head() };
        feed.enter(wish.subscriber, wish.lane.clone());
        if !self.lanes.iter().any(|known| known.is(&wish.lane)) {
            self.lanes.push(wish.lane.clone());
        }
        wish.lane.enter(wish.tenant, wish.subscriber, wish.filter, wish.outlet);
        Subscribed { epoch, seq, missed }
    }
}

impl Handler<Unsubscribe> for HubActor {
    type Result = ();

    fn handle(&mut self, goodbye: Unsubscribe, _: &mut Context<Self>) {
        let feed = self.feeds.get_mut(&goodbye.tenant);
        if let Some(lane) = feed.and_then(|feed| feed.leave(goodbye.subscriber)) {
            lane.leave(goodbye.tenant, goodbye.subscriber);
        }
    }
}

impl Handler<GoAway> for HubActor {
    type Result = ();

    fn handle(&mut self, _: GoAway, _: &mut Context<Self>) {
        self.lanes.iter().for_each(Lane::go_away);
    }
}
