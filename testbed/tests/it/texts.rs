//! Texts between two companions, and what their phones see of it.

use crate::support::{Bed, Peer, phone};

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_exchange_texts_with_acks_and_receipts() {
    let (a, b) = (phone(1), phone(2));
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
    let of_bob: Vec<String> = bed.texts(b).await.into_iter().map(|(text, _)| text).collect();
    assert_eq!(of_bob, ["hello", "hello back"]);
}
