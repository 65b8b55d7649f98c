//! Scripted failures, as an unmodified client sees them.

use std::time::Duration;

use serde_json::{Value, json};
use wacore::types::events::Event;

use crate::support::{Bed, Peer, phone};

/// A linked client of its own account, and a failure in force for it.
async fn struck(n: u64, mut failure: Value) -> (Bed, Peer) {
    let bed = Bed::with(&[phone(n)]).await;
    let peer = Peer::linked(&bed, phone(n)).await;
    peer.forget();
    failure["phone"] = json!(phone(n));
    bed.post("failures", failure).await;
    (bed, peer)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_503_and_after_the_end_of_tcp_the_client_comes_back() {
    let (bed, peer) = struck(20, json!({ "kind": "stream_error", "code": 503, "times": 1 })).await;
    peer.until("the end", 10, |e| matches!(e, Event::Disconnected(_))).await;
    peer.until("the next login", 20, |e| matches!(e, Event::Connected(_))).await;
    bed.post("failures", json!({ "kind": "eof", "times": 1, "phone": peer.phone })).await;
    peer.until("the end", 10, |e| matches!(e, Event::Disconnected(_))).await;
    peer.until("the next login", 20, |e| matches!(e, Event::Connected(_))).await;
    bed.post("failures", json!({ "kind": "ws_close", "code": 1011, "times": 1, "phone": peer.phone })).await;
    peer.until("the end", 10, |e| matches!(e, Event::Disconnected(_))).await;
    peer.until("the next login", 20, |e| matches!(e, Event::Connected(_))).await;
    assert_eq!(bed.get("sockets").await["devices"][0]["peak"], 1, "one socket at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_replaced_or_removed_does_not_come_back() {
    let (_bed, peer) = struck(21, json!({ "kind": "replaced", "times": 1 })).await;
    peer.until("that it was replaced", 10, |e| matches!(e, Event::StreamReplaced(_))).await;
    assert!(!peer.reconnects());
    let (bed, peer) = struck(22, json!({ "kind": "device_removed", "times": 1 })).await;
    peer.until("that it was removed", 10, |e| matches!(e, Event::LoggedOut(_))).await;
    assert!(!peer.reconnects());
    assert_eq!(bed.get("failures").await, json!([]), "once is once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_is_taken_as_a_reason_to_wait() {
    let (_bed, peer) = struck(23, json!({ "kind": "stream_error", "code": 429, "times": 1 })).await;
    peer.until("the end", 10, |e| matches!(e, Event::Disconnected(_))).await;
    assert!(peer.reconnects());
    assert!(!peer.sees(3_000, |e| matches!(e, Event::Connected(_))).await, "it came back within seconds");
}

/// The client loses its socket and is refused at its next login.
async fn refused(n: u64, failure: Value, what: &str, fits: impl Fn(&Event) -> bool) -> (Bed, Peer) {
    let (bed, peer) = struck(n, failure).await;
    bed.post("sockets/close", json!({ "phone": peer.phone })).await;
    peer.until(what, 20, fits).await;
    (bed, peer)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_login_is_seen_as_what_it_is() {
    let logged_out = |e: &Event| matches!(e, Event::LoggedOut(_));
    let failure = |reason: u16| json!({ "kind": "login_failure", "reason": reason, "times": 1 });
    let cases = tokio::join!(
        refused(31, failure(401), "a logout", logged_out),
        refused(32, failure(403), "a logout", logged_out),
        refused(33, failure(405), "that it is outdated", |e| matches!(e, Event::ClientOutdated(_))),
        refused(34, failure(406), "a logout", logged_out),
        refused(
            35,
            json!({ "kind": "login_failure", "reason": 402, "code": 101, "expire": 3600, "times": 1 }),
            "a ban",
            |e| matches!(e, Event::TemporaryBan(ban) if ban.expire.num_seconds() == 3600),
        ),
    );
    for peer in [cases.0.1, cases.1.1, cases.2.1, cases.3.1, cases.4.1] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!peer.reconnects(), "{} would try again", peer.phone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_503_at_login_is_tried_again() {
    let failure = json!({ "kind": "login_failure", "reason": 503, "times": 1 });
    let (_bed, peer) = refused(36, failure, "a failure", |e| matches!(e, Event::ConnectFailure(_))).await;
    assert!(peer.reconnects());
    peer.until("the next login", 30, |e| matches!(e, Event::Connected(_))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_refused_lost_late_or_doubled_as_scripted() {
    let (a, b) = (phone(41), phone(42));
    let bed = Bed::with(&[a, b]).await;
    let (alice, bob) = tokio::join!(Peer::linked(&bed, a), Peer::linked(&bed, b));
    let rule = json!({ "kind": "nack", "code": 463, "expire": 600, "new_chats_only": true, "phone": a });
    bed.post("failures", rule).await;
    alice.text(b, "may I?", "3EB0C0000000000000000001").await;
    assert_eq!(alice.ack("3EB0C0000000000000000001").await.as_deref(), Some("463"));
    let lock = alice.client.mex().fetch_reachout_timelock().await.expect("an answer");
    assert_eq!(lock.is_active, Some(true));
    assert!(lock.time_enforcement_ends.is_some_and(|t| t.parse::<i64>().is_ok_and(|t| t > 0)));
    bob.text(a, "you may", "3EB0C0000000000000000002").await;
    assert_eq!(alice.message().await.1, "you may");
    alice.text(b, "thanks", "3EB0C0000000000000000003").await;
    assert_eq!(alice.ack("3EB0C0000000000000000003").await, None, "the other side has written");
    assert_eq!(bob.message().await.1, "thanks", "and nothing of the refused one");
    bed.heal().await;

    bed.post("failures", json!({ "kind": "nack", "code": 479, "times": 1, "phone": a })).await;
    alice.text(b, "odd", "3EB0C0000000000000000004").await;
    assert_eq!(alice.ack("3EB0C0000000000000000004").await.as_deref(), Some("479"));

    bed.post("failures", json!({ "kind": "drop_ack", "times": 1, "phone": a })).await;
    alice.text(b, "no ack", "3EB0C0000000000000000005").await;
    assert_eq!(bob.message().await.1, "no ack");
    assert!(!alice.sees(700, |e| matches!(e, Event::ServerAck(ack) if ack.id.ends_with("05"))).await);

    bed.post("failures", json!({ "kind": "slow_acks", "ms": 1500, "times": 1, "phone": a })).await;
    let begun = tokio::time::Instant::now();
    alice.text(b, "late", "3EB0C0000000000000000006").await;
    assert_eq!(alice.ack("3EB0C0000000000000000006").await, None);
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!(bob.message().await.1, "late");

    bed.post("failures", json!({ "kind": "duplicate", "times": 1, "phone": a })).await;
    alice.text(b, "twice", "3EB0C0000000000000000007").await;
    assert_eq!(bob.message().await.1, "twice");
    let frames = "frames?dir=out&tag=message&id=3EB0C0000000000000000007";
    bed.until(frames, 5, |list| list.as_array().is_some_and(|l| l.len() == 2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_connections_last_until_they_are_taken_back() {
    let (bed, peer) = struck(45, json!({ "kind": "half_open" })).await;
    bed.heal().await;
    bed.post("failures", json!({ "kind": "refuse_connections" })).await;
    bed.post("sockets/close", json!({ "phone": peer.phone })).await;
    peer.until("the end", 10, |e| matches!(e, Event::Disconnected(_))).await;
    assert!(!peer.sees(2_500, |e| matches!(e, Event::Connected(_))).await);
    bed.heal().await;
    peer.until("the next login", 30, |e| matches!(e, Event::Connected(_))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_socket_is_found_out_by_its_client() {
    let (bed, peer) = struck(46, json!({ "kind": "half_open", "times": 1 })).await;
    // Its ping comes after up to 45 s, waits 20 s, and may be put off once; then it connects anew and says nothing of it.
    let logins = |sockets: &Value| sockets["devices"][0]["logins"].as_u64().unwrap_or_default();
    let before = logins(&bed.get("sockets").await);
    bed.until("sockets", 110, |sockets| logins(sockets) > before).await;
    bed.post("messages", json!({ "phone": peer.phone, "to": peer.phone, "text": "to myself" })).await;
    assert_eq!(peer.message().await.1, "to myself");
}
