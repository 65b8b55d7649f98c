//! The cap is hard, and it binds at once. That the window opens again after a minute is in `a_minute`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::api::{ANNA, Api, BERT, Feed};
use crate::support::network::Network;
use crate::support::server::Server;

/// The operator changes caps of a plan made by [`Api::plan`].
async fn put(operator: &Api, code: &str, change: Value) {
    let path = format!("/v1/admin/plans/{code}");
    let mut plan = operator.get(&path).await.expect(200);
    plan.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    operator.put(&path, plan).await.expect(200);
}

async fn send_many(acme: &Api, session: &str, count: usize) -> Vec<String> {
    let mut messages = vec![];
    for turn in 0..count {
        messages.push(acme.send(session, if turn % 2 == 0 { ANNA } else { BERT }).await);
    }
    messages
}

async fn all_read(feed: &mut Feed, messages: &[String]) {
    for message in messages {
        feed.until(message, "read").await;
    }
}

/// What `GET /limits` says of one session.
async fn minute(acme: &Api, session: &str) -> (u64, u64, u64) {
    let limits = acme.get("/v1/limits").await.expect(200);
    let rows = limits["sessions"].as_array().unwrap();
    let row = rows.iter().find(|row| row["session"] == session).unwrap();
    let number = |name: &str| row[name].as_u64().unwrap();
    (number("cap"), number("used"), number("remaining"))
}

#[tokio::test]
async fn three_of_five_leave_and_a_new_plan_binds_at_once_in_both_directions() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("three", json!({"messages_per_minute": 3})).await;
    let (_, acme) = operator.tenant("Acme", "three").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let messages = send_many(&acme, &session, 5).await;
    all_read(&mut feed, &messages[..3]).await;
    assert_eq!(minute(&acme, &session).await, (3, 3, 0));
    for message in &messages[3..] {
        assert_eq!(acme.message(message).await["status"], "queued");
    }
    assert_eq!(acme.frames(&session).await.len(), 3);

    let raised = Instant::now();
    put(&operator, "three", json!({"messages_per_minute": 600})).await;
    feed.until(&messages[4], "sending").await;
    assert!(raised.elapsed() < Duration::from_secs(2), "{:?}", raised.elapsed());
    all_read(&mut feed, &messages).await;
    assert_eq!(minute(&acme, &session).await, (600, 5, 595));

    put(&operator, "three", json!({"messages_per_minute": 6})).await;
    let more = send_many(&acme, &session, 3).await;
    all_read(&mut feed, &more[..1]).await;
    assert_eq!(minute(&acme, &session).await, (6, 6, 0));
    assert_eq!(acme.frames(&session).await.len(), 6, "what left under the old cap counts under the new one");
    put(&operator, "three", json!({"messages_per_minute": 2})).await;
    assert_eq!(minute(&acme, &session).await, (2, 6, 0), "used beyond a cap that was lowered");
    server.finish().await;
}

#[tokio::test]
async fn a_tenant_that_is_moved_to_another_plan_is_bound_by_it_at_once() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("small", json!({"messages_per_minute": 1, "messages_per_month": 3})).await;
    operator.plan("large", json!({})).await;
    let (tenant, acme) = operator.tenant("Acme", "small").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let messages = send_many(&acme, &session, 3).await;
    all_read(&mut feed, &messages[..1]).await;
    acme.text(&session, ANNA, "beyond").await.refused(402, "quota_exceeded");
    let moved =
        operator.patch(&format!("/v1/admin/tenants/{tenant}"), json!({"plan": "large"})).await.expect(200);
    assert_eq!(moved["plan"], "large");
    all_read(&mut feed, &messages).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let usage = acme.get("/v1/usage").await.expect(200)["messages"].clone();
    assert_eq!(usage, json!({"used": 4, "held": 0, "limit": 10_000, "remaining": 9_996}));
    server.finish().await;
}

#[tokio::test]
async fn the_sum_of_a_tenants_sessions_has_a_cap_of_its_own_that_can_be_changed() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("sum", json!({"messages_per_minute_tenant": 4})).await;
    let (_, acme) = operator.tenant("Acme", "sum").await;
    let (_, bolt) = operator.tenant("Bolt", "sum").await;
    let sessions = [acme.connected("one").await, acme.connected("two").await];
    let other = bolt.connected("other").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let mut messages = vec![];
    for session in &sessions {
        messages.extend(send_many(&acme, session, 4).await);
    }
    let is_read = |event: &Value| event["c"] == "read";
    while feed.seen.iter().filter(|event| is_read(event)).count() < 4 {
        let event = feed.next().await;
        feed.seen.push(event);
    }
    let sum = acme.get("/v1/limits").await.expect(200)["tenant"].clone();
    assert_eq!(sum, json!({"cap": 4, "used": 4, "remaining": 0}));
    let frames = acme.frames(&sessions[0]).await.len() + acme.frames(&sessions[1]).await.len();
    assert_eq!(frames, 4);

    let mut theirs = bolt.feed_of(&other).await;
    let message = bolt.send(&other, ANNA).await;
    theirs.until(&message, "read").await;

    let raised = Instant::now();
    put(&operator, "sum", json!({"messages_per_minute_tenant": 600})).await;
    for message in &messages {
        feed.until(message, "sending").await;
    }
    assert!(raised.elapsed() < Duration::from_secs(2), "{:?}", raised.elapsed());
    all_read(&mut feed, &messages).await;

    // Lowered again, then taken away.
    put(&operator, "sum", json!({"messages_per_minute_tenant": 8})).await;
    let more = send_many(&acme, &sessions[0], 2).await;
    let path = format!("/v1/sessions/{}/qr", sessions[0]);
    acme.get(&path).await.refused(409, "not_pairing");
    assert_eq!(acme.frames(&sessions[0]).await.len() + acme.frames(&sessions[1]).await.len(), 8);
    put(&operator, "sum", json!({"messages_per_minute_tenant": null})).await;
    all_read(&mut feed, &more).await;
    server.finish().await;
}

#[tokio::test]
async fn the_cap_holds_across_a_kill() {
    let network = Network::start(Duration::from_millis(5)).await;
    let environment = [("COLUMBA__SANDBOX__URL", network.url.as_str())];
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(dir.clone(), &environment).await;
    let operator = server.operator();
    operator.plan("three", json!({"messages_per_minute": 3})).await;
    let (_, acme) = operator.tenant("Acme", "three").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let messages = send_many(&acme, &session, 5).await;
    all_read(&mut feed, &messages[..3]).await;
    server.kill().await;

    let server = Server::start_in(dir, &environment).await;
    let (operator, acme) = (server.operator(), server.api(acme.token()));
    let (_, bolt) = operator.tenant("Bolt", "three").await;
    let mut feed = acme.feed_of(&session).await;
    while acme.at(&session).await["status"] != "connected" {
        feed.next().await;
    }
    // Long enough for a full turn of another session, from its pairing to its third message.
    let other = bolt.connected("other").await;
    let mut theirs = bolt.feed_of(&other).await;
    let sent = send_many(&bolt, &other, 3).await;
    all_read(&mut theirs, &sent).await;
    assert_eq!(minute(&acme, &session).await, (3, 3, 0), "what was attempted before is remembered");
    assert_eq!(acme.frames(&session).await.len(), 3, "no fourth frame");
    for message in &messages[3..] {
        assert_eq!(acme.message(message).await["status"], "queued");
    }
    put(&operator, "three", json!({"messages_per_minute": 600})).await;
    all_read(&mut feed, &messages[3..]).await;
    server.finish().await;
    network.finish();
}
