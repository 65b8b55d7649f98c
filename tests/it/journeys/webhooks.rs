//! A tenant that is told: registered, verified, killed in between, rotated, redelivered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api::{ANNA, Api, BERT};
use crate::support::receiver::{Receiver, Request, status};
use crate::support::server::Server;

const LOOPBACK: [(&str, &str); 1] = [("COLUMBA__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.1")];

async fn start() -> (Server, Api) {
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &LOOPBACK).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    (server, acme)
}

/// An endpoint at a receiver; its id and its secret.
async fn register(api: &Api, receiver: &Receiver, change: Value) -> (String, String) {
    let mut body = json!({"url": receiver.url()});
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let made = api.post("/v1/webhooks", body).await.expect(201);
    (text(&made["id"]), text(&made["secret"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// Requests about one thing that were taken.
fn about<'a>(got: &'a [Request], id: &str) -> Vec<&'a Request> {
    got.iter().filter(|one| one.status == 200 && one.json()["data"]["id"] == id).collect()
}

#[tokio::test]
async fn every_step_of_a_message_is_told_signed_with_the_record_as_it_stood() {
    let (server, acme) = start().await;
    let receiver = Receiver::start().await;
    let session = acme.connected("sales").await;
    let (id, secret) =
        register(&acme, &receiver, json!({"events": ["message.*"], "headers": {"X-Env": "prod"}})).await;
    let body = json!({
        "to": ANNA, "type": "text", "text": {"body": "canary-body hook"}, "client_ref": "order-17",
    });
    let message = acme.post(&format!("/v1/sessions/{session}/messages"), body).await.expect(202);
    let message = text(&message["id"]);
    let got = receiver.until("five steps", |got| about(got, &message).len() >= 5).await;
    let mut steps = about(&got, &message);
    // They may overtake each other; the position says how they came about.
    steps.sort_by_key(|one| one.json()["seq"].as_u64());
    let kinds: Vec<_> = steps.iter().map(|one| text(&one.json()["type"])).collect();
    assert_eq!(
        kinds,
        ["message.queued", "message.sending", "message.sent", "message.delivered", "message.read"]
    );
    for one in &steps {
        assert!(one.is_signed_with(&secret));
        assert!(!one.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let body = one.json();
        assert_eq!((&body["id"], &body["session"]), (&json!(one.header("webhook-id")), &json!(session)));
        assert_eq!(body["data"]["status"], kinds_status(&body), "as it stood, not as it is");
        assert_eq!((&body["data"]["client_ref"], &body["data"]["to"]), (&json!("order-17"), &json!(ANNA)));
        assert_eq!(one.header("x-env"), "prod");
        assert_eq!(one.header("content-type"), "application/json");
        assert!(one.header("user-agent").starts_with("columba/"));
    }
    let record = acme.message(&message).await;
    assert_eq!(steps[4].json()["data"], record, "the very record that GET answers");
    let ids: std::collections::BTreeSet<_> = steps.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), 5);

    let listed = delivered(&acme, &id, 5).await;
    let one = acme.get(&format!("/v1/deliveries/{}", text(&listed[0]["id"]))).await.expect(200);
    let sent = got.iter().find(|got| got.header("webhook-id") == one["event"]).unwrap();
    assert_eq!(one["request"]["body"], sent.json());
    assert_eq!((&one["log"][0]["status"], &one["log"][0]["body"]), (&json!(200), &json!("ok")));
    assert!(one["log"][0]["duration_ms"].is_u64());
    server.finish().await;
}

/// Deliveries of an endpoint that were taken, once there are so many. A delivery is written down after its answer was heard,
/// and no event tells of it.
async fn delivered(api: &Api, webhook: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/webhooks/{webhook}/deliveries?status=delivered");
    let written = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let listed = api.get(&path).await.expect(200)["data"].as_array().unwrap().clone();
            if listed.len() == count {
                return listed;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    written.await.expect("what was taken is written down")
}

fn kinds_status(body: &Value) -> Value {
    json!(text(&body["type"]).split('.').nth(1).unwrap())
}

#[tokio::test]
async fn what_waits_when_the_server_is_killed_is_told_under_the_same_ids_after_the_next_start() {
    let (server, acme) = start().await;
    let receiver = Receiver::start().await;
    let session = acme.connected("sales").await;
    let (_, secret) = register(&acme, &receiver, json!({"events": ["message.read", "session.*"]})).await;
    receiver.usual(&status(503));
    let mut feed = acme.feed_of(&session).await;
    let mut messages = vec![];
    for number in 0..5 {
        let message = acme.send(&session, if number % 2 == 0 { ANNA } else { BERT }).await;
        feed.until(&message, "read").await;
        messages.push(message);
    }
    let refused = receiver.until("a refused one", |got| got.iter().any(|one| one.status == 503)).await;
    let dir = server.dir();
    let token = acme.token().to_owned();
    server.kill().await;

    receiver.usual(&status(200));
    let server = Server::start_in(dir, &LOOPBACK).await;
    let acme = server.api(&token);
    for message in &messages {
        let told = receiver.taken(message, |one| one.json()["data"]["id"] == **message).await;
        assert!(told.is_signed_with(&secret));
        assert_eq!(told.json()["data"]["status"], "read");
    }
    for before in refused.iter().filter(|one| one.json()["type"] == "message.read") {
        let again = receiver
            .taken("the same id", |one| one.header("webhook-id") == before.header("webhook-id"))
            .await;
        assert_eq!(again.body, before.body, "byte for byte");
    }
    assert_eq!(acme.at(&session).await["id"], session);
    server.finish().await;
}

#[tokio::test]
async fn a_secret_is_rotated_with_overlap_and_a_delivery_is_told_again_on_demand() {
    let (server, acme) = start().await;
    let receiver = Receiver::start().await;
    let (id, first) = register(&acme, &receiver, json!({})).await;
    let path = format!("/v1/webhooks/{id}");
    let test = acme.act(&format!("{path}/test")).await.expect(202);
    let told = receiver.taken("the test", |one| one.json()["type"] == "webhook.test").await;
    assert!(told.is_signed_with(&first));
    assert_eq!(told.json()["seq"], Value::Null);

    let rotated = acme.act(&format!("{path}/rotate")).await.expect(200);
    let second = text(&rotated["secret"]);
    assert!(rotated["overlap_until"].is_string() && second != first);
    let again = acme.act(&format!("/v1/deliveries/{}/redeliver", text(&test["id"]))).await.expect(202);
    assert_eq!((&again["event"], &again["repeats"]), (&test["event"], &test["id"]));
    let got = receiver.until("it again", |got| got.len() >= 2).await;
    assert_eq!(got[1].header("webhook-id"), told.header("webhook-id"), "the receiver knows it by its id");
    assert_eq!(got[1].header("webhook-signature").split(' ').count(), 2);
    assert!(got[1].is_signed_with(&first) && got[1].is_signed_with(&second));

    let third = acme.post(&format!("{path}/rotate"), json!({"overlap_s": 0})).await.expect(200);
    assert_eq!(third["overlap_until"], Value::Null);
    acme.act(&format!("{path}/test")).await.expect(202);
    let got = receiver.until("a third", |got| got.len() >= 3).await;
    assert!(got[2].is_signed_with(&text(&third["secret"])));
    assert!(!got[2].is_signed_with(&first) && !got[2].is_signed_with(&second));

    let shown = acme.get(&path).await.expect(200);
    assert!(shown["secret"].is_null(), "{shown}");
    let whole = acme.get("/v1/webhooks").await.expect(200).to_string();
    assert!(!whole.contains("whsec_"), "no secret is ever listed");
    for secret in [&first, &second] {
        assert!(!server.logged().contains(secret.as_str()));
    }
    server.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_with_notice_and_what_it_missed_can_be_told_later() {
    let (server, acme) = start().await;
    let receiver = Receiver::start().await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["webhook"]})).await;
    let (id, _) = register(&acme, &receiver, json!({"events": ["message.read", "webhook.*"]})).await;
    let path = format!("/v1/webhooks/{id}");
    receiver.next(&status(410));
    acme.act(&format!("{path}/test")).await.expect(202);
    let event = feed.until(&id, "disabled").await;
    assert_eq!(event["e"], "webhook");
    let record = acme.get(&path).await.expect(200);
    assert_eq!((&record["status"], &record["reason"]), (&json!("disabled"), &json!("gone")));
    acme.act(&format!("{path}/test")).await.refused(409, "conflict");

    let from = text(&record["since"]);
    let mut watched = acme.feed_of(&session).await;
    let message = acme.send(&session, ANNA).await;
    watched.until(&message, "read").await;
    let enabled = acme.act(&format!("{path}/enable")).await.expect(200);
    assert_eq!((&enabled["status"], &enabled["reason"]), (&json!("active"), &Value::Null));
    let to = "2100-01-01T00:00:00.000Z";
    let span = json!({"from": from, "to": to});
    let made = acme.post(&format!("{path}/redeliver"), span.clone()).await.expect(202);
    // The message, and its own notice that it was disabled.
    assert_eq!(made["redelivered"], 2, "{made}");
    let told = receiver.taken("what it missed", |one| one.json()["data"]["id"] == *message).await;
    assert_eq!(told.json()["type"], "message.read");
    let notice = receiver.taken("the notice", |one| one.json()["type"] == "webhook.disabled").await;
    assert_eq!(notice.json()["data"], json!({"id": id, "status": "disabled", "reason": "gone"}));
    acme.delete(&path).await.expect(204);
    acme.get(&path).await.refused(404, "not_found");
    server.finish().await;
}

