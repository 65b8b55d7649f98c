//! What a plan allows, at the moment it is used up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api};
use crate::support::server::Server;

async fn keyed(api: &Api, session: &str, key: &str, body: &Value) -> crate::support::api::Reply {
    let path = format!("/v1/sessions/{session}/messages");
    api.call(Method::POST, &path, Some(&body.to_string()), &[("idempotency-key", key)]).await
}

#[tokio::test]
async fn a_hard_quota_refuses_what_is_beyond_and_repeats_what_it_once_accepted() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("two", json!({"messages_per_month": 2})).await;
    let (_, acme) = operator.tenant("Acme", "two").await;
    let session = acme.connected("sales").await;
    let body = |text: &str| json!({"to": ANNA, "type": "text", "text": {"body": text}});

    let first = keyed(&acme, &session, "k1", &body("one")).await.expect(202);
    keyed(&acme, &session, "k2", &body("two")).await.expect(202);
    let refused = keyed(&acme, &session, "k3", &body("three")).await;
    assert!(refused.headers.contains_key("retry-after"));
    refused.refused(402, "quota_exceeded");

    let again = keyed(&acme, &session, "k1", &body("one")).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.expect(202)["id"], first["id"]);
    keyed(&acme, &session, "k1", &body("other")).await.refused(422, "idempotency_mismatch");

    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!(usage["messages"]["remaining"], 0, "{usage}");
    assert_eq!(usage["messages"]["limit"], 2);
    server.finish().await;
}

#[tokio::test]
async fn a_soft_quota_goes_on_and_a_test_key_does_not_count() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("soft", json!({"messages_per_month": 1, "quota": "soft"})).await;
    let (tenant, acme) = operator.tenant("Acme", "soft").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    for _ in 0..3 {
        let message = acme.send(&session, ANNA).await;
        feed.until(&message, "read").await;
    }
    let path = format!("/v1/admin/tenants/{tenant}/keys");
    let key = operator.post(&path, json!({"name": "t", "test": true})).await.expect(201);
    let text = key["key"].as_str().unwrap();
    assert!(text.starts_with("col_test_"));
    let message = server.api(text).send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!(usage["messages"]["used"], 3, "{usage}");
    server.finish().await;
}
