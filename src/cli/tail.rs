//! The feed's protocol as a client meets it: frames in, what to say of them out, and the place to go on from. No IO.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::screen::one_line;
use crate::domain::time::WallTime;

/// Waits between two tries, the last one for ever.
const WAITS_MS: [u64; 6] = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

/// A place in a tenant's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    epoch: String,
    seq: u64,
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.rsplit_once(':').and_then(|(epoch, seq)| Some((epoch, seq.parse().ok()?)));
        match parsed {
            Some((epoch, seq)) if !epoch.is_empty() => Ok(Self { epoch: epoch.to_owned(), seq }),
            _ => Err("expected EPOCH:SEQ, as an earlier run said it".to_owned()),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// An event, as API.md has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    q: u64,
    #[serde(default)]
    s: Option<String>,
    e: String,
    /// What it is about.
    pub id: String,
    c: String,
    t: i64,
}

impl Event {
    /// As people read it: when, what, its new status, where.
    pub fn line(&self, word: impl Fn(&str) -> String) -> String {
        let at = WallTime(self.t).utc().format("%H:%M:%S%.3f").to_string();
        let (kind, id, code) = (one_line(&self.e), one_line(&self.id), one_line(&self.c));
        // Of a session's own events the session has been named.
        let session =
            self.s.as_deref().filter(|session| *session != self.id).map(one_line).unwrap_or_default();
        let code = if self.e == "usage" { format!("{code} % used") } else { code };
        let padded = format!("{code:12}").replacen(code.as_str(), &word(&code), 1);
        format!("{at}  {kind:7}  {id}  {padded}  {session}").trim_end().to_owned()
    }
}

/// What a frame is worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    Nothing,
    /// Events come from here on; whether what was missed comes first.
    Ready {
        /// Whether a place to go on from was named and is still kept.
        recovered: bool,
    },
    /// Something happened.
    Event(Event),
    /// So many events were left out, since they were not read fast enough.
    Lagged(u64),
    /// An unknown number of events was lost.
    Resync(String),
    /// The server ends.
    GoingAway,
}

impl Note {
    /// As people read it, if it is no event.
    pub fn hint(&self) -> String {
        match self {
            Self::Nothing | Self::Event(_) => String::new(),
            Self::Ready { recovered: true } => "connected; what was missed comes first".to_owned(),
            Self::Ready { recovered: false } => "connected; waiting for events".to_owned(),
            Self::Lagged(missed) => {
                format!("lagged: {missed} events were left out, since they were not read fast enough")
            }
            Self::Resync(reason) => format!(
                "resync ({reason}): events were lost; for how things are now: columba session list, columba message list"
            ),
            Self::GoingAway => "the server is going away".to_owned(),
        }
    }
}

/// What to do about a lost connection.
#[derive(Debug, Clone, PartialEq)]
pub enum After {
    /// Come back after this long.
    Retry(Duration),
    /// It would not help.
    Stop(Failure),
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Frame {
    Hello {},
    Ready { epoch: String, seq: u64, recovered: bool },
    Event(Event),
    Lagged { missed: u64 },
    Resync { reason: String },
    GoingAway { retry_ms: u64 },
    Pong {},
    Error { code: String },
}

/// One client, over all its connections.
#[derive(Debug)]
pub struct Tail {
    position: Option<Position>,
    ready: bool,
    tries: usize,
    /// What the server asked for.
    retry: Option<Duration>,
    refused: Option<String>,
}

impl Tail {
    /// A client that begins now, or after a place it knows.
    pub fn new(since: Option<Position>) -> Self {
        Self { position: since, ready: false, tries: 0, retry: None, refused: None }
    }

    /// Whether events have ever been promised.
    pub fn was_ready(&self) -> bool {
        self.ready
    }

    /// Where to go on.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The frame that asks for what `filter` names, from where we are.
    pub fn subscribe(&self, filter: &Value) -> Value {
        let mut frame = filter.clone();
        frame["op"] = "subscribe".into();
        if let Some(Position { epoch, seq }) = &self.position {
            frame["resume"] = json!({"epoch": epoch, "seq": seq});
        }
        frame
    }

    /// Takes a frame.
    pub fn on(&mut self, text: &str) -> Result<Note, Failure> {
        let frame: Frame = serde_json::from_str(text).map_err(|_| {
            Failure::new(
                Exit::Software,
                "unreadable",
                "the server sent a frame that this version does not know",
            )
            .next("is the program older than the server? columba --version")
        })?;
        Ok(match frame {
            Frame::Hello {} | Frame::Pong {} => Note::Nothing,
            Frame::Ready { epoch, seq, recovered } => {
                self.ready = true;
                self.tries = 0;
                self.retry = None;
                // What was missed follows: until it has come, our place is the old one.
                if !recovered || self.position.is_none() {
                    self.position = Some(Position { epoch, seq });
                }
                Note::Ready { recovered }
            }
            Frame::Event(event) => {
                if let Some(position) = &mut self.position {
                    position.seq = position.seq.max(event.q);
                }
                Note::Event(event)
            }
            Frame::Lagged { missed } => Note::Lagged(missed),
            Frame::Resync { reason } => Note::Resync(one_line(&reason)),
            Frame::GoingAway { retry_ms } => {
                self.retry = Some(Duration::from_millis(retry_ms));
                Note::GoingAway
            }
            Frame::Error { code } => {
                self.refused = Some(one_line(&code));
                Note::Nothing
            }
        })
    }

