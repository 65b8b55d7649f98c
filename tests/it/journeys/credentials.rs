//! Kills and lost links do not touch credentials: the vault's records are the same bytes before and after.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::json;

use crate::support::clock::{now, time};
use crate::support::network::Network;
use crate::support::server::Server;

/// Every record as it lies on disk: whose, where, the sealed bytes.
async fn records(data: &Path) -> Vec<(Vec<u8>, String, Vec<u8>, Vec<u8>)> {
    let url = format!("sqlite://{}?mode=ro", data.join("vault.db").display());
    let db = Database::connect(url).await.unwrap();
    let text = "SELECT session, kind, key, sealed FROM record ORDER BY session, kind, key";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, text)).await.unwrap();
    let records = rows.iter().map(|row| {
        let bytes = |column: &str| row.try_get::<Vec<u8>>("", column).unwrap();
        (bytes("session"), row.try_get("", "kind").unwrap(), bytes("key"), bytes("sealed"))
    });
    let records = records.collect();
    db.close().await.unwrap();
    records
}

#[tokio::test]
async fn twelve_kills_and_the_troubles_between_them_change_not_one_byte_of_the_vault() {
    let network = Network::start(Duration::from_millis(5)).await;
    let environment =
        [("COLUMBA__SANDBOX__URL", network.url.as_str()), ("COLUMBA__SESSIONS__BOOT_PER_SECOND", "1000")];
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": 20})).await;
    let (_, mut acme) = operator.tenant("Acme", "many").await;
    let mut sessions = vec![];
    for label in ["one", "two", "three", "four", "five", "six"] {
        sessions.push(acme.connected(label).await);
    }
    let data = dir.path().join("data");
    let before = records(&data).await;
    assert_eq!(before.len(), sessions.len(), "one device each");

    let troubles =
        ["transport_lost", "half_open", "server_unavailable", "malformed", "throttled", "replaced"];
    for kill in 0..12 {
        for (session, trouble) in sessions.iter().zip(troubles.iter().cycle().skip(kill)) {
            // 409: it is between two links.
            let played = acme.post("/v1/sandbox/faults", json!({"session": session, "fault": trouble})).await;
            assert!([202, 409].contains(&played.status.as_u16()), "{}", played.text);
        }
        server.kill().await;
        assert!(records(&data).await == before, "kill {kill} changed the vault");
        let started_at = now();
        server = Server::start_in(Arc::clone(&dir), &environment).await;
        acme = server.api(acme.token());
        // Each stands again, by whichever way: one killed while it starts, time and again, would be suspect.
        let mut feed = acme.feed(json!({"op": "subscribe", "events": ["session"]})).await;
        for session in &sessions {
            loop {
                let record = acme.at(session).await;
                if record["status"] != "starting" && time(&record["since"]) >= started_at {
                    break;
                }
                feed.next().await;
            }
        }
    }
    assert!(records(&data).await == before, "the vault was written");
    for session in &sessions {
        assert_eq!(acme.at(session).await["paired"], true);
    }
    let status = server.end().await;
    assert!(status.success(), "{status}");
    network.finish();
}
