//! `columba feed`: lines for people, frames for programs, and a lost connection that loses nothing.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::proxy::Proxy;
use super::{Desk, PATIENCE, prepared};
use crate::support::api::{ANNA, BERT};
use crate::support::server::Server;

/// A running `columba feed`.
struct Listening {
    _child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Listening {
    fn start(desk: &Desk, arguments: &[&str]) -> Self {
        let mut command = prepared(&[&["feed"], arguments].concat(), &desk.environment());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { _child: child, out, err }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.out.next_line()).await;
        line.expect("a line in time").unwrap().expect("it goes on")
    }

    async fn frame(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    async fn hint(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.err.next_line()).await;
        line.expect("a hint in time").unwrap().expect("it goes on")
    }
}

#[tokio::test]
async fn people_read_lines_and_may_ask_for_a_part() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.connected().await;
    let mut all = Listening::start(&desk, &["--count", "5"]);
    let mut read = Listening::start(&desk, &["--session", &session, "--event", "session,in"]);
    for feed in [&mut all, &mut read] {
        assert_eq!(feed.hint().await, "connected; waiting for events");
    }
    let ready = Listening::start(&desk, &["--json"]).frame().await;
    assert_eq!(ready["op"], "ready");
    let id = desk
        .run(&["message", "send", &session, "--to", ANNA, "--text", "x", "-q", "--wait", "read"])
        .await
        .word();
    let mut codes = vec![];
    for _ in 0..5 {
        let line = all.line().await;
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[1], words[2], words[4]), ("msg", id.as_str(), session.as_str()), "{line}");
        codes.push(words[3].to_owned());
    }
    assert_eq!(codes, ["queued", "sending", "sent", "delivered", "read"]);
    let farewell = all.hint().await;
    assert!(farewell.starts_with("to go on from here: --since "), "{farewell}");

    // An earlier place: what came after it comes again, and what was filtered out does not come.
    let since = format!("{}:{}", ready["epoch"].as_str().unwrap(), ready["seq"]);
    let mut later = Listening::start(&desk, &["--since", &since, "--json", "--count", "5"]);
    assert_eq!(later.frame().await["recovered"], json!(true));
    let first = later.frame().await;
    assert_eq!((&first["id"], &first["c"]), (&json!(id), &json!("queued")));
    desk.run(&["session", "stop", &session]).await.good();
    let first = read.line().await;
    assert!(first.contains(&format!("session  {session}")), "nothing of messages came before: {first}");
    server.finish().await;
}

#[tokio::test]
async fn a_lost_connection_is_taken_up_again_without_a_gap() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.connected().await;
    let proxy = Proxy::before(&server.url).await;
    let (data, key) = (desk.data.clone(), desk.key.clone());
    let behind = Desk { url: proxy.url.clone(), data, key };
    let mut feed = Listening::start(&behind, &["--json"]);
    assert_eq!(feed.frame().await["op"], "ready");
    let send = |to: &'static str| {
        let (desk, session) = (&desk, &session);
        async move {
            desk.run(&["message", "send", session, "--to", to, "--text", "x", "-q", "--wait", "read"])
                .await
                .word()
        }
    };
    let mut seen = vec![];
    send(ANNA).await;
    for _ in 0..5 {
        seen.push(feed.frame().await);
    }
    proxy.cut();
    let missed = send(BERT).await;
    proxy.heal();
    let again = feed.frame().await;
    assert_eq!((&again["op"], &again["recovered"]), (&json!("ready"), &json!(true)), "{again}");
    for _ in 0..5 {
        seen.push(feed.frame().await);
    }
    assert_eq!(seen[9]["id"], json!(missed));
    let places: Vec<u64> = seen.iter().map(|event| event["q"].as_u64().unwrap()).collect();
    assert_eq!(places, (places[0]..places[0] + 10).collect::<Vec<_>>(), "gapless");
    server.finish().await;
}

#[tokio::test]
async fn a_place_that_nobody_knows_is_announced_and_a_key_that_ends_ends_it() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let mut feed = Listening::start(&desk, &["--since", "another-epoch:7"]);
    assert_eq!(feed.hint().await, "connected; waiting for events");
    let resync = feed.hint().await;
    assert!(resync.starts_with("resync (position_not_kept): events were lost"), "{resync}");
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    let key = desk.run(&["key", "list", "--tenant", &tenant, "-q"]).await.word();
    desk.run(&["key", "revoke", &key, "-y"]).await.good();
    assert_eq!(feed.hint().await, "columba: the key is no longer good");
    server.finish().await;
}
