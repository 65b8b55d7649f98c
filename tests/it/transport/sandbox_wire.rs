//! What only the network apart can do: be away, die, be spoken to wrongly.

use std::sync::Arc;

use columba::domain::session::CloseReason;
use columba::ports::sandbox::{Sandbox as _, SandboxError};
use columba::ports::transport::{LinkEvent, Probe as _, SendError, Transport as _, TransportError};
use columba::transport::sandbox::{Latency, Network, RemoteError, RemoteNetwork, ServeError, serve};
use rstest::rstest;

use super::sandbox_rig::{Face, Rig, rest};
use crate::support::tokio_clock::TokioClock;

const LOST: LinkEvent = LinkEvent::Closed(CloseReason::TransportLost);

#[tokio::test]
async fn a_network_that_is_away_sends_nothing_and_breaks_links() {
    let mut rig = Rig::start(Face::Remote).await;
    rig.stop_network().await;
    assert_eq!(rest(&mut rig.open()).await, [LOST]);
    let work = rig.message("+15551230001");
    assert_eq!(rig.send(&work).await, Err(SendError::NoLink));
    assert_eq!(rig.engine.ping(rig.lease).await, Err(TransportError::NoLink));
    assert_eq!(rig.engine.scan("2@x").await, Err(SandboxError::Unreachable));
}

#[tokio::test]
async fn a_network_that_dies_leaves_the_attempt_unknown_and_keeps_the_account() {
    let mut rig = Rig::start(Face::Remote).await;
    let mut link = rig.connected().await;
    let work = rig.message("+15550000408");
    let engine = rig.engine.clone();
    let attempt = tokio::spawn(async move { engine.send(&work).await });
    while rig.frames().await.is_empty() {
        tokio::task::yield_now().await;
    }
    rig.stop_network().await;
    assert_eq!(attempt.await.unwrap(), Err(SendError::NoAck));
    assert_eq!(rest(&mut link).await, [LOST]);
    drop(link);

    let rig = rig.restart_network().await;
    drop(rig.log_in().await);
    assert_eq!(rig.frames().await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_ends_closes_its_link() {
    let rig = Rig::start(Face::Remote).await;
    let link = rig.connected().await;
    assert!(rig.engine.ping(rig.lease).await.is_ok());
    drop(link);
    // The end of a connection is noticed by the kernel, then by the server: a moment nobody reports.
    let ended = async { while rig.engine.ping(rig.lease).await.is_ok() {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("the link stayed open");
}

async fn served() -> (tempfile::TempDir, columba::transport::sandbox::NetworkServer) {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(folder.path(), Arc::<TokioClock>::default(), Latency::none()).unwrap();
    (folder, serve(network, ([127, 0, 0, 1], 0).into()).await.unwrap())
}

#[rstest]
#[case::rubbish("/calls", "rubbish +15551230001".to_owned(), 400)]
#[case::unknown_call("/calls", r#"{"call":"+15551230001"}"#.to_owned(), 400)]
#[case::unknown_field("/calls", r#"{"call":"scan","code":"x","+15551230001":1}"#.to_owned(), 400)]
#[case::long_code("/calls", format!(r#"{{"call":"scan","code":"{}"}}"#, "x".repeat(513)), 400)]
#[case::greedy("/calls", frames_of(10_001), 400)]
#[case::odd_id("/calls", sending("\\u0000", "+15551230001"), 400)]
#[case::odd_number("/calls", sending("3EB0", "+1555123000155512300015"), 400)]
#[case::no_text("/calls", r#"{"call":"write","session":"ses_019a2b3c4d5e7f808192a3b4c5d6e7f8","from":"+15551230001","text":""}"#.to_owned(), 400)]
#[case::no_session("/links", r#"{"caller":{"session":"+15551230001","epoch":1},"token":null}"#.to_owned(), 400)]
#[case::flood("/calls", " ".repeat(65 * 1024), 413)]
#[case::well_formed("/calls", frames_of(10_000), 200)]
#[case::well_sent("/calls", sending("3EB0", "+15551230001"), 200)]
#[tokio::test]
async fn what_cannot_be_read_is_refused_and_not_quoted(
    #[case] path: &str,
    #[case] body: String,
    #[case] status: u16,
) {
    let (_folder, server) = served().await;
    let url = format!("http://{}{path}", server.address());
    let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    assert_eq!(answer.status(), status);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("1555"), "{text}");
    server.stop().await;
}

fn frames_of(limit: u32) -> String {
    format!(
        r#"{{"call":"frames","session":"ses_019a2b3c4d5e7f808192a3b4c5d6e7f8","after":0,"limit":{limit}}}"#
    )
}

fn sending(wa_id: &str, to: &str) -> String {
    let caller = r#"{"session":"ses_019a2b3c4d5e7f808192a3b4c5d6e7f8","epoch":1}"#;
    format!(r#"{{"call":"send","caller":{caller},"wa_id":"{wa_id}","to":"{to}"}}"#)
}

#[tokio::test]
async fn the_network_is_neither_served_nor_sought_beyond_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::open(folder.path(), Arc::<TokioClock>::default(), Latency::none()).unwrap();
    let everywhere = serve(network, ([0, 0, 0, 0], 0).into()).await;
    assert!(matches!(everywhere, Err(ServeError::NotLoopback(_))));

    for url in ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9/"] {
        assert!(RemoteNetwork::at(url).is_ok(), "{url}");
    }
    let refused = |url: &str| RemoteNetwork::at(url).err().expect(url).to_string();
    assert!(refused("https://127.0.0.1:9").contains("by http only, not by https"));
    assert!(refused("http://10.0.0.1:9").contains("not on 10.0.0.1"));
    assert!(refused("127.0.0.1:9").contains("expected one such as http://127.0.0.1:9090"));
    assert!(matches!(RemoteNetwork::at("ftp://127.0.0.1"), Err(RemoteError::Scheme(_))));
}
