//! Where the hub puts one client's events. The hub never waits for a client.

use std::sync::{Arc, Mutex, PoisonError};

use actix::Recipient;
use bytestring::ByteString;

use super::messages::Flush;
use super::queue::{Batch, Queue};
use crate::actors::admission::Admission;
use crate::actors::signal;
use crate::domain::event::StatusEvent;

#[derive(Default)]
struct Content {
    queue: Queue,
    resync: bool,
    going_away: bool,
}

/// What the hub has left for a client since the last look.
#[derive(Debug, Default)]
pub struct Left {
    /// Events, and how many were left out.
    pub batch: Batch,
    /// Some are lost for good: the client has to read the state again.
    pub resync: bool,
    /// The process goes away.
    pub going_away: bool,
}

/// One client's bounded queue, shared by the hub and its subscriber.
#[derive(Clone)]
pub struct Outlet {
    content: Arc<Mutex<Content>>,
    subscriber: Recipient<Flush>,
    hints: Admission,
}

impl Outlet {
    /// An empty one, whose `subscriber` is told when something is left.
    pub fn new(subscriber: Recipient<Flush>) -> Self {
        Self { content: Arc::default(), subscriber, hints: Admission::new(1) }
    }

    /// Leaves an event.
    pub fn push(&self, event: &StatusEvent, text: ByteString) {
        self.leave(|content| content.queue.push(event, text));
    }

    /// Says that events are lost for good.
    pub fn resync(&self) {
        self.leave(|content| content.resync = true);
    }

    /// Says that the process goes away.
    pub fn go_away(&self) {
        self.leave(|content| content.going_away = true);
    }

    /// Takes everything that was left.
    pub fn take(&self) -> Left {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        Left {
            batch: content.queue.take(),
            resync: std::mem::take(&mut content.resync),
            going_away: std::mem::take(&mut content.going_away),
        }
    }

    fn leave(&self, change: impl FnOnce(&mut Content)) {
        change(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(permit) = self.hints.admit() {
            signal(&self.subscriber, Flush { permit });
        }
    }
}
