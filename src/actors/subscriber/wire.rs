//! The two ways in which a client can listen. What it is told, and when, is the same in both.

use bytes::Bytes;

use super::event_stream::{self, EventStream};
use super::framed::{self, Framed};
use super::machine::CloseCode;

/// How a client listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// By websocket: it can speak, and has to show that it is there.
    Websocket,
    /// By server-sent events: it says what it wants once, by its request.
    EventStream,
}

/// What the machine wants said, in the form in which it leaves.
#[derive(Debug)]
pub(super) enum Wire {
    Websocket,
    EventStream(EventStream),
}

impl From<Listening> for Wire {
    fn from(listening: Listening) -> Self {
        match listening {
            Listening::Websocket => Self::Websocket,
            Listening::EventStream => Self::EventStream(EventStream::default()),
        }
    }
}

impl Wire {
    pub(super) fn text(&mut self, text: Framed) -> Bytes {
        match self {
            Self::Websocket => text.into_bytes(),
            Self::EventStream(stream) => stream.event(&text),
        }
    }

    pub(super) fn ping(&self) -> Bytes {
        match self {
            Self::Websocket => framed::ASK,
            Self::EventStream(_) => event_stream::PING,
        }
    }

    pub(super) fn close(&self, code: CloseCode) -> Bytes {
        match self {
            Self::Websocket => framed::close(code as u16),
            Self::EventStream(_) => EventStream::close(code),
        }
    }

    /// Whether the client cannot speak: then that it takes what it is sent shows that it is there.
    pub(super) fn is_one_way(&self) -> bool {
        matches!(self, Self::EventStream(_))
    }
}
