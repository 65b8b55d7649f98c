//! Every store port in memory, behind one lock: the model that the SQL store is compared with, and a store for tests of
//! what stands on it. Nothing is durable; simple and obviously right comes before fast.

mod audit;
mod contacts;
mod directory;
mod feed;
mod ledger;
mod lookout;
mod media;
mod messages;
mod outbox;
mod people;
mod sessions;
mod state;
mod sweep;
mod webhooks;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use self::state::State;
use crate::ports::Stores;
use crate::ports::clock::Clock;
use crate::ports::feed::FeedSink;
use crate::ports::outbox::Rules;

/// Opens an empty store. Its feed has a new epoch each time, as it must when everything before is lost.
pub fn open(clock: Arc<dyn Clock>, rules: Rules, sink: Arc<dyn FeedSink>) -> Stores {
    let epoch = Uuid::new_v4().simple().to_string();
    let state = State { day_of: Some(Arc::clone(&rules.day_of)), ..State::default() };
    let store = Arc::new(MemoryStore { clock, rules, sink, epoch, state: Mutex::new(state) });
    Stores {
        directory: Arc::new(directory::MemoryDirectory::new(store.clone())),
        ledger: Arc::new(ledger::MemoryLedger::new(store.clone())),
        audit: store.clone(),
        sessions: store.clone(),
        outbox: store.clone(),
        messages: store.clone(),
        contacts: store.clone(),
        media: store.clone(),
        sweep: store.clone(),
        feed_log: store.clone(),
        people: store.clone(),
        lookout: store.clone(),
        webhooks: store,
    }
}

/// All ports over one state. A method is one transaction: it decides before it changes anything.
struct MemoryStore {
    clock: Arc<dyn Clock>,
    rules: Rules,
    sink: Arc<dyn FeedSink>,
    epoch: String,
    state: Mutex<State>,
}

impl MemoryStore {
    fn read(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction and hands its events over before the next one can begin.
    fn write<T>(&self, transaction: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.read();
        state.committing_at = self.clock.wall();
        let done = transaction(&mut state);
        let events = mem::take(&mut state.told);
        if !events.is_empty() {
            self.sink.publish(events);
        }
        let posted = mem::take(&mut state.webhooks.posted);
        if !posted.is_empty() {
            self.sink.posted(&posted.into_iter().collect::<Vec<_>>());
        }
        done
    }
}
