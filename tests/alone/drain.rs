//! The end of a node with a thousand sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use columba::history::record::Record;
use columba::storage::sql::Place;
use columba::storage::sql::history::rows;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::support::clock::now;
use super::support::server::Server;

const SESSIONS: usize = 1_000;

#[tokio::test]
async fn a_thousand_sessions_are_drained_within_fifteen_seconds_and_what_was_under_way_is_settled() {
    let _turn = super::turn().await;
    let dir = Arc::new(TempDir::new().unwrap());
    // An ack takes a while here, so that many attempts are out when the end comes, and no receipt tells before it.
    let environment = [
        ("COLUMBA__SANDBOX__ACK_MS", "4000"),
        ("COLUMBA__SANDBOX__DELIVERED_MS", "60000"),
        ("COLUMBA__SANDBOX__READ_MS", "60000"),
        ("COLUMBA__HTTP__EDGE_LIMIT__PER_SECOND", "100000"),
    ];
    let mut server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": SESSIONS, "messages_per_month": 1_000_000})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    let sessions = super::connected(&acme, SESSIONS).await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let mut messages = vec![];
    for session in &sessions[..200] {
        messages.push(acme.send(session, "+15551230001").await);
    }
    feed.until(&messages[199], "sending").await;

    let (began, asked_at) = (Instant::now(), now());
    let status = server.terminate().await;
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", server.logged());
    assert!(took < Duration::from_secs(15), "{took:?}");
    println!("{SESSIONS} sessions drained in {took:?}");

    // What the next start would find.
    let (mut left, mut ended) = (HashMap::new(), 0);
    rows(&Place::File(dir.path().join("data/columba.db")), |row| {
        if let Record::Message(message) = row {
            *left.entry(message.status.to_string()).or_insert(0) += 1;
            ended += usize::from(message.sent_at.is_some_and(|at| at > asked_at));
        }
    })
    .await
    .unwrap();
    assert!(!left.contains_key("sending") && !left.contains_key("unknown"), "cut off by the drain: {left:?}");
    assert_eq!(left.values().sum::<usize>(), messages.len(), "{left:?}");
    assert!(ended > 0, "some were under way and got their ack: {left:?}");
}
