//! Where stores ring when endpoints have something to deliver, and the keeper of couriers hears it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::event::StatusEvent;
use crate::domain::id::WebhookId;
use crate::ports::feed::FeedSink;

#[derive(Default)]
struct Shared {
    rung: Mutex<BTreeSet<WebhookId>>,
    heard: Notify,
}

/// The way from a commit to the couriers. Bounded by the number of endpoints.
#[derive(Clone, Default)]
pub struct Bell(Arc<Shared>);

impl Bell {
    /// Notes that these endpoints should look at their rows.
    pub fn ring(&self, endpoints: &[WebhookId]) {
        self.0.rung.lock().unwrap_or_else(PoisonError::into_inner).extend(endpoints);
        self.0.heard.notify_one();
    }

    /// Those that were rung since the last call; waits for one.
    pub(super) async fn next(&self) -> BTreeSet<WebhookId> {
        loop {
            let rung = std::mem::take(&mut *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner));
            if !rung.is_empty() {
                return rung;
            }
            self.0.heard.notified().await;
        }
    }
}

/// A store's sink that rings the bell and leaves the feed to another.
pub struct Rung<S> {
    /// Who publishes the feed.
    pub feed: S,
    /// Who is rung for endpoints.
    pub bell: Bell,
}

impl<S: FeedSink> FeedSink for Rung<S> {
    fn publish(&self, events: Vec<StatusEvent>) {
        self.feed.publish(events);
    }

    fn posted(&self, endpoints: &[WebhookId]) {
        self.bell.ring(endpoints);
    }
}
