//! What takes a minute of real time, all at once in one test: named so that it begins first.

use std::time::Duration;

use serde_json::json;

use crate::support::api::{ANNA, Api, BERT};
use crate::support::clock::{millis, now, time};
use crate::support::server::Server;

const SILENT: &str = "+15550000408";

#[tokio::test]
async fn a_missing_ack_a_dead_socket_a_ban_a_full_window_and_a_crash_loop_end_as_they_should() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    operator.plan("three", json!({"messages_per_minute": 3})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, slow) = operator.tenant("Slow", "three").await;
    let ((), half_open, (), (), ()) = tokio::join!(
        a_message_that_is_never_acked_becomes_unknown_after_a_minute(acme.clone()),
        a_socket_that_answers_nothing_is_found_out_and_replaced(acme.clone()),
        a_ban_is_sat_out_to_its_end(acme.clone()),
        a_session_that_keeps_crashing_is_put_away_until_a_person_starts_it(acme.clone()),
        a_full_window_opens_a_minute_after_its_first_frame(slow),
    );
    // The record shows the reason for a second only; the log keeps it.
    let found_out = |line: &&str| line.contains(&half_open) && line.contains("probe_failed");
    assert_eq!(server.logged().lines().filter(found_out).count(), 1);
    let status = server.end().await;
    assert!(status.success(), "{status}");
}

async fn a_message_that_is_never_acked_becomes_unknown_after_a_minute(acme: Api) {
    let session = acme.connected("silent").await;
    let mut feed = acme.feed_of(&session).await;
    feed.patience = Duration::from_secs(75);
    let silent = acme.send(&session, SILENT).await;
    feed.until(&silent, "sending").await;
    let read = acme.send(&session, ANNA).await;
    feed.until(&read, "read").await;
    feed.until(&silent, "unknown").await;
    let record = acme.message(&silent).await;
    assert_eq!((&record["reason"], &record["attempts"]), (&json!("no_ack"), &json!(1)), "{record}");
    let waited = millis(&record["times"]["sending"], &record["times"]["unknown"]);
    assert!((59_000..63_000).contains(&waited), "{waited} ms");
    let frames = acme.frames(&session).await;
    assert_eq!(frames.iter().filter(|frame| frame["to"] == SILENT).count(), 1, "{frames:?}");
}

async fn a_socket_that_answers_nothing_is_found_out_and_replaced(acme: Api) -> String {
    let session = acme.connected("half open").await;
    let mut feed = acme.feed_of(&session).await;
    feed.patience = Duration::from_secs(75);
    acme.fault(&session, "half_open").await;
    let begun = now();
    feed.until(&session, "reconnecting").await;
    let noticed = now().0 - begun.0;
    assert!(noticed <= 65_000, "noticed after {noticed} ms");
    feed.until(&session, "connected").await;
    let message = acme.send(&session, ANNA).await;
    assert!(!feed.codes(&session).contains(&"pairing"), "with the credentials it had");
    feed.until(&message, "read").await;
    session
}

async fn a_ban_is_sat_out_to_its_end(acme: Api) {
    let session = acme.connected("banned").await;
    let mut feed = acme.feed_of(&session).await;
    feed.patience = Duration::from_secs(75);
    acme.fault(&session, "banned").await;
    feed.until(&session, "parked").await;
    let until = acme.at(&session).await["restriction"]["until"].clone();
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let record = acme.at(&session).await;
    assert!(time(&record["since"]) >= time(&until), "connected before {until}: {record}");
    assert_eq!((&record["restriction"], &record["counters"]["reconnects"]), (&json!(null), &json!(1)));
    assert!(!feed.codes(&session).contains(&"pairing"));
}

async fn a_session_that_keeps_crashing_is_put_away_until_a_person_starts_it(acme: Api) {
    let session = acme.connected("crashes").await;
    let mut feed = acme.feed_of(&session).await;
    for _ in 1..5 {
        acme.fault(&session, "panic").await;
        feed.session(&session, "connected").await;
    }
    acme.fault(&session, "panic").await;
    feed.session(&session, "quarantined").await;
    let record = acme.at(&session).await;
    assert_eq!((&record["reason"], &record["paired"]), (&json!("crash_loop"), &json!(true)), "{record}");
    let message = acme.send(&session, ANNA).await;
    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    feed.until(&message, "read").await;
}

async fn a_full_window_opens_a_minute_after_its_first_frame(slow: Api) {
    let session = slow.connected("three a minute").await;
    let mut feed = slow.feed_of(&session).await;
    feed.patience = Duration::from_secs(75);
    let mut messages = vec![];
    for turn in 0..5 {
        messages.push(slow.send(&session, if turn % 2 == 0 { ANNA } else { BERT }).await);
    }
    for message in &messages {
        feed.until(message, "read").await;
    }
    let frames = slow.frames(&session).await;
    assert_eq!(frames.len(), 5);
    for (first, fourth) in frames.iter().zip(&frames[3..]) {
        let apart = millis(&first["at"], &fourth["at"]);
        assert!((60_000..64_000).contains(&apart), "four frames within {apart} ms: {frames:?}");
    }
}
