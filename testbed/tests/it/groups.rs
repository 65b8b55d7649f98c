//! Groups: made by the admin API, written to by companions and phones.

use serde_json::json;
use whatsapp_rust::prelude::Jid;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{Bed, Peer, phone};

async fn all_read_each_other(n: u64, addressing: &str) {
    let (a, b, c) = (phone(n), phone(n + 1), phone(n + 2));
    let bed = Bed::with(&[a, b, c]).await;
    let (alice, bob) = tokio::join!(Peer::linked(&bed, a), Peer::linked(&bed, b));
    let group = bed
        .post("groups", json!({ "subject": "Pigeons", "phones": [a, b, c], "addressing": addressing }))
        .await;
    let id = group["id"].as_str().expect("an id").to_owned();
    let jid: Jid = id.parse().expect("a jid");

    let text = wa::Message { conversation: Some("coo".into()), ..Default::default() };
    alice.send(&jid, text, "3EB0E0000000000000000001").await;
    assert_eq!(bob.message().await.1, "coo");
    bed.until(&format!("messages?phone={c}"), 10, |l| l[0]["text"] == "coo" && l[0]["peer"] == json!(id))
        .await;

    bed.post("messages", json!({ "phone": c, "to": id, "text": "coo from the phone" })).await;
    assert_eq!(alice.message().await.1, "coo from the phone");
    assert_eq!(bob.message().await.1, "coo from the phone");

    let text = wa::Message { conversation: Some("coo again".into()), ..Default::default() };
    bob.send(&jid, text, "3EB0E0000000000000000002").await;
    assert_eq!(alice.message().await.1, "coo again");
    bed.until(&format!("messages?phone={c}"), 10, |l| l[2]["text"] == "coo again").await;
    assert_eq!(bed.get("frames?tag=undecryptable").await, json!([]));

    let joined = alice.client.groups().get_participating().await.expect("an answer");
    assert_eq!(joined.get(&jid).expect("the group").participants.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_of_hidden_numbers_all_read_each_other() {
    all_read_each_other(60, "lid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_of_numbers_all_read_each_other() {
    all_read_each_other(64, "pn").await;
}
