//! What the network delivers is stored once, however often it comes.

use columba::domain::content::{Content, Reaction, Target};
use columba::domain::event::Change;
use columba::domain::message::{Direction, Letter, Message, MessageReason, MessageStatus, Times, WaId};
use columba::domain::restraint::Approach;
use columba::domain::session::{Restriction, RestrictionKind};
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Claim, Claimed, Inbound, Outcome, Stored};
use futures_util::future::join_all;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, chat, text};

contract!(
    a_message_that_comes_in_is_stored_and_told,
    it_is_the_same_by_session_chat_author_and_id,
    what_another_device_wrote_is_the_accounts_own_and_no_answer,
    what_a_message_is_about_is_found_by_its_id_on_the_network_in_its_chat_alone,
    what_is_held_for_a_stranger_goes_when_they_write,
    an_attempt_finds_what_it_refers_to_on_its_own_session_only,
);

const GROUP: &str = "120363000000000001@g.us";
const NEW: Stored = Stored { new: true, freed: false };

async fn a_message_that_comes_in_is_stored_and_told(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let heard = stage.heard(ANN, "IN1");
    assert_eq!(stage.outbox.inbound(stage.lease, heard.clone()).await, Ok(NEW));
    let stored = stage.message(heard.id).await;
    let expected = Message {
        id: heard.id,
        tenant: stage.tenant,
        session: stage.session,
        direction: Direction::In,
        chat: chat(ANN),
        author: None,
        content: text("hi"),
        status: MessageStatus::Received,
        reason: None,
        wa_id: heard.letter.wa_id,
        reply_to: None,
        quoted: None,
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

async fn it_is_the_same_by_session_chat_author_and_id(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (mine, sibling) = (stage.lease, stage.sibling().await);
    let deliveries = (0..3).map(|_| stage.outbox.inbound(mine, stage.heard(ANN, "IN1")));
    let news = join_all(deliveries).await.into_iter().filter(|new| *new == Ok(NEW)).count();
    assert_eq!(news, 1);
    assert_eq!(stage.told().len(), 1);
    for (lease, from, wa_id) in [(mine, BOB, "IN1"), (mine, ANN, "IN2"), (sibling, ANN, "IN1")] {
        assert_eq!(stage.outbox.inbound(lease, stage.heard(from, wa_id)).await, Ok(NEW), "{from} {wa_id}");
    }
    // In a group anybody might use the id of another's message.
    for (author, expected) in [(ANN, NEW), (BOB, NEW), (ANN, Stored::default())] {
        let mut heard = stage.heard(GROUP, "IN1");
        heard.letter.author = Some(chat(author));
        assert_eq!(stage.hear(heard.clone()).await, expected, "{author}");
        if expected == NEW {
            assert_eq!(stage.message(heard.id).await.author, Some(chat(author)));
        }
    }
    assert_eq!(stage.record().await.counters.received, 5);
}

async fn what_another_device_wrote_is_the_accounts_own_and_no_answer(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let own = |from: &str, wa_id: &str| {
        let heard = stage.heard(from, wa_id);
        Inbound { letter: Letter { own: true, ..heard.letter }, ..heard }
    };
    let heard = own(ANN, "OWN1");
    assert_eq!(stage.hear(heard.clone()).await, NEW);
    assert_eq!(stage.hear(own(ANN, "OWN1")).await, Stored::default());
    let stored = stage.message(heard.id).await;
    assert_eq!((stored.direction, stored.status, stored.attempts), (Direction::Own, MessageStatus::Sent, 0));
    assert_eq!(stage.told(), [Change::Message(heard.id, MessageStatus::Sent)]);
    let counters = stage.record().await.counters;
    assert_eq!((counters.received, counters.sent, counters.queued), (0, 0, 0));
    assert_eq!(stage.usage().await, (0, 0), "it costs nothing");
    assert!(!stage.messages.knows_chat(stage.scope(), stage.session, &chat(ANN)).await.unwrap());
    assert_eq!(stage.hear(own(GROUP, "OWN2")).await, NEW);
    assert!(stage.messages.knows_chat(stage.scope(), stage.session, &chat(GROUP)).await.unwrap());

    let sent = stage.attempt(ANN, Outcome::Sent).await;
    let echo = own(ANN, &sent.wa_id.0);
    assert_eq!(stage.hear(echo).await, Stored::default(), "what was sent from here is known");
}

async fn what_a_message_is_about_is_found_by_its_id_on_the_network_in_its_chat_alone(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sent = stage.attempt(ANN, Outcome::Sent).await;
    let heard = stage.heard(ANN, "IN1");
    stage.hear(heard.clone()).await;
    let react = |to: &WaId| {
        let target = Target { message: None, wa_id: Some(to.clone()) };
        Content::Reaction(Reaction { target, emoji: "👍".to_owned() })
    };
    let unknown = WaId("3EB0GONE".to_owned());
    for (index, (from, about, expected)) in [
        (ANN, &sent.wa_id, Some(sent.id)),
        (ANN, &heard.letter.wa_id, Some(heard.id)),
        (BOB, &sent.wa_id, None),
        (BOB, &heard.letter.wa_id, None),
        (ANN, &unknown, None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut reaction = stage.heard(from, &format!("R{index}"));
        reaction.letter.content = react(about);
        stage.hear(reaction.clone()).await;
        let target = stage.message(reaction.id).await.content.target().cloned();
        assert_eq!(target, Some(Target { message: expected, wa_id: Some(about.clone()) }), "{index}");

        let mut answer = stage.heard(from, &format!("A{index}"));
        answer.letter.quoted = Some(about.clone());
        stage.hear(answer.clone()).await;
        let stored = stage.message(answer.id).await;
        assert_eq!((stored.reply_to, stored.quoted.as_ref()), (expected, Some(about)), "{index}");
    }
    // Both may come in one commit.
    let (first, mut second) = (stage.heard(BOB, "B1"), stage.heard(BOB, "B2"));
    second.letter.quoted = Some(first.letter.wa_id.clone());
    let both = [first.clone(), second.clone()].map(|one| stage.outbox.inbound(stage.lease, one));
    assert_eq!(join_all(both).await, [Ok(NEW), Ok(NEW)]);
    assert_eq!(stage.message(second.id).await.reply_to, Some(first.id));
}

async fn what_is_held_for_a_stranger_goes_when_they_write(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (until, later) = (stage.in_secs(600), stage.in_secs(60));
    let approach = Approach { per_day: Some(0), check: false };
    let lock = |kind| Some(Restriction { kind, until });
    use RestrictionKind::{NewChats, Timelock};
    for (lock, approach, reason) in [
        (lock(Timelock), None, MessageReason::Timelock),
        (lock(NewChats), None, MessageReason::NewChats),
        (None, Some(approach), MessageReason::FirstContact),
    ] {
        let name = format!("+1555123{:04}", 100 + reason as u32);
        let to_stranger = stage.accept(&name).await;
        let bystander = stage.accept(BOB).await;
        let claim = async |message| {
            let at = stage.fixture.clock.read();
            stage.outbox.claim(Claim { lease: stage.lease, message, at, lock, approach }).await.unwrap()
        };
        for message in [to_stranger.id, bystander.id] {
            assert!(matches!(claim(message).await, Claimed::NotYet { .. }), "{reason}");
            let held = stage.message(message).await;
            assert_eq!((held.status, held.reason), (MessageStatus::Held, Some(reason)));
        }
        stage.told();
        let heard = stage.heard(&name, "IN1");
        assert_eq!(stage.hear(heard.clone()).await, Stored { new: true, freed: true }, "{reason}");
        let freed = stage.message(to_stranger.id).await;
        assert_eq!((freed.status, freed.reason), (MessageStatus::Queued, None));
        assert_eq!(
            stage.told(),
            [Change::Received(heard.id), Change::Message(to_stranger.id, MessageStatus::Queued),]
        );
        assert!(matches!(claim(to_stranger.id).await, Claimed::Work(_)), "{reason}");
        assert_eq!(stage.status(bystander.id).await, MessageStatus::Held, "others wait");
        stage.messages.cancel(stage.scope(), bystander.id, stage.now()).await.unwrap();
    }
    // What a server asked patience for, or a tenant planned, waits on.
    let mut draft = stage.draft(ANN);
    draft.send_at = Some(later);
    let planned = stage.outbox.accept(stage.asked(draft)).await.unwrap().into_inner();
    assert_eq!(stage.hear(stage.heard(ANN, "IN1")).await, NEW);
    assert_eq!(stage.claim(planned.id).await, Claimed::NotYet { until: later });
}

async fn an_attempt_finds_what_it_refers_to_on_its_own_session_only(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let mut heard = stage.heard(GROUP, "IN1");
    heard.letter.author = Some(chat(ANN));
    stage.hear(heard.clone()).await;
    let found = stage.outbox.referred(stage.lease, heard.id).await.unwrap().unwrap();
    assert_eq!((found.wa_id, found.from_me, found.author), (WaId("IN1".into()), false, Some(chat(ANN))));
    assert_eq!(stage.outbox.referred(sibling, heard.id).await, Ok(None));
    let sent = stage.attempt(BOB, Outcome::Sent).await;
    assert!(stage.outbox.referred(stage.lease, sent.id).await.unwrap().unwrap().from_me);
}
