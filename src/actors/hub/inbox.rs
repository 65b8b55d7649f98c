//! Where stores put committed events, and the hub takes them. Bounded, and nothing is lost: what does not fit leaves
//! a hole, and the hub fills holes from the log.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix::Recipient;

use super::messages::Arrived;
use crate::actors::admission::Admission;
use crate::actors::signal;
use crate::domain::event::StatusEvent;
use crate::ports::feed::FeedSink;

/// Events that may wait for the hub: some seconds of the fastest writer.
const ROOM: usize = 65_536;

struct Shared {
    events: Mutex<Vec<StatusEvent>>,
    hub: OnceLock<Recipient<Arrived>>,
    hints: Admission,
}

/// The way from a commit to the hub.
#[derive(Clone)]
pub struct Inbox(Arc<Shared>);

impl Default for Inbox {
    fn default() -> Self {
        let events = Mutex::new(vec![]);
        Self(Arc::new(Shared { events, hub: OnceLock::new(), hints: Admission::new(1) }))
    }
}

impl Inbox {
    /// From now on `hub` is told.
    pub(super) fn attach(&self, hub: Recipient<Arrived>) {
        if self.0.hub.set(hub).is_ok() {
            self.hint();
        }
    }

    /// What has come since the last call, in commit order.
    pub(super) fn take(&self) -> Vec<StatusEvent> {
        std::mem::take(&mut *self.0.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hint(&self) {
        if let (Some(hub), Some(permit)) = (self.0.hub.get(), self.0.hints.admit()) {
            signal(hub, Arrived { permit });
        }
    }
}

impl FeedSink for Inbox {
    fn publish(&self, events: Vec<StatusEvent>) {
        {
            let mut waiting = self.0.events.lock().unwrap_or_else(PoisonError::into_inner);
            let room = ROOM.saturating_sub(waiting.len());
            waiting.extend(events.into_iter().take(room));
        }
        self.hint();
    }
}
