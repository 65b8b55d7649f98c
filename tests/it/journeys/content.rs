//! Every kind of content but files, in every kind of chat, to the sandbox network and from it.

use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT, Feed, Reply};
use crate::support::server::Home;

on_both_databases!(
    every_kind_is_sent_and_heard_and_refers_to_its_record,
    a_group_is_written_to_once_it_is_known_and_the_accounts_other_devices_are_told_apart,
    what_is_held_goes_as_soon_as_its_recipient_writes,
);

const GROUP: &str = "120363000000000001@g.us";

/// Plays a message, and answers the record of it.
async fn heard(api: &Api, feed: &mut Feed, session: &str, mut said: Value) -> Value {
    said["session"] = json!(session);
    let wa_id = api.post("/v1/sandbox/messages", said).await.expect(202)["wa_id"].clone();
    loop {
        let event = feed.next().await;
        feed.seen.push(event.clone());
        if let (true, Some(id)) = (event["e"] == "in" || event["e"] == "msg", event["id"].as_str()) {
            let record = api.message(id).await;
            if record["wa_id"] == wa_id {
                return record;
            }
        }
    }
}

async fn send(api: &Api, session: &str, to: &str, kind: &str, content: Value) -> Reply {
    let body = json!({"to": to, "type": kind, kind: content});
    api.post(&format!("/v1/sessions/{session}/messages"), body).await
}

