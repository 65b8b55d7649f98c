//! An integrator: calls over HTTP, listens on the feed, and plays the phone.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A fact that does not come within this time never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A number that is acked, delivered and read.
pub const ANNA: &str = "+15551230001";
/// Another one.
pub const BERT: &str = "+15551230002";

/// Calls with one token.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Reply {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.body
    }

    /// Fails unless it is a problem document with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().unwrap());
        self.body
    }
}

impl Api {
    /// Calls to `url` with `token`.
    pub fn new(url: &str, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::anonymous(url) }
    }

    /// Calls to `url` that show nothing.
    pub fn anonymous(url: &str) -> Self {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { client, url: url.to_owned(), token: None }
    }

    /// The same calls to a server elsewhere, over the same connections.
    pub fn at_url(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Where it calls.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token it calls with.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("calls that show something")
    }

    /// One call, with anything as its body and further headers.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let Some(body) = body else { return self.raw(method, path, "", headers).await };
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.raw(method, path, body.to_owned(), &headers).await
    }

    /// One call with these headers and whatever bytes.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let reply = self.attempt(method, path, body.into(), headers).await;
        reply.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// As [`raw`](Self::raw), to a server that may die before it has answered.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: reqwest::Body,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Reply> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut again = request.try_clone();
        loop {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let text = response.text().await?;
            let body = serde_json::from_str(&text).unwrap_or(Value::Null);
            // The server was told nothing within its time: this very test was kept waiting for the processor.
            if let Some(next) = again.filter(|_| status == StatusCode::REQUEST_TIMEOUT && text.is_empty()) {
                again = next.try_clone();
                request = next;
                continue;
            }
            return Ok(Reply { status, headers, body, text });
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None, &[]).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(&body.to_string()), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, Some(&body.to_string()), &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, Some(&body.to_string()), &[]).await
    }

    /// A call without a body, as the verbs of a session are.
    pub async fn act(&self, path: &str) -> Reply {
        self.call(Method::POST, path, None, &[]).await
    }

    // ---- the operator -------------------------------------------------------------------------------------------

    /// A plan under a code of its own that paces nothing; `change` overrides its fields.
    pub async fn plan(&self, code: &str, change: Value) {
        let mut plan = json!({
            "code": code, "name": code, "price_minor": 0, "currency": "EUR", "interval": "month",
            "messages_per_minute": 600, "messages_per_month": 10_000, "sessions_max": 5,
            "pacing": "none", "retention_days": 30, "plugins": []
        });
        plan.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post("/v1/admin/plans", plan).await.expect(201);
    }

    /// A tenant under a plan, and calls with a key of it.
    pub async fn tenant(&self, name: &str, plan: &str) -> (String, Api) {
        let tenant = self.post("/v1/admin/tenants", json!({"name": name, "plan": plan})).await.expect(201);
        let id = tenant["id"].as_str().unwrap().to_owned();
        let key = self.post(&format!("/v1/admin/tenants/{id}/keys"), json!({"name": "k"})).await.expect(201);
        (id, Self { token: Some(key["key"].as_str().unwrap().to_owned()), ..self.clone() })
    }

    // ---- the tenant ---------------------------------------------------------------------------------------------

    /// A session that has never been started.
    pub async fn session(&self, label: &str) -> String {
        let session = self.post("/v1/sessions", json!({"label": label})).await.expect(201);
        session["id"].as_str().unwrap().to_owned()
    }

    /// A session that is paired and connected.
    pub async fn connected(&self, label: &str) -> String {
        let mut feed = self.feed(json!({"op": "subscribe", "events": ["session"]})).await;
        let session = self.session(label).await;
        self.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
        feed.session(&session, "pairing").await;
        self.pair(&session).await;
        feed.session(&session, "connected").await;
        session
    }

    /// Plays the phone.
    pub async fn pair(&self, session: &str) {
        let qr = self.get(&format!("/v1/sessions/{session}/qr")).await.expect(200);
        let scan = self.post("/v1/sandbox/scan", json!({"code": qr["code"]})).await;
        assert!(scan.status.is_success(), "{}", scan.text);
    }

    /// Posts a text.
    pub async fn text(&self, session: &str, to: &str, body: &str) -> Reply {
        let message = json!({"to": to, "type": "text", "text": {"body": body}});
        self.post(&format!("/v1/sessions/{session}/messages"), message).await
    }

    /// Sends a text; its id.
    pub async fn send(&self, session: &str, to: &str) -> String {
        let message = self.text(session, to, super::server::BODY_MARK).await.expect(202);
        message["id"].as_str().unwrap().to_owned()
    }

    /// A session's record.
    pub async fn at(&self, session: &str) -> Value {
        self.get(&format!("/v1/sessions/{session}")).await.expect(200)
    }

    /// Plays trouble.
    pub async fn fault(&self, session: &str, fault: &str) {
        self.post("/v1/sandbox/faults", json!({"session": session, "fault": fault})).await.expect(202);
    }

    /// A feed of one session and its messages.
    pub async fn feed_of(&self, session: &str) -> Feed {
        self.feed(json!({"op": "subscribe", "sessions": [session]})).await
    }

    /// A message's record.
    pub async fn message(&self, id: &str) -> Value {
        self.get(&format!("/v1/messages/{id}")).await.expect(200)
    }

    /// What the network received from a session.
    pub async fn frames(&self, session: &str) -> Vec<Value> {
        let frames = self.get(&format!("/v1/sandbox/frames?session={session}&limit=200")).await.expect(200);
        frames["data"].as_array().unwrap().clone()
    }

    /// A feed that has said what it wants and heard `ready`.
    pub async fn feed(&self, subscribe: Value) -> Feed {
        let mut feed =
            Feed::open(&self.url, &[("authorization", &format!("Bearer {}", self.token()))]).await.unwrap();
        assert_eq!(feed.next().await["op"], "hello");
        feed.say(&subscribe.to_string()).await;
        feed.ready = feed.next().await;
        assert_eq!(feed.ready["op"], "ready", "{}", feed.ready);
        feed
    }
}

