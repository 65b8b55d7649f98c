//! What a collector is told, by a build that can: `cargo test --features otlp --test otlp`.

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[allow(dead_code, reason = "the gate's tests use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::support::receiver::Receiver;
use crate::support::server::{BODY_MARK, Server};

/// A trace and its part whose ids are plain text as bytes, so that they are found in what the collector gets.
const TRACE: &str = "trace-of-a-calle";
const PART: &str = "its-part";

#[tokio::test]
async fn a_collector_is_told_of_requests_in_their_callers_trace_and_of_attempts_and_of_nothing_personal() {
    let collector = Receiver::start().await;
    let endpoint = format!("http://{}", collector.address);
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &environment).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("one").await;

    let traceparent = format!("00-{}-{}-01", hex::encode(TRACE), hex::encode(PART));
    let path = format!("/v1/sessions/{session}/messages");
    let message =
        json!({"to": "+15551300001", "type": "text", "text": {"body": format!("{BODY_MARK} hello")}});
    let headers = [("content-type", "application/json"), ("traceparent", &*traceparent)];
    let reply = acme.raw(Method::POST, &path, message.to_string(), &headers).await;
    let ours = reply.headers["traceparent"].to_str().unwrap().to_owned();
    let id = reply.expect(202)["id"].as_str().unwrap().to_owned();
    assert!(ours.starts_with(&format!("00-{}-", hex::encode(TRACE))), "{ours}");
    assert!(!ours.contains(&hex::encode(PART)), "the answer names our part, not the caller's: {ours}");

    let got = collector
        .until("both", |got| {
            let told = |word: &str| got.iter().any(|one| one.body.contains(word));
            told(TRACE) && told("attempt") && told(&id)
        })
        .await;
    assert!(got.iter().all(|one| one.header("content-type") == "application/x-protobuf"));
    assert!(got.iter().any(|one| {
        [TRACE, PART, "request", &*path.replace(&session, "{id}")].iter().all(|word| one.body.contains(word))
    }));
    for secret in [BODY_MARK, "+1555", acme.token(), operator.token()] {
        assert!(got.iter().all(|one| !one.body.contains(secret)), "{secret}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_is_left_is_told_at_the_end_and_a_collector_that_is_away_costs_nothing_else() {
    let collector = Receiver::start().await;
    let endpoint = format!("http://{}", collector.address);
    // Long enough that only the end hands it over.
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &environment).await;
    server.operator().get("/v1/admin/tenants").await.expect(200);
    server.finish().await;
    collector
        .until("the last spans", |got| got.iter().any(|one| one.body.contains("/v1/admin/tenants")))
        .await;

    let nowhere = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &nowhere).await;
    server.operator().get("/v1/admin/tenants").await.expect(200);
    server.finish().await;
}
