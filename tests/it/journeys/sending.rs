//! What an integrator may ask of a message: later, not too late, at most once, only once, not at all.

use std::collections::HashSet;
use std::time::Duration;

use columba::domain::time::WallTime;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT, Feed, Reply};
use crate::support::clock::{now, time};
use crate::support::network::Network;
use crate::support::server::{BODY_MARK, Server};

const SILENT: &str = "+15550000408";

fn soon(millis: u64) -> WallTime {
    now() + Duration::from_millis(millis)
}

/// A text with further fields.
async fn post(acme: &Api, session: &str, to: &str, more: Value) -> Reply {
    let mut body = json!({"to": to, "type": "text", "text": {"body": BODY_MARK}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    acme.post(&format!("/v1/sessions/{session}/messages"), body).await
}

async fn id(acme: &Api, session: &str, to: &str, more: Value) -> String {
    post(acme, session, to, more).await.expect(202)["id"].as_str().unwrap().to_owned()
}

/// One tenant with a connected session, and a feed of both.
async fn world(server: &Server, change: Value) -> (Api, String, Feed) {
    let operator = server.operator();
    operator.plan("basic", change).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let feed = acme.feed_of(&session).await;
    (acme, session, feed)
}

async fn held(acme: &Api) -> u64 {
    acme.get("/v1/usage").await.expect(200)["messages"]["held"].as_u64().unwrap()
}

#[tokio::test]
async fn a_scheduled_message_leaves_in_its_time_and_lets_later_ones_pass() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    let at = soon(2_000);
    let scheduled = id(&acme, &session, ANNA, json!({"send_at": at})).await;
    let first = acme.send(&session, ANNA).await;
    let second = acme.send(&session, ANNA).await;
    feed.until(&second, "read").await;
    assert_eq!(acme.message(&scheduled).await["status"], "queued");
    feed.until(&scheduled, "read").await;
    let record = acme.message(&scheduled).await;
    let late = time(&record["times"]["sending"]).0 - at.0;
    assert!((0..2_000).contains(&late), "left {late} ms after its time");
    let frames: Vec<Value> = acme.frames(&session).await.iter().map(|f| f["wa_id"].clone()).collect();
    let mut order = vec![];
    for message in [&first, &second, &scheduled] {
        order.push(acme.message(message).await["wa_id"].clone());
    }
    assert_eq!(frames, order);
    server.finish().await;
}

#[tokio::test]
async fn what_waits_can_be_taken_back_and_what_has_left_cannot() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    let scheduled = id(&acme, &session, ANNA, json!({"send_at": soon(60_000)})).await;
    assert_eq!(held(&acme).await, 1);
    let path = format!("/v1/messages/{scheduled}");
    for _ in 0..2 {
        let record = acme.delete(&path).await.expect(200);
        assert_eq!((&record["status"], &record["reason"]), (&json!("canceled"), &json!("requested")));
    }
    feed.until(&scheduled, "canceled").await;
    assert_eq!(held(&acme).await, 0);

    let read = acme.send(&session, ANNA).await;
    feed.until(&read, "read").await;
    acme.delete(&format!("/v1/messages/{read}")).await.refused(409, "conflict");

    let mut waiting = vec![];
    for to in [ANNA, BERT, ANNA] {
        waiting.push(id(&acme, &session, to, json!({"send_at": soon(60_000)})).await);
    }
    let queue = format!("/v1/sessions/{session}/queue");
    assert_eq!(acme.delete(&queue).await.expect(200), json!({"canceled": 3}));
    assert_eq!(acme.delete(&queue).await.expect(200), json!({"canceled": 0}));
    assert_eq!((held(&acme).await, &acme.at(&session).await["counters"]["queued"]), (0, &json!(0)));
    let last = acme.send(&session, ANNA).await;
    feed.until(&last, "read").await;
    assert_eq!(acme.frames(&session).await.len(), 2, "nothing that was taken back left");
    server.finish().await;
}

