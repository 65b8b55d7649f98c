//! What outlives the testbed.

use serde_json::json;
use wacore::types::events::Event;

use crate::support::{Bed, Peer, phone};

#[tokio::test(flavor = "multi_thread")]
async fn accounts_sessions_debts_failures_and_the_log_outlive_a_restart() {
    let (a, b) = (phone(80), phone(81));
    let mut bed = Bed::with(&[a, b]).await;
    let (alice, bob) = tokio::join!(Peer::linked(&bed, a), Peer::linked(&bed, b));
    alice.text(b, "before", "3EB0100000000000000000A1").await;
    assert_eq!(bob.message().await.1, "before");
    alice.receipt("3EB0100000000000000000A1").await;
    let store = bob.end().await;
    alice.text(b, "while you were away", "3EB0100000000000000000A2").await;
    assert_eq!(alice.ack("3EB0100000000000000000A2").await, None);
    let store_of_alice = alice.end().await;
    bed.post("failures", json!({ "kind": "login_failure", "reason": 500, "phone": phone(99) })).await;
    let last = bed.get("info").await["last_frame"].as_i64().expect("a number");

    bed.restart().await;

    assert!(bed.get("info").await["last_frame"].as_i64().expect("a number") >= last);
    assert_eq!(bed.get("failures").await[0]["failure"]["reason"], 500);
    let bob = Peer::start(&bed, b, store).await;
    assert_eq!(bob.message().await.1, "while you were away");
    bob.connected().await;
    let alice = Peer::start(&bed, a, store_of_alice).await;
    alice.connected().await;
    bob.text(a, "after", "3EB0100000000000000000B1").await;
    assert_eq!(alice.message().await.1, "after");
    bed.post("messages", json!({ "phone": a, "to": b, "text": "the phone too" })).await;
    let undecryptable = |e: &Event| matches!(e, Event::UndecryptableMessage(_));
    assert_eq!(bob.message().await.1, "the phone too");
    assert!(!bob.sees(300, undecryptable).await);
    let resumed = bed.get("frames?dir=event&tag=handshake&limit=10000").await;
    assert!(
        resumed.as_array().expect("a list").iter().any(|f| f["detail"] == "ik"),
        "the server's key is the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_lost_a_session_asks_again_and_reads_what_it_missed() {
    let (a, b) = (phone(82), phone(83));
    let mut bed = Bed::with(&[a, b]).await;
    let alice = Peer::linked(&bed, a).await;
    alice.text(b, "one", "3EB0110000000000000000A1").await;
    alice.receipt("3EB0110000000000000000A1").await;
    bed.post("messages", json!({ "phone": b, "to": a, "text": "one back" })).await;
    assert_eq!(alice.message().await.1, "one back");

    alice.forget();
    bed.restart_after(&format!("DELETE FROM ratchet WHERE phone = {b} AND kind = 'session'")).await;
    alice.until("the next login", 40, |e| matches!(e, Event::Connected(_))).await;
    alice.text(b, "two", "3EB0110000000000000000A2").await;
    let arrived = |list: &serde_json::Value| list[2]["text"] == "two";
    bed.until(&format!("messages?phone={b}"), 20, arrived).await;
    let unreadable = bed.get("frames?tag=undecryptable").await;
    assert_eq!(unreadable[0]["id"], "3EB0110000000000000000A2");
    alice.receipt("3EB0110000000000000000A2").await;
}
