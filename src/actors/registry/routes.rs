//! Where each session's actor is, for those who only want to ring. Written by the registry alone.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::actors::session::SessionHandle;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::Generation;
use crate::ports::signals::Signals;

/// Current handles, shared. A ring goes straight to its session and does not pass through the registry's mailbox.
#[derive(Clone, Default)]
pub struct Routes(Arc<RwLock<HashMap<SessionId, (Generation, SessionHandle)>>>);

impl Routes {
    /// The current handle of a session.
    pub fn get(&self, session: SessionId) -> Option<SessionHandle> {
        self.read(|routes| routes.get(&session).map(|(_, handle)| handle.clone()))
    }

    /// Sessions that have an actor.
    pub fn len(&self) -> usize {
        self.read(HashMap::len)
    }

    /// Whether no session has an actor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn insert(&self, session: SessionId, generation: Generation, handle: SessionHandle) {
        self.write(|routes| drop(routes.insert(session, (generation, handle))));
    }

    /// Removes the handle of this generation; a newer one stays.
    pub(super) fn remove(&self, session: SessionId, generation: Generation) {
        self.write(|routes| {
            if routes.get(&session).is_some_and(|(current, _)| *current == generation) {
                routes.remove(&session);
            }
        });
    }

    /// A panic cannot happen while the lock is held: nothing of ours but map calls runs under it.
    fn read<T>(&self, look: impl FnOnce(&HashMap<SessionId, (Generation, SessionHandle)>) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut HashMap<SessionId, (Generation, SessionHandle)>)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Signals for Routes {
    fn wake(&self, session: SessionId) {
        self.read(|routes| {
            if let Some((_, handle)) = routes.get(&session) {
                handle.wake();
            }
        });
    }

    fn wake_tenant(&self, tenant: TenantId) {
        self.read(|routes| {
            routes
                .values()
                .filter(|(_, handle)| handle.tenant() == tenant)
                .for_each(|(_, handle)| handle.wake());
        });
    }
}