#[tokio::test]
async fn a_queue_that_was_cleared_costs_the_next_message_no_pause() {
    let server = Server::start().await;
    // A person's pauses: a second and a half at the least between two messages, four seconds as a rule.
    let (acme, session, mut feed) = world(&server, json!({"pacing": "human"})).await;
    let first = acme.send(&session, ANNA).await;
    feed.until(&first, "read").await;
    for number in 0..20 {
        id(&acme, &session, &format!("+155512311{number:02}"), json!({})).await;
    }
    let canceled =
        acme.delete(&format!("/v1/sessions/{session}/queue")).await.expect(200)["canceled"].clone();
    assert!(canceled.as_u64().unwrap() >= 17, "{canceled}");
    // Twenty pauses would be a minute and more.
    let next = acme.send(&session, BERT).await;
    feed.until(&next, "sending").await;
    server.finish().await;
}

#[tokio::test]
async fn a_message_whose_time_runs_out_while_its_session_is_stopped_expires() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    acme.act(&format!("/v1/sessions/{session}/stop")).await.expect(202);
    feed.until(&session, "stopped").await;
    let short = id(&acme, &session, ANNA, json!({"expires_at": soon(1_000)})).await;
    let long = acme.send(&session, ANNA).await;
    feed.until(&short, "expired").await;
    assert_eq!(acme.message(&short).await["reason"], "expired");
    assert_eq!(held(&acme).await, 1);
    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    feed.until(&long, "read").await;
    assert_eq!(acme.frames(&session).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn after_a_kill_at_most_once_is_not_sent_again_and_at_least_once_is_under_the_same_id() {
    let network = Network::start(Duration::from_millis(5)).await;
    let environment = [("COLUMBA__SANDBOX__URL", network.url.as_str())];
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(dir.clone(), &environment).await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    // Neither is ever acked. They are to one number, so a second session carries the second.
    let other = acme.connected("support").await;
    let once = id(&acme, &session, SILENT, json!({"delivery": "at_most_once"})).await;
    let behind = acme.send(&session, SILENT).await;
    let again = acme.send(&other, SILENT).await;
    feed.until(&once, "sending").await;
    while acme.frames(&session).await.is_empty() || acme.frames(&other).await.is_empty() {
        tokio::task::yield_now().await;
    }
    server.kill().await;

    let server = Server::start_in(dir, &environment).await;
    let acme = server.api(acme.token());
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    feed.until(&once, "unknown").await;
    assert_eq!(acme.message(&once).await["reason"], "interrupted");
    feed.until(&again, "sending").await;
    feed.until(&behind, "sending").await;
    while acme.frames(&session).await.len() + acme.frames(&other).await.len() < 4 {
        tokio::task::yield_now().await;
    }
    let of = |frames: Vec<Value>| frames.iter().map(|frame| frame["wa_id"].clone()).collect::<Vec<_>>();
    let wa_id = async |message: &String| acme.message(message).await["wa_id"].clone();
    assert_eq!(of(acme.frames(&session).await), [wa_id(&once).await, wa_id(&behind).await]);
    assert_eq!(of(acme.frames(&other).await), [wa_id(&again).await, wa_id(&again).await]);
    assert_eq!(acme.message(&again).await["attempts"], 2);
    assert_eq!(held(&acme).await, 3, "what is unknown stays reserved for a day");
    server.finish().await;
    network.finish();
}

#[tokio::test]
async fn twenty_posts_with_one_key_are_one_message() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    let path = format!("/v1/sessions/{session}/messages");
    let body = json!({"to": ANNA, "type": "text", "text": {"body": BODY_MARK}}).to_string();
    let key = [("idempotency-key", "order-17")];
    let posts = (0..20).map(|_| acme.call(Method::POST, &path, Some(&body), &key));
    let mut ids = HashSet::new();
    for reply in join_all(posts).await {
        match reply.status.as_u16() {
            409 => drop(reply.refused(409, "idempotency_in_flight")),
            _ => drop(ids.insert(reply.expect(202)["id"].as_str().unwrap().to_owned())),
        }
    }
    let again = acme.call(Method::POST, &path, Some(&body), &key).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    ids.insert(again.expect(202)["id"].as_str().unwrap().to_owned());
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.into_iter().next().unwrap();
    feed.until(&id, "read").await;
    assert_eq!(acme.frames(&session).await.len(), 1);
    assert_eq!(acme.get("/v1/messages").await.expect(200)["data"].as_array().unwrap().len(), 1);
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!(usage["messages"]["used"], 1);
    server.finish().await;
}

