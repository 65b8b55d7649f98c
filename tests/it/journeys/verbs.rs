//! Start, stop, restart, logout and delete, in every state a session reaches; and a tenant that is suspended.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT, Closed, Feed};
use crate::support::server::Server;

/// How a session is brought into a state.
const STATES: [&str; 6] = ["new", "pairing", "connected", "stopped", "parked", "logged_out"];

/// Where a verb leads: rows as in [`STATES`].
const TABLE: [(&str, [&str; 6]); 4] = [
    ("start", ["pairing", "pairing", "connected", "connected", "connected", "pairing"]),
    ("stop", ["stopped", "stopped", "stopped", "stopped", "stopped", "stopped"]),
    ("restart", ["pairing", "pairing", "connected", "connected", "connected", "pairing"]),
    ("logout", ["stopped", "logged_out", "logged_out", "logged_out", "logged_out", "logged_out"]),
];

async fn act(acme: &Api, session: &str, verb: &str) -> Value {
    acme.act(&format!("/v1/sessions/{session}/{verb}")).await.expect(202)
}

/// A session in a state, and a feed of it that has heard nothing since.
async fn bring(acme: &Api, state: &str) -> (String, Feed) {
    if state == "new" || state == "pairing" {
        let session = acme.session(state).await;
        let mut feed = acme.feed_of(&session).await;
        if state == "pairing" {
            act(acme, &session, "start").await;
            feed.session(&session, "pairing").await;
        }
        return (session, feed);
    }
    let session = acme.connected(state).await;
    let mut feed = acme.feed_of(&session).await;
    match state {
        "stopped" => drop(act(acme, &session, "stop").await),
        "parked" => acme.fault(&session, "client_outdated").await,
        "logged_out" => drop(act(acme, &session, "logout").await),
        _ => return (session, feed),
    }
    feed.session(&session, state).await;
    (session, feed)
}

/// The verb twice, and then once more when it has led where it leads.
async fn check(acme: Api, verb: &str, state: &str, leads_to: &str) {
    let (session, mut feed) = bring(&acme, state).await;
    act(&acme, &session, verb).await;
    act(&acme, &session, verb).await;
    let already =
        [("start", "pairing"), ("start", "connected"), ("stop", "stopped"), ("logout", "logged_out")];
    if !already.contains(&(verb, state)) {
        feed.until(&session, leads_to).await;
    }
    // A restart that was asked for twice may come twice.
    if verb == "restart" {
        settle(&acme, &session, leads_to, &mut feed).await;
    } else {
        act(&acme, &session, verb).await;
        acme.get(&format!("/v1/sessions/{session}/qr")).await;
        let record = acme.at(&session).await;
        assert_eq!(record["status"], leads_to, "{verb} in {state}: {record}");
    }
    let paired = acme.at(&session).await["paired"].clone();
    let kept = verb != "logout" && !["new", "pairing", "logged_out"].contains(&state);
    assert_eq!(paired, kept, "{verb} in {state}");
}

async fn settle(acme: &Api, session: &str, status: &str, feed: &mut Feed) {
    while acme.at(session).await["status"] != status {
        let event = feed.next().await;
        feed.seen.push(event);
    }
}

#[tokio::test]
async fn every_verb_is_legal_in_every_state_and_means_the_same_twice() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("many", json!({"sessions_max": 50})).await;
    let (_, acme) = operator.tenant("Acme", "many").await;
    let mut all = vec![];
    for (verb, row) in TABLE {
        for (state, leads_to) in STATES.into_iter().zip(row) {
            all.push(check(acme.clone(), verb, state, leads_to));
        }
    }
    join_all(all).await;
    server.finish().await;
}

#[tokio::test]
async fn a_deleted_session_is_gone_in_every_state_and_its_messages_can_still_be_read() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("slow", json!({"sessions_max": 6, "messages_per_minute": 1})).await;
    let (_, acme) = operator.tenant("Acme", "slow").await;
    for state in STATES {
        let (session, mut feed) = bring(&acme, state).await;
        let mut messages = vec![];
        if state == "connected" {
            messages = vec![acme.send(&session, ANNA).await, acme.send(&session, ANNA).await];
            feed.until(&messages[0], "read").await;
        }
        let path = format!("/v1/sessions/{session}");
        assert_eq!(acme.delete(&path).await.status, 204, "{state}");
        acme.get(&path).await.refused(404, "not_found");
        acme.delete(&path).await.refused(404, "not_found");
        acme.act(&format!("{path}/start")).await.refused(404, "not_found");
        acme.text(&session, ANNA, "late").await.refused(404, "not_found");
        if let [read, waited] = messages.as_slice() {
            assert_eq!(acme.message(read).await["status"], "read");
            let waited = acme.message(waited).await;
            assert_eq!((&waited["status"], &waited["reason"]), (&json!("canceled"), &json!("session_gone")));
            let listed = acme.get(&format!("/v1/messages?session={session}")).await.expect(200);
            assert_eq!(listed["data"].as_array().unwrap().len(), 2);
        }
    }
    assert_eq!(acme.get("/v1/sessions").await.expect(200)["data"], json!([]));
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!((&usage["messages"]["held"], &usage["sessions"]["used"]), (&json!(0), &json!(0)), "{usage}");
    // Places are free again.
    acme.connected("next").await;
    server.finish().await;
}

