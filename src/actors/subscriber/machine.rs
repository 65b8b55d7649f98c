//! The feed's protocol, as one client meets it: frames in, frames out. No async, no actix, no clock.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::framed::Framed;
use super::messages::Frame;
use super::outlet::Left;
use crate::actors::hub::encode;
use crate::actors::hub::messages::{Filter, Resume, Subscribed};
use crate::domain::event::EventKind;
use crate::domain::id::SessionId;
use crate::domain::time::Moment;

/// How often the server shows that it is there, and asks the same.
pub const HEARTBEAT: Duration = Duration::from_secs(25);
/// A client that shows nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A client has this long to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// A write that takes longer than this is a client that does not read.
const STUCK: Duration = Duration::from_secs(10);
/// Frames that may wait for a socket, whatever a client asks for meanwhile.
const WAITING: usize = 4_096;
/// What a client is asked to wait before it comes back.
pub(super) const RETRY_MS: u64 = 2_000;

/// Why the server closes a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The client said goodbye.
    Goodbye = 1000,
    /// Come back.
    Retry = 4000,
    /// The key is no longer good.
    BadAuth = 4001,
    /// That is not yours.
    NotAllowed = 4003,
    /// Events came faster than you read.
    TooSlow = 4008,
    /// The ticket was used or has expired.
    TicketSpent = 4009,
    /// That is not the protocol.
    Protocol = 4010,
    /// The process ends.
    GoingAway = 1001,
}

/// Everything a subscriber can be told.
#[derive(Debug)]
pub enum Input {
    /// The client sent something.
    Heard(Frame),
    /// The hub answered.
    Subscribed {
        /// Whether the client had asked to resume.
        asked: bool,
        /// What it said.
        answer: Subscribed,
    },
    /// The hub has left something.
    Left(Left),
    /// All that was handed to the socket has been taken, pings and pongs too.
    Written,
    /// A second has passed or more; `authorized`: the key is still good.
    Tick {
        /// The key is still good.
        authorized: bool,
    },
}