#[tokio::test]
async fn a_full_queue_says_when_the_cap_will_have_made_room() {
    let server = Server::start().await;
    let change = json!({"queue_max": 2, "messages_per_minute": 4});
    let (acme, session, mut feed) = world(&server, change).await;
    acme.act(&format!("/v1/sessions/{session}/stop")).await.expect(202);
    feed.until(&session, "stopped").await;
    let mut waiting = vec![];
    for _ in 0..2 {
        waiting.push(acme.send(&session, ANNA).await);
    }
    let refused = acme.text(&session, ANNA, BODY_MARK).await;
    assert_eq!(refused.headers["retry-after"], "15", "one place at four a minute");
    assert_eq!(refused.refused(429, "queue_full")["retryable"], true);
    assert_eq!(held(&acme).await, 2, "a refused message holds nothing");
    acme.delete(&format!("/v1/messages/{}", waiting[0])).await.expect(200);
    acme.send(&session, ANNA).await;
    server.finish().await;
}

#[tokio::test]
async fn a_list_is_read_in_pages_and_narrowed_by_what_the_integrator_knows() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    let mut ids = vec![];
    for number in 0..5 {
        let to = if number == 3 { BERT } else { ANNA };
        ids.push(id(&acme, &session, to, json!({"client_ref": format!("order/{number}")})).await);
    }
    for message in &ids {
        feed.until(message, "read").await;
    }
    let (mut seen, mut sizes, mut cursor) = (vec![], vec![], String::new());
    loop {
        let page = acme.get(&format!("/v1/messages?session={session}&limit=2{cursor}")).await.expect(200);
        let rows = page["data"].as_array().unwrap();
        sizes.push(rows.len());
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["has_more"], page["next_cursor"].is_string());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    ids.reverse();
    assert_eq!((&seen, sizes), (&ids, vec![2, 2, 1]), "newest first, each once");

    let found = async |query: &str| -> Vec<String> {
        let page = acme.get(&format!("/v1/messages?{query}")).await.expect(200);
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("client_ref=order%2F1").await, [ids[3].clone()]);
    assert_eq!(found("client_ref=order").await, Vec::<String>::new());
    assert_eq!(found(&format!("chat=%2B{}", &BERT[1..])).await, [ids[1].clone()]);
    assert_eq!(found("status=read&direction=out").await, ids);
    assert_eq!(found("status=failed").await, Vec::<String>::new());
    assert_eq!(acme.message(&ids[0]).await["client_ref"], "order/4");
    for event in &feed.seen {
        assert!(!event.to_string().contains("order"), "{event}");
    }
    server.finish().await;
}

#[tokio::test]
async fn thirty_messages_in_three_chats_keep_the_order_of_each() {
    let server = Server::start().await;
    let (acme, session, mut feed) = world(&server, json!({})).await;
    let chats = [ANNA, BERT, "+15551230003"];
    let mut ids = vec![];
    for turn in 0..30 {
        ids.push(acme.send(&session, chats[turn % 3]).await);
    }
    let mut expected = vec![];
    for message in &ids {
        feed.until(message, "read").await;
        expected.push(acme.message(message).await);
    }
    let frames = acme.frames(&session).await;
    assert_eq!(frames.len(), 30);
    let of = |rows: &[Value], chat: &str| -> Vec<Value> {
        rows.iter().filter(|row| row["to"] == chat).map(|row| row["wa_id"].clone()).collect()
    };
    for chat in chats {
        assert_eq!(of(&frames, chat), of(&expected, chat), "{chat}");
    }
    server.finish().await;
}
