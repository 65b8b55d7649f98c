//! Texts between companions, and what their phones see of it.

use serde_json::json;
use wacore::types::events::Event;

use crate::support::{Bed, Peer, phone};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_exchange_texts_with_acks_and_receipts() {
    let (a, b) = (phone(51), phone(52));
    let bed = Bed::with(&[a, b]).await;
    let (alice, bob) = tokio::join!(Peer::linked(&bed, a), Peer::linked(&bed, b));

    alice.text(b, "hello", "3EB0AAAAAAAAAAAAAAAA01").await;
    assert_eq!(bob.message().await, ("3EB0AAAAAAAAAAAAAAAA01".into(), "hello".into()));
    assert_eq!(alice.ack("3EB0AAAAAAAAAAAAAAAA01").await, None);
    alice.receipt("3EB0AAAAAAAAAAAAAAAA01").await;

    bob.text(a, "hello back", "3EB0BBBBBBBBBBBBBBBB01").await;
    assert_eq!(alice.message().await.1, "hello back");
    bob.receipt("3EB0BBBBBBBBBBBBBBBB01").await;

    bed.until(&format!("messages?phone={a}"), 5, |list| list.as_array().is_some_and(|l| l.len() == 2)).await;
    bed.until(&format!("messages?phone={b}"), 5, |list| list.as_array().is_some_and(|l| l.len() == 2)).await;
    let of_bob: Vec<String> = bed.texts(b).await.into_iter().map(|(text, _)| text).collect();
    assert_eq!(of_bob, ["hello", "hello back"]);
    bed.until("pending", 10, |list| *list == json!([])).await;
    let bad = bed.get("frames?tag=undecryptable").await;
    assert_eq!(bad, json!([]), "each phone could read everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_reads_and_its_companion_sees_both_sides() {
    let (a, b) = (phone(53), phone(54));
    let bed = Bed::with(&[a, b]).await;
    let alice = Peer::linked(&bed, a).await;

    let sent =
        bed.post("messages", json!({ "phone": b, "to": format!("+{a}"), "text": "from the phone" })).await;
    assert_eq!(alice.message().await, (sent["id"].as_str().expect("an id").into(), "from the phone".into()));
    let delivered = |l: &serde_json::Value| l[0]["status"] == "delivered";
    bed.until(&format!("messages?phone={b}"), 5, delivered).await;

    alice.text(b, "from the companion", "3EB0D0000000000000000001").await;
    let arrived =
        |l: &serde_json::Value| l[1]["text"] == "from the companion" && l[1]["status"] == "received";
    bed.until(&format!("messages?phone={b}"), 5, arrived).await;
    alice.receipt("3EB0D0000000000000000001").await;
    bed.post("read", json!({ "phone": b, "peer": a })).await;
    let read = |e: &Event| matches!(e, Event::Receipt(r) if format!("{:?}", r.r#type) == "Read");
    alice.until("that it was read", 10, read).await;
    let own = bed.texts(a).await;
    assert_eq!(own[1], ("from the companion".into(), "read".into()), "its own phone has a copy");

    bed.post("messages", json!({ "phone": a, "to": b, "text": "from alice's phone" })).await;
    assert_eq!(alice.message().await.1, "from alice's phone", "her companion has a copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_a_client_was_away_comes_in_order_when_it_is_back() {
    let (a, b) = (phone(55), phone(56));
    let bed = Bed::with(&[a, b]).await;
    let alice = Peer::linked(&bed, a).await;
    let store = alice.end().await;
    for n in 0..20 {
        bed.post("messages", json!({ "phone": b, "to": a, "text": format!("number {n}") })).await;
    }
    let alice = Peer::start(&bed, a, store).await;
    let preview = alice.until("the announcement", 20, |e| matches!(e, Event::OfflineSyncPreview(_))).await;
    let Event::OfflineSyncPreview(preview) = &*preview else { unreachable!("it was just matched") };
    assert_eq!(preview.messages, 20);
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let event = alice.until("the messages", 20, |e| e.messages().next().is_some()).await;
        seen.extend(event.messages().filter_map(|m| m.message.conversation.clone()));
    }
    assert_eq!(seen, (0..20).map(|n| format!("number {n}")).collect::<Vec<_>>());
    bed.until("pending", 10, |list| *list == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_check_tells_who_is_here() {
    let (a, b) = (phone(57), phone(58));
    let bed = Bed::with(&[a, b]).await;
    let alice = Peer::linked(&bed, a).await;
    let jids = [b, 15_550_001_111].map(|n| format!("{n}@s.whatsapp.net").parse().expect("a jid"));
    let found = alice.client.contacts().is_on_whatsapp(&jids).await.expect("an answer");
    let mut registered: Vec<bool> = found.iter().map(|f| f.is_registered).collect();
    registered.sort_unstable();
    assert_eq!(registered, [false, true]);
}
