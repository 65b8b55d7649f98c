//! The sum of a tenant's attempts, in memory. The store's log of attempts is the truth: a window is built from it at
//! first use, and caught up after a pause, in which the plan may have set no sum and nobody asked here. A sum that is
//! taken away and set again within two seconds is not noticed: what was sent meanwhile does not count.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex as Cell, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::domain::id::TenantId;
use crate::domain::time::{Moment, Reading};
use crate::domain::window::Window;
use crate::ports::limits::TenantWindows;
use crate::ports::outbox::Outbox;
use crate::ports::store::StoreError;

/// Without a question for so long, there may be attempts in the store that were not asked for here.
const PAUSE: Duration = Duration::from_secs(2);
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

    async fn load(&self, tenant: TenantId, cap: NonZeroU32, at: Reading) -> Result<Window, StoreError> {
        Ok(match self.outbox.tenant_attempts(tenant, at).await? {
            Some(attempts) => Window::replay(cap, attempts),
            None => Window::full(cap, at.now),
        })
    }

    /// Enters what was attempted during a pause. An attempt bears the moment of the question it was asked under, so one
    /// whose moment is in the window is in it already; a slot that was taken and not used stays taken.
    async fn catch_up(&self, tenant: TenantId, slots: &mut Slots, at: Reading) -> Result<(), StoreError> {
        match self.outbox.tenant_attempts(tenant, at).await? {
            None => slots.window = Window::full(slots.window.cap(), at.now),
            Some(attempts) => slots.window.enter(attempts),
        }
        Ok(())
    }
}

/// Sessions read the clock on threads of their own and then wait for each other here, so whoever comes second may have read
/// it first. That is no clock that went back, which would make the window full: the slot is taken at the later moment. The log
/// dates the attempt by what was read, so a window that catches up may count it twice: that delays, and never exceeds.
fn in_order(now: Moment, asked_at: Moment) -> Moment {
    if asked_at.since(now) <= PAUSE { now.max(asked_at) } else { now }
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
        tenant: TenantId,
        cap: NonZeroU32,
        at: Reading,
    ) -> Result<Result<(), Moment>, StoreError> {
        let slots = self.slots_of(tenant, at.now);
        // Held while the store is read: sessions of one tenant wait for the same window, others do not.
        let mut slots = slots.lock().await;
        let slots = match &mut *slots {
            Some(slots) => {
                if at.now.since(slots.asked_at) > PAUSE {
                    self.catch_up(tenant, slots, at).await?;
                }
                slots
            }
            empty => {
                let window = self.load(tenant, cap, at).await?;
                empty.insert(Slots { window, asked_at: at.now })
            }
        };
        let now = in_order(at.now, slots.asked_at);
        slots.asked_at = now;
        slots.window.recap(cap, now);
        let opens_at = slots.window.opens_at(now);
        if opens_at > now {
            return Ok(Err(opens_at));
        }
        slots.window.record(now);
        Ok(Ok(()))
    }
}
