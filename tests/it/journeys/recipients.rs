//! The numbers of API.md that behave, all on one session. The one that never acks takes a minute: see `a_minute`.

use serde_json::{Value, json};

use crate::support::api::ANNA;
use crate::support::clock::millis;
use crate::support::server::Server;

const LOCKS: &str = "+15550000463";
const NOBODY: &str = "+15550000404";
const THROTTLES: &str = "+15550000429";
const STUMBLES: &str = "+15550000503";
const NEVER_READS: &str = "+15550000200";

#[tokio::test]
async fn each_number_behaves_as_the_table_says_and_none_holds_up_another() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;

    let mut ids = vec![];
    for to in [LOCKS, NOBODY, THROTTLES, STUMBLES, NEVER_READS, ANNA] {
        ids.push(acme.send(&session, to).await);
    }
    let [locked, nobody, throttled, stumbled, unread, read] = ids.as_slice() else { unreachable!() };
    feed.until(read, "read").await;
    assert!(!feed.codes(throttled).contains(&"sent"), "those in trouble wait while others are read");

    feed.until(locked, "held").await;
    let record = acme.message(locked).await;
    assert_eq!((&record["reason"], &record["attempts"]), (&json!("timelock"), &json!(1)), "{record}");

    feed.until(nobody, "failed").await;
    assert_eq!(feed.codes(nobody), ["queued", "sending", "failed"]);
    assert_eq!(acme.message(nobody).await["reason"], "not_on_whatsapp");

    feed.until(unread, "delivered").await;
    feed.until(stumbled, "read").await;
    assert_eq!(
        feed.codes(stumbled),
        ["queued", "sending", "queued", "sending", "queued", "sending", "sent", "delivered", "read"]
    );
    assert_eq!(acme.message(stumbled).await["attempts"], 3);

    feed.until(throttled, "queued").await;
    feed.until(throttled, "read").await;
    assert_eq!(
        feed.codes(throttled),
        ["queued", "sending", "queued", "sending", "sent", "delivered", "read"]
    );
    let frames = acme.frames(&session).await;
    let times = |to: &str| -> Vec<&Value> {
        frames.iter().filter(|frame| frame["to"] == to).map(|frame| &frame["at"]).collect()
    };
    let [first, second] = times(THROTTLES)[..] else { panic!("two frames: {frames:?}") };
    assert!(millis(first, second) >= 3_900, "delayed as a 429 asks for");
    assert_eq!(times(STUMBLES).len(), 3);
    for frame in &frames {
        let own = frames.iter().filter(|other| other["to"] == frame["to"]);
        assert!(own.map(|other| &other["wa_id"]).all(|id| *id == frame["wa_id"]), "one id: {frames:?}");
    }

    assert_eq!(acme.message(unread).await["status"], "delivered", "seconds later still not read");
    assert_eq!(acme.message(locked).await["status"], "held");
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!((&usage["messages"]["used"], &usage["messages"]["held"]), (&json!(4), &json!(1)), "{usage}");
    server.finish().await;
}

#[tokio::test]
async fn what_a_failed_message_held_is_given_back() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("one", json!({"messages_per_month": 1})).await;
    let (_, acme) = operator.tenant("Acme", "one").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["msg"]})).await;
    let nobody = acme.send(&session, NOBODY).await;
    feed.until(&nobody, "failed").await;
    let usage = acme.get("/v1/usage").await.expect(200)["messages"].clone();
    assert_eq!((&usage["used"], &usage["held"], &usage["remaining"]), (&json!(0), &json!(0), &json!(1)));
    let read = acme.send(&session, ANNA).await;
    acme.text(&session, ANNA, "beyond").await.refused(402, "quota_exceeded");
    feed.until(&read, "read").await;
    let usage = acme.get("/v1/usage").await.expect(200)["messages"].clone();
    assert_eq!((&usage["used"], &usage["held"], &usage["remaining"]), (&json!(1), &json!(0), &json!(0)));
    server.finish().await;
}
