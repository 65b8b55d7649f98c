//! Every error says what went wrong and what to do next; the texts are kept as snapshots.
//! `INSTA_UPDATE=always cargo test --test it cli::errors` writes them anew.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Desk, Ran, run};
use crate::support::server::Server;

const NO_SESSION: &str = "ses_01a2035721e37384b6433d3532e325b2";
const NO_TENANT: &str = "ten_01a2035721e37384b6433d3532e325b2";
const NO_MESSAGE: &str = "msg_01a2035721e37384b6433d3532e325b2";
const NO_KEY: &str = "key_01a2035721e37384b6433d3532e325b2";
const NO_WEBHOOK: &str = "whk_01a2035721e37384b6433d3532e325b2";
const NO_DELIVERY: &str = "dlv_01a2035721e37384b6433d3532e325b2";
const NO_OPERATOR: &str = "opr_01a2035721e37384b6433d3532e325b2";
const ROOT: &str = "opr_00000000000000000000000000000000";

/// `text` with ids as `ses_…`, and what differs from run to run under a name.
fn plain(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (found, name) in names {
        text = text.replace(found, name);
    }
    for prefix in ["ten_", "ses_", "msg_", "key_", "whk_", "dlv_", "opr_", "cli-"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(prefix) {
            let digits = from + at + prefix.len();
            let is_id = text[digits..].bytes().take(32).filter(u8::is_ascii_hexdigit).count() == 32;
            if is_id {
                text.replace_range(digits..digits + 32, "…");
            }
            from = digits;
        }
    }
    text
}

/// One case of a snapshot. What clap says has its own way of helping; all else names the next step.
#[track_caller]
fn note(text: &mut String, arguments: &[&str], ran: &Ran, names: &[(&str, &str)]) {
    assert_ne!(ran.code, 0, "{arguments:?} succeeded: {}", ran.out);
    assert!(ran.out.is_empty(), "an error is none of the answer: {}", ran.out);
    let helps =
        ran.err.contains("\nnext: ") || ran.err.contains("--help") || ran.err.contains("out_of_range");
    assert!(helps || ran.code == 65, "{arguments:?} leaves one alone: {}", ran.err);
    let said = plain(&format!("$ columba {}\n{}", arguments.join(" "), ran.err), names);
    writeln!(text, "{said}→ {}\n", ran.code).unwrap();
}

#[tokio::test]
async fn what_needs_no_server_to_be_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let cases: &[&[&str]] = &[
        &["sessoin", "list"],
        &["session", "pare", NO_SESSION],
        &["session", "show", "ses_1"],
        &["session", "show", NO_TENANT],
        &["session", "list", "--limit", "500"],
        &["session", "create", "sales", "--metadata", "no-equals"],
        &["message", "send", NO_SESSION, "--to", "+15551230001"],
        &["message", "send", NO_SESSION, "--to", "+15551230001", "--text", "x", "--wait", "seen"],
        &["message", "send", NO_SESSION, "--to", "+15551230001", "--text", "x", "--timeout", "9"],
        &["message", "list"],
        &["message", "list", "--status", "lost"],
        &["feed"],
        &["feed", "--since", "yesterday"],
        &["tenant", "list", "--json", "--quiet"],
        &["tenant", "list", "--data", data],
        &["tenant", "change", NO_TENANT],
        &["tenant", "delete", NO_TENANT],
        &["session", "logout", NO_SESSION],
        &["key", "revoke", NO_KEY],
        &["key", "create", "--tenant", NO_TENANT, "--scope", "everything"],
        &["key", "create", "--tenant", NO_TENANT, "--allow", "192.0.2.7/24"],
        &["key", "rotate", NO_KEY, "--overlap", "soon"],
        &["key", "rotate", NO_KEY, "--overlap", "0"],
        &["operator", "create", "eve", "--role", "king"],
        &["operator", "delete", NO_OPERATOR],
        &["webhook", "list"],
        &["webhook", "create"],
        &["webhook", "change", NO_WEBHOOK],
        &["webhook", "delete", NO_WEBHOOK],
        &["webhook", "rotate", NO_WEBHOOK, "--overlap", "0s"],
        &["webhook", "deliveries", NO_WEBHOOK, "--status", "lost"],
        &["webhook", "redeliver", NO_MESSAGE],
        &["webhook", "redeliver", NO_WEBHOOK],
        &["webhook", "redeliver", NO_WEBHOOK, "--from", "yesterday"],
        &["webhook", "redeliver", NO_DELIVERY, "--status", "dead"],
        &["audit", "list", "--action", "king.crown", "--token", "t"],
        &["audit", "verify", "--head", "17"],
        &["audit", "verify", "--config", "columba.toml"],
        &["audit", "verify", "--offline", "--data", "/nowhere/at/all"],
        &["plan", "create", "gold", "--file", "/nowhere/plan.json", "--token", "t"],
        &["tenant", "list", "--token", "t", "--url", "http://127.0.0.1:1"],
        &["feed", "--key", "k", "--url", "http://127.0.0.1:1"],
        &["tenant", "list", "--token", "t", "--url", "https://columba.example"],
        &["tenant", "list", "--token", "t", "--url", "columba.example"],
        &["check-config", "--config", "/nowhere/columba.toml"],
    ];
    let mut text = String::new();
    for arguments in cases {
        note(&mut text, arguments, &run(arguments, &[]).await, &[(data, "DIR")]);
    }
    insta::assert_snapshot!("without_a_server", text);
}

