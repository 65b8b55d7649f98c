//! What the server counts, and where that is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use columba::meters::{ALL, Meter};
use reqwest::{Client, Method};
use serde_json::json;
use tempfile::TempDir;

use crate::support::api::{ANNA, Api, Reply};
use crate::support::server::{Server, assert_nothing_personal};

async fn scrape(operator: &Api) -> Reply {
    operator.raw(Method::GET, "/metrics", "", &[]).await
}

/// The samples of a scrape: name and labels, and the value.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name, value.parse().unwrap())).unwrap())
        .collect()
}

#[tokio::test]
async fn a_scrape_counts_what_happened_and_names_nobody() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (tenant, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    acme.session("idle").await;
    let mut feed = acme.feed_of(&session).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;

    let reply = scrape(&operator).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4");
    let found = samples(&reply.text);
    for (name, value) in [
        ("columba_sessions{status=\"connected\"}", 1.0),
        ("columba_sessions{status=\"stopped\"}", 1.0),
        ("columba_sessions{status=\"quarantined\"}", 0.0),
        ("columba_messages_total{status=\"queued\"}", 1.0),
        ("columba_messages_total{status=\"read\"}", 1.0),
        ("columba_messages_waiting", 0.0),
        ("columba_send_latency_seconds_count", 1.0),
        ("columba_attempt_seconds_count{outcome=\"acked\"}", 1.0),
        ("columba_feed_listeners{wire=\"websocket\"}", 1.0),
        (
            "columba_http_requests_total{method=\"POST\",route=\"/v1/sessions/{id}/messages\",status=\"202\"}",
            1.0,
        ),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name}\n{}", reply.text);
    }
    assert!(found["columba_store_commit_seconds_count"] > 5.0, "{}", reply.text);
    assert!(found["process_resident_memory_bytes"] > 1e6, "{}", reply.text);
    for personal in [tenant.as_str(), &session, &message, "Acme", "sales", ANNA, acme.token()] {
        assert!(!reply.text.contains(personal), "{personal}");
    }
    assert_nothing_personal(&reply.text);

    // Every metric that has a sample is one of ours, and says what it means.
    let known: BTreeMap<&str, &Meter> = ALL.iter().map(|meter| (meter.name, meter)).collect();
    for line in reply.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert_eq!(kind, <&str>::from(known[name].kind), "{name}");
        assert!(reply.text.contains(&format!("# HELP {name} ")), "{name}");
    }
    server.finish().await;
}

#[tokio::test]
async fn the_log_level_is_changed_while_the_server_runs_and_a_trace_is_found_in_the_log() {
    let server =
        Server::start_in(Arc::new(TempDir::new().unwrap()), &[("COLUMBA__LOG__LEVEL", "info")]).await;
    let operator = server.operator();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    operator.raw(Method::GET, "/v1/admin/plans", "", &traced).await.expect(200);
    assert!(!server.logged().contains(trace), "an answer is told at debug");

    assert_eq!(operator.get("/v1/admin/log").await.expect(200), json!({"level": "info"}));
    let debug = json!({"level": "info,columba::http=debug"});
    assert_eq!(operator.put("/v1/admin/log", debug.clone()).await.expect(200), debug);
    let reply = operator.raw(Method::GET, "/v1/admin/plans", "", &traced).await;
    let answered = reply.headers["traceparent"].to_str().unwrap().to_owned();
    assert!(answered.starts_with(&format!("00-{trace}-")) && answered != traced[0].1, "{answered}");
    assert!(server.logged().contains(trace));

    operator.put("/v1/admin/log", json!({"level": "columba=loud"})).await.refused(422, "invalid_request");
    assert_eq!(operator.get("/v1/admin/log").await.expect(200), debug, "as it was");
    server.finish().await;
}

#[tokio::test]
async fn a_scrape_is_for_the_operator() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    acme.get("/metrics").await.refused(401, "unauthorized");
    let nobody = Client::new().get(format!("{}/metrics", server.url)).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    server.finish().await;
}

/// Words of a text that look like the name of a metric.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let endings = ["_count", "_sum", "_bucket"];
    words
        .filter(|word| word.starts_with("columba_") || word.starts_with("process_"))
        .map(|word| endings.iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word))
        .collect()
}

#[test]
fn what_is_counted_is_what_the_documents_alerts_and_dashboard_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours: BTreeSet<&str> = ALL.iter().map(|meter| meter.name).collect();
    let page = fs::read_to_string(root.join("docs/METRICS.md")).unwrap();
    for meter in ALL {
        let labels = meter.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let row = format!("| `{}` | {} | {labels} | {} |", meter.name, <&str>::from(meter.kind), meter.help);
        assert!(page.contains(&row), "docs/METRICS.md lacks this line:\n{row}");
    }
    for file in ["packaging/prometheus/alerts.yml", "packaging/grafana/columba.json"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let unknown: Vec<_> = named(&text).into_iter().filter(|name| !ours.contains(name)).collect();
        assert_eq!(unknown, Vec::<&str>::new(), "{file} names what is not counted");
    }
}

#[test]
fn every_alert_has_a_page_that_says_what_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = fs::read_to_string(root.join("packaging/prometheus/alerts.yml")).unwrap();
    let pages = fs::read_to_string(root.join("docs/RUNBOOK.md")).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 8, "{alerts:?}");
    for alert in alerts {
        assert!(pages.contains(&format!("\n## {alert}\n")), "docs/RUNBOOK.md has no section {alert}");
        let link = format!("runbook: docs/RUNBOOK.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} has no link to its section");
    }
}
