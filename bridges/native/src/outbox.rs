//! Events of one session: numbered, kept until confirmed, held back by the window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use columba_bridge_protocol::{Event, SessionKey, Up};
use tokio::sync::{Notify, oneshot};

use crate::wire::Wire;

/// One session's events.
pub struct Outbox {
    key: SessionKey,
    wire: Arc<Wire>,
    window: usize,
    state: Mutex<State>,
    /// Room in the window, or the end.
    room: Notify,
    /// Numbers leave in their order.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    last: u64,
    unconfirmed: BTreeMap<u64, Option<oneshot::Sender<()>>>,
    closing: bool,
}

impl Outbox {
    /// Empty.
    pub fn new(key: SessionKey, wire: Arc<Wire>, window: u32) -> Self {
        Self {
            key,
            wire,
            window: window.max(1) as usize,
            state: Mutex::default(),
            room: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the window has room. At once when the session closes.
    pub async fn has_room(&self) {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let state = self.state();
                if state.closing || state.unconfirmed.len() < self.window {
                    return;
                }
            }
            room.await;
        }
    }

    /// Reports an event; waits for the window.
    pub async fn report(&self, event: Event) {
        let _turn = self.turn.lock().await;
        self.has_room().await;
        self.leave(event, None).await;
    }

    /// Reports an event and waits until it is safe with the supervisor. `false`: the session closes, it is not.
    pub async fn hand_over(&self, event: Event) -> Option<oneshot::Receiver<()>> {
        let (safe, is_safe) = oneshot::channel();
        let _turn = self.turn.lock().await;
        self.has_room().await;
        if self.state().closing {
            return None;
        }
        self.leave(event, Some(safe)).await;
        Some(is_safe)
    }

    async fn leave(&self, event: Event, safe: Option<oneshot::Sender<()>>) {
        let seq = {
            let mut state = self.state();
            state.last += 1;
            let seq = state.last;
            state.unconfirmed.insert(seq, safe);
            seq
        };
        self.wire.say(Up::Event { session: self.key.clone(), seq, event }).await;
    }

    /// These are safe.
    pub fn confirm(&self, seqs: &[u64]) {
        let mut state = self.state();
        for seq in seqs {
            if let Some(Some(safe)) = state.unconfirmed.remove(seq) {
                let _ = safe.send(());
            }
        }
        drop(state);
        self.room.notify_waiters();
    }

    /// Nobody waits for a confirmation any more: what has none will come again.
    pub fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        for safe in state.unconfirmed.values_mut() {
            *safe = None;
        }
        drop(state);
        self.room.notify_waiters();
    }

    /// The last event. Beyond the window, if need be.
    pub async fn end(&self, event: Event) {
        self.close();
        let _turn = self.turn.lock().await;
        self.leave(event, None).await;
    }

    /// How many are unconfirmed.
    pub fn unconfirmed(&self) -> usize {
        self.state().unconfirmed.len()
    }
}
