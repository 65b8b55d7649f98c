//! The players' routes.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::fakes::frame;
use super::world::World;

#[actix_web::test]
async fn a_scan_plays_the_phone_once() {
    let world = World::new();
    world.fakes.inner().codes.insert("c1".into(), world.session);
    let scan = || world.ask(Method::POST, "/v1/sandbox/scan", Some(json!({"code": "c1"})));
    let reply = scan().await;
    assert_eq!((reply.status, reply.json()), (202, json!({"session": world.session})));
    assert_eq!(scan().await.problem().1, "not_found");
}

#[actix_web::test]
async fn a_correspondent_writes_to_a_paired_session() {
    let world = World::new();
    let unpaired = world.add_session(world.tenant, false);
    let long = "x".repeat(4_097);
    for (session, from, text, status, pointer) in [
        (world.session, "+15551230001", "hi", 202, ""),
        (world.session, "15551230001", "hi", 422, "/from"),
        (world.session, "+15551230001", "", 422, "/text"),
        (world.session, "+15551230001", &*long, 422, "/text"),
        (unpaired, "+15551230001", "hi", 409, ""),
    ] {
        let body = json!({"session": session, "from": from, "text": text});
        let reply = world.ask(Method::POST, "/v1/sandbox/messages", Some(body)).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        match status {
            202 => assert!(reply.json()["wa_id"].as_str().unwrap().starts_with("3EB0")),
            _ => assert_eq!(reply.problem().2, pointer),
        }
    }
}

#[actix_web::test]
async fn trouble_goes_to_the_network_or_to_the_session_s_actor() {
    let world = World::new();
    for (fault, note) in [("half_open", "fault half_open"), ("hang", "play Hang"), ("panic", "play Panic")] {
        let body = json!({"session": world.session, "fault": fault});
        let reply = world.ask(Method::POST, "/v1/sandbox/faults", Some(body)).await;
        assert_eq!((reply.status, world.fakes.notes()), (202, vec![note.to_owned()]));
    }
    let body = json!({"session": world.session, "fault": "earthquake"});
    assert_eq!(world.ask(Method::POST, "/v1/sandbox/faults", Some(body)).await.problem().2, "/fault");
}

#[actix_web::test]
async fn frames_are_read_on_from_a_seq_or_a_cursor() {
    let world = World::new();
    world.fakes.inner().frames = (1..=5).map(|seq| frame(seq * 10, world.session)).collect();
    for (query, seqs, next) in [
        ("", vec![10, 20, 30, 40, 50], Value::Null),
        ("&limit=2", vec![10, 20], json!("20")),
        ("&limit=2&after=20", vec![30, 40], json!("40")),
        ("&limit=2&cursor=40", vec![50], Value::Null),
        ("&after=50", vec![], Value::Null),
    ] {
        let path = format!("/v1/sandbox/frames?session={}{query}", world.session);
        let body = world.ask(Method::GET, &path, None).await.json();
        let read: Vec<_> =
            body["data"].as_array().unwrap().iter().map(|frame| frame["seq"].clone()).collect();
        assert_eq!((json!(read), &body["next_cursor"]), (json!(seqs), &next), "{query}");
        assert_eq!(body["has_more"], !next.is_null(), "{query}");
    }
    for query in ["&after=x", "&after=-1", "&after=1&cursor=1"] {
        let path = format!("/v1/sandbox/frames?session={}{query}", world.session);
        assert_eq!(world.ask(Method::GET, &path, None).await.problem().0, 400, "{query}");
    }
}
