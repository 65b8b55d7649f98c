//! Linking companions, and their first login.

use std::time::Duration;

use crate::support::{Bed, Peer, Store, phone};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_login_after_a_scan_takes_less_than_three_seconds() {
    let bed = Bed::with(&[phone(1)]).await;
    let peer = Peer::start(&bed, phone(1), Store::default()).await;
    let code = peer.qr().await;
    let begun = tokio::time::Instant::now();
    bed.post("scan", serde_json::json!({ "phone": phone(1), "qr": code })).await;
    peer.connected().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
}
