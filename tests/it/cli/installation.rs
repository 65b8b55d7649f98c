//! `doctor`, `migrate` and `check-config` on installations that are well, and on some that are not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::run;
use crate::support::server::Server;

/// The level and the detail of one check.
fn check<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str) {
    let found = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
    (found["level"].as_str().unwrap(), found["detail"].as_str().unwrap())
}

/// What doctor finds; it ends with 1 exactly when something failed.
async fn examined(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let ran = run(&[&["doctor", "--json"], arguments].concat(), environment).await;
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let failed = report["checks"].as_array().unwrap().iter().any(|check| check["level"] == "fail");
    assert_eq!((ran.code, &report["ok"]), (i32::from(failed), &json!(!failed)), "{report}");
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["level"] == "ok", check["advice"].is_null(), "advice where it is needed: {check}");
    }
    report
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_server_that_runs_is_well_and_its_process_is_named() {
    let server = Server::start().await;
    let data = server.dir().path().join("data");
    let address = server.url.trim_start_matches("http://");
    let report = examined(&["--data", text(&data), "--listen", address], &[]).await;
    assert_eq!(check(&report, "server").0, "ok", "{report}");
    assert!(check(&report, "server").1.contains(&format!("process {}", server.pid())), "{report}");
    for name in ["version", "settings", "data directory", "disk space", "database", "clock", "operator token"]
    {
        assert_ne!(check(&report, name).0, "fail", "{report}");
    }
    assert_eq!(check(&report, "vault key").0, "warn", "it lies beside what it seals");
    let human = run(&["doctor", "--data", text(&data), "--listen", address], &[]).await.good();
    assert!(human.lines().any(|line| line.starts_with("warn  vault key")), "{human}");
    assert!(human.contains("→ move it elsewhere"), "{human}");
    // Beside it nobody may migrate; looking is free.
    let ran = run(&["migrate", "--data", text(&data)], &[]).await;
    assert_eq!(ran.code, 75, "{ran:?}");
    assert!(ran.err.contains("next: a running server has taken them"), "{}", ran.err);
    let status = run(&["migrate", "--status", "--json", "--data", text(&data)], &[]).await.json();
    let steps = status["steps"].as_array().unwrap();
    assert!(
        !steps.is_empty() && steps.iter().all(|step| step["taken"] == true && step["known"] == true),
        "{status}"
    );
    server.finish().await;
}

#[tokio::test]
async fn every_kind_of_harm_is_found_with_its_remedy() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    // Nothing there yet: no failure, and nothing is made by looking.
    let free = "127.0.0.1:0";
    let report = examined(&["--data", text(&data), "--listen", free], &[]).await;
    assert_eq!(check(&report, "data directory").0, "warn");
    assert!(!data.exists());

    run(&["migrate", "--data", text(&data)], &[]).await.good();
    let report = examined(&["--data", text(&data), "--listen", free], &[]).await;
    assert_eq!((check(&report, "data directory").0, check(&report, "database").0), ("ok", "ok"), "{report}");

    let token = data.join("operator.token");
    fs::write(&token, "col_op_x").unwrap();
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let key = data.join("vault.key");
    fs::write(&key, "not hex").unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    tokio::spawn(async move { while taken.accept().await.is_ok() {} });
    let nowhere = [("COLUMBA__SANDBOX__URL", "http://127.0.0.1:1")];
    let report = examined(&["--data", text(&data), "--listen", &address], &nowhere).await;
    for (name, level, said) in [
        ("data directory", "warn", "mode 755"),
        ("operator token", "fail", "mode 644"),
        ("vault key", "fail", "64 hex digits"),
        ("server", "fail", "no columba"),
        ("sandbox network", "fail", "http://127.0.0.1:1"),
    ] {
        assert_eq!(check(&report, name).0, level, "{report}");
        assert!(check(&report, name).1.contains(said), "{report}");
    }

    fs::write(data.join("columba.db"), "this is no database, and it is long enough to be seen as none")
        .unwrap();
    let report = examined(&["--data", text(&data), "--listen", free], &[]).await;
    assert_eq!(check(&report, "database").0, "fail", "{report}");
    let ran = run(&["migrate", "--data", text(&data)], &[]).await;
    assert_eq!(ran.code, 69, "{ran:?}");

    let report = examined(&["--data", text(&data)], &[("COLUMBA__HTTP__WROKERS", "2")]).await;
    assert_eq!(check(&report, "settings").0, "fail", "{report}");
    let report = examined(&["--data", text(&data), "--listen", free], &[("COLUMBA_HTTP_WORKERS", "2")]).await;
    assert_eq!(check(&report, "settings"), ("warn", "COLUMBA_HTTP_WORKERS is not read"), "{report}");
}

