//! Where one client's events wait until its socket is free. Whoever leaves them never waits for the client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::framed::Framed;
use super::queue::{Batch, Queue};
use crate::domain::event::StatusEvent;

#[derive(Default)]
struct Content {
    queue: Queue,
    resync: bool,
    going_away: bool,
    /// Who looked last.
    reader: Option<Waker>,
    /// And found nothing.
    waits: bool,
}

impl Content {
    fn is_empty(&self) -> bool {
        self.queue.is_empty() && !self.resync && !self.going_away
    }

    fn take(&mut self) -> Left {
        Left {
            batch: self.queue.take(),
            resync: std::mem::take(&mut self.resync),
            going_away: std::mem::take(&mut self.going_away),
        }
    }
}

/// What has been left for a client since the last look.
#[derive(Debug, Default)]
pub struct Left {
    /// Events, and how many were left out.
    pub batch: Batch,
    /// Some are lost for good: the client has to read the state again.
    pub resync: bool,
    /// The process goes away.
    pub going_away: bool,
}

/// One client's bounded queue, shared by those who fill it and its subscriber.
#[derive(Clone, Default)]
pub struct Outlet(Arc<Mutex<Content>>);

impl Outlet {
    /// Leaves events, in order.
    pub fn push<'a>(&self, events: impl Iterator<Item = &'a (StatusEvent, Framed)>) {
        self.leave(|content| events.for_each(|(event, text)| content.queue.push(event, text.clone())));
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
        self.content().take()
    }

    /// Takes everything that was left; with nothing there, the task is woken once there is. One reader at a time.
    pub fn poll_left(&self, context: &mut Context<'_>) -> Poll<Left> {
        let mut content = self.content();
        if !content.is_empty() {
            return Poll::Ready(content.take());
        }
        match &mut content.reader {
            Some(reader) => reader.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        content.waits = true;
        Poll::Pending
    }

    fn leave(&self, change: impl FnOnce(&mut Content)) {
        let content = &mut *self.content();
        change(content);
        if content.waits && !content.is_empty() {
            content.waits = false;
            content.reader.iter().for_each(Waker::wake_by_ref);
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