async fn every_kind_is_sent_and_heard_and_refers_to_its_record(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let path = format!("/v1/sessions/{session}/messages");

    let text = acme.send(&session, ANNA).await;
    feed.until(&text, "read").await;
    let place = json!({"latitude": 52.52, "longitude": 13.405, "name": "Office"});
    let cards = json!({"cards": [{"name": "Ada", "vcard": "BEGIN:VCARD\nVERSION:3.0\nEND:VCARD"}]});
    let poll = json!({"question": "When?", "options": ["Monday", "Tuesday"], "selectable": 1});
    for (kind, content) in [
        ("location", place.clone()),
        ("contacts", cards.clone()),
        ("poll", poll.clone()),
        ("reaction", json!({"message": text, "emoji": "👍"})),
        ("edit", json!({"message": text, "body": "hello, corrected"})),
        ("revoke", json!({"message": text})),
    ] {
        let record = send(&acme, &session, ANNA, kind, content.clone()).await.expect(202);
        assert_eq!((&record["type"], &record[kind]), (&json!(kind), &content), "{record}");
        feed.until(record["id"].as_str().unwrap(), "read").await;
    }
    let answer = json!({"to": ANNA, "type": "text", "text": {"body": "as I said"}, "reply_to": text});
    let answer = acme.post(&path, answer).await.expect(202);
    feed.until(answer["id"].as_str().unwrap(), "read").await;
    assert_eq!(acme.frames(&session).await.len(), 8, "each is a message of its own");
    let usage = acme.get("/v1/usage").await.expect(200);
    assert_eq!(usage["messages"]["used"], 8);

    // What is named has to be there, and of this chat.
    for (to, kind, content, pointer) in [
        (BERT, "reaction", json!({"message": text, "emoji": "👍"}), "/reaction/message"),
        (
            ANNA,
            "edit",
            json!({"message": "msg_019a2b3c4d5e7f808192a3b4c5d6e7f8", "body": "x"}),
            "/edit/message",
        ),
        (ANNA, "revoke", json!({"message": answer["id"], "x": 1}), ""),
        (ANNA, "reaction", json!({"message": text, "emoji": "no"}), "/reaction/emoji"),
        (GROUP, "location", place.clone(), "/to"),
    ] {
        let status = if pointer.is_empty() { 400 } else { 422 };
        let problem = send(&acme, &session, to, kind, content).await.refused(status, "invalid_request");
        if status == 422 {
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
    }

    let question = heard(&acme, &mut feed, &session, json!({"from": ANNA, "text": "are you there?"})).await;
    assert_eq!((&question["from"], &question["to"]), (&json!(ANNA), &Value::Null), "{question}");
    let sent = acme.message(&text).await;
    for (said, kind, about) in [
        (json!({"location": place}), "location", None),
        (json!({"contacts": cards}), "contacts", None),
        (json!({"poll": poll}), "poll", None),
        (json!({"reaction": {"wa_id": sent["wa_id"], "emoji": "❤️"}}), "reaction", Some(&sent)),
        (json!({"edit": {"wa_id": question["wa_id"], "body": "hello?"}}), "edit", Some(&question)),
        (json!({"revoke": {"wa_id": question["wa_id"]}}), "revoke", Some(&question)),
        (json!({"revoke": {"wa_id": "3EB0NEVERHEARD"}}), "revoke", None),
    ] {
        let mut said = said;
        said["from"] = json!(ANNA);
        let record = heard(&acme, &mut feed, &session, said.clone()).await;
        assert_eq!((&record["type"], &record["status"]), (&json!(kind), &json!("received")), "{record}");
        if let Some(about) = about {
            let content = &record[kind];
            assert_eq!((&content["message"], &content["wa_id"]), (&about["id"], &about["wa_id"]), "{record}");
        } else {
            assert!(record[kind].get("message").is_none(), "{record}");
        }
    }
    let quoting = json!({"from": ANNA, "text": "yes", "quotes": answer["wa_id"]});
    let quoting = heard(&acme, &mut feed, &session, quoting).await;
    assert_eq!((&quoting["reply_to"], &quoting["reply_to_wa_id"]), (&answer["id"], &answer["wa_id"]));
    server.finish().await;
}

async fn a_group_is_written_to_once_it_is_known_and_the_accounts_other_devices_are_told_apart(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let hello = json!({"body": "hello all"});
    send(&acme, &session, GROUP, "text", hello.clone()).await.refused(422, "invalid_request");
    let groups = acme.get(&format!("/v1/sessions/{session}/groups")).await.expect(200);
    assert_eq!(groups["data"][0]["chat"], GROUP, "{groups}");
    let sent = send(&acme, &session, GROUP, "text", hello).await.expect(202);
    feed.until(sent["id"].as_str().unwrap(), "sent").await;

    let said = json!({"from": ANNA, "group": GROUP, "text": "stop"});
    let said = heard(&acme, &mut feed, &session, said).await;
    assert_eq!((&said["chat"], &said["from"]), (&json!(GROUP), &json!(ANNA)), "{said}");
    assert_eq!(
        acme.get("/v1/suppressions").await.expect(200)["data"],
        json!([]),
        "nobody speaks for a group"
    );
    let reaction = json!({"message": said["id"], "emoji": "👍"});
    let reaction = send(&acme, &session, GROUP, "reaction", reaction).await.expect(202);
    feed.until(reaction["id"].as_str().unwrap(), "sent").await;

    let own = json!({"from": BERT, "own": true, "text": "from my phone"});
    let own = heard(&acme, &mut feed, &session, own).await;
    let shown = ["direction", "status", "to", "from", "attempts"].map(|field| own[field].clone());
    assert_eq!(shown, [json!("own"), json!("sent"), json!(BERT), Value::Null, json!(0)], "{own}");
    let listed = acme.get("/v1/messages?direction=own").await.expect(200);
    assert_eq!(listed["data"][0]["id"], own["id"]);
    assert_eq!(acme.get("/v1/usage").await.expect(200)["messages"]["used"], 2);

    let ask =
        async |path: &str, body: Value| acme.post(&format!("/v1/sessions/{session}/{path}"), body).await;
    assert_eq!(ask("read", json!({"chat": GROUP})).await.status, 204);
    assert_eq!(ask("read", json!({"chat": GROUP, "messages": [said["id"]]})).await.status, 204);
    ask("read", json!({"chat": ANNA, "messages": [said["id"]]})).await.refused(422, "invalid_request");
    assert_eq!(ask("typing", json!({"chat": GROUP, "active": true})).await.status, 204);
    ask("typing", json!({"chat": ANNA, "active": true})).await.refused(422, "invalid_request");
    let numbers = json!({"phones": [ANNA, "+15550000404"]});
    for _ in 0..2 {
        let checked = ask("numbers/check", numbers.clone()).await.expect(200);
        let known: Vec<_> = checked["data"].as_array().unwrap().iter().map(|one| &one["exists"]).collect();
        assert_eq!(known, [true, false], "{checked}");
    }
    ask("numbers/check", json!({"phones": [ANNA, ANNA]})).await.refused(422, "invalid_request");
    let contacts = acme.get(&format!("/v1/sessions/{session}/contacts?limit=2")).await.expect(200);
    let next = contacts["next_cursor"].as_str().unwrap();
    let rest = acme.get(&format!("/v1/sessions/{session}/contacts?limit=2&cursor={next}")).await.expect(200);
    assert_eq!((contacts["data"].as_array().unwrap().len(), &rest["has_more"]), (2, &json!(false)));

    acme.act(&format!("/v1/sessions/{session}/stop")).await.expect(202);
    feed.session(&session, "stopped").await;
    acme.get(&format!("/v1/sessions/{session}/groups")).await.refused(409, "session_not_ready");
    server.finish().await;
}

async fn what_is_held_goes_as_soon_as_its_recipient_writes(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    acme.fault(&session, "new_chats").await;
    feed.until(&session, "connected").await;
    assert_eq!(acme.at(&session).await["restriction"]["kind"], "new_chats");
    let (anna, bert) = (acme.send(&session, ANNA).await, acme.send(&session, BERT).await);
    feed.until(&anna, "held").await;
    assert_eq!(acme.message(&anna).await["reason"], "new_chats");
    heard(&acme, &mut feed, &session, json!({"from": ANNA, "text": "hello?"})).await;
    feed.until(&anna, "read").await;
    assert_eq!(acme.message(&bert).await["status"], "held");
    server.finish().await;
}
