//! The server dies in the middle; the network it speaks to does not.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::api::{ANNA, BERT};
use crate::support::server::{Server, assert_nothing_personal, columba, listening};

#[tokio::test]
async fn what_was_accepted_before_a_kill_is_delivered_after_it_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("network.log");
    let data = folder.path().join("network");
    let arguments = ["sandbox-net", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut network = columba(&arguments, &[("COLUMBA__SANDBOX__ACK_MS", "150")], &log);
    let network_url = listening(&mut network, &log).await;
    let environment = [("COLUMBA__SANDBOX__URL", network_url.as_str())];

    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(dir.clone(), &environment).await;
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

    let server = Server::start_in(dir, &environment).await;
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
    assert_nothing_personal(&std::fs::read_to_string(&log).unwrap());
}
