//! What waits for one slow client: bounded, newest state first, and the loss is counted. Pure.

use std::collections::VecDeque;

use bytestring::ByteString;

use crate::domain::event::{Change, StatusEvent};
use crate::domain::id::{MessageId, SessionId};

/// Events that may wait for one client.
pub const ROOM: usize = 1_024;

/// What an event supersedes: the same thing's earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Message(MessageId),
    Session(Option<SessionId>),
    Usage,
}

impl From<&StatusEvent> for Subject {
    fn from(event: &StatusEvent) -> Self {
        match event.change {
            Change::Message(id, _) | Change::Received(id) => Self::Message(id),
            Change::Session(_) => Self::Session(event.session),
            Change::Usage(_) => Self::Usage,
        }
    }
}

/// Events that wait for one client.
#[derive(Debug, Default)]
pub struct Queue {
    events: VecDeque<(Subject, ByteString)>,
    missed: u64,
}

/// What a client is to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Events left out before these.
    pub missed: u64,
    /// Frames, in order.
    pub frames: Vec<ByteString>,
}

impl Queue {
    /// Enters an event. When there is no room, the same thing's earlier state makes room, or else the oldest event.
    pub fn push(&mut self, event: &StatusEvent, text: ByteString) {
        let subject = Subject::from(event);
        if self.events.len() >= ROOM {
            let earlier = self.events.iter().position(|(other, _)| *other == subject);
            self.events.remove(earlier.unwrap_or(0));
            self.missed += 1;
        }
        self.events.push_back((subject, text));
    }

    /// Takes everything.
    pub fn take(&mut self) -> Batch {
        let frames = self.events.drain(..).map(|(_, text)| text).collect();
        Batch { missed: std::mem::take(&mut self.missed), frames }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == 0
    }
}
