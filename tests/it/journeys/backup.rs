//! The operator puts the store away while tenants send, loses the machine, and begins again from what was put away.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::moving::{columba, text};
use crate::support::network::Network;
use crate::support::server::{Home, Server};

on_both_databases!(what_was_accepted_before_a_backup_is_in_it_and_nothing_is_sent_a_second_time);

async fn what_was_accepted_before_a_backup_is_in_it_and_nothing_is_sent_a_second_time(home: Home) {
    let network = Network::start(Duration::from_millis(1)).await;
    let environment = [("COLUMBA__SANDBOX__URL", network.url.as_str())];
    let first = home.start(&environment).await;
    let root = first.operator();
    // More is accepted than may leave, so that some of it waits when the backup is taken.
    root.plan("slow", json!({"messages_per_minute": 40})).await;
    let (_, acme) = root.tenant("Acme", "slow").await;
    let session = acme.connected("sales").await;
    let load = {
        let (acme, session) = (acme.clone(), session.clone());
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let work = tokio::spawn(async move {
            for number in 0.. {
                let id = acme.send(&session, &format!("+15551{:06}", number % 97)).await;
                if sender.send(id).is_err() {
                    break;
                }
            }
        });
        (work, receiver)
    };
    let (work, mut accepted) = load;
    let mut before = vec![];
    while before.len() < 80 {
        before.push(accepted.recv().await.unwrap());
    }
    while let Ok(id) = accepted.try_recv() {
        before.push(id);
    }
    let put = TempDir::new().unwrap();
    let file = put.path().join("columba backup.db");
    let data = home.data();
    let database: Vec<_> = home.database().map(|url| ("COLUMBA__DATABASE__URL", url)).into_iter().collect();
    let arguments = ["backup", "--to", text(&file), "--data", text(&data), "--json"];
    let (code, out, err) = columba(&arguments, &database).await;
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert!(told["tables"]["message"].as_u64().unwrap() >= before.len() as u64, "{told}");
    assert!(told["waiting"].as_u64().unwrap() > 0, "{told}");
    let (code, _, err) = columba(&arguments, &database).await;
    assert_eq!(code, 1, "a file that exists is not replaced: {err}");
    // More is accepted and sent, of which the backup knows nothing. Then the machine is lost.
    for _ in 0..5 {
        accepted.recv().await.unwrap();
    }
    drop(accepted);
    work.await.unwrap();
    first.kill().await;

    // A new machine, without the vault. Nothing is overwritten there either.
    let dir = Arc::new(TempDir::new().unwrap());
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    let (from, to) =
        (format!("sqlite://{}", text(&file)), format!("sqlite://{}", text(&data.join("columba.db"))));
    let (code, out, err) = columba(&["migrate", "--from", &from, "--to", &to], &[]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.starts_with("moved ") && err.contains("is a backup of") && err.contains("vault.db"),
        "{out}{err}"
    );
    let (code, _, err) = columba(&["migrate", "--from", &from, "--to", &to], &[]).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("not empty"), "{err}");

    let second = Server::start_in(dir, &environment).await;
    let acme = acme.at_url(&second.url);
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let mut doubtful = 0;
    for id in &before {
        let message = acme.message(id).await;
        let (status, reason) = (message["status"].as_str().unwrap(), message["reason"].as_str());
        match status {
            "unknown" => {
                assert_eq!(reason, Some("restored"), "{message}");
                doubtful += 1;
            }
            "sent" | "delivered" | "read" => {}
            other => panic!("{other}: {message}"),
        }
    }
    assert!(doubtful > 0);
    let sent = acme.frames(&session).await;
    let ids: BTreeSet<_> = sent.iter().map(|frame| frame["wa_id"].to_string()).collect();
    assert!(!ids.is_empty() && ids.len() == sent.len(), "each was sent once");
    let standing = acme.at(&session).await;
    if standing["status"] != "pairing" {
        feed.session(&session, "pairing").await;
    }
    acme.pair(&session).await;
    feed.session(&session, "connected").await;
    // What the lost server attempted in its last minute is in no log, so the window is full; and nothing else waits.
    let last = acme.send(&session, "+15551999999").await;
    let waiting = acme.get(&format!("/v1/messages?session={session}&status=queued")).await.expect(200);
    let waiting = waiting["data"].as_array().unwrap();
    assert_eq!(waiting.iter().map(|message| &message["id"]).collect::<Vec<_>>(), [&json!(last)]);
    assert_eq!(acme.frames(&session).await, sent, "nothing was sent again");
    second.finish().await;
    network.finish();
}