/// Everything a subscriber can want done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand these frames to the socket, in one go.
    Write(Vec<Framed>),
    /// Ask the hub.
    Subscribe(Filter, Option<Resume>),
    /// Send a websocket ping.
    Ping,
    /// Answer one that carried this.
    Pong(Bytes),
    /// Write these, close, and end.
    Close(Vec<Framed>, CloseCode),
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum ClientFrame {
    Subscribe {
        #[serde(default)]
        sessions: Option<Vec<SessionId>>,
        #[serde(default)]
        events: Option<Vec<EventKind>>,
        #[serde(default)]
        resume: Option<Position>,
    },
    Ping {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    epoch: String,
    seq: u64,
}

#[derive(Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum ServerFrame<'a> {
    Hello { heartbeat_s: u64 },
    Ready { epoch: &'a str, seq: u64, recovered: bool },
    Lagged { missed: u64 },
    Resync { reason: &'a str },
    GoingAway { retry_ms: u64 },
    Pong,
    Error { code: &'a str },
}

impl ServerFrame<'_> {
    fn text(&self) -> Framed {
        // Words and integers: serialising them cannot fail.
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Has not said what it wants.
    Fresh,
    /// The hub is being asked.
    Asking,
    /// Gets events.
    Live,
    /// Was told to go.
    Closed,
}

/// One client.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// The sessions its ticket is good for; `None` means all of the tenant's.
    granted: Option<Vec<SessionId>>,
    since: Moment,
    heard_at: Moment,
    pinged_at: Moment,
    /// Since when the socket has been taking what it was handed.
    writing_since: Option<Moment>,
    /// Written when the socket is free.
    waiting: Vec<Framed>,
}

impl Machine {
    /// A client that has just come, and its greeting.
    pub fn new(granted: Option<Vec<SessionId>>, now: Moment) -> (Self, Vec<Output>) {
        let mut machine = Self {
            state: State::Fresh,
            granted,
            since: now,
            heard_at: now,
            pinged_at: now,
            writing_since: None,
            waiting: vec![],
        };
        let hello = ServerFrame::Hello { heartbeat_s: HEARTBEAT.as_secs() }.text();
        let outputs = machine.write(now, vec![hello]);
        (machine, outputs)
    }

    /// Takes one input.
    pub fn on(&mut self, now: Moment, input: Input) -> Vec<Output> {
        if self.state == State::Closed {
            return vec![];
        }
        match input {
            Input::Heard(frame) => {
                self.heard_at = now;
                self.heard(now, frame)
            }
            Input::Subscribed { asked, answer } => self.subscribed(now, asked, answer),
            Input::Left(left) => self.left(now, left),
            Input::Written => self.written(now),
            Input::Tick { authorized } => self.tick(now, authorized),
        }
    }

    fn heard(&mut self, now: Moment, frame: Frame) -> Vec<Output> {
        let text = match frame {
            Frame::Alive => return vec![],
            Frame::Ping(payload) => {
                self.writing_since.get_or_insert(now);
                return vec![Output::Pong(payload)];
            }
            Frame::Other => return self.refuse("malformed_frame", CloseCode::Protocol),
            Frame::Wish(Filter { sessions, kinds }, resume) => {
                return self.subscribe(sessions, kinds, resume);
            }
            Frame::Text(text) => text,
        };
        match serde_json::from_str(&text) {
            Ok(ClientFrame::Ping {}) => self.write(now, vec![ServerFrame::Pong.text()]),
            Ok(ClientFrame::Subscribe { sessions, events, resume }) => {
                let resume = resume.map(|Position { epoch, seq }| Resume { epoch, seq });
                self.subscribe(sessions, events, resume)
            }
            Err(_) => self.refuse("malformed_frame", CloseCode::Protocol),
        }
    }

    /// A later subscribe replaces the filter.
    fn subscribe(
        &mut self,
        sessions: Option<Vec<SessionId>>,
        kinds: Option<Vec<EventKind>>,
        resume: Option<Resume>,
    ) -> Vec<Output> {
        if self.state == State::Asking {
            return self.refuse("subscribe_in_flight", CloseCode::Protocol);
        }
        let sessions = match (&self.granted, sessions) {
            (Some(granted), Some(wanted)) if wanted.iter().any(|id| !granted.contains(id)) => {
                return self.refuse("not_allowed", CloseCode::NotAllowed);
            }
            (granted, None) => granted.clone(),
            (_, wanted) => wanted,
        };
        self.state = State::Asking;
        vec![Output::Subscribe(Filter { sessions, kinds }, resume)]
    }

    fn subscribed(&mut self, now: Moment, asked: bool, answer: Subscribed) -> Vec<Output> {
        self.state = State::Live;
        let recovered = answer.missed.is_some();
        let ready = ServerFrame::Ready { epoch: &answer.epoch, seq: answer.seq, recovered };
        let mut frames = vec![ready.text()];
        if asked && !recovered {
            frames.push(ServerFrame::Resync { reason: "position_not_kept" }.text());
        }
        frames.extend(answer.missed.iter().flatten().map(encode));
        self.write(now, frames)
    }

    fn left(&mut self, now: Moment, left: Left) -> Vec<Output> {
        let mut frames = left.batch.frames;
        if left.batch.missed > 0 {
            frames.insert(0, ServerFrame::Lagged { missed: left.batch.missed }.text());
        }
        if left.resync {
            frames.push(ServerFrame::Resync { reason: "events_lost" }.text());
        }
        if !left.going_away {
            return if frames.is_empty() { vec![] } else { self.write(now, frames) };
        }
        frames.push(ServerFrame::GoingAway { retry_ms: RETRY_MS }.text());
        vec![self.close(frames, CloseCode::GoingAway)]
    }

    /// Whether the outlet should be looked into: only a client that gets events, and whose socket is free. What waits
    /// meanwhile stays in the bounded queue.
    pub fn wants_more(&self) -> bool {
        self.state == State::Live && self.writing_since.is_none()
    }

    fn written(&mut self, now: Moment) -> Vec<Output> {
        self.writing_since = None;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() { vec![] } else { self.write(now, waiting) }
    }

    fn tick(&mut self, now: Moment, authorized: bool) -> Vec<Output> {
        if !authorized {
            return vec![self.close(vec![], CloseCode::BadAuth)];
        }
        if self.writing_since.is_some_and(|since| now.since(since) > STUCK) {
            return vec![self.close(vec![], CloseCode::TooSlow)];
        }
        if now.since(self.heard_at) > SILENCE {
            return vec![self.close(vec![], CloseCode::Retry)];
        }
        if self.state == State::Fresh && now.since(self.since) > PATIENCE {
            return self.refuse("subscribe_expected", CloseCode::Protocol);
        }
        if now.since(self.pinged_at) >= HEARTBEAT {
            self.pinged_at = now;
            self.writing_since.get_or_insert(now);
            return vec![Output::Ping];
        }
        vec![]
    }

    fn write(&mut self, now: Moment, frames: Vec<Framed>) -> Vec<Output> {
        if self.writing_since.is_some() {
            if self.waiting.len() + frames.len() > WAITING {
                self.waiting.clear();
                return vec![self.close(vec![], CloseCode::TooSlow)];
            }
            self.waiting.extend(frames);
            return vec![];
        }
        self.writing_since = Some(now);
        vec![Output::Write(frames)]
    }

    fn refuse(&mut self, code: &str, close: CloseCode) -> Vec<Output> {
        vec![self.close(vec![ServerFrame::Error { code }.text()], close)]
    }

    /// What still waits goes first.
    fn close(&mut self, last: Vec<Framed>, code: CloseCode) -> Output {
        self.state = State::Closed;
        let mut frames = std::mem::take(&mut self.waiting);
        frames.extend(last);
        Output::Close(frames, code)
    }
}
