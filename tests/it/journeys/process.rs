//! The process as its operator meets it: how it starts, how it refuses to, how it ends, and what it leaves on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::api::ANNA;
use crate::support::server::{Server, columba};

/// Runs to its end; what it said on standard error is in the log.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let child = columba(arguments, environment, &log);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(30), child.wait_with_output()).await;
    (ended.expect("it ends by itself").unwrap(), fs::read_to_string(log).unwrap())
}

#[tokio::test]
async fn a_wrong_setting_ends_with_64_and_names_the_key_the_value_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown = file("unknown.toml", "[http]\nlistne = \"127.0.0.1:1\"\n");
    let section = file("section.toml", "[htpp]\nlisten = \"127.0.0.1:1\"\n");
    let broken = file("broken.toml", "[http\n");
    let wrong = file("wrong.toml", "[sessions]\narbiters = 0\n");
    let listen = file("listen.toml", "[http]\nlisten = \"nowhere\"\n");
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 12] = [
        (&["serve", "--prot", "80"], &[], &["--prot"]),
        (&["server"], &[], &["server", "serve"]),
        (&["serve", "--listen", "here"], &[], &["--listen", "here"]),
        (&["serve", "--config", &unknown], &[], &["http.listne", "http.listen"]),
        (&["serve", "--config", &section], &[], &["htpp.listen", "http.listen"]),
        (&["serve", "--config", &broken], &[], &["broken.toml"]),
        (&["serve", "--config", "/nowhere.toml"], &[], &["/nowhere.toml"]),
        (&["serve", "--config", &wrong], &[], &["sessions.arbiters", "0", "nonzero"]),
        (&["serve", "--config", &listen], &[], &["http.listen", "nowhere", "IP:PORT"]),
        (&["serve"], &[("COLUMBA__HTTP__WORKERS", "many")], &["http.workers", "many"]),
        (
            &["serve"],
            &[("COLUMBA__HTTP__WROKERS", "2")],
            &["COLUMBA__HTTP__WROKERS", "COLUMBA__HTTP__WORKERS"],
        ),
        (&["serve"], &[("COLUMBA__DATABASE__URL", "mysql://x")], &["database.url", "mysql", "sqlite://"]),
    ];
    for (arguments, environment, named) in cases {
        let arguments: Vec<&str> = match arguments {
            ["serve", ..] => [arguments, &["--data", &data]].concat(),
            _ => arguments.to_vec(),
        };
        let (output, said) = run(&arguments, environment).await;
        assert_eq!(output.status.code(), Some(64), "{arguments:?} {environment:?}: {said}");
        for word in named {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    }
    assert!(!Path::new(&data).exists(), "nothing was touched");
}

#[tokio::test]
async fn the_printed_defaults_are_good_settings() {
    let (printed, _) = run(&["default-config"], &[]).await;
    assert!(printed.status.success());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("columba.toml");
    fs::write(&path, &printed.stdout).unwrap();
    let (checked, said) = run(&["check-config", "--config", path.to_str().unwrap()], &[]).await;
    assert!(checked.status.success(), "{said}");
    let (refused, said) = run(&["check-config"], &[("COLUMBA__LOG__FORMAT", "xml")]).await;
    assert_eq!(refused.status.code(), Some(64));
    assert!(said.contains("log.format") && said.contains("xml") && said.contains("json"), "{said}");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_ends_with_75_and_the_first_goes_on() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let data = server.dir().path().join("data").to_str().unwrap().to_owned();
    let (second, said) = run(&["serve", "--data", &data, "--listen", "127.0.0.1:0"], &[]).await;
    assert_eq!(second.status.code(), Some(75), "{said}");
    assert!(said.contains(&data) && said.contains("--data"), "{said}");
    assert!(second.stdout.is_empty(), "it never said that it listens");
    let mut feed = acme.feed_of(&session).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_reached_or_opened_ends_with_69() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let (output, said) = run(&["serve", "--data", &data, "--listen", &address], &[]).await;
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");

    let (output, said) = run(&["sandbox-net", "--data", &data, "--listen", &address], &[]).await;
    assert_eq!(output.status.code(), Some(69), "{said}");

    let nowhere = [("COLUMBA__DATABASE__URL", "sqlite:///nowhere/at/all.db")];
    let (output, said) = run(&["serve", "--data", &data, "--listen", "127.0.0.1:0"], &nowhere).await;
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("/nowhere/at/all.db"), "{said}");

    let data = folder.path().join("other");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("columba.db"), "this is no database, and long enough to see it").unwrap();
    let data = data.to_str().unwrap();
    let (output, said) = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"], &[]).await;
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("columba.db"), "{said}");
}

#[tokio::test]
async fn health_is_told_to_anybody_and_the_end_is_in_good_order() {
    let mut server = Server::start().await;
    let anybody = server.api("");
    assert_eq!(anybody.get("/livez").await.expect(200), json!({"status": "alive"}));
    assert_eq!(anybody.get("/readyz").await.expect(200), json!({"status": "ready"}));
    let verbose = anybody.get("/readyz?verbose").await.expect(200);
    assert_eq!(verbose["checks"]["accepting"], "ok", "{verbose}");
    let status = server.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", server.logged());
    let log = server.logged();
    assert!(log.contains("draining") && log.contains("drained"), "{log}");
}

#[tokio::test]
async fn nothing_in_the_data_directory_is_for_other_eyes() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(dir.clone(), &[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let data = dir.path().join("data");
    let mut seen = vec![];
    let mut folders = vec![data.clone()];
    while let Some(folder) = folders.pop() {
        let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has {mode:o}", folder.display());
        for entry in fs::read_dir(&folder).unwrap() {
            let (path, meta) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            if meta.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = meta.permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
            seen.push(path.strip_prefix(&data).unwrap().to_str().unwrap().to_owned());
        }
    }
    for name in ["operator.token", "columba.db", "vault.key"] {
        assert!(seen.iter().any(|path| path == name), "{seen:?}");
    }
    assert!(seen.iter().all(|path| !path.contains("1555")), "no number in a path: {seen:?}");
    let token = fs::metadata(data.join("operator.token")).unwrap().permissions().mode() & 0o777;
    assert_eq!(token, 0o600);
    server.finish().await;
}

#[tokio::test]
async fn a_token_given_before_outlives_a_restart() {
    let mut server = Server::start().await;
    let dir = server.dir();
    let before = server.operator().token().to_owned();
    assert!(server.terminate().await.success());
    let server = Server::start_in(dir, &[]).await;
    assert_eq!(server.operator().token(), before);
    server.operator().get("/v1/admin/tenants").await.expect(200);
    server.finish().await;
}
