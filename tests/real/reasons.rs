//! Each way a link ends, against the table of reasons: what the whole server makes of it, with each engine, and which
//! credentials are there afterwards.

use std::sync::Arc;

use chrono::DateTime;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::journey::{scanned, settings};
use crate::rig::{Bridge, PATIENCE, Testbed, baileys_testbed, native_testbed};
use crate::support::api::{Api, Feed};
use crate::support::server::Server;

/// What a reason leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It comes back by itself, as the device that it was.
    Back,
    /// A person starts it, and it comes back as the device that it was.
    Start,
    /// It stays as it is for a minute or longer, and keeps its credentials.
    Stay,
    /// Its credentials are void.
    Pair,
}

struct Row {
    failure: Value,
    status: &'static str,
    reason: &'static str,
    code: Option<u16>,
    then: Then,
}

fn table() -> Vec<Row> {
    use Then::{Back, Pair, Start, Stay};
    let row = |failure, status, reason, code, then| Row { failure, status, reason, code, then };
    let stream = |code: u16| json!({ "kind": "stream_error", "code": code });
    let login = |reason: u16| json!({ "kind": "login_failure", "reason": reason });
    let ban = json!({ "kind": "login_failure", "reason": 402, "code": 101, "expire": 3600 });
    vec![
        row(stream(515), "reconnecting", "restart_required", Some(515), Back),
        row(json!({ "kind": "eof" }), "reconnecting", "transport_lost", None, Back),
        row(json!({ "kind": "ws_close", "code": 1011 }), "reconnecting", "transport_lost", None, Back),
        row(stream(503), "reconnecting", "server_unavailable", Some(503), Back),
        row(login(503), "reconnecting", "server_unavailable", Some(503), Back),
        row(stream(429), "reconnecting", "throttled", Some(429), Back),
        row(json!({ "kind": "replaced" }), "reconnecting", "replaced", Some(409), Stay),
        row(login(409), "reconnecting", "replaced", Some(409), Stay),
        row(ban, "parked", "banned", Some(402), Stay),
        row(login(405), "parked", "client_outdated", Some(405), Start),
        row(login(418), "parked", "unknown", Some(418), Start),
        row(login(402), "parked", "unknown", Some(402), Start),
        row(stream(401), "logged_out", "device_removed", Some(401), Pair),
        row(stream(516), "logged_out", "device_removed", Some(516), Pair),
        row(login(401), "logged_out", "device_removed", Some(401), Pair),
        row(login(403), "logged_out", "device_removed", Some(403), Pair),
        row(login(406), "logged_out", "device_removed", Some(406), Pair),
        row(json!({ "kind": "device_removed" }), "logged_out", "device_removed", Some(401), Pair),
    ]
}

#[rstest]
#[tokio::test]
async fn each_reason_leads_where_the_table_says_and_keeps_the_credentials_it_may_keep(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let engine = bridge().engine;
    let testbed = Testbed::start().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let settings = settings(&bridge(), dir.path(), &testbed);
    let environment = settings.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
    let server = Server::start_in(dir, &environment).await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": 100})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    let rows = table().into_iter().enumerate();
    let play = |(at, row)| play(&acme, &testbed, engine, format!("+1555124{at:04}"), row);
    join_all(rows.map(play)).await;
    server.finish().await;
}

async fn play(acme: &Api, testbed: &Testbed, engine: &str, phone: String, row: Row) {
    let told = format!("{} {phone}", row.failure);
    testbed.account(&phone).await;
    let made = acme.post("/v1/sessions", json!({"label": phone, "engine": engine})).await.expect(201);
    let session = made["id"].as_str().unwrap().to_owned();
    let mut feed = acme.feed_of(&session).await;
    feed.patience = PATIENCE;
    let start = || async { acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202) };
    start().await;
    scanned(acme, testbed, &session, &phone).await;
    feed.session(&session, "connected").await;

    let record = ends(acme, testbed, &session, &phone, &row, &mut feed).await;
    let shown = (&record["status"], &record["reason"], &record["reason_code"]);
    assert_eq!(shown, (&json!(row.status), &json!(row.reason), &json!(row.code)), "{told}: {record}");
    assert_eq!(record["paired"], json!(row.then != Then::Pair), "{told}: {record}");
    if row.reason == "banned" {
        let now = crate::support::clock::now().0;
        let until = record["restriction"]["until"].as_str().unwrap_or_default();
        let until = DateTime::parse_from_rfc3339(until).expect("when it ends").timestamp_millis();
        assert!((3_300_000..=3_600_000).contains(&(until - now)), "{told}: {record}");
    }
    match row.then {
        Then::Back => feed.session(&session, "connected").await,
        Then::Start => {
            feed.seen.clear();
            start().await;
            feed.session(&session, "connected").await;
        }
        Then::Stay | Then::Pair => {}
    }
    // Never linked anew, and never two sockets at once.
    let sockets = testbed.get("/admin/sockets").await;
    let digits = phone.trim_start_matches('+');
    let mine =
        |device: &&Value| device["phone"].to_string().trim_matches('"').trim_start_matches('+') == digits;
    let devices: Vec<_> = sockets["devices"].as_array().unwrap().iter().filter(mine).collect();
    assert_eq!(devices.len(), 1, "{told}: {sockets}");
    assert_eq!(devices[0]["peak"], 1, "{told}: {sockets}");
}

/// Brings the link to its end and waits until the server has said so. What is refused at a login needs one.
async fn ends(
    acme: &Api,
    testbed: &Testbed,
    session: &str,
    phone: &str,
    row: &Row,
    feed: &mut Feed,
) -> Value {
    let mut failure = row.failure.clone();
    (failure["phone"], failure["times"]) = (json!(phone), json!(1));
    let is_login = failure["kind"] == "login_failure";
    // What comes back by itself may be back before a busy machine has looked; the next pauses are longer.
    for _ in 0..3 {
        testbed.post("/admin/failures", failure.clone()).await;
        if is_login {
            testbed.post("/admin/sockets/close", json!({ "phone": phone })).await;
        }
        let record = loop {
            feed.session(session, row.status).await;
            let record = acme.at(session).await;
            // A login that is to be refused comes after a link that was lost.
            if !is_login || record["reason"] != "transport_lost" {
                break record;
            }
        };
        if row.then != Then::Back || record["status"] == row.status {
            return record;
        }
        feed.session(session, "connected").await;
    }
    acme.at(session).await
}
