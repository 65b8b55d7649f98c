//! `columba-check` as a process: on a server's real data, on printed lines, on rubbish.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::story::{at, chat, id, plain, session};
use crate::support::api::{ANNA, BERT};
use crate::support::server::{Server, assert_nothing_personal};

fn columba_check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_columba-check")).args(arguments).output().unwrap()
}

/// The verdict, and whether it was clean.
#[track_caller]
fn judged(arguments: &[&str]) -> (Value, bool) {
    let output = columba_check(&[&["--json"], arguments].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {complaint}");
    assert_nothing_personal(&said);
    (serde_json::from_str(&said).unwrap(), code == Some(0))
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = columba_check(arguments);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{complaint}");
    assert_nothing_personal(&complaint);
    complaint
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_servers_own_data_passes_while_it_runs_and_after_it_was_killed() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({"messages_per_minute": 60})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    for to in [ANNA, BERT, ANNA, "+15550000503", "+15550000404"] {
        let message = acme.send(&session, to).await;
        let end = if to == "+15550000404" { "failed" } else { "read" };
        feed.until(&message, end).await;
    }
    let written = json!({"session": session, "from": BERT, "text": "canary-body in"});
    acme.post("/v1/sandbox/messages", written).await;
    assert_eq!(feed.next().await["c"], "received");

    let dir = server.dir();
    let data = dir.path().join("data");
    let running = judged(&["--data", text(&data)]);
    assert!(running.1, "{}", running.0);
    assert_eq!(running.0["counts"]["messages"], 5, "{}", running.0);
    server.kill().await;

    let (verdict, clean) = judged(&["--data", text(&data)]);
    assert!(clean, "{verdict}");
    // Two refusals and one taken: three frames of one message.
    assert_eq!(verdict["counts"]["frames"], 7, "{verdict}");
    assert_eq!((&verdict["counts"]["attempts"], &verdict["counts"]["windows"]), (&json!(7), &json!(7)));
    assert_eq!(verdict["counts"]["repeats"], 2);
    for invariant in ["I1", "I1b", "I3", "I4", "I5", "I7", "I8", "I10"] {
        assert!(verdict["judged"].as_array().unwrap().contains(&json!(invariant)), "{invariant}: {verdict}");
    }

    // Printed, kept, and judged again: the same verdict, and a line that is taken out is missed.
    let printed = columba_check(&["--data", text(&data), "--print"]);
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(!printed.contains("canary-body"), "a history holds no bodies");
    let kept = dir.path().join("history.ndjson");
    fs::write(&kept, &printed).unwrap();
    assert_eq!(judged(&[text(&kept)]), (verdict, true));
    let without = |kind: &str| {
        let is_first = |line: &&str| line.contains(&format!(r#""kind":"{kind}""#));
        let first = printed.lines().find(is_first).unwrap();
        printed.replacen(&format!("{first}\n"), "", 1)
    };
    fs::write(&kept, without("message")).unwrap();
    let (verdict, clean) = judged(&[text(&kept)]);
    assert!(!clean && verdict["violations"][0]["invariant"] == "I4", "{verdict}");
}

#[test]
fn what_a_person_reads_names_the_promise_the_subject_and_the_evidence() {
    let dir = TempDir::new().unwrap();
    let (rows, promises) = (dir.path().join("rows.ndjson"), dir.path().join("promises.ndjson"));
    let line =
        json!({"kind": "accepted", "message": id(7), "session": session(1), "to": chat(1), "wall": at(5)});
    fs::write(&promises, format!("{line}\n\n{line}\n")).unwrap();
    let month = plain().usage.remove(0);
    let month =
        json!({"kind": "usage", "tenant": month.tenant, "period": month.period, "used": 0, "held": 0});
    fs::write(&rows, format!("{month}\n")).unwrap();
    let output = columba_check(&[text(&rows), text(&promises)]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("I3 {}: accepted, and there is no row", id(7))), "{said}");
    assert!(said.ends_with("2 violations\n") && said.contains("nothing to judge by for I1 I1b"), "{said}");
    assert_nothing_personal(&said);
}

#[test]
fn rubbish_is_named_by_file_and_line_and_never_shown() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("h.ndjson");
    let frame = |change: Value| {
        let mut line = json!({
            "kind": "frame", "seq": 1, "at": at(0), "session": session(1), "wa_id": "3EB0", "to": chat(1),
            "epoch": 1
        });
        line.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        line.to_string()
    };
    let good = frame(json!({}));
    let table = [
        ("rubbish".to_owned(), "expected a JSON object with a `kind`"),
        ("[1]".to_owned(), "expected a JSON object with a `kind`"),
        (r#"{"kind":"parcel"}"#.to_owned(), "unknown kind `parcel`"),
        (r#"{"kind":"+15551230001"}"#.to_owned(), "unknown kind `…`"),
        (r#"{"kind":"frame","seq":1}"#.to_owned(), "kind `frame`: missing field `at`"),
        (frame(json!({"session": "+15551230001"})), "kind `frame`: field `session` cannot be read"),
        (frame(json!({"seq": "+15551230001"})), "kind `frame`: field `seq` cannot be read"),
        (frame(json!({"to": "1".repeat(70_000)})), "longer than 65536 bytes"),
    ];
    for (line, complaint) in table {
        fs::write(&file, format!("{good}\n{line}\n{good}\n")).unwrap();
        let said = refused(&[text(&file)]);
        assert_eq!(said, format!("columba-check: {}:2: {complaint}\n", text(&file)));
    }
    fs::write(&file, format!("{good}\n{}", &good[..40])).unwrap();
    assert_eq!(judged(&[text(&file)]).0["counts"]["frames"], 1, "a torn last line was answered to nobody");
}

#[test]
fn what_is_not_there_and_what_says_nothing_is_no_proof() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("h.ndjson");
    assert!(refused(&[]).contains("FILE"));
    assert!(refused(&[text(&file)]).contains("h.ndjson"));
    assert!(refused(&["--data", text(dir.path())]).contains("columba.db"));
    assert!(refused(&["--network", text(dir.path())]).contains("network.ndjson"));
    fs::write(&file, "\n").unwrap();
    assert!(refused(&[text(&file)]).contains("nothing to judge"));
    fs::write(dir.path().join("columba.db"), "rubbish, and a lot of it, so that it is a page".repeat(100))
        .unwrap();
    assert!(refused(&["--data", text(dir.path())]).contains("columba.db"));
}
