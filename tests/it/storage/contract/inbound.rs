//! What the network delivers is stored once, however often it comes.

use columba::domain::event::Change;
use columba::domain::message::{Direction, Message, MessageStatus, Times};
use futures_util::future::join_all;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, phone, text};

contract!(a_message_that_comes_in_is_stored_and_told, it_is_the_same_by_session_sender_and_id,);

async fn a_message_that_comes_in_is_stored_and_told(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let heard = stage.heard(ANN, "IN1");
    assert_eq!(stage.outbox.inbound(stage.lease, heard.clone()).await, Ok(true));
    let stored = stage.message(heard.id).await;
    let expected = Message {
        id: heard.id,
        tenant: stage.tenant,
        session: stage.session,
        direction: Direction::In,
        chat: phone(ANN),
        content: text("hi"),
        status: MessageStatus::Received,
        reason: None,
        wa_id: heard.wa_id,
        reply_to: None,
        category: stored.category,
        delivery: stored.delivery,
        client_ref: None,
        send_at: None,
        expires_at: None,
        attempts: 0,
        held_until: None,
        times: Times::from([("received", stage.now())]),
    };
    assert_eq!(stored, expected);
    assert_eq!(stage.told(), [Change::Received(heard.id)]);
    let counters = stage.record().await.counters;
    assert_eq!((counters.received, counters.queued), (1, 0));
    assert_eq!(stage.usage().await, (0, 0));
}

async fn it_is_the_same_by_session_sender_and_id(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (mine, sibling) = (stage.lease, stage.sibling().await);
    let deliveries = (0..3).map(|_| stage.outbox.inbound(mine, stage.heard(ANN, "IN1")));
    let news = join_all(deliveries).await.into_iter().filter(|new| *new == Ok(true)).count();
    assert_eq!(news, 1);
    assert_eq!(stage.told().len(), 1);
    for (lease, from, wa_id) in [(mine, BOB, "IN1"), (mine, ANN, "IN2"), (sibling, ANN, "IN1")] {
        assert_eq!(stage.outbox.inbound(lease, stage.heard(from, wa_id)).await, Ok(true), "{from} {wa_id}");
    }
    assert_eq!(stage.record().await.counters.received, 3);
}