#[tokio::test]
async fn a_database_is_migrated_once_and_says_how_far_it_is() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let migrate = ["migrate", "--data", text(&data)];
    let status = run(&[&migrate[..], &["--status"]].concat(), &[]).await;
    assert!(status.out.contains("pending") && !status.out.contains("applied"), "{status:?}");
    assert!(status.err.contains("next: columba migrate") && !data.exists(), "{status:?}");
    let first = run(&migrate, &[]).await.word();
    assert!(first.starts_with("took ") && first.contains(" step"), "{first}");
    assert_eq!(run(&migrate, &[]).await.word(), "nothing to do: every step was taken before");
    let status = run(&[&migrate[..], &["--status"]].concat(), &[]).await.good();
    assert!(status.contains("applied") && !status.contains("pending"), "{status}");
    // Elsewhere, as the settings say; and a server starts on what was migrated.
    let elsewhere = format!("sqlite://{}", folder.path().join("rows.db").display());
    run(&migrate, &[("COLUMBA__DATABASE__URL", &elsewhere)]).await.good();
    assert!(folder.path().join("rows.db").exists());
    let server = Server::start_in(folder.into(), &[]).await;
    server.finish().await;
}

#[tokio::test]
async fn every_setting_is_shown_with_its_source() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("columba.toml");
    fs::write(&file, "# mine\n[http]\nworkers = 3\n\n[log]\nlevel = \"debug\"\n").unwrap();
    let path = text(&file);
    let environment = [("COLUMBA__LOG__LEVEL", "warn"), ("COLUMBA_HTTP_WORKERS", "9")];
    let check = ["check-config", "--config", path, "--listen", "127.0.0.1:9"];
    let ran = run(&check, &environment).await;
    assert!(
        ran.err.contains("warning: COLUMBA_HTTP_WORKERS is not read; write COLUMBA__HTTP__WORKERS"),
        "{ran:?}"
    );
    let row = |key: &str| {
        let line =
            ran.out.lines().find(|line| line.starts_with(&format!("{key} "))).expect("every key has a row");
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("http.workers"), ["3", &format!("{path}:3")]);
    assert_eq!(row("log.level"), ["\"warn\"", "COLUMBA__LOG__LEVEL"]);
    assert_eq!(row("http.listen"), ["\"127.0.0.1:9\"", "--listen"]);
    assert_eq!(row("http.body_limit"), ["262144", "default"]);
    let told = run(&[&check[..], &["--json"]].concat(), &environment).await.json();
    let setting = |key: &str| {
        told["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone()
    };
    let source = json!({"kind": "file", "path": path, "line": 3});
    assert_eq!(setting("http.workers"), json!({"key": "http.workers", "value": 3, "source": source}));
    assert_eq!(setting("log.level")["source"], json!({"kind": "environment", "name": "COLUMBA__LOG__LEVEL"}));
    assert_eq!(told["not_read"], json!(["COLUMBA_HTTP_WORKERS"]));
}

#[tokio::test]
async fn redis_is_looked_at_where_one_is_set_and_what_would_lose_keys_or_is_away_is_named() {
    let redis = crate::support::redis::RedisServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = ["--data", text(&data)];
    let look = async |url: &str| {
        let report = examined(&arguments, &[("COLUMBA__REDIS__URL", url)]).await;
        let (level, detail) = check(&report, "redis");
        (level.to_owned(), detail.to_owned())
    };
    let (level, detail) = look(&redis.url()).await;
    assert_eq!(level, "ok", "{detail}");
    assert!(detail.contains("version ") && detail.contains("noeviction"), "{detail}");
    redis.ask::<String>("CONFIG SET maxmemory-policy volatile-ttl").await;
    let (level, detail) = look(&redis.url()).await;
    assert!(level == "fail" && detail.contains("volatile-ttl"), "{level} {detail}");
    let (level, detail) = look("redis://me:s3cret@127.0.0.1:1").await;
    assert!(level == "warn" && !detail.contains("s3cret"), "{level} {detail}");
    let report = examined(&arguments, &[]).await;
    assert!(!report.to_string().contains("redis"), "nothing is said of what is not used: {report}");
}