#[tokio::test]
async fn what_a_server_refuses() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.run(&["session", "create", "sales", "-q"]).await.word();
    let paired = desk.connected().await;
    let sent =
        desk.run(&["message", "send", &paired, "--to", "+15551230001", "--text", "x", "-q", "--wait"]).await;
    let sent = sent.word();
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    let key = desk.run(&["key", "list", "--tenant", &tenant, "-q"]).await.word();
    let cases: &[&[&str]] = &[
        &["tenant", "list", "--token", "col_op_wrong"],
        &["session", "list", "--key", "col_live_wrong"],
        &["feed", "--key", "col_live_wrong"],
        &["tenant", "show", NO_TENANT],
        &["tenant", "create", "Bolt", "--plan", "platinum"],
        &["tenant", "create", "", "--plan", "basic"],
        &["key", "create", "--tenant", NO_TENANT],
        &["key", "revoke", NO_KEY, "--yes"],
        &["key", "list", "--tenant", NO_TENANT],
        &["plan", "show", "platinum"],
        &[
            "plan",
            "create",
            "basic",
            "--messages-per-minute",
            "1",
            "--messages-per-month",
            "1",
            "--sessions-max",
            "1",
        ],
        &["plan", "create", "tiny"],
        &["session", "show", NO_SESSION],
        &["session", "create", "x", "--engine", "native"],
        &["message", "get", NO_MESSAGE],
        &["message", "send", &session, "--to", "+15551230001", "--text", "x"],
        &["message", "send", &paired, "--to", "12", "--text", ""],
        &["message", "cancel", &sent],
        &["session", "pair", &session, "--phone", "12", "-q"],
        &["key", "rotate", NO_KEY],
        &["key", "rotate", &key, "--overlap", "31d"],
        &["operator", "create", "root"],
        &["operator", "delete", ROOT, "--yes"],
        &["operator", "delete", NO_OPERATOR, "--yes"],
        &["audit", "list", "--token", "col_op_wrong"],
        &["audit", "verify", "--token", "col_op_wrong"],
        &["audit", "verify", "--head", &format!("900:{}", "0".repeat(64))],
        &["webhook", "create", "http://10.0.0.1/hook"],
        &[
            "webhook",
            "create",
            "https://example.com/hook",
            "--event",
            "message.dlivered",
            "--header",
            "host=x",
        ],
        &["webhook", "show", NO_WEBHOOK],
        &["webhook", "rotate", NO_WEBHOOK, "--overlap", "8d"],
        &["webhook", "test", NO_WEBHOOK],
        &["webhook", "delivery", NO_DELIVERY],
        &["webhook", "redeliver", NO_DELIVERY],
    ];
    let names = [(server.url.as_str(), "http://SERVER"), (desk.data.as_str(), "DATA")];
    let mut text = String::new();
    for arguments in cases {
        note(&mut text, arguments, &desk.run(arguments).await, &names);
    }
    insta::assert_snapshot!("refused_by_a_server", text);

    // The same for a program: the API's own document, and the next step in it.
    let ran = desk.run(&["session", "show", NO_SESSION, "--json"]).await;
    let said: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&said["code"], &said["status"]), (&json!("not_found"), &json!(404)), "{said}");
    assert!(said["next"].as_str().unwrap().contains("columba session list"), "{said}");
    assert!(said["request_id"].is_string(), "{said}");
    server.finish().await;
}

#[tokio::test]
async fn a_suspended_tenant_hears_who_can_help() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    desk.run(&["tenant", "suspend", &tenant, "-y"]).await.good();
    let ran = desk.run(&["session", "list"]).await;
    assert_eq!(ran.code, 77);
    assert!(ran.err.contains("next: the operator resumes it: columba tenant resume"), "{}", ran.err);
    desk.run(&["tenant", "resume", &tenant]).await.good();
    desk.run(&["session", "list"]).await.good();
    server.finish().await;
}

#[tokio::test]
async fn an_absent_server_is_told_to_programs_in_the_shape_of_a_problem() {
    let ran = run(&["tenant", "list", "--json", "--token", "t", "--url", "http://127.0.0.1:1"], &[]).await;
    assert_eq!(ran.code, 69);
    let said: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&said["code"], &said["retryable"]), (&json!("unreachable"), &json!(true)), "{said}");
    assert!(said["next"].as_str().unwrap().contains("columba serve"), "{said}");
}

#[tokio::test]
async fn what_is_no_columba_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0, "it asks");
            let body = "<html>It works!</html>";
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    for arguments in [&["tenant", "list", "--token", "t"][..], &["feed", "--key", "k"]] {
        let ran = run(&[arguments, &["--url", &url]].concat(), &[]).await;
        assert!([69, 70].contains(&ran.code), "{ran:?}");
        assert!(ran.err.contains(&url) && ran.err.contains("next: "), "{}", ran.err);
    }
}
