//! The feed handed out by a process of its own, while the one that does the rest dies and comes back, and Redis too.

use std::time::Duration;

use serde_json::json;

use crate::support::api::{ANNA, Api, Feed};
use crate::support::redis::RedisServer;
use crate::support::server::{Home, Server, assert_nothing_personal};

on_both_databases!(
    listeners_of_a_feed_process_stay_while_the_writer_is_killed_and_miss_nothing,
    a_feed_process_serves_each_tenant_its_own_feed_and_nothing_else,
    with_redis_events_cross_at_once_and_whatever_happens_to_it_no_listener_misses_one,
);

/// A tenant with a session, and a listener at the feed process.
async fn tenant(server: &Server, feed: &Server, name: &str) -> (Api, String, Feed) {
    let operator = server.operator();
    operator.plan(&name.to_lowercase(), json!({})).await;
    let (_, api) = operator.tenant(name, &name.to_lowercase()).await;
    let session = api.connected("sales").await;
    // The feed process reads the directory every second.
    let there = api.at_url(&feed.url);
    let known = async {
        while there.post("/v1/feed/tickets", json!({})).await.status != 201 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), known).await.expect("the key is known there");
    let listener = there.feed(json!({"op": "subscribe"})).await;
    (api, session, listener)
}

/// Every position once, and in order.
fn gapless(feed: &Feed) {
    let seen: Vec<u64> = feed.seen.iter().map(|event| event["q"].as_u64().unwrap()).collect();
    let from = feed.ready["seq"].as_u64().unwrap() + 1;
    assert_eq!(seen, (from..from + seen.len() as u64).collect::<Vec<_>>());
}

async fn listeners_of_a_feed_process_stay_while_the_writer_is_killed_and_miss_nothing(home: Home) {
    let server = home.start(&[]).await;
    let feed = home.feed(&[]).await;
    let (acme, session, mut listener) = tenant(&server, &feed, "Acme").await;
    let first = acme.send(&session, ANNA).await;
    listener.until(&first, "read").await;

    let token = acme.token().to_owned();
    server.kill().await;
    listener.pong().await;
    let server = home.start(&[]).await;
    let acme = server.api(&token);
    listener.until(&session, "connected").await;
    let second = acme.send(&session, ANNA).await;
    listener.until(&second, "read").await;
    gapless(&listener);

    // A client that was elsewhere goes on here, and the other way round.
    let position = json!({"epoch": listener.ready["epoch"], "seq": listener.ready["seq"]});
    let resume = json!({"op": "subscribe", "resume": position});
    let mut at_writer = acme.feed(resume.clone()).await;
    let mut again = acme.at_url(&feed.url).feed(resume).await;
    for resumed in [&mut at_writer, &mut again] {
        assert_eq!(resumed.ready["recovered"], true);
        resumed.until(&second, "read").await;
        assert_eq!(resumed.seen, listener.seen);
    }
    server.finish().await;
    listener.pong().await;
    let mut feed = feed;
    let (status, goodbye) = tokio::join!(feed.terminate(), listener.next());
    assert!(status.success(), "{status}");
    assert_eq!(goodbye["op"], "going_away");
    assert_nothing_personal(&feed.logged());
    assert!(!feed.logged().contains("panicked"), "{}", feed.logged());
}

