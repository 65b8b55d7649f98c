//! What waits for one slow client: bounded, newest state first, and the loss is counted. Pure.

use std::collections::VecDeque;

use super::framed::Framed;
use crate::domain::event::{BillingNews, Change, StatusEvent};
use crate::domain::id::{MessageId, SessionId, WebhookId};

/// Events that may wait for one client.
pub const ROOM: usize = 1_024;

/// Events an idle client's queue has room for.
const KEPT: usize = 8;

/// What an event supersedes: the same thing's earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Message(MessageId),
    Session(Option<SessionId>),
    Usage,
    Webhook(WebhookId),
    Billing(BillingNews),
}

impl From<&StatusEvent> for Subject {
    fn from(event: &StatusEvent) -> Self {
        match event.change {
            Change::Message(id, _) | Change::Received(id) => Self::Message(id),
            Change::Session(_) => Self::Session(event.session),
            Change::Usage(_) => Self::Usage,
            Change::Webhook(id) => Self::Webhook(id),
            Change::Billing(news) => Self::Billing(news),
        }
    }
}

/// Events that wait for one client.
#[derive(Debug, Default)]
pub struct Queue {
    events: VecDeque<(Subject, Framed)>,
    missed: u64,
}

/// What a client is to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Events left out before these.
    pub missed: u64,
    /// Frames, in order.
    pub frames: Vec<Framed>,
}

impl Queue {
    /// Enters an event. When there is no room, the same thing's earlier state makes room, or else the oldest event.
    pub fn push(&mut self, event: &StatusEvent, text: Framed) {
        let subject = Subject::from(event);
        if self.events.len() >= ROOM {
            let earlier = self.events.iter().position(|(other, _)| *other == subject);
            self.events.remove(earlier.unwrap_or(0));
            self.missed += 1;
        }
        self.events.push_back((subject, text));
    }

    /// Takes everything, and keeps no room for more than a few.
    pub fn take(&mut self) -> Batch {
        let frames = self.events.drain(..).map(|(_, text)| text).collect();
        self.events.shrink_to(KEPT);
        Batch { missed: std::mem::take(&mut self.missed), frames }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == 0
    }
}
