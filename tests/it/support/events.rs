//! The feed's end of a store.

use std::mem;
use std::sync::Mutex;

use columba::domain::event::StatusEvent;
use columba::ports::feed::FeedSink;

/// Keeps what was published, in the order it came.
#[derive(Default)]
pub struct EventLog(Mutex<Vec<StatusEvent>>);

impl EventLog {
    /// Everything since the last call.
    pub fn take(&self) -> Vec<StatusEvent> {
        mem::take(&mut *self.0.lock().unwrap())
    }
}

impl FeedSink for EventLog {
    fn publish(&self, events: Vec<StatusEvent>) {
        self.0.lock().unwrap().extend(events);
    }
}
