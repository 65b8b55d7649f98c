//! What a server on a network hears beside requests: bodies that are none, names that name nothing, bytes of any kind.
//! Each answer is a problem document, and nothing has changed afterwards.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::api::{ANNA, Api, Closed, Feed};
use crate::support::server::Server;

const ABSENT: &str = "01a2035721e37384b6433d3532e325b2";

/// One tenant with a connected session, and how everything stood before the rubbish.
struct World {
    server: Server,
    acme: Api,
    session: String,
    before: Value,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(environment: &[(&str, &str)]) -> Self {
        let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
        let server = Server::start_in(folder, environment).await;
        let operator = server.operator();
        operator.plan("basic", json!({})).await;
        let (_, acme) = operator.tenant("Acme", "basic").await;
        let session = acme.connected("sales").await;
        let before = lists(&server, &acme).await;
        Self { server, acme, session, before }
    }

    /// Nothing changed, and a good message still passes.
    async fn finish(self) {
        assert_eq!(lists(&self.server, &self.acme).await, self.before);
        let mut feed = self.acme.feed_of(&self.session).await;
        let message = self.acme.send(&self.session, ANNA).await;
        feed.until(&message, "read").await;
        self.server.finish().await;
    }
}

async fn lists(server: &Server, acme: &Api) -> Value {
    let mut all = vec![];
    for path in ["/v1/sessions", "/v1/messages", "/v1/usage"] {
        all.push(acme.get(path).await.expect(200));
    }
    for path in ["/v1/admin/tenants", "/v1/admin/plans", "/v1/admin/sessions"] {
        all.push(server.operator().get(path).await.expect(200));
    }
    json!(all)
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused_with_the_place_of_the_mistake() {
    let world = World::new().await;
    let send = format!("/v1/sessions/{}/messages", world.session);
    let good = |change: Value| {
        let mut body = json!({"to": ANNA, "type": "text", "text": {"body": "x"}});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body.to_string().into_bytes()
    };
    let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    let wide: String = (0..10_000).map(|n| format!("\"k{n}\":1,")).collect();
    let cases: Vec<(&str, Vec<u8>, u16, Option<&str>)> = vec![
        (&send, b"".to_vec(), 400, Some("")),
        (&send, b"{".to_vec(), 400, Some("")),
        (&send, b"null".to_vec(), 400, Some("")),
        (&send, b"[]".to_vec(), 400, Some("")),
        (&send, b"\"text\"".to_vec(), 400, Some("")),
        (&send, b"{} trailing".to_vec(), 400, None),
        (&send, b"\xEF\xBB\xBF{}".to_vec(), 400, Some("")),
        (&send, b"{\"to\":\"\xFF\xFE\"}".to_vec(), 400, None),
        (&send, b"{\"to\":\"\\ud800\"}".to_vec(), 400, None),
        (&send, b"{\"to\":\"a\x01b\"}".to_vec(), 400, None),
        (&send, b"{'to':1}".to_vec(), 400, Some("")),
        (&send, b"{\"to\":NaN}".to_vec(), 400, None),
        (&send, b"{\"to\":1e999}".to_vec(), 400, None),
        (&send, deep(100_000), 400, Some("")),
        (&send, format!("{{{wide}\"to\":1}}").into_bytes(), 400, Some("/k0")),
        (
            &send,
            format!("{{\"text\":{{\"body\":{}1{}}}}}", "[".repeat(5_000), "]".repeat(5_000)).into(),
            400,
            None,
        ),
        (&send, good(json!({"to": 15_551_230_001_u64})), 400, Some("/to")),
        (&send, good(json!({"to": [ANNA]})), 400, Some("/to")),
        (&send, good(json!({"to": "+1555123000100000000"})), 422, Some("/to")),
        (&send, good(json!({"to": "١٢٣٤٥٦٧٨٩"})), 422, Some("/to")),
        (&send, good(json!({"to": format!("{ANNA}\0")})), 422, Some("/to")),
        (&send, good(json!({"to": format!(" {ANNA}")})), 422, Some("/to")),
        (&send, good(json!({"text": {"body": "a\0b"}})), 422, Some("/text/body")),
        (&send, good(json!({"text": {"body": {"$ne": ""}}})), 400, Some("/text/body")),
        (&send, good(json!({"text": {"body": "x", "__proto__": {}}})), 400, Some("/text/__proto__")),
        (&send, good(json!({"status": "read"})), 400, Some("/status")),
        (&send, good(json!({"type": "text\0"})), 400, Some("/type")),
        (&send, good(json!({"send_at": "2026-13-45T99:99:99Z"})), 400, Some("/send_at")),
        (&send, good(json!({"send_at": "-999999-01-01T00:00:00Z"})), 400, Some("/send_at")),
        (&send, good(json!({"send_at": "9999-12-31T23:59:59Z"})), 422, Some("/send_at")),
        (&send, good(json!({"expires_at": "0001-01-01T00:00:00Z"})), 422, Some("/expires_at")),
        (&send, good(json!({"send_at": 9_223_372_036_854_775_807_u64})), 400, Some("/send_at")),
        (&send, good(json!({"reply_to": format!("ses_{ABSENT}")})), 400, Some("/reply_to")),
        (&send, good(json!({"client_ref": "r".repeat(100_000)})), 422, Some("/client_ref")),
        ("/v1/sessions", br#"{"label":""}"#.to_vec(), 422, Some("/label")),
        ("/v1/sessions", br#"{"label":"a","metadata":{"a":{"b":1}}}"#.to_vec(), 422, Some("/metadata")),
        ("/v1/sessions", br#"{"label":"a","metadata":[]}"#.to_vec(), 400, Some("/metadata")),
        ("/v1/sessions", br#"{"label":"a","engine":"telegram"}"#.to_vec(), 400, Some("/engine")),
        ("/v1/sessions", br#"{"label":"a","label":"b"}"#.to_vec(), 400, None),
        ("/v1/sandbox/scan", br#"{"code":7}"#.to_vec(), 400, Some("/code")),
        (
            "/v1/sandbox/messages",
            br#"{"session":"ses_1","from":"+15551230002","text":"x"}"#.to_vec(),
            400,
            Some("/session"),
        ),
        ("/v1/feed/tickets", br#"{"sessions":"all"}"#.to_vec(), 400, Some("/sessions")),
        ("/v1/feed/tickets", br#"{"sessions":[]}"#.to_vec(), 422, Some("/sessions")),
    ];
    let json = [("content-type", "application/json")];
    for (path, body, status, pointer) in cases {
        let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let reply = world.acme.raw(Method::POST, path, body, &json).await;
        assert_eq!(reply.status.as_u16(), status, "{path} {shown}: {}", reply.text);
        assert!(reply.text.len() < 8_192, "{path} {shown}: an answer of {} bytes", reply.text.len());
        let problem = reply.refused(status, "invalid_request");
        if let Some(pointer) = pointer {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {shown}: {problem}");
        }
    }

    let operator = world.server.operator();
    let plan = |change: Value| {
        let mut plan = json!({
            "code": "rubbish", "name": "r", "price_minor": 0, "currency": "EUR", "interval": "month",
            "messages_per_minute": 1, "messages_per_month": 1, "sessions_max": 1, "retention_days": 1, "plugins": []
        });
        plan.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        plan
    };
    for (change, status, pointer) in [
        (json!({"messages_per_minute": 0}), 422, "/messages_per_minute"),
        (json!({"messages_per_minute": -1}), 422, "/messages_per_minute"),
        (json!({"messages_per_minute": 1.5}), 400, "/messages_per_minute"),
        (json!({"messages_per_month": 1e30}), 400, "/messages_per_month"),
        (json!({"price_minor": -1}), 422, "/price_minor"),
        (json!({"currency": "Euro"}), 422, "/currency"),
        (json!({"code": "../etc"}), 422, "/code"),
        (json!({"interval": "week"}), 400, "/interval"),
        (json!({"plugin": []}), 400, "/plugin"),
    ] {
        let problem =
            operator.post("/v1/admin/plans", plan(change.clone())).await.refused(status, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{change}: {problem}");
    }
    world.finish().await;
}

#[tokio::test]
async fn bodies_of_a_wrong_size_or_type_are_refused_before_they_are_read() {
    let world = World::new().await;
    let path = format!("/v1/sessions/{}/messages", world.session);
    let json = [("content-type", "application/json")];
    let large = vec![b' '; 300 * 1024];
    let announced = world.acme.raw(Method::POST, &path, large.clone(), &json).await;
    announced.refused(413, "payload_too_large");
    let chunks =
        large.chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    world.acme.raw(Method::POST, &path, chunked, &json).await.refused(413, "payload_too_large");

    let body = json!({"to": ANNA, "type": "text", "text": {"body": "x"}}).to_string();
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![("content-type", "multipart/form-data; boundary=x")],
        vec![("content-type", "application/json, text/plain")],
        vec![("content-type", "application/json"), ("content-encoding", "br")],
    ] {
        let reply = world.acme.raw(Method::POST, &path, body.clone(), &headers).await;
        reply.refused(415, "unsupported_media_type");
    }
    for key in ["", "with space", &"k".repeat(256)] {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        world.acme.raw(Method::POST, &path, body.clone(), &headers).await.refused(400, "invalid_request");
    }
    let twice = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")];
    world.acme.raw(Method::POST, &path, body, &twice).await.refused(400, "invalid_request");
    world.finish().await;
}

#[tokio::test]
async fn names_and_parameters_that_name_nothing_are_refused() {
    let world = World::new().await;
    let (acme, session) = (&world.acme, &world.session);
    let absent = format!("/v1/sessions/ses_{ABSENT}");
    let shouted = format!("/v1/sessions/{}", session.to_uppercase());
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/sessions",
        "/v1//sessions",
        "/v1/sessions/",
        "/v1/sessions/%2e%2e%2fadmin",
        "/v1/sessions/ses_",
        "/v1/sessions/ses_1",
        "/v1/sessions/%00",
        "/v1/sessions/%FF",
        "/v1/messages/ses_01a2035721e37384b6433d3532e325b2",
        "/v1/messages/'; drop table message; --",
        "/v1/invoices/inv_1",
        "/v1/webhooks/whk_1",
        "/v1/deliveries/",
        "/v1/admin",
        "/.env",
        "/favicon.ico",
        &absent,
        &shouted,
    ] {
        acme.get(path).await.refused(404, "not_found");
    }
    acme.get(&format!("/v1/sessions/{}", "s".repeat(8_000))).await.refused(404, "not_found");

    let frames = format!("/v1/sandbox/frames?session={session}");
    for query in [
        "/v1/sessions?limit=0",
        "/v1/sessions?limit=201",
        "/v1/sessions?limit=-1",
        "/v1/sessions?limit=1.0",
        "/v1/sessions?limit=99999999999999999999",
        "/v1/sessions?limit=",
        "/v1/sessions?limit=1&limit=2",
        "/v1/sessions?cursor=",
        "/v1/sessions?cursor=AAAA",
        "/v1/sessions?cursor=%00",
        "/v1/sessions?cursor=AQ",
        "/v1/sessions?offset=5",
        "/v1/sessions?page[size]=5",
        "/v1/messages?status=gone",
        "/v1/messages?status=Read",
        "/v1/messages?direction=up",
        "/v1/messages?session=ses_1",
        "/v1/messages?chat=nobody",
        "/v1/messages?client_ref=",
        "/v1/messages?client_ref=%00",
        "/v1/messages?q=x",
        "/v1/usage?period=1",
        "/v1/limits?x",
        "/v1/sandbox/frames",
        "/v1/sandbox/frames?session=",
        "/livez?x=1",
        "/v1/sessions?key=col_live_x",
        "/v1/sessions?Token=x",
        "/v1/sessions?api_key=x",
        "/v1/feed?access_token=x",
        &format!("{frames}&after=-1"),
        &format!("{frames}&after=1&cursor=1"),
        &format!("{frames}&after=x"),
    ] {
        let reply = acme.get(query).await;
        assert_eq!(reply.status.as_u16(), 400, "{query}: {}", reply.text);
        let problem = reply.refused(400, "invalid_request");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with('?'), "{query}: {problem}");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/v1/sessions".to_owned(), "GET, POST"),
        (Method::DELETE, "/v1/sessions".to_owned(), "GET, POST"),
        (Method::GET, format!("/v1/sessions/{session}/start"), "POST"),
        (Method::PATCH, format!("/v1/sessions/{session}"), "GET, DELETE"),
        (Method::POST, "/v1/usage".to_owned(), "GET"),
        (Method::from_bytes(b"BREW").unwrap(), "/v1/sessions".to_owned(), "GET, POST"),
        (Method::OPTIONS, "/v1/sessions".to_owned(), "GET, POST"),
        (Method::TRACE, "/v1/sessions".to_owned(), "GET, POST"),
    ] {
        let reply = acme.call(method.clone(), &path, None, &[]).await;
        let mut said: Vec<String> = reply
            .headers
            .get_all("allow")
            .iter()
            .flat_map(|value| value.to_str().unwrap().split(", "))
            .map(str::to_owned)
            .collect();
        said.sort_unstable();
        reply.refused(405, "method_not_allowed");
        let mut allowed: Vec<&str> = allowed.split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(said, allowed, "{method} {path}");
    }
    world.finish().await;
}

#[tokio::test]
async fn who_shows_no_good_key_is_told_401_and_nothing_else() {
    let world = World::new().await;
    let url = world.acme.url();
    let good = world.acme.token();
    let bearer = format!("Bearer {good}");
    let basic = "Basic dXNlcjpwYXNz";
    for headers in [
        vec![],
        vec![("authorization", "")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", basic)],
        vec![("authorization", good)],
        vec![("authorization", "Bearer col_live_000000000000000000000000000000000000000")],
        vec![("authorization", &bearer[..bearer.len() - 1])],
        vec![("authorization", &bearer), ("authorization", &bearer)],
        vec![("authorization", "Bearer x"), ("authorization", &bearer)],
        vec![("authorization", &bearer), ("authorization", basic)],
        vec![("x-api-key", good)],
        vec![("cookie", "key=col_live_x")],
    ] {
        let reply = Api::anonymous(url).raw(Method::GET, "/v1/sessions", "", &headers).await;
        assert_eq!(reply.status.as_u16(), 401, "{headers:?}: {}", reply.text);
        assert!(reply.headers.contains_key("www-authenticate"));
        reply.refused(401, "unauthorized");
    }
    // A key of one kind opens nothing of the other.
    world.server.operator().get("/v1/sessions").await.refused(401, "unauthorized");
    world.acme.get("/v1/admin/tenants").await.refused(401, "unauthorized");
    world.finish().await;
}

/// Writes bytes, says that no more come, and reads what comes back until the server hangs up.
async fn raw(url: &str, what: &str, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    // The server may hang up before it has read everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = vec![];
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "{what}: the server neither answered nor hung up: {:?}",
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bytes_that_are_no_request_are_answered_with_400_or_not_at_all() {
    let world =
        World::with(&[("COLUMBA__HTTP__BODY_TIMEOUT_S", "1"), ("COLUMBA__HTTP__HEAD_TIMEOUT_S", "1")]).await;
    let url = world.acme.url();
    let bearer = format!("Authorization: Bearer {}\r\n", world.acme.token());
    let head = |more: &str| {
        format!("GET /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}{more}\r\n")
    };
    let flood: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("noise", (0..=255).cycle().take(4_096).collect()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)),
        ("no version", b"GET /v1/sessions\r\n\r\n".to_vec()),
        ("a version of its own", b"GET /v1/sessions HTTP/9.9\r\n\r\n".to_vec()),
        ("a line feed in a header", head("X-A: a\nb\r\n").into_bytes()),
        ("NUL in a header", head("X-A: a\0b\r\n").into_bytes()),
        ("a space before the colon", head("X-A : a\r\n").into_bytes()),
        ("a length that is none", head("Content-Length: abc\r\n").into_bytes()),
        ("two lengths", head("Content-Length: 1\r\nContent-Length: 2\r\n").into_bytes()),
        ("length and chunks", head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n").into_bytes()),
        ("an unknown coding", head("Transfer-Encoding: gzip\r\n").into_bytes()),
        ("5,000 headers", head(&flood).into_bytes()),
        ("a header of a megabyte", head(&format!("X-A: {}\r\n", "a".repeat(1 << 20))).into_bytes()),
        (
            "a path of a megabyte",
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        ),
        ("HTTP/2 by surprise", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
    ];
    for (what, bytes) in cases {
        let answer = raw(url, what, &bytes).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["", "400", "404", "413", "431", "505"].contains(&status), "{what}: {answer}");
        assert!(!answer.contains("\"data\""), "{what} was served: {answer}");
    }
    let path = format!("/v1/sessions/{}/messages", world.session);
    let post = |more: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}Content-Type: application/json\r\n{more}"
        )
    };
    for (what, bytes) in [
        ("a chunk of no size", post("Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")),
        (
            "a chunk of every size",
            post("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ),
        ("a length beyond all", post("Content-Length: 18446744073709551615\r\n\r\n{}")),
    ] {
        let answer = raw(url, what, bytes.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["", "400", "413"].contains(&status), "{what}: {answer}");
    }
    world.finish().await;
}

#[tokio::test]
async fn frames_that_are_no_protocol_close_their_own_feed_and_no_other() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.acme.token());
    let mut watcher = world.acme.feed_of(&world.session).await;
    let text = |bytes: &'static [u8]| Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true));
    let deep = format!("{{\"op\":{}", "[".repeat(10_000));
    let many = json!({"op": "subscribe", "sessions": vec![world.session.clone(); 1_000]}).to_string();
    for (what, message, answered) in [
        ("no JSON", Message::text("hello"), true),
        ("no operation", Message::text("{}"), true),
        ("an unknown operation", Message::text(r#"{"op":"publish"}"#), true),
        ("an unknown field", Message::text(r#"{"op":"ping","x":1}"#), true),
        ("an event that is none", Message::text(r#"{"op":"subscribe","events":["all"]}"#), true),
        ("a session that is none", Message::text(r#"{"op":"subscribe","sessions":["ses_1"]}"#), true),
        (
            "a position that is none",
            Message::text(r#"{"op":"subscribe","resume":{"epoch":"x","seq":-1}}"#),
            true,
        ),
        ("depth", Message::text(deep), true),
        ("binary", Message::binary(vec![0_u8; 16]), true),
        ("invalid UTF-8", text(b"{\"op\":\"\xFF\"}"), false),
        ("a frame of a megabyte", Message::text("x".repeat(1 << 20)), false),
    ] {
        let mut feed = Feed::open(world.acme.url(), &[("authorization", &bearer)]).await.unwrap();
        assert_eq!(feed.next().await["op"], "hello");
        feed.send(message).await;
        if answered {
            assert_eq!(feed.next().await, json!({"op": "error", "code": "malformed_frame"}), "{what}");
            assert_eq!(feed.closed().await, Closed(Some(4010)), "{what}");
        } else {
            let closed = feed.closed().await;
            assert!(
                [Some(4010), Some(1007), Some(1009), Some(1002)].contains(&closed.0),
                "{what}: {closed:?}"
            );
        }
    }
    // What is much and means something is no rubbish.
    let mut feed = Feed::open(world.acme.url(), &[("authorization", &bearer)]).await.unwrap();
    assert_eq!(feed.next().await["op"], "hello");
    feed.say(&many).await;
    assert_eq!(feed.next().await["op"], "ready");

    let reply = world.acme.get("/v1/feed").await;
    reply.refused(400, "invalid_request");
    let message = world.acme.send(&world.session, ANNA).await;
    watcher.until(&message, "read").await;
    feed.until(&message, "read").await;
    world.server.finish().await;
}