/// One websocket.
pub struct Feed {
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    /// The frame `ready`.
    pub ready: Value,
    /// Every event seen, in order.
    pub seen: Vec<Value>,
    /// How long a frame may take.
    pub patience: Duration,
}

/// How a feed ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed(pub Option<u16>);

impl Feed {
    /// Opens a websocket with these headers.
    pub async fn open(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, WsError> {
        let mut request = format!("{}/v1/feed", url.replacen("http", "ws", 1)).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await?;
        Ok(Self { socket, ready: Value::Null, seen: vec![], patience: PATIENCE })
    }

    /// Sends text.
    pub async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends text to a server that may be gone.
    pub async fn try_say(&mut self, text: &str) -> Result<(), WsError> {
        self.socket.send(Message::text(text)).await
    }

    /// Sends any frame.
    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next frame, or how the feed ended.
    pub async fn frame(&mut self) -> Result<Value, Closed> {
        // Pings come all the time and prove nothing.
        let late = tokio::time::Instant::now() + self.patience;
        loop {
            let next = tokio::time::timeout_at(late, self.socket.next()).await;
            let next = next.unwrap_or_else(|_| panic!("no frame in time; before it came {:?}", self.seen));
            match next {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(Closed(frame.map(|frame| frame.code.into()))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Closed(None)),
            }
        }
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        self.frame().await.expect("the feed is open")
    }

    /// Pings, and waits for the answer; events that come before it are kept in `seen`.
    pub async fn pong(&mut self) {
        self.say(r#"{"op":"ping"}"#).await;
        loop {
            let frame = self.next().await;
            match frame["op"].as_str() {
                Some("pong") => return,
                Some("event") => self.seen.push(frame),
                _ => panic!("{frame} instead of a pong"),
            }
        }
    }

    /// How the feed ends.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.frame().await {
                return closed;
            }
        }
    }

    /// Waits for an event about `id` with this code; everything before it is kept in `seen`.
    pub async fn until(&mut self, id: &str, code: &str) -> Value {
        let passed = |event: &Value| event["id"] == id && event["c"] == code;
        if let Some(event) = self.seen.iter().find(|event| passed(event)) {
            return event.clone();
        }
        loop {
            let frame = self.next().await;
            assert_eq!(frame["op"], "event", "{frame} instead of {id} {code}");
            self.seen.push(frame.clone());
            if passed(&frame) {
                return frame;
            }
        }
    }

    /// Waits for a session's status; forgets what was seen, since statuses come again.
    pub async fn session(&mut self, id: &str, status: &str) {
        self.until(id, status).await;
        self.seen.clear();
    }

    /// Codes of the events about `id` seen so far.
    pub fn codes(&self, id: &str) -> Vec<&str> {
        self.seen.iter().filter(|event| event["id"] == id).map(|event| event["c"].as_str().unwrap()).collect()
    }
}
