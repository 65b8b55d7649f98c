//! Queries, paths, cursors: how requests are read.

use actix_web::http::Method;
use columba::domain::id::SessionId;
use columba::http::cursor;
use serde_json::json;

use super::world::{World, hello, request};

#[actix_web::test]
async fn query_parameters_are_judged_by_name_and_value() {
    let world = World::new();
    for (path, status, pointer) in [
        ("/v1/sessions?limit=1", 200, ""),
        ("/v1/sessions?limit=200", 200, ""),
        ("/v1/sessions?limit=0", 400, "?limit"),
        ("/v1/sessions?limit=201", 400, "?limit"),
        ("/v1/sessions?limit=-1", 400, "?limit"),
        ("/v1/sessions?limit=ten", 400, "?limit"),
        ("/v1/sessions?limit=", 400, "?limit"),
        ("/v1/sessions?limit=1&limit=2", 400, "?limit"),
        ("/v1/sessions?cursor=rubbish", 400, "?cursor"),
        ("/v1/sessions?cursor=", 400, "?cursor"),
        ("/v1/sessions?page=2", 400, "?page"),
        ("/v1/sessions?LIMIT=2", 400, "?LIMIT"),
        ("/v1/usage?limit=2", 400, "?limit"),
        ("/v1/messages?status=queued&direction=out&client_ref=a", 200, ""),
        ("/v1/messages?chat=%2B15551230001", 200, ""),
        ("/v1/messages?chat=+15551230001", 200, ""),
        ("/v1/messages?chat=15551230001", 400, "?chat"),
        ("/v1/messages?status=done", 400, "?status"),
        ("/v1/messages?direction=up", 400, "?direction"),
        ("/v1/messages?session=ses_1", 400, "?session"),
        ("/v1/messages?client_ref=", 400, "?client_ref"),
        ("/v1/sandbox/frames", 400, "?session"),
        ("/v1/sandbox/frames?session=x", 400, "?session"),
    ] {
        let reply = world.ask(Method::GET, path, None).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text);
        if status != 200 {
            assert_eq!(reply.problem(), (400, "invalid_request".into(), pointer.into()), "{path}");
        }
    }
    let path = format!("/v1/sessions/{}/start?force=true", world.session);
    assert_eq!(world.ask(Method::POST, &path, None).await.problem().2, "?force");
}

#[actix_web::test]
async fn a_key_in_the_query_is_refused_even_beside_a_good_header() {
    let world = World::new();
    for name in ["access_token", "api_key", "key", "token", "API_KEY", "%6bey"] {
        let reply = world.ask(Method::GET, &format!("/v1/sessions?{name}=s3cret"), None).await;
        let (status, code, _) = reply.problem();
        assert_eq!((status, &*code), (400, "invalid_request"), "{name}");
        assert!(reply.text.contains("Authorization") && !reply.text.contains("s3cret"), "{}", reply.text);
    }
}

#[actix_web::test]
async fn an_id_of_the_wrong_form_is_answered_word_for_word_like_an_absent_one() {
    let world = World::new();
    let ask = |id: &str| {
        let get = request(Method::GET, &format!("/v1/sessions/{id}"), &world.key, None);
        get.insert_header(("x-request-id", "same"))
    };
    let absent = world.send(ask("ses_019a2b3c4d5e7f808192a3b4c5d6e7f8")).await;
    assert_eq!(absent.status, 404);
    let own = world.session.to_string();
    let (upper, other) = (own.to_uppercase(), own.replace("ses_", "msg_"));
    for id in ["1", "ses_", "ses_019A2B3C4D5E7F808192A3B4C5D6E7F8", &upper, &other, "%00", "..%2f"] {
        let reply = world.send(ask(id)).await;
        assert_eq!((reply.status, &reply.text), (404, &absent.text), "{id}");
    }
}

#[actix_web::test]
async fn a_list_is_read_page_by_page_and_names_its_end() {
    let world = World::new();
    let mut ids: Vec<SessionId> = vec![world.session];
    ids.extend((0..4).map(|_| world.add_session(world.tenant, false)));
    ids.reverse();
    let mut seen: Vec<SessionId> = Vec::new();
    let mut path = "/v1/sessions?limit=2".to_owned();
    loop {
        let body = world.ask(Method::GET, &path, None).await.json();
        for row in body["data"].as_array().unwrap() {
            seen.push(row["id"].as_str().unwrap().parse().unwrap());
        }
        assert_eq!(body["has_more"], !body["next_cursor"].is_null());
        let Some(next) = body["next_cursor"].as_str() else { break };
        assert_eq!(cursor::id(next), seen.last().map(|id| id.uuid()));
        path = format!("/v1/sessions?limit=2&cursor={next}");
    }
    assert_eq!(seen, ids);
}

#[actix_web::test]
async fn a_message_s_record_has_every_field_of_the_contract() {
    let world = World::new();
    let mut body = hello();
    body["client_ref"] = json!("order-7");
    body["send_at"] = json!("2026-11-20T10:00:00+01:00");
    let reply = world.ask(Method::POST, &world.messages_path(), Some(body)).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let record = reply.json();
    let id = record["id"].as_str().unwrap();
    assert!(id.starts_with("msg_") && record["wa_id"].as_str().unwrap().starts_with("3EB0"));
    let expected = json!({
        "id": id, "session": world.session, "direction": "out", "chat": "+15551230001", "to": "+15551230001",
        "from": null, "type": "text", "text": {"body": "hello"}, "status": "queued", "reason": null,
        "wa_id": record["wa_id"], "client_ref": "order-7", "category": "service", "delivery": "at_least_once",
        "reply_to": null, "send_at": "2026-11-20T09:00:00.000Z", "hold": null, "expires_at": record["expires_at"],
        "attempts": 0, "times": {"queued": record["times"]["queued"]},
    });
    assert_eq!(record, expected);
    assert_eq!(world.fakes.notes(), ["accept metered=true".to_owned(), format!("wake {}", world.session)]);
    let again = world.ask(Method::GET, &format!("/v1/messages/{id}"), None).await;
    assert_eq!(again.json(), expected);
}

#[actix_web::test]
async fn what_the_session_s_engine_has_said_it_cannot_send_is_refused_before_it_is_accepted() {
    let world = World::new();
    let poll = json!({"to": "+15551230001", "type": "poll", "poll": {"question": "When?", "options": ["now", "later"]}});
    let path = world.messages_path();
    assert_eq!(
        world.ask(Method::POST, &path, Some(poll.clone())).await.status,
        202,
        "it has said nothing yet"
    );
    world.fakes.inner().cannot_send = Some("poll");
    world.fakes.notes();
    let reply = world.ask(Method::POST, &path, Some(poll)).await;
    assert_eq!(reply.problem(), (422, "unsupported".into(), "".into()));
    assert!(reply.text.contains("sends no poll"), "{}", reply.text);
    assert_eq!(world.ask(Method::POST, &path, Some(hello())).await.status, 202);
}
