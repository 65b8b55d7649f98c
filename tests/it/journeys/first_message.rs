//! The main job: a tenant, a session, a phone, a message, and a client that watches.

use serde_json::json;

use crate::support::api::{ANNA, BERT};
use crate::support::server::Home;

on_both_databases!(
    a_message_is_accepted_sent_delivered_and_read_while_a_client_watches,
    a_correspondents_message_is_stored_and_announced
);

async fn a_message_is_accepted_sent_delivered_and_read_while_a_client_watches(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;

    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let session = acme.session("sales").await;
    acme.text(&session, ANNA, "too early").await.refused(409, "session_not_ready");
    acme.get(&format!("/v1/sessions/{session}/qr")).await.refused(409, "not_pairing");

    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    feed.until(&session, "pairing").await;
    let svg = acme
        .call(
            reqwest::Method::GET,
            &format!("/v1/sessions/{session}/qr"),
            None,
            &[("accept", "image/svg+xml")],
        )
        .await;
    assert!(svg.text.contains("<svg"), "{}", svg.text);
    acme.pair(&session).await;
    feed.until(&session, "connected").await;
    assert_eq!(feed.codes(&session), ["starting", "pairing", "reconnecting", "connected"]);

    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    assert_eq!(feed.codes(&message), ["queued", "sending", "sent", "delivered", "read"]);
    let places: Vec<u64> = feed.seen.iter().map(|event| event["q"].as_u64().unwrap()).collect();
    let first = places[0];
    assert_eq!(places, (first..first + places.len() as u64).collect::<Vec<_>>(), "gapless");
    for event in &feed.seen {
        assert!(event.to_string().len() <= 200, "{event}");
    }

    let record = acme.message(&message).await;
    assert_eq!(record["status"], "read");
    assert_eq!(record["attempts"], 1);
    for stage in ["queued", "sending", "sent", "delivered", "read"] {
        assert!(record["times"][stage].is_string(), "{record}");
    }
    let frames = acme.frames(&session).await;
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["wa_id"], record["wa_id"]);

    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!((&usage["messages"]["used"], &usage["messages"]["held"]), (&json!(1), &json!(0)), "{usage}");
    server.finish().await;
}

async fn a_correspondents_message_is_stored_and_announced(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["in"]})).await;

    let written = json!({"session": session, "from": BERT, "text": "canary-body in"});
    let reply = acme.post("/v1/sandbox/messages", written).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    let event = feed.next().await;
    assert_eq!((&event["e"], &event["c"]), (&json!("in"), &json!("received")), "{event}");
    let record = acme.message(event["id"].as_str().unwrap()).await;
    assert_eq!(record["direction"], "in");
    assert_eq!((&record["from"], &record["to"]), (&json!(BERT), &json!(null)));
    assert_eq!(record["text"]["body"], "canary-body in");
    let listed = acme.get("/v1/messages?direction=in").await.expect(200);
    assert_eq!(listed["data"][0]["id"], event["id"]);
    server.finish().await;
}
