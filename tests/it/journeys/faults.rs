//! Every trouble the sandbox can play, against the table of DESIGN, section 3. What takes a minute is in `a_minute`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT, Feed};
use crate::support::server::Server;

/// What a fault leads to.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// It comes back by itself.
    Back,
    /// A person starts it, and it comes back with the credentials it has.
    Start,
    /// A person starts it and has to pair anew.
    Pair,
    /// It stays as it is for a minute or longer.
    Stay,
}

const TABLE: [(&str, &str, &str, Option<u16>, Then); 11] = [
    ("restart_required", "reconnecting", "restart_required", Some(515), Then::Back),
    ("transport_lost", "reconnecting", "transport_lost", None, Then::Back),
    ("server_unavailable", "reconnecting", "server_unavailable", Some(503), Then::Back),
    ("malformed", "reconnecting", "malformed", None, Then::Back),
    ("throttled", "reconnecting", "throttled", Some(429), Then::Back),
    ("panic", "reconnecting", "crashed", None, Then::Back),
    ("replaced", "reconnecting", "replaced", Some(409), Then::Stay),
    ("banned", "parked", "banned", Some(402), Then::Stay),
    ("client_outdated", "parked", "client_outdated", Some(405), Then::Start),
    ("unknown", "parked", "unknown", Some(599), Then::Start),
    ("device_removed", "logged_out", "device_removed", Some(401), Then::Pair),
];

/// Each reason is played on so many sessions at the same time.
const EACH: usize = 5;

#[tokio::test]
async fn each_reason_leads_where_the_table_says_and_keeps_the_credentials_it_may_keep() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": 100})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    // A fifth of the sessions crash in this test, which would be too many at once.
    let calm = ["one", "two", "three", "four", "five", "six"];
    join_all(calm.map(|label| acme.connected(label))).await;
    join_all((0..EACH).flat_map(|_| TABLE).map(|row| play(acme.clone(), row))).await;
    let sessions = acme.get("/v1/sessions?limit=200").await.expect(200);
    assert_eq!(sessions["data"].as_array().unwrap().len(), EACH * TABLE.len() + calm.len());
    let status = server.end().await;
    assert!(status.success(), "{status}");
}

async fn play(acme: Api, (fault, status, reason, code, then): (&str, &str, &str, Option<u16>, Then)) {
    let session = acme.connected(fault).await;
    let mut feed = acme.feed_of(&session).await;
    acme.fault(&session, fault).await;
    feed.until(&session, status).await;
    let mut record = acme.at(&session).await;
    // A busy machine may look after the pause, which is a second. The next ones are longer.
    for _ in 0..2 {
        if !matches!(then, Then::Back) || record["status"] == status {
            break;
        }
        feed.session(&session, "connected").await;
        acme.fault(&session, fault).await;
        feed.until(&session, status).await;
        record = acme.at(&session).await;
    }
    let shown = (&record["status"], &record["reason"], &record["reason_code"]);
    assert_eq!(shown, (&json!(status), &json!(reason), &json!(code)), "{fault}: {record}");
    let start = || async { acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202) };
    match then {
        Then::Back => works_again(&acme, &session, &mut feed).await,
        Then::Start => {
            assert_eq!(record["paired"], true, "{fault}");
            feed.seen.clear();
            start().await;
            works_again(&acme, &session, &mut feed).await;
            assert_eq!(feed.codes(&session), ["starting", "connected"], "{fault}: no detour");
        }
        Then::Pair => {
            acme.text(&session, ANNA, "nobody would send it").await.refused(409, "session_not_ready");
            feed.seen.clear();
            start().await;
            feed.until(&session, "pairing").await;
            assert_eq!(feed.codes(&session), ["starting", "pairing"], "{fault}: no detour");
            feed.seen.clear();
            acme.pair(&session).await;
            feed.session(&session, "connected").await;
        }
        Then::Stay => {
            // Accepted all the same: it has credentials, and waits.
            let message = acme.send(&session, ANNA).await;
            start().await;
            let record = settled(&acme, &session).await;
            assert_eq!((&record["status"], &record["reason"]), (&json!(status), &json!(reason)), "{record}");
            assert_eq!(record["counters"]["reconnects"], 0, "{fault}: not even tried");
            assert_eq!(acme.message(&message).await["status"], "queued");
            let ban = &record["restriction"];
            assert_eq!(ban["kind"] == "banned" && ban["until"].is_string(), fault == "banned", "{record}");
        }
    }
}