#[tokio::test]
async fn inside_addresses_are_refused_by_default_and_another_tenants_webhooks_do_not_exist() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, rival) = operator.tenant("Rival", "basic").await;
    let receiver = Receiver::start().await;
    let refused =
        acme.post("/v1/webhooks", json!({"url": receiver.url()})).await.refused(422, "invalid_request");
    assert_eq!(refused["errors"][0]["pointer"], "/url");
    // A name that leads inside can be registered; it is found out when it is connected to.
    let made =
        acme.post("/v1/webhooks", json!({"url": "https://localtest.example.com/hook"})).await.expect(201);
    let id = text(&made["id"]);
    for path in ["", "/deliveries"] {
        rival.get(&format!("/v1/webhooks/{id}{path}")).await.refused(404, "not_found");
    }
    for verb in ["test", "rotate", "enable"] {
        rival.act(&format!("/v1/webhooks/{id}/{verb}")).await.refused(404, "not_found");
    }
    rival.delete(&format!("/v1/webhooks/{id}")).await.refused(404, "not_found");
    rival
        .patch(&format!("/v1/webhooks/{id}"), json!({"description": "mine"}))
        .await
        .refused(404, "not_found");
    assert_eq!(rival.get("/v1/webhooks").await.expect(200)["data"], json!([]));
    assert_eq!(receiver.connections(), 0);
    server.finish().await;
}
