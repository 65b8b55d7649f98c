//! Linking companions, and their first login.

use std::time::Duration;

use columba_testbed::Settings;
use serde_json::json;
use wacore::types::events::Event;
use whatsapp_rust::pair_code::PairCodeOptions;

use crate::support::{Bed, Peer, Store, phone};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_login_after_a_scan_takes_less_than_three_seconds() {
    let bed = Bed::with(&[phone(1)]).await;
    let peer = Peer::start(&bed, phone(1), Store::default()).await;
    let code = peer.qr().await;
    let begun = tokio::time::Instant::now();
    bed.post("scan", json!({ "phone": phone(1), "qr": code })).await;
    peer.connected().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_typed_into_the_phone_links_too() {
    let (a, b) = (phone(3), phone(4));
    let bed = Bed::with(&[a, b]).await;
    let peer = Peer::start(&bed, a, Store::default()).await;
    peer.qr().await;
    let options = PairCodeOptions { phone_number: a.to_string(), ..Default::default() };
    let code = peer.client.pair_with_code(options).await.expect("a code");
    let wrong = if code == "AAAAAAAA" { "BBBBBBBB" } else { "AAAAAAAA" };
    bed.post("code", json!({ "phone": a, "code": wrong })).await;
    bed.until("frames?dir=event&tag=pair.code.wrong", 10, |l| l.as_array().is_some_and(|l| l.len() == 1))
        .await;
    bed.post("code", json!({ "phone": a, "code": format!("{}-{}", &code[..4], &code[4..]) })).await;
    peer.connected().await;

    bed.post("messages", json!({ "phone": b, "to": a.to_string(), "text": "hello by code" })).await;
    assert_eq!(peer.message().await.1, "hello by code");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_may_be_scanned_once_and_in_its_time() {
    let bed = Bed::start_with(Settings { qr_seconds: vec![2, 60], ..Settings::default() }).await;
    bed.post("accounts", json!({ "phone": phone(9) })).await;
    let late = Peer::start(&bed, phone(9), Store::default()).await;
    let code = late.qr().await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let (status, answer) = bed.try_post("scan", json!({ "phone": phone(9), "qr": code })).await;
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().is_some_and(|e| e.contains("expired")), "{answer}");

    let peer = Peer::start(&bed, phone(9), Store::default()).await;
    let code = peer.qr().await;
    bed.post("scan", json!({ "phone": phone(9), "qr": code })).await;
    peer.connected().await;
    let (status, _) = bed.try_post("scan", json!({ "phone": phone(9), "qr": code })).await;
    assert_eq!(status, 404, "it was used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_to_do() {
    let bed = Bed::with(&[phone(5)]).await;
    let (status, answer) = bed.try_post("scan", json!({ "phone": phone(6), "qr": "2@x,a,b,c" })).await;
    assert_eq!(status, 422, "{answer}");
    let (status, answer) =
        bed.try_post("messages", json!({ "phone": phone(6), "to": "1", "text": "x" })).await;
    assert_eq!(status, 404);
    assert!(answer["error"].as_str().is_some_and(|e| e.contains("POST /admin/accounts")), "{answer}");
    let (status, _) = bed.try_post("code", json!({ "phone": phone(5), "code": "ABCD1234" })).await;
    assert_eq!(status, 404, "nobody asked for a code");
    let (status, _) = bed.try_post("failures", json!({ "kind": "earthquake" })).await;
    assert_eq!(status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_that_logs_out_is_forgotten() {
    let bed = Bed::with(&[phone(7)]).await;
    let peer = Peer::linked(&bed, phone(7)).await;
    peer.client.logout().await;
    bed.until("accounts", 5, |list| list[0]["companions"] == json!([])).await;
    let store = peer.end().await;
    let again = Peer::start(&bed, phone(7), store).await;
    again.until("that it is logged out", 20, |e| matches!(e, Event::LoggedOut(_))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_socket_of_a_device_replaces_the_first_and_is_counted() {
    let bed = Bed::with(&[phone(8)]).await;
    let first = Peer::linked(&bed, phone(8)).await;
    let second = Peer::start(&bed, phone(8), first.store.clone()).await;
    first.until("that it was replaced", 20, |e| matches!(e, Event::StreamReplaced(_))).await;
    second.connected().await;
    assert_eq!(bed.get("sockets").await["devices"][0]["peak"], 2);
}
