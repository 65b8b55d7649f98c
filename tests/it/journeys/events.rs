//! The feed as server-sent events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::api::{ANNA, Api};
use crate::support::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// One event of a stream, field by field; an event without a name has an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Event {
    name: String,
    id: Option<String>,
    retry: Option<String>,
    data: String,
}

impl Event {
    /// As the standard has it, for streams that end their lines by LF and put one line into `data`.
    fn read(block: &str) -> Self {
        let mut event = Self::default();
        for line in block.lines() {
            match line.split_once(": ").expect("a field and its value") {
                ("event", name) => name.clone_into(&mut event.name),
                ("id", id) => event.id = Some(id.to_owned()),
                ("retry", retry) => event.retry = Some(retry.to_owned()),
                ("data", data) => data.clone_into(&mut event.data),
                // A comment.
                ("", _) => {}
                (field, _) => panic!("{field} is no field"),
            }
        }
        event
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A client that listens.
struct Events {
    chunks: Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>,
    text: String,
    read: VecDeque<Event>,
}

impl Events {
    async fn ask(api: &Api, query: &str, last: Option<&str>) -> reqwest::Response {
        let mut request =
            Client::new().get(format!("{}/v1/events{query}", api.url())).bearer_auth(api.token());
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send().await.unwrap()
    }

    /// Opens a stream and reads up to `ready`, which is returned as well.
    async fn open(api: &Api, query: &str, last: Option<&str>) -> (Self, Event) {
        let response = Self::ask(api, query, last).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let chunks = Box::pin(response.bytes_stream().map(|chunk| chunk.unwrap().to_vec()));
        let mut events = Self { chunks, text: String::new(), read: VecDeque::new() };
        let hello = events.next().await.unwrap();
        assert_eq!((hello.name.as_str(), hello.retry.as_deref()), ("hello", Some("2000")));
        let ready = events.next().await.unwrap();
        assert_eq!(ready.name, "ready");
        (events, ready)
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            let chunk = timeout(PATIENCE, self.chunks.next()).await.expect("an event comes in time")?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                self.read.push_back(Event::read(block));
                self.text = rest.to_owned();
            }
        }
    }

    /// Events up to this message's last status.
    async fn until_read(&mut self, message: &str) -> Vec<Event> {
        let mut seen = vec![];
        loop {
            let event = self.next().await.expect("the stream goes on");
            let json = event.json();
            seen.push(event);
            if json["id"] == message && json["c"] == "read" {
                return seen;
            }
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_a_websocket_tells_and_goes_on_from_its_last_event_id() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let (mut events, ready) = Events::open(&acme, "?events=msg", None).await;
    let epoch = feed.ready["epoch"].as_str().unwrap().to_owned();
    assert_eq!(ready.id, Some(format!("{epoch}:{}", feed.ready["seq"])), "a position to go on from");

    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let seen = events.until_read(&message).await;
    let frames: Vec<Value> = seen.iter().map(Event::json).collect();
    assert_eq!(frames, feed.seen, "the very same events");
    for event in &seen {
        let position = format!("{epoch}:{}", event.json()["q"]);
        assert_eq!((event.name.as_str(), event.id.as_ref()), ("", Some(&position)));
    }

    // From the first event on, also after the server was killed.
    let first = seen[0].id.clone().unwrap();
    let (dir, token) = (server.dir(), acme.token().to_owned());
    server.kill().await;
    let server = Server::start_in(dir, &[]).await;
    let acme = server.api(&token);
    let (mut again, ready) = Events::open(&acme, "?events=msg", Some(&first)).await;
    assert_eq!((ready.id.as_ref(), ready.json()["recovered"].clone()), (None, json!(true)));
    assert_eq!(again.until_read(&message).await, seen[1..]);

    // A position of another log is announced as a gap.
    let (mut lost, ready) = Events::open(&acme, "", Some("other:3")).await;
    assert!(ready.id.is_some() && ready.json()["recovered"] == false);
    assert_eq!(lost.next().await.unwrap().name, "resync");
    server.finish().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_reason_when_the_server_goes_or_the_key_is_revoked() {
    let mut server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (tenant, acme) = operator.tenant("Acme", "basic").await;
    let path = format!("/v1/admin/tenants/{tenant}/keys");
    let other = operator.post(&path, json!({"name": "other"})).await.expect(201);
    let (mut doomed, _) =
        Events::open(&server.api(other["key"].as_str().unwrap()), "?events=usage", None).await;
    let (mut events, _) = Events::open(&acme, "?events=usage", None).await;
    operator.delete(&format!("/v1/admin/keys/{}", other["id"].as_str().unwrap())).await;
    let last = doomed.next().await.unwrap();
    assert_eq!((last.name.as_str(), last.json()), ("close", json!({"op": "close", "code": 4001})));
    assert_eq!(doomed.next().await, None);

    let (status, told) = tokio::join!(server.terminate(), async {
        [events.next().await, events.next().await, events.next().await]
    });
    assert!(status.success(), "{status}\n{}", server.logged());
    let [going, close, end] = told.map(|event| event.map(|event| event.json()));
    assert_eq!(going, Some(json!({"op": "going_away", "retry_ms": 2000})));
    assert_eq!(close, Some(json!({"op": "close", "code": 1001})));
    assert_eq!(end, None);
}

#[tokio::test]
async fn what_a_stream_cannot_be_asked_is_refused_before_it_begins() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, other) = operator.tenant("Other", "basic").await;
    let theirs = other.session("theirs").await;
    let foreign = format!("?sessions={theirs}");
    for (query, last, status, pointer) in [
        ("?events=msg,nonsense", None, 400, Some("?events")),
        ("?sessions=ses_nonsense", None, 400, Some("?sessions")),
        ("?ticket=abc", None, 400, Some("?ticket")),
        ("", Some("nonsense"), 400, Some("Last-Event-ID")),
        ("", Some(":3"), 400, Some("Last-Event-ID")),
        (foreign.as_str(), None, 404, None),
    ] {
        let response = Events::ask(&acme, query, last).await;
        assert_eq!(response.status(), status, "{query} {last:?}");
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let named = problem["errors"][0]["pointer"].as_str();
        assert_eq!(named, pointer, "{query} {last:?}: {problem}");
    }
    let nobody = Events::ask(&Api::new(acme.url(), "col_live_nonsense"), "", None).await;
    assert_eq!(nobody.status(), 401);
    server.finish().await;
}
