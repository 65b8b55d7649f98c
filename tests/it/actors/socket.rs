//! What one client's socket is sent: subscriber, line and hub together, on one thread with time paused. The test stands
//! where the HTTP connection would be: it takes what there is, or does not.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use columba::actors::subscriber::messages::Frame;
use columba::actors::subscriber::{Listening, Outgoing, Setup, SubscriberActor, SubscriberHandle};
use columba::domain::id::{KeyId, OperatorId, TenantId};
use columba::domain::tenant::{ApiKey, KeyHash};
use columba::domain::time::WallTime;
use columba::ports::tickets::{Grant, Holder};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

use super::listening::{Feed, commit};
use crate::support::tokio_clock::TokioClock;

struct Socket {
    reader: SubscriberHandle,
    outgoing: Outgoing,
}

impl Socket {
    /// A socket of ours that has heard `hello`.
    async fn open(feed: &Feed) -> Self {
        let at = WallTime::default();
        let key = ApiKey {
            id: KeyId::mint(at),
            tenant: feed.ours.0,
            name: "feed".to_owned(),
            hash: KeyHash([7; 32]),
            last4: "0000".to_owned(),
            scopes: vec![],
            test: false,
            created_at: at,
            expires_at: None,
            revoked_at: None,
            allowed_addresses: vec![],
            replaced_by: None,
            last_used_at: None,
        };
        feed.stores.directory.create_key(key.clone(), None).await.unwrap();
        let grant = Grant { tenant: key.tenant, holder: Holder::Key(key.id), sessions: None };
        Self::with(feed, grant).await
    }

    /// A socket that has heard `hello`.
    async fn with(feed: &Feed, grant: Grant) -> Self {
        let setup = Setup {
            hub: feed.hub.clone(),
            clock: Arc::new(TokioClock::default()),
            directory: Arc::clone(&feed.stores.directory),
        };
        let (reader, outgoing) = SubscriberActor::launch(grant, Listening::Websocket, setup);
        let mut socket = Self { reader, outgoing };
        assert_eq!(socket.next().await["op"], "hello");
        socket
    }

