//! A node moves from its file to PostgreSQL and back, and its tenants notice a pause.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::ANNA;
use crate::support::postgres::database;
use crate::support::server::{Server, assert_nothing_personal, program};

/// Exit code, standard output, and what was said beside it.
pub async fn columba(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(program("columba"));
    command.args(arguments).envs(environment.iter().copied());
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(120), ended).await.unwrap().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_nothing_personal(&out);
    assert_nothing_personal(&err);
    (output.status.code().unwrap(), out, err)
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_node_moves_to_postgresql_and_back_and_goes_on_with_its_credentials_and_its_feed() {
    let server = Server::start().await;
    let dir = server.dir();
    let data = dir.path().join("data");
    let root = server.operator();
    root.plan("basic", json!({})).await;
    let (_, acme) = root.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let first = acme.send(&session, ANNA).await;
    let seq = feed.until(&first, "read").await["q"].clone();
    let epoch = feed.ready["epoch"].clone();

    let file = format!("sqlite://{}", text(&data.join("columba.db")));
    let url = database().await;
    let there = ["migrate", "--from", &file, "--to", &url];
    let (code, _, err) = columba(&there, &[]).await;
    assert_eq!(code, 75, "a server is at work: {err}");
    assert!(err.contains("in use"), "{err}");
    for wrong in [&["migrate", "--from", &file][..], &["migrate", "--from", &file, "--to", "rows.db"]] {
        assert_eq!(columba(wrong, &[]).await.0, 64, "{wrong:?}");
    }
    server.finish().await;
    let (code, _, err) = columba(&[&there[..], &["--resume-queue"]].concat(), &[]).await;
    assert_eq!(code, 64, "it is no backup: {err}");
    let (code, out, err) = columba(&[&there[..], &["--json"]].concat(), &[]).await;
    assert_eq!(code, 0, "{err}");
    let moved: Value = serde_json::from_str(&out).unwrap();
    assert!(moved["rows"].as_u64().unwrap() > 20 && moved["tables"]["message"]["rows"] == 1, "{moved}");
    let (code, _, err) = columba(&there, &[]).await;
    assert_eq!(code, 1, "it is there already: {err}");

    let refused = Server::try_start_in(dir.clone(), &[]).await;
    assert_eq!(refused.err().and_then(|ended| ended.code()), Some(69), "it would send again what was moved");
    let log = std::fs::read_to_string(dir.path().join("server.log")).unwrap();
    assert!(log.contains("it was moved to postgres://127.0.0.1:") && log.contains("--take-back"), "{log}");

    // The same data directory, the other database.
    let server = Server::start_in(dir.clone(), &[("COLUMBA__DATABASE__URL", &url)]).await;
    let acme = acme.at_url(&server.url);
    let mut feed = acme.feed(json!({"op": "subscribe", "resume": {"epoch": epoch, "seq": seq}})).await;
    assert_eq!(feed.ready["recovered"], true, "{}", feed.ready);
    if acme.at(&session).await["status"] != "connected" {
        feed.session(&session, "connected").await;
    }
    assert_eq!(acme.message(&first).await["status"], "read");
    let second = acme.send(&session, ANNA).await;
    feed.until(&second, "read").await;
    let back = format!("sqlite://{}", text(&data.join("back.db")));
    let (code, _, err) = columba(&["migrate", "--from", &url, "--to", &back], &[]).await;
    assert_eq!(code, 75, "a server is at work: {err}");
    assert!(!data.join("back.db").exists());
    server.finish().await;

    let (code, out, err) = columba(&["migrate", "--from", &url, "--to", &back], &[]).await;
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("counts, checksums and the audit log agree") && err.contains("database.url"),
        "{out}{err}"
    );
    let server = Server::start_in(dir.clone(), &[("COLUMBA__DATABASE__URL", &back)]).await;
    let acme = acme.at_url(&server.url);
    for id in [&first, &second] {
        assert_eq!(acme.message(id).await["status"], "read");
    }
    server.finish().await;

    // The operator thinks better of it.
    for said in ["servers open postgres://", "nothing to do"] {
        let (code, out, err) = columba(&["migrate", "--take-back", &url], &[]).await;
        assert!(code == 0 && out.starts_with(said), "{code} {out}{err}");
    }
    let server = Server::start_in(dir, &[("COLUMBA__DATABASE__URL", &url)]).await;
    assert_eq!(acme.at_url(&server.url).message(&second).await["status"], "read");
    server.finish().await;
}
