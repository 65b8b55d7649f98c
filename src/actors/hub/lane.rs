//! The hub's arm on one thread: it hands out there what the hub has handed it. So an event crosses to a thread once, not
//! once per listener, and a listener's queue and socket are touched by one thread only.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use actix::prelude::*;

use super::messages::{Arrived, Filter, SubscriberId};
use crate::actors::admission::Admission;
use crate::actors::death::RootGuard;
use crate::actors::signal;
use crate::actors::subscriber::framed::Framed;
use crate::actors::subscriber::outlet::Outlet;
use crate::domain::event::StatusEvent;
use crate::domain::id::TenantId;

/// Events that may wait for a thread. What does not fit is announced to everybody there.
const ROOM: usize = 65_536;

/// What the hub hands a thread.
enum Parcel {
    Event(StatusEvent, Framed),
    /// Events of this tenant are lost for good.
    Resync(TenantId),
    Enter(TenantId, SubscriberId, Filter, Outlet),
    Leave(TenantId, SubscriberId),
    GoAway,
}

#[derive(Default)]
struct Waiting {
    parcels: Vec<Parcel>,
    events: usize,
    /// Events were left out behind those that wait.
    overflow: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    thread: Recipient<Arrived>,
    hints: Admission,
}

/// The way to one thread's listeners. Bounded, and it never waits.
#[derive(Clone)]
pub struct Lane(Arc<Shared>);

impl Lane {
    /// Starts one on the current thread.
    fn start(root: RootGuard) -> Self {
        let context = Context::new();
        let thread = context.address().recipient();
        let shared = Shared { waiting: Mutex::default(), thread, hints: Admission::new(1) };
        let lane = Self(Arc::new(shared));
        context.run(LaneActor { feeds: HashMap::new(), lane: lane.clone(), _root: root });
        lane
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Hands over an event; [`ring`](Self::ring) says so.
    pub(super) fn event(&self, event: StatusEvent, text: Framed) {
        let mut waiting = self.waiting();
        if waiting.events >= ROOM {
            waiting.overflow = true;
            return;
        }
        waiting.events += 1;
        waiting.parcels.push(Parcel::Event(event, text));
    }

    /// From the next event on, `outlet` gets what `filter` admits, in place of what this subscriber had before.
    pub(super) fn enter(&self, tenant: TenantId, subscriber: SubscriberId, filter: Filter, outlet: Outlet) {
        self.hand(Parcel::Enter(tenant, subscriber, filter, outlet));
    }

    /// No more events for a subscriber.
    pub(super) fn leave(&self, tenant: TenantId, subscriber: SubscriberId) {
        self.hand(Parcel::Leave(tenant, subscriber));
    }

    /// Tells a tenant's listeners that events are lost for good.
    pub(super) fn resync(&self, tenant: TenantId) {
        self.hand(Parcel::Resync(tenant));
    }

    /// Tells everybody that the process goes away.
    pub(super) fn go_away(&self) {
        self.hand(Parcel::GoAway);
    }

    /// Says that something was handed over, unless that is known.
    pub(super) fn ring(&self) {
        if !self.waiting().parcels.is_empty()
            && let Some(permit) = self.0.hints.admit()
        {
            signal(&self.0.thread, Arrived { permit });
        }
    }

    fn hand(&self, parcel: Parcel) {
        self.waiting().parcels.push(parcel);
        self.ring();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lanes there are, one a thread with listeners.
#[derive(Clone)]
pub(super) struct Lanes {
    started: Arc<Mutex<HashMap<ThreadId, Lane>>>,
    armed: Arc<AtomicBool>,
}

impl Lanes {
    /// None yet. While `armed`, the death of one is the death of the process, as the hub's is.
    pub(super) fn new(armed: Arc<AtomicBool>) -> Self {
        Self { started: Arc::default(), armed }
    }

    /// That of the current thread, which is one that actors live on.
    pub(super) fn here(&self) -> Lane {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || Lane::start(RootGuard::new("lane", Arc::clone(&self.armed)));
        started.entry(thread::current().id()).or_insert_with(start).clone()
    }
}

struct Listener {
    filter: Filter,
    outlet: Outlet,
}

/// Hands out on its thread.
struct LaneActor {
    feeds: HashMap<TenantId, HashMap<SubscriberId, Listener>>,
    lane: Lane,
    _root: RootGuard,
}

impl LaneActor {
    fn hand_out(&mut self, parcels: Vec<Parcel>) {
        // Events of one tenant in a row are handed to a listener in one go.
        let mut run: Vec<(StatusEvent, Framed)> = vec![];
        for parcel in parcels {
            match parcel {
                Parcel::Event(event, text) => {
                    if run.last().is_some_and(|(last, _)| last.tenant != event.tenant) {
                        self.tell(std::mem::take(&mut run));
                    }
                    run.push((event, text));
                    continue;
                }
                other => {
                    self.tell(std::mem::take(&mut run));
                    self.arrange(other);
                }
            }
        }
        self.tell(run);
    }

    fn tell(&self, run: Vec<(StatusEvent, Framed)>) {
        let Some((first, _)) = run.first() else { return };
        for listener in self.feeds.get(&first.tenant).into_iter().flat_map(HashMap::values) {
            listener.outlet.push(run.iter().filter(|(event, _)| listener.filter.admits(event)));
        }
    }

    fn arrange(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Event(..) => {}
            Parcel::Resync(tenant) => {
                let listeners = self.feeds.get(&tenant).into_iter().flat_map(HashMap::values);
                listeners.for_each(|listener| listener.outlet.resync());
            }
            Parcel::Enter(tenant, subscriber, filter, outlet) => {
                self.feeds.entry(tenant).or_default().insert(subscriber, Listener { filter, outlet });
            }
            Parcel::Leave(tenant, subscriber) => {
                if let Some(listeners) = self.feeds.get_mut(&tenant) {
                    listeners.remove(&subscriber);
                    if listeners.is_empty() {
                        self.feeds.remove(&tenant);
                    }
                }
            }
            Parcel::GoAway => self.everybody(Outlet::go_away),
        }
    }

    fn everybody(&self, tell: impl Fn(&Outlet)) {
        self.feeds.values().flat_map(HashMap::values).for_each(|listener| tell(&listener.outlet));
    }
}

impl Actor for LaneActor {
    type Context = Context<Self>;
}

impl Handler<Arrived> for LaneActor {
    type Result = ();

    fn handle(&mut self, Arrived { permit }: Arrived, _: &mut Context<Self>) {
        // The place is given back first: what is handed over from here on rings again.
        drop(permit);
        let Waiting { parcels, overflow, .. } = std::mem::take(&mut *self.lane.waiting());
        self.hand_out(parcels);
        if overflow {
            self.everybody(Outlet::resync);
        }
    }
}