    /// The same, subscribed to everything.
    async fn live(feed: &Feed) -> Self {
        let mut socket = Self::open(feed).await;
        assert!(socket.reader.heard(Frame::Text(r#"{"op":"subscribe"}"#.to_owned())).await);
        assert_eq!(socket.next().await["op"], "ready");
        assert!(socket.at_once().is_empty());
        socket
    }

    /// The text that comes next.
    async fn next(&mut self) -> Value {
        let Ok(frame) = self.outgoing.next().await.expect("the socket is open");
        text(&frame)
    }

    /// Everything that can be taken without waiting, as one write would.
    fn at_once(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.outgoing.next().now_or_never().flatten()).map(|Ok(frame)| frame).collect()
    }

    fn is_over(&mut self) -> bool {
        self.outgoing.next().now_or_never() == Some(None)
    }
}

fn text(frame: &Bytes) -> Value {
    let header = match frame[..2] {
        [0x81, 126] => 4,
        [0x81, short] if short < 126 => 2,
        _ => panic!("no text: {frame:?}"),
    };
    serde_json::from_slice(&frame[header..]).unwrap()
}

fn closed(frame: &Bytes) -> Option<u16> {
    match frame[..] {
        [0x88, 2, high, low] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

#[actix::test]
async fn what_queued_while_a_socket_was_busy_leaves_in_one_go() {
    let feed = Feed::start().await;
    let mut socket = Socket::live(&feed).await;
    feed.commit(50).await;
    // Far more than the hub and its lane need to hand it over.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let positions: Vec<_> = socket.at_once().iter().map(|frame| text(frame)["q"].as_u64()).collect();
    assert_eq!(positions, (1..=50).map(Some).collect::<Vec<_>>());
    feed.commit(1).await;
    assert_eq!(socket.next().await["q"], 51, "who found nothing is woken");
}

#[actix::test]
async fn a_socket_that_takes_nothing_is_closed_behind_what_it_was_handed() {
    let feed = Feed::start().await;
    let mut socket = Socket::live(&feed).await;
    feed.commit(2).await;
    assert_eq!(socket.next().await["q"], 1);
    tokio::time::sleep(Duration::from_secs(9)).await;
    feed.commit(1).await;
    assert!(socket.reader.heard(Frame::Alive).await, "not stuck for long enough");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!socket.reader.heard(Frame::Alive).await, "its subscriber has ended");
    let rest = socket.at_once();
    let (last, before) = rest.split_last().expect("it is told why");
    assert_eq!(closed(last), Some(4008));
    assert!(before.iter().all(|frame| text(frame)["op"] == "event"));
    assert!(socket.is_over());
}

#[actix::test]
async fn a_client_that_only_pings_and_takes_no_pong_is_closed_too() {
    let feed = Feed::start().await;
    let mut socket = Socket::live(&feed).await;
    for _ in 0..8 {
        socket.reader.heard(Frame::Ping(Bytes::from_static(b"!"))).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let rest = socket.at_once();
    assert_eq!(rest.first(), Some(&Bytes::from_static(b"\x8a\x01!")), "the latest is answered, once");
    assert_eq!(rest.last().and_then(closed), Some(4008));
    assert_eq!(rest.len(), 2);
}

#[actix::test]
async fn what_a_client_asks_for_without_reading_is_bounded() {
    let feed = Feed::start().await;
    let mut socket = Socket::live(&feed).await;
    let ping = || Frame::Text(json!({"op": "ping"}).to_string());
    let mut asked = 0;
    while socket.reader.heard(ping()).await {
        asked += 1;
        assert!(asked < 10_000);
    }
    assert!(asked > 1_000, "only {asked}");
    assert_eq!(socket.at_once().last().and_then(closed), Some(4008));
    assert!(socket.is_over());
}

#[actix::test]
async fn whoever_says_goodbye_hears_it_and_the_hub_forgets_him() {
    let feed = Feed::start().await;
    let mut socket = Socket::live(&feed).await;
    socket.reader.gone().await;
    assert_eq!(socket.at_once().iter().map(closed).collect::<Vec<_>>(), [Some(1000)]);
    assert!(socket.is_over());
    feed.commit(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(socket.is_over());
}

fn of_fleet(operator: OperatorId) -> Grant {
    Grant { tenant: TenantId::FLEET, holder: Holder::Operator(operator), sessions: None }
}

#[actix::test]
async fn whoever_watches_the_fleet_is_told_whose_sessions_changed_and_cannot_resume() {
    let feed = Feed::start().await;
    let mut socket = Socket::with(&feed, of_fleet(OperatorId::ROOT)).await;
    assert!(socket.reader.heard(Frame::Text(r#"{"op":"subscribe"}"#.to_owned())).await);
    let ready = socket.next().await;
    assert_eq!((&ready["op"], &ready["seq"]), (&json!("ready"), &json!(0)));
    commit(&feed.stores, feed.theirs.1).await;
    feed.commit(1).await;
    for (seq, (tenant, session)) in [(1, feed.theirs), (2, feed.ours)] {
        let told = socket.next().await;
        let expected = json!({
            "op": "event", "q": seq, "s": session, "e": "session", "c": "reconnecting", "t": told["t"], "n": tenant,
        });
        assert_eq!(told, expected);
    }
    let resume = json!({"op": "subscribe", "resume": {"epoch": ready["epoch"], "seq": 1}});
    assert!(socket.reader.heard(Frame::Text(resume.to_string())).await);
    let again = socket.next().await;
    assert_eq!((&again["op"], &again["recovered"]), (&json!("ready"), &json!(false)));
    assert_eq!(socket.next().await["op"], "resync", "what was missed is not kept");
    let mut tenant = Socket::live(&feed).await;
    feed.commit(1).await;
    assert_eq!(tenant.next().await.get("n"), None, "a tenant is told as ever");
}

#[actix::test]
async fn an_operator_who_is_gone_hears_no_more() {
    let feed = Feed::start().await;
    let nobody = OperatorId::mint(WallTime(1));
    let mut socket = Socket::with(&feed, of_fleet(nobody)).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(socket.at_once().last().and_then(closed), Some(4001));
}
