//! Two tenants who cannot see each other.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, BERT};
use crate::support::server::Server;

#[tokio::test]
async fn what_is_somebody_elses_looks_exactly_like_what_is_not_there() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, bolt) = operator.tenant("Bolt", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;

    let absent_session = "ses_01a2035721e37384b6433d3532e325b2";
    let absent_message = "msg_01a2035721e37384b6433d3532e325b2";
    let text = json!({"to": BERT, "type": "text", "text": {"body": "x"}}).to_string();
    let inbound = |session: &str| json!({"session": session, "from": BERT, "text": "x"}).to_string();
    let fault = |session: &str| json!({"session": session, "fault": "panic"}).to_string();
    let ticket = |session: &str| json!({"sessions": [session]}).to_string();
    let calls = |session: &str, message: &str| -> Vec<(Method, String, Option<String>)> {
        let of = |tail: &str| format!("/v1/sessions/{session}{tail}");
        vec![
            (Method::GET, of(""), None),
            (Method::DELETE, of(""), None),
            (Method::POST, of("/start"), None),
            (Method::POST, of("/stop"), None),
            (Method::POST, of("/restart"), None),
            (Method::POST, of("/logout"), None),
            (Method::GET, of("/qr"), None),
            (Method::DELETE, of("/queue"), None),
            (Method::POST, of("/pairing-code"), Some(json!({"phone": BERT}).to_string())),
            (Method::POST, of("/messages"), Some(text.clone())),
            (Method::GET, format!("/v1/messages/{message}"), None),
            (Method::DELETE, format!("/v1/messages/{message}"), None),
            (Method::GET, format!("/v1/sandbox/frames?session={session}"), None),
            (Method::POST, "/v1/sandbox/messages".to_owned(), Some(inbound(session))),
            (Method::POST, "/v1/sandbox/faults".to_owned(), Some(fault(session))),
            (Method::POST, "/v1/feed/tickets".to_owned(), Some(ticket(session))),
        ]
    };
    let without_id = |mut body: Value| {
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let (theirs, nobodys) = (calls(&session, &message), calls(absent_session, absent_message));
    for ((method, path, body), (_, absent_path, absent_body)) in theirs.into_iter().zip(nobodys) {
        let foreign = bolt.call(method.clone(), &path, body.as_deref(), &[]).await.refused(404, "not_found");
        let absent =
            bolt.call(method, &absent_path, absent_body.as_deref(), &[]).await.refused(404, "not_found");
        assert_eq!(without_id(foreign), without_id(absent), "{path}");
    }
    assert_eq!(bolt.get("/v1/sessions").await.expect(200)["data"], json!([]));
    assert_eq!(bolt.get("/v1/messages").await.expect(200)["data"], json!([]));
    assert_eq!(bolt.get("/v1/usage").await.expect(200)["messages"]["used"], 0);

    // Acme's session is untouched by all that, and Bolt's feed has heard nothing of it.
    let mut theirs = bolt.feed(json!({"op": "subscribe", "sessions": [session]})).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    theirs.say(r#"{"op":"ping"}"#).await;
    assert_eq!(theirs.next().await["op"], "pong", "nothing came before it");
    assert_eq!(acme.get(&format!("/v1/sessions/{session}")).await.expect(200)["status"], "connected");
    server.finish().await;
}
