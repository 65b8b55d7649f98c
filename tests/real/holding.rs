//! What a bridge holds back, and until when: acknowledgments until a message is safe, frames until the ratchets are.

use std::time::Duration;

use columba::ports::transport::{LinkEvent, Transport as _};
use columba::ports::vault::VaultError;
use rstest::rstest;
use serde_json::json;

use crate::messages::inbound;
use crate::rig::{Bridge, Rig, Testbed, baileys_testbed, native_testbed, rest};

const ALICE: &str = "+15551230001";
const BOB: &str = "+15551230002";
/// A phone that does not get a text for so long is not getting it: one takes some ten milliseconds.
const NOT_COMING: Duration = Duration::from_secs(1);

#[rstest]
#[tokio::test]
async fn what_nobody_confirmed_comes_again_after_the_bridge_was_killed(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(BOB).await;
    let (mut session, mut link) = rig.paired(&testbed, ALICE).await;
    for round in 0..3 {
        let text = format!("text {round}");
        testbed.post("/admin/messages", json!({ "phone": BOB, "to": ALICE, "text": text })).await;
        let (_, wa_id, _, body) = inbound(&mut link).await;
        assert_eq!(body, text);
        rig.kill_bridges();
        assert!(matches!(rest(&mut link).await.last(), Some(LinkEvent::Closed(_))));
        link = session.open();
        let (delivery, again, _, body) = inbound(&mut link).await;
        assert_eq!((again, body), (wa_id, text));
        rig.engine.confirm(session.lease, &delivery).await.unwrap();
    }
    // Nothing is owed to the companion any more.
    let settled = async {
        while testbed.get("/admin/pending").await != json!([]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::rig::PATIENCE, settled).await.expect("acknowledgments");
}

/// A ratchet that goes back uses a key twice, and the peer drops the message without a word.
#[rstest]
#[tokio::test]
async fn a_ratchet_is_on_disk_before_its_message_is_on_the_wire(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(BOB).await;
    let (mut session, mut link) = rig.paired(&testbed, ALICE).await;
    for round in 0..4 {
        let work = session.message(BOB, &format!("text {round}"));
        // Killed at the moment the phone has it: between the wire and whatever the library does next.
        let sent = rig.engine.send(&work);
        let arrived = testbed.chat(BOB, round + 1);
        let (chat, _) = tokio::join!(
            async {
                let chat = arrived.await;
                rig.kill_bridges();
                chat
            },
            sent
        );
        assert_eq!(chat.last().unwrap()["text"], format!("text {round}"));
        rest(&mut link).await;
        link = session.log_in_at_last().await;
    }
    let lost = testbed.get("/admin/frames?dir=phone&tag=undecryptable").await;
    assert_eq!(lost, json!([]), "each could be read");
}

/// Of Baileys, whose every ciphertext moves what is on disk; the native library has 64 keys of a ratchet in reserve there.
#[tokio::test]
async fn while_the_vault_is_away_nothing_leaves_and_then_all_of_it_once() {
    let testbed = Testbed::start().await;
    let rig = Rig::start(baileys_testbed(), &testbed.url);
    testbed.account(BOB).await;
    let (session, _link) = rig.paired(&testbed, ALICE).await;
    rig.engine.send(&session.message(BOB, "before")).await.unwrap();
    session.vault.fail(VaultError::Unavailable("a test".to_owned()));
    let work = session.message(BOB, "meanwhile");
    let sent = rig.engine.send(&work);
    let back = async {
        let early = tokio::time::timeout(NOT_COMING, testbed.chat(BOB, 2)).await;
        assert!(early.is_err(), "it left before its ratchet was safe: {early:?}");
        session.vault.fail(None);
    };
    let (sent, ()) = tokio::join!(sent, back);
    assert_eq!(sent, Ok(()));
    rig.engine.send(&session.message(BOB, "after")).await.unwrap();
    let texts: Vec<_> = testbed.chat(BOB, 3).await.iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["before", "meanwhile", "after"]);
}
