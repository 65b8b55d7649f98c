//! The sum of a tenant's attempts, in memory. The store's log of attempts is the truth: a window is built from it at
//! first use, and caught up after a pause, in which the plan may have set no sum and nobody asked here. A sum that is
//! taken away and set again within two seconds is not noticed: what was sent meanwhile does not count.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex as Cell, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::domain::id::TenantId;
use crate::domain::session::Lease;
use crate::domain::time::{Moment, Reading};
use crate::domain::window::Window;
use crate::ports::limits::TenantWindows;
use crate::ports::outbox::Outbox;
use crate::ports::store::StoreError;

/// Without a question for so long, there may be attempts in the store that were not asked for here.
pub(in crate::storage) const PAUSE: Duration = Duration::from_secs(2);
/// Tenants beyond which idle ones are looked for, at first; afterwards twice as many as were not idle.
const ROOM: usize = 1_024;

/// Windows of this process. Right only while it is the one process that sends.
pub struct MemoryWindows {
    outbox: Arc<dyn Outbox>,
    tenants: Cell<Tenants>,
}

struct Tenants {
    by_id: HashMap<TenantId, Arc<Mutex<Option<Slots>>>>,
    room: usize,
}

/// One tenant's window.
struct Slots {
    window: Window,
    /// When it was last asked for.
    asked_at: Moment,
    /// Whether all of it is known where processes share it.
    shared: bool,
}

impl Slots {
    fn new(window: Window, asked_at: Moment) -> Self {
        Self { window, asked_at, shared: false }
    }
}

impl MemoryWindows {
    /// Windows over the attempts that `outbox` remembers.
    pub fn new(outbox: Arc<dyn Outbox>) -> Self {
        Self { outbox, tenants: Cell::new(Tenants { by_id: HashMap::new(), room: ROOM }) }
    }

    /// Tenants whose window is in memory.
    pub fn len(&self) -> usize {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).by_id.len()
    }

    /// Whether no window is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slots_of(&self, tenant: TenantId, now: Moment) -> Arc<Mutex<Option<Slots>>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if !tenants.by_id.contains_key(&tenant) && tenants.by_id.len() >= tenants.room {
            tenants.by_id.retain(|_, slots| !is_idle(slots, now));
            tenants.room = ROOM.max(2 * tenants.by_id.len());
        }
        tenants.by_id.entry(tenant).or_default().clone()
    }

    /// A tenant's window for whoever asks now: others of the tenant wait, those of other tenants do not.
    pub(in crate::storage) async fn hold(&self, tenant: TenantId, now: Moment) -> Held {
        let slots = self.slots_of(tenant, now).lock_owned().await;
        Held { slots, outbox: Arc::clone(&self.outbox), tenant }
    }
}

/// One tenant's window, held while the store is read.
pub(in crate::storage) struct Held {
    slots: OwnedMutexGuard<Option<Slots>>,
    outbox: Arc<dyn Outbox>,
    tenant: TenantId,
}

impl Held {
    /// Enters what the store's log knows. An attempt bears the moment of the question it was asked under, so one whose
    /// moment is in the window is in it already; a slot that was taken and not used stays taken.
    pub(in crate::storage) async fn refresh(
        &mut self,
        cap: NonZeroU32,
        at: Reading,
    ) -> Result<(), StoreError> {
        let logged = self.outbox.tenant_attempts(self.tenant, at).await?;
        match (&mut *self.slots, logged) {
            (Some(slots), None) => slots.window = Window::full(cap, at.now),
            (Some(slots), Some(attempts)) => slots.window.enter(attempts),
            (empty, None) => *empty = Some(Slots::new(Window::full(cap, at.now), at.now)),
            (empty, Some(attempts)) => *empty = Some(Slots::new(Window::replay(cap, attempts), at.now)),
        }
        Ok(())
    }

    /// Takes a slot, or says when one opens.
    pub(in crate::storage) fn take(&mut self, cap: NonZeroU32, now: Moment) -> Result<(), Moment> {
        let window = self.asked(cap, now);
        let opens_at = window.opens_at(now);
        if opens_at > now {
            return Err(opens_at);
        }
        window.record(now);
        Ok(())
    }

    /// Enters a slot that was taken elsewhere.
    pub(in crate::storage) fn record(&mut self, cap: NonZeroU32, now: Moment) {
        self.asked(cap, now).record(now);
    }

    /// What it remembers, as [`Window::past`].
    pub(in crate::storage) fn past(&mut self, now: Moment) -> (Vec<Moment>, Option<Moment>) {
        self.slots.as_mut().map(|slots| slots.window.past(now)).unwrap_or_default()
    }

    /// Whether all that was taken here is known where processes share it.
    pub(in crate::storage) fn is_shared(&self) -> bool {
        self.slots.as_ref().is_some_and(|slots| slots.shared)
    }

    /// Notes whether it is.
    pub(in crate::storage) fn share(&mut self, shared: bool) {
        if let Some(slots) = &mut *self.slots {
            slots.shared = shared;
        }
    }

    /// The moment a slot is taken at. Sessions read the clock on threads of their own and then wait for each other here, so
    /// whoever comes second may have read it first. That is no clock that went back, which would make the window full: the
    /// slot is taken at the later moment. The log dates the attempt by what was read, so a window that catches up may count
    /// it twice: that delays, and never exceeds.
    pub(in crate::storage) fn in_order(&self, now: Moment) -> Moment {
        match self.slots.as_ref().map(|slots| slots.asked_at) {
            Some(asked_at) if asked_at.since(now) <= PAUSE => now.max(asked_at),
            _ => now,
        }
    }

    /// Whether there may be attempts in the store that were not asked for here.
    fn is_stale(&self, now: Moment) -> bool {
        self.slots.as_ref().is_none_or(|slots| now.since(slots.asked_at) > PAUSE)
    }

    /// Notes that it was asked for; the window, as it stands under this cap.
    pub(in crate::storage) fn asked(&mut self, cap: NonZeroU32, now: Moment) -> &mut Window {
        let slots = self.slots.get_or_insert_with(|| Slots::new(Window::replay(cap, vec![]), now));
        slots.asked_at = now;
        slots.window.recap(cap, now);
        &mut slots.window
    }
}

/// Whether somebody uses a window or it could still delay an attempt.
fn is_idle(slots: &Arc<Mutex<Option<Slots>>>, now: Moment) -> bool {
    Arc::strong_count(slots) == 1
        && slots
            .try_lock()
            .is_ok_and(|mut slots| slots.as_mut().is_none_or(|slots| slots.window.is_idle(now)))
}

#[async_trait]
impl TenantWindows for MemoryWindows {
    async fn take(
        &self,
        lease: Lease,
        cap: NonZeroU32,
        at: Reading,
    ) -> Result<Result<(), Moment>, StoreError> {
        let mut held = self.hold(lease.tenant, at.now).await;
        let at = Reading { now: held.in_order(at.now), ..at };
        if held.is_stale(at.now) {
            held.refresh(cap, at).await?;
        }
        Ok(held.take(cap, at.now))
    }
}
