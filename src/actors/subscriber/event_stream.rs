//! What leaves as server-sent events (WHATWG HTML, section 9.2): the same texts as through a websocket, each with the
//! position from which the client goes on when its connection breaks.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::machine::{CloseCode, RETRY_MS};

/// What a proxy sees of a feed on which nothing happens. A comment; clients pass over it.
pub(super) const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// What has to be known of a text to give it its place.
#[derive(Deserialize)]
struct Head<'a> {
    op: &'a str,
    #[serde(default)]
    q: Option<u64>,
    #[serde(default)]
    epoch: Option<&'a str>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    recovered: bool,
}

/// The last event: why the stream ends.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CloseEvent")]
pub(crate) struct CloseEvent {
    /// Always `close`.
    #[schemars(extend("const" = "close"))]
    op: &'static str,
    /// 1001: the server goes. 4000: come back. 4001: the key is no longer good. 4008: events came faster than they were
    /// read.
    code: u16,
}

impl From<CloseCode> for CloseEvent {
    fn from(code: CloseCode) -> Self {
        Self { op: "close", code: code as u16 }
    }
}

/// One client's stream.
#[derive(Debug, Default)]
pub(super) struct EventStream {
    /// Of the log it reads, once it is told.
    epoch: String,
}

impl EventStream {
    /// A text of the feed as an event of the stream. What happened comes as `message`, which is what a browser hands
    /// on unasked; all else under its own name.
    pub(super) fn event(&mut self, text: &str) -> Bytes {
        // Our own texts: they can be read.
        let Ok(head) = serde_json::from_str::<Head<'_>>(text) else { return Bytes::new() };
        if let Some(epoch) = head.epoch {
            epoch.clone_into(&mut self.epoch);
        }
        let id = |seq: u64| format!("id: {}:{seq}\n", self.epoch);
        let before = match (head.op, head.q, head.seq) {
            ("event", Some(q), _) => id(q),
            // What was missed comes behind it, so it is no position yet.
            ("ready", _, Some(seq)) if !head.recovered => format!("event: ready\n{}", id(seq)),
            ("hello", ..) => format!("retry: {RETRY_MS}\nevent: hello\n"),
            (op, ..) => format!("event: {op}\n"),
        };
        format!("{before}data: {text}\n\n").into()
    }

    /// The last event: why the stream ends.
    pub(super) fn close(code: CloseCode) -> Bytes {
        // A word and a number: serialising them cannot fail.
        let data = serde_json::to_string(&CloseEvent::from(code)).unwrap_or_default();
        format!("event: close\ndata: {data}\n\n").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_the_position_from_which_to_go_on() {
        let mut stream = EventStream::default();
        for (text, wanted) in [
            (r#"{"op":"hello","heartbeat_s":25}"#, "retry: 2000\nevent: hello\n"),
            (r#"{"op":"ready","epoch":"e1","seq":7,"recovered":true}"#, "event: ready\n"),
            (r#"{"op":"event","q":6,"s":"ses_1","e":"msg","id":"msg_1","c":"read","t":1}"#, "id: e1:6\n"),
            (r#"{"op":"lagged","missed":3}"#, "event: lagged\n"),
            (r#"{"op":"ready","epoch":"e2","seq":9,"recovered":false}"#, "event: ready\nid: e2:9\n"),
            (r#"{"op":"resync","reason":"events_lost"}"#, "event: resync\n"),
            (r#"{"op":"event","q":10,"s":"ses_1","e":"msg","id":"msg_1","c":"read","t":1}"#, "id: e2:10\n"),
        ] {
            assert_eq!(stream.event(text), format!("{wanted}data: {text}\n\n"));
        }
        assert_eq!(
            EventStream::close(CloseCode::BadAuth),
            "event: close\ndata: {\"op\":\"close\",\"code\":4001}\n\n"
        );
    }
}
