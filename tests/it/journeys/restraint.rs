//! People who want no messages, and people who never wrote.

use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT};
use crate::support::server::Home;

on_both_databases!(
    who_answers_stop_is_left_alone_on_every_session_until_they_say_start,
    a_plan_that_counts_strangers_holds_the_next_one_and_says_until_when_and_who_may_loosen_it,
);

async fn writes(api: &Api, session: &str, from: &str, text: &str) {
    let said = json!({"session": session, "from": from, "text": text});
    api.post("/v1/sandbox/messages", said).await.expect(202);
}

async fn list(api: &Api) -> Vec<Value> {
    api.get("/v1/suppressions").await.expect(200)["data"].as_array().unwrap().clone()
}

async fn who_answers_stop_is_left_alone_on_every_session_until_they_say_start(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({"sessions_max": 2})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, bolt) = operator.tenant("Bolt", "basic").await;
    let (sales, support) = (acme.connected("sales").await, acme.connected("support").await);
    let other = bolt.connected("desk").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let tomorrow = (chrono::Utc::now() + chrono::Duration::hours(20)).to_rfc3339();
    let later = json!({"to": ANNA, "type": "text", "text": {"body": "x"}, "send_at": tomorrow});
    let waits = acme.post(&format!("/v1/sessions/{support}/messages"), later).await.expect(202);
    let waits = waits["id"].as_str().unwrap().to_owned();

    writes(&acme, &sales, ANNA, "Stop.").await;
    feed.until(&waits, "canceled").await;
    assert_eq!(acme.message(&waits).await["reason"], "suppressed");
    for session in [&sales, &support] {
        acme.text(session, ANNA, "but").await.refused(422, "suppressed");
    }
    let bolts = bolt.send(&other, ANNA).await;
    assert!(bolts.starts_with("msg_"), "Bolt was not asked to stop");
    let entry = list(&acme).await.remove(0);
    assert_eq!((&entry["phone"], &entry["by"]), (&json!(ANNA), &json!("contact")), "{entry}");
    let path = format!("/v1/suppressions/{}", entry["id"].as_str().unwrap());
    acme.delete(&path).await.refused(409, "conflict");
    bolt.delete(&path).await.refused(404, "not_found");
    assert_eq!(list(&bolt).await, Vec::<Value>::new());

    // What the tenant entered itself it may take back.
    let made = acme.post("/v1/suppressions", json!({"phone": BERT})).await.expect(201);
    assert_eq!(made["by"], "tenant");
    acme.text(&sales, BERT, "x").await.refused(422, "suppressed");
    let own = format!("/v1/suppressions/{}", made["id"].as_str().unwrap());
    assert_eq!(acme.delete(&own).await.status, 204);
    acme.delete(&own).await.refused(404, "not_found");
    acme.post("/v1/suppressions", json!({"phone": "12"})).await.refused(422, "invalid_request");
    acme.post("/v1/suppressions", json!({"number": BERT})).await.refused(400, "invalid_request");

    // The list outlives a kill, and their own word ends it.
    let token = acme.token().to_owned();
    server.kill().await;
    let server = home.start(&[]).await;
    let acme = server.api(&token);
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    acme.text(&sales, ANNA, "again").await.refused(422, "suppressed");
    feed.until(&sales, "connected").await;
    writes(&acme, &sales, ANNA, "start").await;
    while feed.next().await["e"] != "in" {}
    assert_eq!(list(&acme).await, Vec::<Value>::new());
    let message = acme.send(&sales, ANNA).await;
    feed.until(&message, "read").await;
    server.finish().await;
}

async fn a_plan_that_counts_strangers_holds_the_next_one_and_says_until_when_and_who_may_loosen_it(
    home: Home,
) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("careful", json!({"first_contacts_per_day": 1})).await;
    let (_, acme) = operator.tenant("Acme", "careful").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let first = acme.send(&session, ANNA).await;
    feed.until(&first, "read").await;
    let again = acme.send(&session, ANNA).await;
    feed.until(&again, "read").await;
    let second = acme.send(&session, BERT).await;
    feed.until(&second, "held").await;
    let held = acme.message(&second).await;
    assert_eq!((&held["reason"], &held["attempts"]), (&json!("first_contact"), &json!(0)), "{held}");
    let until: chrono::DateTime<chrono::Utc> = held["hold"]["until"].as_str().unwrap().parse().unwrap();
    assert!(until > chrono::Utc::now() + chrono::Duration::hours(23), "{held}");
    assert!(held["hold"]["loosened_by"].as_str().unwrap().contains("first_contacts_per_day"), "{held}");
    assert_eq!(acme.frames(&session).await.len(), 2);

    // A reply is none: whoever wrote may be answered.
    writes(&acme, &session, "+15551230077", "hello?").await;
    while feed.next().await["e"] != "in" {}
    let reply = acme.send(&session, "+15551230077").await;
    feed.until(&reply, "read").await;
    server.finish().await;
}