async fn a_feed_process_serves_each_tenant_its_own_feed_and_nothing_else(home: Home) {
    let server = home.start(&[]).await;
    let feed = home.feed(&[]).await;
    let (acme, sales, mut ours) = tenant(&server, &feed, "Acme").await;
    let (bolt, post, mut theirs) = tenant(&server, &feed, "Bolt").await;
    let (acme_there, bolt_there) = (acme.at_url(&feed.url), bolt.at_url(&feed.url));
    let message = acme.send(&sales, ANNA).await;
    ours.until(&message, "read").await;
    let other = bolt.send(&post, ANNA).await;
    theirs.until(&other, "read").await;
    assert!(theirs.seen.iter().all(|event| event["id"] != message.as_str() && event["s"] != sales.as_str()));

    // A ticket for a session of somebody else's, and a stream of it, are no more to be had than at the writer.
    let foreign = json!({"sessions": [sales]});
    bolt_there.post("/v1/feed/tickets", foreign).await.refused(404, "not_found");
    bolt_there.get(&format!("/v1/events?sessions={sales}")).await.refused(404, "not_found");
    let stranger = Api::new(&feed.url, "col_live_nobody");
    stranger.post("/v1/feed/tickets", json!({})).await.refused(401, "unauthorized");
    let operator = server.operator().at_url(&feed.url);
    for (who, path) in [
        (&acme_there, "/v1/sessions"),
        (&acme_there, "/v1/messages"),
        (&acme_there, "/v1/webhooks"),
        (&operator, "/v1/admin/tenants"),
    ] {
        let refused = who.get(path).await.refused(404, "not_found");
        assert!(refused["detail"].as_str().unwrap().contains("ask the server itself"), "{refused}");
    }
    assert_eq!(acme_there.text(&sales, ANNA, "no").await.status, 404, "nothing is accepted here");

    // Health and numbers are its own.
    assert_eq!(acme_there.get("/readyz?verbose").await.expect(200)["checks"]["store"], "ok");
    let numbers = operator.get("/metrics").await.text;
    assert!(numbers.contains("columba_feed_listeners"), "{numbers}");
    assert!(!numbers.contains("\ncolumba_sessions{"), "the fleet is told by who runs it: {numbers}");

    // A key that is revoked closes its feeds here too.
    let keys = server.operator().get("/v1/admin/tenants").await.expect(200);
    let tenant = keys["data"].as_array().unwrap().iter().find(|tenant| tenant["name"] == "Bolt").unwrap();
    let id = tenant["id"].as_str().unwrap();
    let keys = server.operator().get(&format!("/v1/admin/tenants/{id}/keys")).await.expect(200);
    let key = keys["data"][0]["id"].as_str().unwrap();
    server.operator().delete(&format!("/v1/admin/keys/{key}")).await;
    theirs.closed().await;
    server.finish().await;
}

async fn with_redis_events_cross_at_once_and_whatever_happens_to_it_no_listener_misses_one(home: Home) {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let environment = [("COLUMBA__REDIS__URL", url.as_str())];
    let server = home.start(&environment).await;
    let feed = home.feed(&environment).await;
    let (acme, session, mut listener) = tenant(&server, &feed, "Acme").await;
    let seen = async {
        while !server.operator().get("/metrics").await.text.contains("\ncolumba_nodes 2\n") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the writer sees who follows it");

    // A ticket of the writer opens the feed there.
    let ticket = acme.post("/v1/feed/tickets", json!({})).await.expect(201);
    let offer = format!("columba.v1, ticket.{}", ticket["ticket"].as_str().unwrap());
    let mut by_ticket = Feed::open(&feed.url, &[("sec-websocket-protocol", &offer)]).await.unwrap();
    assert_eq!(by_ticket.next().await["op"], "hello");

    let message = acme.send(&session, ANNA).await;
    listener.until(&message, "read").await;
    redis.until::<Vec<String>>("KEYS columba:*:feed", |keys| keys.len() == 1).await;
    for trouble in ["flushed", "killed", "revived", "quiet"] {
        match trouble {
            "flushed" => drop(redis.ask::<String>("FLUSHALL").await),
            "killed" => redis.kill().await,
            "revived" => redis.revive().await,
            _ => {}
        }
        for _ in 0..3 {
            let message = acme.send(&session, ANNA).await;
            listener.until(&message, "read").await;
        }
        gapless(&listener);
    }
    let lines = |log: &str, words: &str| log.lines().filter(|line| line.contains(words)).count();
    let log = feed.logged();
    assert_eq!(lines(&log, "redis is away"), 1, "{log}");
    assert!(!log.contains("panicked"), "{log}");
    server.finish().await;
}

#[tokio::test]
async fn a_feed_process_without_a_store_or_with_other_roles_says_what_to_do() {
    let home = Home::in_files();
    let data = home.data();
    let run = async |roles: &str| {
        let log = home.dir().path().join(format!("{roles}.log"));
        let arguments =
            ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0", "--roles", roles];
        let status = crate::support::server::columba(&arguments, &[], &log).wait().await.unwrap();
        (status.code(), std::fs::read_to_string(log).unwrap())
    };
    let (code, said) = run("feed").await;
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("start the server that writes it first"), "{said}");
    assert!(!data.exists(), "and makes nothing");
    let (code, said) = run("api,feed").await;
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("give `feed`"), "{said}");
}
