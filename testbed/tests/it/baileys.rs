//! The same with unmodified Baileys, and the two libraries with each other. It needs node 20.19 or newer, npm and a
//! registry that `npm ci` reaches; what it installs is in `tests/baileys/package-lock.json`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, mpsc};
use whatsapp_rust::prelude::Jid;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{Bed, Peer, phone};

/// Baileys installed once for all tests of this binary.
async fn installed() -> &'static Path {
    static INSTALLED: OnceCell<tempfile::TempDir> = OnceCell::const_new();
    let directory = INSTALLED.get_or_init(|| async {
        let directory = tempfile::tempdir().expect("a directory");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/baileys");
        for file in ["package.json", "package-lock.json", "peer.mjs"] {
            std::fs::copy(sources.join(file), directory.path().join(file)).expect("a copy");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(directory.path());
        let npm = tokio::task::spawn_blocking(move || npm.output()).await.expect("it runs");
        let npm = npm.expect("npm: install node 20.19 or newer");
        assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
        directory
    });
    directory.await.path()
}

/// A Baileys client in a process of its own.
struct Baileys {
    child: Child,
    to: ChildStdin,
    from: mpsc::UnboundedReceiver<String>,
    /// What happened and was not asked for yet.
    seen: Vec<Value>,
}

impl Drop for Baileys {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Baileys {
    async fn start(bed: &Bed) -> Self {
        let mut child = Command::new("node")
            .arg("peer.mjs")
            .arg(bed.url())
            .current_dir(installed().await)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let to = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, from) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, to, from, seen: Vec::new() }
    }

    /// One that is linked to the account by QR.
    async fn linked(bed: &Bed, phone: u64) -> Self {
        let mut baileys = Self::start(bed).await;
        let qr = baileys.until("a QR code", |e| e["event"] == "qr").await;
        bed.post("scan", json!({ "phone": phone, "qr": qr["qr"] })).await;
        baileys.until("a login", |e| e["event"] == "open").await;
        baileys.until("the restart before it", |e| e["event"] == "close" && e["code"] == 515).await;
        baileys
    }

    fn act(&mut self, what: &Value) {
        writeln!(self.to, "{what}").expect("it listens");
    }

    /// Waits for an event, and takes it out of what happened.
    async fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(45);
        loop {
            if let Some(at) = self.seen.iter().position(&fits) {
                return self.seen.remove(at);
            }
            match tokio::time::timeout_at(deadline, self.from.recv()).await {
                Ok(Some(line)) => self.seen.push(serde_json::from_str(&line).expect("JSON")),
                Ok(None) => panic!("Baileys ended before {what}"),
                Err(_) => panic!("Baileys never had {what}, but {:#?}", self.seen),
            }
        }
    }

    async fn message(&mut self) -> Value {
        self.until("a message", |e| e["event"] == "message" && e["fromMe"] == false).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn baileys_and_whatsapp_rust_exchange_texts_images_and_receipts() {
    let (a, b) = (phone(110), phone(111));
    let bed = Bed::with(&[a, b]).await;
    let (mut alice, bob) = tokio::join!(Baileys::linked(&bed, a), Peer::linked(&bed, b));

    alice.act(&json!({ "act": "send", "to": format!("{b}@s.whatsapp.net"), "text": "from node", "id": "3EB0200000000000000001" }));
    assert_eq!(bob.message().await, ("3EB0200000000000000001".into(), "from node".into()));
    // 2 is the server's ack, 3 the receipt of delivery.
    alice
        .until("the receipt", |e| {
            e["event"] == "status" && e["id"] == "3EB0200000000000000001" && e["status"] == 3
        })
        .await;

    bob.text(a, "from rust", "3EB0200000000000000002").await;
    let message = alice.message().await;
    assert_eq!((&message["id"], &message["text"]), (&json!("3EB0200000000000000002"), &json!("from rust")));
    bob.receipt("3EB0200000000000000002").await;

    for n in 0..5 {
        bob.text(a, &format!("more {n}"), &format!("3EB02000000000000001{n:02}")).await;
        assert_eq!(alice.message().await["text"], format!("more {n}"));
        let id = format!("3EB02000000000000002{n:02}");
        alice.act(&json!({ "act": "send", "to": format!("{b}@s.whatsapp.net"), "text": format!("less {n}"), "id": id }));
        assert_eq!(bob.message().await.1, format!("less {n}"));
    }

    let bytes: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let encoded = STANDARD.encode(&bytes);
    alice.act(&json!({ "act": "image", "to": format!("{b}@s.whatsapp.net"), "text": "a picture", "bytes": encoded, "id": "3EB0200000000000000003" }));
    let event = bob
        .until("the image", 30, |e| e.messages().any(|m| m.message.image_message.as_option().is_some()))
        .await;
    let image =
        event.messages().find_map(|m| m.message.image_message.as_option().cloned()).expect("just seen");
    assert_eq!(bob.client.download(&image).await.expect("a download"), bytes);

    bed.post("messages", json!({ "phone": b, "to": a, "text": "from a phone" })).await;
    assert_eq!(alice.message().await["text"], "from a phone");
    bed.post("read", json!({ "phone": b, "peer": a })).await;
    alice.until("that it was read", |e| e["event"] == "status" && e["status"] == 4).await;
    assert_eq!(bed.get("frames?tag=undecryptable").await, json!([]), "each phone could read everything");
    let peaks = bed.get("sockets").await;
    assert!(peaks["devices"].as_array().expect("a list").iter().all(|d| d["peak"] == 1), "{peaks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn baileys_links_by_code_and_writes_in_groups() {
    let (a, b, c) = (phone(112), phone(113), phone(114));
    let bed = Bed::with(&[a, b, c]).await;
    let mut alice = Baileys::start(&bed).await;
    alice.until("a QR code", |e| e["event"] == "qr").await;
    alice.act(&json!({ "act": "code", "phone": a.to_string() }));
    let code = alice.until("a code", |e| e["event"] == "code").await;
    bed.until("frames?dir=event&tag=pair.code.asked", 10, |l| l.as_array().is_some_and(|l| l.len() == 1))
        .await;
    bed.post("code", json!({ "phone": a, "code": code["code"] })).await;
    alice.until("a login", |e| e["event"] == "open").await;

    let bob = Peer::linked(&bed, b).await;
    let group = bed.post("groups", json!({ "subject": "Both", "phones": [a, b, c] })).await;
    let id = group["id"].as_str().expect("an id");
    alice.act(&json!({ "act": "send", "to": id, "text": "coo from node", "id": "3EB0210000000000000001" }));
    assert_eq!(bob.message().await.1, "coo from node");
    let jid: Jid = id.parse().expect("a jid");
    let text = wa::Message { conversation: Some("coo from rust".into()), ..Default::default() };
    bob.send(&jid, text, "3EB0210000000000000002").await;
    assert_eq!(alice.message().await["text"], "coo from rust");
    bed.post("messages", json!({ "phone": c, "to": id, "text": "coo from a phone" })).await;
    assert_eq!(alice.message().await["text"], "coo from a phone");
    bed.until(&format!("messages?phone={c}"), 10, |l| l.as_array().is_some_and(|l| l.len() == 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn baileys_sees_failures_as_what_they_are_and_loses_nothing_meanwhile() {
    let (a, b) = (phone(115), phone(116));
    let bed = Bed::with(&[a, b]).await;
    let mut alice = Baileys::linked(&bed, a).await;
    for (failure, code) in [
        (json!({ "kind": "stream_error", "code": 503 }), 503),
        (json!({ "kind": "eof" }), 428),
        (json!({ "kind": "ws_close", "code": 1011 }), 428),
    ] {
        let mut failure = failure;
        failure["times"] = json!(1);
        failure["phone"] = json!(a);
        bed.post("failures", failure).await;
        let close = alice.until("the end", |e| e["event"] == "close").await;
        assert_eq!(close["code"], code);
        bed.post("messages", json!({ "phone": b, "to": a, "text": format!("during {code}") })).await;
        alice.until("the next login", |e| e["event"] == "open").await;
        assert_eq!(alice.message().await["text"], format!("during {code}"));
    }
    bed.post("failures", json!({ "kind": "replaced", "times": 1, "phone": a })).await;
    assert_eq!(alice.until("the end", |e| e["event"] == "close").await["code"], 440);
}
