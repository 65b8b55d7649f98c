//! A client that was away.

use serde_json::json;

use crate::support::api::{ANNA, Closed, Feed};
use crate::support::server::{Home, Server};

on_both_databases!(a_client_resumes_where_it_was_even_when_the_server_was_killed_meanwhile);

async fn a_client_resumes_where_it_was_even_when_the_server_was_killed_meanwhile(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let (epoch, seq) = (feed.ready["epoch"].clone(), feed.ready["seq"].as_u64().unwrap());
    let message = acme.send(&session, ANNA).await;
    let last = feed.until(&message, "read").await["q"].as_u64().unwrap();
    let live = std::mem::take(&mut feed.seen);

    let resume = |from: u64| json!({"op": "subscribe", "resume": {"epoch": epoch, "seq": from}});
    let mut again = acme.feed(resume(seq)).await;
    assert_eq!(again.ready["recovered"], true);
    again.until(&message, "read").await;
    assert_eq!(again.seen, live, "the very same events");

    let token = acme.token().to_owned();
    server.kill().await;
    let server = home.start(&[]).await;
    let acme = server.api(&token);
    let mut after = acme.feed(resume(seq)).await;
    assert_eq!((&after.ready["recovered"], &after.ready["epoch"]), (&json!(true), &epoch));
    after.until(&message, "read").await;
    assert_eq!(after.seen, live);

    // A position of another log, and one that was never reached.
    for lost in [json!({"epoch": "other", "seq": last}), json!({"epoch": epoch, "seq": last + 1_000})] {
        let mut feed = acme.feed(json!({"op": "subscribe", "resume": lost})).await;
        assert_eq!(feed.ready["recovered"], false);
        assert_eq!(feed.next().await["op"], "resync");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_ticket_opens_one_feed_once_and_a_foreign_page_opens_none() {
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let ticket = acme.post("/v1/feed/tickets", json!({})).await.expect(201);
    let offer = format!("columba.v1, ticket.{}", ticket["ticket"].as_str().unwrap());

    let foreign = [("sec-websocket-protocol", offer.as_str()), ("origin", "https://evil.example")];
    assert!(Feed::open(&server.url, &foreign).await.is_err(), "refused before the upgrade");
    let own = server.url.clone();
    let mut feed =
        Feed::open(&server.url, &[("sec-websocket-protocol", &offer), ("origin", &own)]).await.unwrap();
    assert_eq!(feed.next().await["op"], "hello");
    for spent in [offer.as_str(), "columba.v1, ticket.nonsense"] {
        let mut again = Feed::open(&server.url, &[("sec-websocket-protocol", spent)]).await.unwrap();
        assert_eq!(again.frame().await, Err(Closed(Some(4009))), "closed before any frame");
    }
    feed.say("rubbish").await;
    assert_eq!(feed.next().await, json!({"op": "error", "code": "malformed_frame"}));
    assert_eq!(feed.closed().await, Closed(Some(4010)));
    server.finish().await;
}

#[tokio::test]
async fn a_server_that_drains_says_goodbye() {
    let mut server = Server::start().await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let (status, goodbye) = tokio::join!(server.terminate(), async {
        feed.until(&session, "stopped").await;
        (feed.next().await, feed.closed().await)
    });
    assert!(status.success(), "{status}\n{}", server.logged());
    assert_eq!(goodbye, (json!({"op": "going_away", "retry_ms": 2000}), Closed(Some(1001))));
}
