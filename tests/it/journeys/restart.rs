//! The server dies in the middle; the network it speaks to does not.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{ANNA, BERT};
use crate::support::network::Network;
use crate::support::server::{Home, Server};

on_both_databases!(what_was_accepted_before_a_kill_is_delivered_after_it_once_and_in_order);

#[tokio::test]
async fn a_network_that_is_down_is_waited_for_at_the_start_and_later() {
    let mut network = Network::start(Duration::from_millis(5)).await;
    network.kill().await;
    let environment = [("COLUMBA__SANDBOX__URL", network.url.as_str())];
    let server = Server::start_in(std::sync::Arc::new(tempfile::tempdir().unwrap()), &environment).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.session("sales").await;
    let mut feed = acme.feed_of(&session).await;
    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    feed.session(&session, "reconnecting").await;
    let qr = acme.get(&format!("/v1/sessions/{session}/qr")).await.refused(409, "not_pairing");
    assert!(qr["detail"].as_str().unwrap().contains("network"), "{qr}");
    acme.post("/v1/sandbox/scan", json!({"code": "x"})).await.refused(503, "unavailable");

    network.revive(Duration::from_millis(5)).await;
    feed.session(&session, "pairing").await;
    acme.pair(&session).await;
    feed.session(&session, "connected").await;
    network.kill().await;
    feed.session(&session, "reconnecting").await;
    let message = acme.send(&session, ANNA).await;
    network.revive(Duration::from_millis(5)).await;
    feed.until(&message, "read").await;
    assert_eq!(acme.frames(&session).await.len(), 1);
    server.finish().await;
    network.finish();
}

async fn what_was_accepted_before_a_kill_is_delivered_after_it_once_and_in_order(home: Home) {
    let network = Network::start(Duration::from_millis(150)).await;
    let environment = [("COLUMBA__SANDBOX__URL", network.url.as_str())];
    let server = home.start(&environment).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let mut messages = vec![];
    for turn in 0..6 {
        messages.push(acme.send(&session, if turn % 2 == 0 { ANNA } else { BERT }).await);
    }
    feed.until(&messages[0], "sending").await;
    server.kill().await;

    let server = home.start(&environment).await;
    let acme = server.api(acme.token());
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let mut records = vec![];
    for message in &messages {
        let record = acme.message(message).await;
        if record["status"] != "read" {
            feed.until(message, "read").await;
        }
        records.push(acme.message(message).await);
    }
    let frames = acme.frames(&session).await;
    let known: HashSet<&Value> = records.iter().map(|record| &record["wa_id"]).collect();
    assert!(frames.iter().all(|frame| known.contains(&frame["wa_id"])), "no frame under a new id");
    assert!(frames.len() <= messages.len() + 2, "at most the two in flight came twice: {frames:?}");
    for number in [ANNA, BERT] {
        let mut order: Vec<&Value> =
            frames.iter().filter(|frame| frame["to"] == number).map(|f| &f["wa_id"]).collect();
        order.dedup();
        let expected: Vec<&Value> =
            records.iter().filter(|r| r["to"] == number).map(|r| &r["wa_id"]).collect();
        assert_eq!(order, expected, "order of acceptance");
    }
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!((&usage["messages"]["used"], &usage["messages"]["held"]), (&json!(6), &json!(0)), "{usage}");
    server.finish().await;
    network.finish();
}