    /// The connection ended, with this code if there was one. Codes are API.md's.
    pub fn lost(&mut self, close: Option<u16>) -> After {
        let why = self.refused.take().unwrap_or_default();
        let stop = |exit, code: &str, detail: &str| After::Stop(Failure::new(exit, code, detail));
        match close {
            Some(4001) => match stop(Exit::Forbidden, "unauthorized", "the key is no longer good") {
                After::Stop(failure) => {
                    After::Stop(failure.next("a new one: columba key create --tenant ten_…"))
                }
                after => after,
            },
            Some(4003) => stop(Exit::Forbidden, "forbidden", "the key may not hear of these sessions"),
            Some(4010) => {
                stop(Exit::Software, "protocol", &format!("the server did not take what we said: {why}"))
            }
            _ => {
                let wait = WAITS_MS[self.tries.min(WAITS_MS.len() - 1)];
                self.tries += 1;
                After::Retry(self.retry.take().unwrap_or(Duration::from_millis(wait)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(seq: u64, recovered: bool) -> String {
        json!({"op": "ready", "epoch": "e1", "seq": seq, "recovered": recovered}).to_string()
    }

    fn event(q: u64) -> String {
        json!({"op": "event", "q": q, "s": "ses_1", "e": "msg", "id": "msg_1", "c": "read", "t": 1})
            .to_string()
    }

    fn place(tail: &Tail) -> String {
        tail.position().map_or(String::new(), ToString::to_string)
    }

    #[test]
    fn it_goes_on_after_the_last_event_it_has_shown() {
        let mut tail = Tail::new(None);
        assert_eq!(tail.subscribe(&json!({})), json!({"op": "subscribe"}));
        tail.on(r#"{"op":"hello","heartbeat_s":25}"#).expect("known");
        tail.on(&ready(7, false)).expect("known");
        assert_eq!(place(&tail), "e1:7");
        tail.on(&event(9)).expect("known");
        assert_eq!(tail.lost(None), After::Retry(Duration::from_millis(500)));
        let asked = json!({"op": "subscribe", "sessions": ["ses_1"], "resume": {"epoch": "e1", "seq": 9}});
        assert_eq!(tail.subscribe(&json!({"sessions": ["ses_1"]})), asked);
        // Lost again between `ready` and what was missed: nothing of it may be skipped.
        tail.on(&ready(20, true)).expect("known");
        assert_eq!(place(&tail), "e1:9");
        tail.on(&event(10)).expect("known");
        assert_eq!(place(&tail), "e1:10");
    }

    #[test]
    fn a_place_that_is_no_longer_kept_is_given_up_and_said() {
        let mut tail = Tail::new(Some("e0:3".parse().expect("a place")));
        tail.on(&ready(50, false)).expect("known");
        assert_eq!(place(&tail), "e1:50");
        let note = tail.on(r#"{"op":"resync","reason":"position_not_kept"}"#).expect("known");
        assert!(note.hint().starts_with("resync (position_not_kept)"), "{}", note.hint());
        let note = tail.on(r#"{"op":"lagged","missed":12}"#).expect("known");
        assert!(note.hint().starts_with("lagged: 12 events"), "{}", note.hint());
    }

    #[test]
    fn a_lost_connection_is_tried_again_ever_more_slowly_unless_trying_cannot_help() {
        let mut tail = Tail::new(None);
        let waits: Vec<_> = (0..8)
            .map(|_| match tail.lost(Some(1006)) {
                After::Retry(wait) => wait.as_millis(),
                After::Stop(failure) => panic!("{failure:?}"),
            })
            .collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        tail.on(&ready(1, false)).expect("known");
        tail.on(r#"{"op":"going_away","retry_ms":2000}"#).expect("known");
        assert_eq!(tail.lost(Some(1001)), After::Retry(Duration::from_secs(2)), "as the server asks");
        assert_eq!(tail.lost(None), After::Retry(Duration::from_secs(1)), "that was in vain");
        for (close, exit) in [(4001, Exit::Forbidden), (4003, Exit::Forbidden), (4010, Exit::Software)] {
            let After::Stop(failure) = tail.lost(Some(close)) else { panic!("{close} is final") };
            assert_eq!(failure.exit, exit);
        }
        for close in [4000, 4008] {
            assert!(matches!(tail.lost(Some(close)), After::Retry(_)), "{close}");
        }
    }

    #[test]
    fn an_event_is_a_line_and_what_others_wrote_cannot_move_the_cursor() {
        let frame = json!({"op": "event", "q": 1, "s": "ses_1", "e": "msg", "id": "msg_1", "c": "re\u{1b}ad", "t": 0});
        let Ok(Note::Event(event)) = Tail::new(None).on(&frame.to_string()) else { panic!("an event") };
        let line = event.line(str::to_owned);
        assert_eq!(line, "00:00:00.000  msg      msg_1  re\u{fffd}ad         ses_1");
    }

    #[test]
    fn a_place_is_an_epoch_and_a_number() {
        for (text, good) in
            [("e:1", true), ("a:b:7", true), ("", false), ("e:", false), (":1", false), ("e:x", false)]
        {
            assert_eq!(text.parse::<Position>().is_ok(), good, "{text}");
        }
    }
}
