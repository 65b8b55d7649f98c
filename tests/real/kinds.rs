//! Every kind of content but files, from one number to another, both behind the native bridge.

use columba::domain::content::{
    Card, Contacts, Content, Edit, Location, Poll, Reaction, Revoke, Target, Text,
};
use columba::domain::message::{Letter, WaId};
use columba::ports::outbox::{Referred, Work};
use columba::ports::transport::{LinkEvent, Transport as _};

use crate::rig::{Link, Rig, Session, Testbed, find, native_testbed};

const ALICE: &str = "+15551230001";
const BOB: &str = "+15551230002";

/// The next message, which has this id. Confirmed: until it is, the bridge holds back what follows.
async fn letter(rig: &Rig, bob: &Session, link: &mut Link, wa_id: &WaId) -> Letter {
    let (delivery, letter) = find(link, |event| match event {
        LinkEvent::Inbound { delivery, letter, .. } => Some((delivery, *letter)),
        _ => None,
    })
    .await;
    assert_eq!(letter.wa_id, *wa_id);
    rig.engine.confirm(bob.lease, &delivery).await.unwrap();
    letter
}

#[tokio::test]
async fn every_kind_arrives_as_it_was_sent_and_names_what_it_is_about() {
    let testbed = Testbed::start().await;
    let rig = Rig::start(native_testbed(), &testbed.url);
    let (alice, _link) = rig.paired(&testbed, ALICE).await;
    let (bob, mut link) = rig.paired(&testbed, BOB).await;
    let first = alice.message(BOB, "hello Bob");
    assert_eq!(rig.engine.send(&first).await, Ok(()));
    assert_eq!(letter(&rig, &bob, &mut link, &first.wa_id).await.content, first.content);

    let about = Target { message: None, wa_id: Some(first.wa_id.clone()) };
    let named = Some(Box::new(Referred {
        wa_id: first.wa_id.clone(),
        from_me: true,
        author: None,
        content: first.content.clone(),
    }));
    let text = |body: &str| Content::Text(Text { body: body.to_owned() });
    let place = Location { latitude: 52.5, longitude: 13.25, name: Some("Office".to_owned()), address: None };
    let card =
        Card { name: "Ada".to_owned(), vcard: "BEGIN:VCARD\nVERSION:3.0\nFN:Ada\nEND:VCARD".to_owned() };
    let options = vec!["Monday".to_owned(), "Tuesday".to_owned()];
    for (content, referred) in [
        (Content::Location(place), None),
        (Content::Contacts(Contacts { cards: vec![card] }), None),
        (Content::Poll(Poll { question: "When?".to_owned(), options, selectable: 1 }), None),
        (text("as I said"), named.clone()),
        (Content::Reaction(Reaction { target: about.clone(), emoji: "👍".to_owned() }), named.clone()),
        (Content::Edit(Edit { target: about.clone(), body: "hello, corrected".to_owned() }), named.clone()),
        (Content::Revoke(Revoke { target: about }), named),
    ] {
        let kind = content.kind();
        let work = Work { content, referred, ..alice.message(BOB, "") };
        assert_eq!(rig.engine.send(&work).await, Ok(()), "{kind}");
        let heard = letter(&rig, &bob, &mut link, &work.wa_id).await;
        assert_eq!((heard.chat.as_str(), heard.own), (ALICE, false), "{kind}");
        assert!(heard.content == work.content, "{kind} came as {}", heard.content.kind());
        let quoted = work.referred.filter(|_| work.content.target().is_none()).map(|one| one.wa_id);
        assert_eq!(heard.quoted, quoted, "{kind}");
    }
}
