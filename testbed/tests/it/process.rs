//! The program: its line, and its death.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

fn serve(data: &Path) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_columba-testbed"))
        .args(["serve", "--json", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (child, serde_json::from_str(&line).expect("JSON"))
}

#[tokio::test]
async fn what_was_answered_outlives_kill_9() {
    let data = tempfile::tempdir().expect("a directory");
    let http = reqwest::Client::new();
    for round in 0..3_u64 {
        let (mut child, line) = serve(data.path());
        let admin = line["admin"].as_str().expect("an address").to_owned();
        let list: Value =
            http.get(format!("{admin}/admin/accounts")).send().await.expect("up").json().await.expect("JSON");
        assert_eq!(list.as_array().expect("a list").len() as u64, round * 10, "what was answered is here");
        for n in 0..10 {
            let body = json!({ "phone": 491_700_000_000 + round * 10 + n });
            let made = http.post(format!("{admin}/admin/accounts")).json(&body).send().await.expect("up");
            assert_eq!(made.status(), 201);
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
    }
    let (mut child, line) = serve(data.path());
    let page = http
        .get(line["admin"].as_str().expect("an address"))
        .send()
        .await
        .expect("up")
        .text()
        .await
        .expect("text");
    assert!(page.contains("<title>Columba testbed</title>"));
    for foreign in ["http://", "https://", "src=", "@import"] {
        assert!(!page.contains(foreign), "the page asks for nothing from elsewhere, but has {foreign}");
    }
    let second = Command::new(env!("CARGO_BIN_EXE_columba-testbed"))
        .args(["serve", "--data"])
        .arg(data.path())
        .output()
        .expect("the program");
    assert_eq!(second.status.code(), Some(69), "one testbed to a directory");
    child.kill().expect("killed");
    child.wait().expect("dead");
}