#[tokio::test]
async fn a_log_out_takes_back_what_waits_and_the_next_start_shows_a_code() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("slow", json!({"messages_per_minute": 1})).await;
    let (_, acme) = operator.tenant("Acme", "slow").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let read = acme.send(&session, ANNA).await;
    feed.until(&read, "read").await;
    let waiting = [acme.send(&session, ANNA).await, acme.send(&session, BERT).await];
    act(&acme, &session, "logout").await;
    for message in &waiting {
        feed.until(message, "canceled").await;
        assert_eq!(acme.message(message).await["reason"], "session_gone");
    }
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!((&usage["messages"]["used"], &usage["messages"]["held"]), (&json!(1), &json!(0)), "{usage}");
    feed.until(&session, "logged_out").await;
    acme.text(&session, ANNA, "nobody would send it").await.refused(409, "session_not_ready");
    assert_eq!(acme.at(&session).await["counters"]["queued"], 0);

    // As often as a person likes: it is no crash, and nothing that is counted.
    for _ in 0..6 {
        feed.seen.clear();
        act(&acme, &session, "start").await;
        feed.until(&session, "pairing").await;
        assert_eq!(feed.codes(&session), ["starting", "pairing"]);
        feed.seen.clear();
        acme.pair(&session).await;
        feed.until(&session, "connected").await;
        act(&acme, &session, "logout").await;
        feed.until(&session, "logged_out").await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_suspended_tenant_is_shut_out_and_comes_back_as_it_was() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (tenant, acme) = operator.tenant("Acme", "basic").await;
    let (_, bolt) = operator.tenant("Bolt", "basic").await;
    let others = bolt.connected("other").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let message = acme.send(&session, ANNA).await;
    let position = feed.until(&message, "read").await["q"].clone();
    let epoch = feed.ready["epoch"].clone();

    operator.act(&format!("/v1/admin/tenants/{tenant}/suspend")).await.expect(200);
    let text = json!({"to": ANNA, "type": "text", "text": {"body": "x"}}).to_string();
    for (method, path, body) in [
        (Method::GET, "/v1/sessions".to_owned(), None),
        (Method::GET, format!("/v1/sessions/{session}"), None),
        (Method::DELETE, format!("/v1/sessions/{session}"), None),
        (Method::POST, format!("/v1/sessions/{session}/start"), None),
        (Method::POST, format!("/v1/sessions/{session}/messages"), Some(text)),
        (Method::GET, format!("/v1/messages/{message}"), None),
        (Method::DELETE, format!("/v1/messages/{message}"), None),
        (Method::GET, "/v1/usage".to_owned(), None),
        (Method::GET, "/v1/limits".to_owned(), None),
        (Method::POST, "/v1/feed/tickets".to_owned(), Some("{}".to_owned())),
        (Method::GET, "/v1/feed".to_owned(), None),
        (Method::GET, format!("/v1/sandbox/frames?session={session}"), None),
    ] {
        acme.call(method, &path, body.as_deref(), &[]).await.refused(403, "tenant_suspended");
    }
    feed.until(&session, "stopped").await;
    assert_eq!(feed.closed().await, Closed(Some(4001)));
    let fleet = operator.get(&format!("/v1/admin/sessions?tenant={tenant}")).await.expect(200);
    let record = &fleet["data"][0];
    let shown = (&record["status"], &record["reason"]);
    assert_eq!(shown, (&json!("stopped"), &json!("tenant_suspended")), "{record}");
    assert_eq!(bolt.at(&others).await["status"], "connected", "nobody else is touched");

    operator.act(&format!("/v1/admin/tenants/{tenant}/resume")).await.expect(200);
    let resume = json!({"op": "subscribe", "resume": {"epoch": epoch, "seq": position}});
    let mut feed = acme.feed(resume).await;
    feed.until(&session, "connected").await;
    assert!(!feed.codes(&session).contains(&"pairing"), "with the credentials it had");
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    server.finish().await;
}