/// Connected once more, without anybody who scanned.
async fn works_again(acme: &Api, session: &str, feed: &mut Feed) {
    feed.until(session, "connected").await;
    assert!(!feed.codes(session).contains(&"pairing"), "{:?}", feed.codes(session));
    let message = acme.send(session, ANNA).await;
    feed.until(&message, "read").await;
}

/// The record once the session has dealt with what it was told before: the question for a code passes through it.
async fn settled(acme: &Api, session: &str) -> Value {
    acme.get(&format!("/v1/sessions/{session}/qr")).await.refused(409, "not_pairing");
    acme.at(session).await
}

#[tokio::test]
async fn a_lock_on_new_chats_is_shown_and_lets_replies_pass() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let inbound = json!({"session": session, "from": BERT, "text": "hello"});
    acme.post("/v1/sandbox/messages", inbound.clone()).await.expect(202);
    let received = feed.next().await;
    assert_eq!(received["e"], "in");

    acme.fault(&session, "timelock").await;
    feed.until(&session, "connected").await;
    let record = acme.at(&session).await;
    assert_eq!(
        (&record["status"], &record["restriction"]["kind"]),
        (&json!("connected"), &json!("timelock"))
    );

    let stranger = acme.send(&session, ANNA).await;
    let reply = acme.send(&session, BERT).await;
    feed.until(&reply, "read").await;
    feed.until(&stranger, "held").await;
    assert_eq!(acme.message(&stranger).await["reason"], "timelock");
    assert_eq!(acme.frames(&session).await.len(), 1, "the stranger's was not even tried");
    server.finish().await;
}

#[tokio::test]
async fn trouble_without_a_link_is_a_conflict_and_an_unknown_one_a_mistake() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.session("sales").await;
    let play = |fault: &str| json!({"session": session, "fault": fault});
    for fault in ["transport_lost", "timelock", "half_open", "panic", "hang"] {
        acme.post("/v1/sandbox/faults", play(fault)).await.refused(409, "conflict");
    }
    for fault in ["device_removed", "banned"] {
        acme.post("/v1/sandbox/faults", play(fault)).await.refused(409, "session_not_ready");
    }
    acme.post("/v1/sandbox/faults", play("earthquake")).await.refused(400, "invalid_request");
    server.finish().await;
}

#[tokio::test]
async fn a_session_that_hangs_delays_only_those_on_its_thread() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(folder, &[("COLUMBA__SESSIONS__ARBITERS", "8")]).await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": 20})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    let hung = acme.connected("hangs").await;
    let mut neighbours = vec![];
    for label in ["one", "two", "three", "four", "five"] {
        neighbours.push(acme.connected(label).await);
    }
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    acme.fault(&hung, "hang").await;
    let own = acme.send(&hung, ANNA).await;
    let mut sent = vec![];
    for session in &neighbours {
        sent.push(acme.send(session, ANNA).await);
    }
    feed.until(&own, "sending").await;
    // Six sessions on eight threads: with a chance of 1 in 30,000 all of them are on one.
    let meanwhile = sent.iter().filter(|id| feed.codes(id).contains(&"read")).count();
    assert!(meanwhile > 0, "nobody was served while one hung: {:?}", feed.seen);
    // Whoever shared its thread was late and lost nothing; the one that hung came to itself.
    for id in sent.iter().chain([&own]) {
        feed.until(id, "read").await;
    }
    let record = acme.at(&hung).await;
    assert_eq!((&record["status"], &record["counters"]["reconnects"]), (&json!("connected"), &json!(0)));
    server.finish().await;
}
