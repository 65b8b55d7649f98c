//! What only an account's own phone may say, said by the phone of another: nothing of it is believed.

use std::collections::BTreeMap;

use columba::domain::content::{Content, Text};
use columba::ports::transport::{LinkEvent, Probe as _, Transport as _};
use rstest::rstest;
use serde_json::{Value, json};

use crate::rig::{Link, PATIENCE, Rig, Session, Testbed, find, native_testbed};

const ALICE: &str = "+15551230001";
const MALLORY: &str = "+15551230666";

/// What a believer would write: who the device is and its keys, and everything of app state.
fn state(session: &Session) -> BTreeMap<(&'static str, Vec<u8>), Value> {
    // What the device counts, and what it remembers of its last login, moves by itself.
    let moves = [
        "next_pre_key_id",
        "first_unupload_pre_key_id",
        "server_has_prekeys",
        "props_hash",
        "server_cert_chain",
        "edge_routing_info",
        "login_counter",
    ];
    let (records, _) = session.vault.content();
    let of_the_account = ["device", "spk", "synckey", "syncver", "mac", "meta"];
    let kept = records.into_iter().filter(|((kind, _), _)| of_the_account.contains(kind));
    kept.map(|(at, value)| {
        let mut value =
            if at.0 == "device" { serde_json::from_slice(&value).unwrap() } else { json!(*value) };
        if let Value::Object(device) = &mut value {
            device.retain(|field, _| !moves.contains(&field.as_str()));
        }
        (at, value)
    })
    .collect()
}

#[rstest]
#[case(json!({"kind": "key_share"}))]
#[case(json!({"kind": "key_request"}))]
#[case(json!({"kind": "history_sync"}))]
#[case(json!({"kind": "app_state_fatal"}))]
#[case(json!({"kind": "device_sent"}))]
#[case(json!({"kind": "revoke"}))]
#[case(json!({"kind": "edit"}))]
#[tokio::test]
async fn a_message_that_only_the_own_phone_may_send_changes_nothing_when_another_sends_it(
    #[case] forgery: Value,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(native_testbed(), &testbed.url);
    testbed.account(MALLORY).await;
    let (session, mut link) = rig.paired(&testbed, ALICE).await;
    // They know each other, so that a ratchet is there and a message of the victim's to be forged about.
    let work = session.message(MALLORY, "hello");
    assert_eq!(rig.engine.send(&work).await, Ok(()));
    testbed.post("/admin/messages", json!({"phone": MALLORY, "to": ALICE, "text": "before"})).await;
    said(&rig, &session, &mut link, "before").await;
    assert!(
        state(&session).keys().any(|(kind, _)| *kind == "synckey"),
        "what the own phone shares is believed"
    );
    let (state_before, logins) = (state(&session), logins(&testbed).await);

    let (mut forgery, is_text) = (forgery.clone(), forgery["kind"] == "device_sent");
    (forgery["phone"], forgery["to"]) = (json!(MALLORY), json!(ALICE));
    if ["revoke", "edit"].contains(&forgery["kind"].as_str().unwrap()) {
        forgery["id"] = json!(work.wa_id.0);
    }
    let ids = testbed.post("/admin/forgeries", forgery).await["ids"].clone();
    // What comes after them shows that they were heard.
    testbed.post("/admin/messages", json!({"phone": MALLORY, "to": ALICE, "text": "after"})).await;
    let between = said(&rig, &session, &mut link, "after").await;
    // A text that claims to be the victim's own comes in as what it is: a stranger's.
    let expected = if is_text { vec![MALLORY; 2] } else { vec![] };
    assert_eq!(between, expected, "a forgery was told as a message");
    let acked = async {
        loop {
            let pending = testbed.get("/admin/pending").await;
            let ids = ids.as_array().unwrap();
            if !pending.as_array().unwrap().iter().any(|owed| ids.contains(&owed["id"])) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, acked).await.expect("the forgeries were read");
    assert_eq!(state(&session), state_before, "a forgery is in the vault");
    assert!(rig.engine.ping(session.lease).await.is_ok());
    assert_eq!(self::logins(&testbed).await, logins, "the link held");
    assert_eq!(rig.engine.send(&session.message(MALLORY, "still there")).await, Ok(()));
    let chat = testbed.chat(MALLORY, 4).await;
    assert_eq!(chat.last().unwrap()["text"], "still there");
}

/// Listens until a text comes, and confirms what comes. Who wrote what came before it.
async fn said(rig: &Rig, session: &Session, link: &mut Link, wanted: &str) -> Vec<String> {
    let mut before = vec![];
    loop {
        let (delivery, letter) = find(link, |event| match event {
            LinkEvent::Inbound { delivery, letter, .. } => Some((delivery, letter)),
            LinkEvent::Closed(reason) => panic!("closed: {reason:?}"),
            _ => None,
        })
        .await;
        rig.engine.confirm(session.lease, &delivery).await.unwrap();
        if letter.content == Content::Text(Text { body: wanted.to_owned() }) {
            return before;
        }
        before.push(letter.chat.as_str().to_owned());
    }
}

async fn logins(testbed: &Testbed) -> Value {
    testbed.get("/admin/sockets").await["devices"][0]["logins"].clone()
}
