//! Texts in both directions, with their acks and receipts.

use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::message::ReceiptKind;
use columba::ports::transport::{LinkEvent, SendError, Transport as _};
use rstest::rstest;
use serde_json::json;

use crate::rig::{Bridge, Link, Rig, Testbed, baileys_testbed, find, native_testbed};

const ALICE: &str = "+15551230001";
const BOB: &str = "+15551230002";

/// The next text that comes in; the others are passed over.
pub async fn inbound(link: &mut Link) -> (columba::ports::transport::DeliveryId, String, Chat, String) {
    find(link, |event| match event {
        LinkEvent::Inbound { delivery, letter, .. } => {
            let Content::Text(Text { body }) = letter.content else { return None };
            Some((delivery, letter.wa_id.0, letter.chat, body))
        }
        _ => None,
    })
    .await
}

#[rstest]
#[tokio::test]
async fn texts_are_acked_delivered_and_read_under_our_own_ids(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(BOB).await;
    let (session, mut link) = rig.paired(&testbed, ALICE).await;
    let work = session.message(BOB, "hello Bob");
    assert_eq!(rig.engine.send(&work).await, Ok(()));
    let seen = testbed.chat(BOB, 1).await;
    assert_eq!(seen[0]["text"], "hello Bob");
    assert_eq!(seen[0]["id"], work.wa_id.0, "the id is ours");
    let receipt = |kind| {
        let wa_id = work.wa_id.clone();
        move |event| {
            matches!(event, LinkEvent::Receipt { wa_id: of, kind: is, .. } if of == wa_id && is == kind)
                .then_some(())
        }
    };
    find(&mut link, receipt(ReceiptKind::Delivered)).await;
    testbed.post("/admin/read", json!({ "phone": BOB, "peer": ALICE })).await;
    find(&mut link, receipt(ReceiptKind::Read)).await;
}

#[rstest]
#[tokio::test]
async fn a_text_comes_in_once_it_is_confirmed_and_again_until_then(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(BOB).await;
    let (mut session, mut link) = rig.paired(&testbed, ALICE).await;
    testbed.post("/admin/messages", json!({ "phone": BOB, "to": ALICE, "text": "hello Alice" })).await;
    let (_, wa_id, from, body) = inbound(&mut link).await;
    assert_eq!((from.as_str(), body.as_str()), (BOB, "hello Alice"));
    // The link is dropped before anybody confirmed: it comes again, decrypted from what was kept.
    drop(link);
    let mut link = session.open();
    let (delivery, again, _, body) = inbound(&mut link).await;
    assert_eq!((again, body.as_str()), (wa_id.clone(), "hello Alice"));
    rig.engine.confirm(session.lease, &delivery).await.unwrap();
    // A message that comes after it shows that the first does not come a third time.
    testbed.post("/admin/messages", json!({ "phone": BOB, "to": ALICE, "text": "still there?" })).await;
    let (delivery, third, _, body) = inbound(&mut link).await;
    assert_eq!(body, "still there?");
    assert_ne!(third, wa_id);
    rig.engine.confirm(session.lease, &delivery).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn two_sessions_of_one_process_write_to_each_other(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (alice, mut of_alice) = rig.paired(&testbed, ALICE).await;
    let (bob, mut of_bob) = rig.paired(&testbed, BOB).await;
    for round in 0..5 {
        let there = format!("question {round}");
        assert_eq!(rig.engine.send(&alice.message(BOB, &there)).await, Ok(()));
        let (delivery, _, from, body) = inbound(&mut of_bob).await;
        assert_eq!((from.as_str(), body), (ALICE, there));
        rig.engine.confirm(bob.lease, &delivery).await.unwrap();
        let back = format!("answer {round}");
        assert_eq!(rig.engine.send(&bob.message(ALICE, &back)).await, Ok(()));
        let (delivery, _, from, body) = inbound(&mut of_alice).await;
        assert_eq!((from.as_str(), body), (BOB, back));
        rig.engine.confirm(alice.lease, &delivery).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a_refusal_is_no_ack_and_a_lost_ack_is_neither(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(BOB).await;
    let (session, _link) = rig.paired(&testbed, ALICE).await;
    testbed.post("/admin/failures", json!({ "phone": ALICE, "times": 1, "kind": "nack", "code": 479 })).await;
    let refused = rig.engine.send(&session.message(BOB, "one")).await;
    assert_eq!(refused, Err(SendError::Nack { code: 479, until: None }));
    testbed.post("/admin/failures", json!({ "phone": ALICE, "times": 1, "kind": "drop_ack" })).await;
    let lost = session.message(BOB, "two");
    let waited = tokio::time::timeout(std::time::Duration::from_secs(3), rig.engine.send(&lost)).await;
    assert!(waited.is_err(), "written is not sent: {waited:?}");
    assert_eq!(rig.engine.send(&session.message(BOB, "three")).await, Ok(()));
    let texts: Vec<_> = testbed.chat(BOB, 2).await.iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["two", "three"]);
}

/// Commits to the vault are fsyncs. Aimed at: one a text sent, two a text received (what is pending, then its ratchet).
#[rstest]
#[tokio::test]
async fn a_text_costs_few_commits(#[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge) {
    const TEXTS: usize = 20;
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (alice, _of_alice) = rig.paired(&testbed, ALICE).await;
    let (bob, mut of_bob) = rig.paired(&testbed, BOB).await;
    // Keys are exchanged by the first one, and what logins started has ended by the tenth.
    for round in 0..10 {
        rig.engine.send(&alice.message(BOB, &format!("hello {round}"))).await.unwrap();
        let (delivery, ..) = inbound(&mut of_bob).await;
        rig.engine.confirm(bob.lease, &delivery).await.unwrap();
    }
    let writes = |session: &crate::rig::Session| session.vault.content().1;
    let before = (writes(&alice), writes(&bob));
    for round in 0..TEXTS {
        rig.engine.send(&alice.message(BOB, &format!("text {round}"))).await.unwrap();
        let (delivery, ..) = inbound(&mut of_bob).await;
        rig.engine.confirm(bob.lease, &delivery).await.unwrap();
        // Paced, so that nothing rides with the next text.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
    let (sent, received) = (writes(&alice) - before.0, writes(&bob) - before.1);
    println!("{TEXTS} texts: {sent} commits sent, {received} received");
    assert!(sent <= 2 * TEXTS, "{sent} commits for {TEXTS} texts sent");
    assert!(received <= 3 * TEXTS, "{received} commits for {TEXTS} texts received");
}
