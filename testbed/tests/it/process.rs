//! The program: its line, and its death.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use wacore::types::events::Event;

use crate::support::{Peer, Store, phone};

/// The program as a process. It ends with its test, however that ends.
struct Program(Child);

impl Program {
    /// Ends it by SIGKILL.
    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("dead");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(data: &Path) -> (Program, Value) {
    serve_at(data, "127.0.0.1:0", "127.0.0.1:0")
}

fn serve_at(data: &Path, listen: &str, admin: &str) -> (Program, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_columba-testbed"))
        .args(["serve", "--json", "--listen", listen, "--admin", admin, "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    (Program(child), serde_json::from_str(&line).expect("JSON"))
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
        child.kill();
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
    child.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_arrives_though_the_testbed_is_killed_meanwhile() {
    let data = tempfile::tempdir().expect("a directory");
    let (mut child, line) = serve(data.path());
    let text = |key: &str| line[key].as_str().expect("an address").to_owned();
    let (url, admin) = (text("url"), text("admin"));
    let listen = url.trim_start_matches("ws://").trim_end_matches("/ws/chat").to_owned();
    let http = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let answer = http.post(format!("{admin}/admin/{path}")).json(&body).send().await.expect("up");
        assert!(answer.status().is_success(), "{path}");
    };
    let (a, b) = (phone(120), phone(121));
    let mut linked = Vec::new();
    for phone in [a, b] {
        post("accounts", json!({ "phone": phone })).await;
        let peer = Peer::at(url.clone(), phone, Store::default()).await;
        let qr = peer.qr().await;
        post("scan", json!({ "phone": phone, "qr": qr })).await;
        peer.connected().await;
        linked.push(peer);
    }
    let (bob, alice) = (linked.pop().expect("two"), linked.pop().expect("two"));

    let mut acknowledged = std::collections::BTreeSet::new();
    let mut arrived = std::collections::BTreeSet::new();
    for round in 0..3 {
        let ids: Vec<String> = (0..10).map(|n| format!("3EB03000000000000000{round:02}{n:02}")).collect();
        for id in &ids[..9] {
            alice.text(b, id, id).await;
        }
        acknowledged.insert(ids[4].clone());
        assert_eq!(alice.ack(&ids[4]).await, None, "from here on it is killed");
        child.kill();
        (child, _) = serve_at(data.path(), &listen, admin.trim_start_matches("http://"));
        // Whatever was acknowledged before the kill and not yet looked at is in the events.
        acknowledged.extend(alice.acks_so_far());
        alice.until("the next login", 60, |e| matches!(e, Event::Connected(_))).await;
        alice.text(b, &ids[9], &ids[9]).await;
        while arrived.iter().max() != Some(&ids[9]) {
            arrived.extend(bob.messages().await.into_iter().map(|(id, _)| id));
        }
    }
    while let Some(missing) = acknowledged.difference(&arrived).next().cloned() {
        assert!(arrived.len() < 30, "{missing} never came");
        arrived.extend(bob.messages().await.into_iter().map(|(id, _)| id));
    }
    let frames = http.get(format!("{admin}/admin/frames?tag=undecryptable")).send().await.expect("up");
    assert_eq!(frames.json::<Value>().await.expect("JSON"), json!([]), "no phone lost a ratchet");
    child.kill();
}
