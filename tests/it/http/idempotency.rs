//! The same request twice is one effect.

use actix_web::http::Method;
use columba::domain::refusal::Refusal;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::world::{Reply, World, hello, plan, request};

async fn post(world: &World, key: &str, body: Value) -> Reply {
    let post = request(Method::POST, &world.messages_path(), &world.key, Some(body));
    world.send(post.insert_header(("idempotency-key", key))).await
}

#[actix_web::test]
async fn a_key_is_1_to_255_visible_characters_given_once_wherever_something_is_made() {
    let world = World::new();
    let long = "k".repeat(256);
    let keys = format!("/v1/admin/tenants/{}/keys", world.tenant);
    let operator = world.state.operator.expose().to_owned();
    for (token, path, body) in [
        (&*world.key, world.messages_path(), hello()),
        (&*world.key, "/v1/sessions".to_owned(), json!({"label": "x"})),
        (&*operator, "/v1/admin/tenants".to_owned(), json!({"name": "x", "plan": "starter"})),
        (&*operator, "/v1/admin/plans".to_owned(), plan("other")),
        (&*operator, keys, json!({"name": "x"})),
    ] {
        for (given, fine) in [("", false), ("a b", false), ("ä", false), (&long, false), (&long[..255], true)]
        {
            let ask = request(Method::POST, &path, token, Some(body.clone()));
            let reply = world.send(ask.insert_header(("idempotency-key", given))).await;
            assert_eq!(reply.status < 300, fine, "{path} {given}: {}", reply.text);
            if !fine {
                assert_eq!(reply.problem(), (400, "invalid_request".into(), "Idempotency-Key".into()));
            }
        }
        let twice = request(Method::POST, &path, token, Some(body.clone()))
            .append_header(("idempotency-key", "a"))
            .append_header(("idempotency-key", "b"));
        assert_eq!(world.send(twice).await.problem().0, 400, "{path}");
    }
}

#[actix_web::test]
async fn a_replay_is_the_first_answer_and_says_so_even_when_the_quota_is_spent() {
    let world = World::new();
    let first = post(&world, "k1", hello()).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, ""));
    let wait = std::time::Duration::from_secs(60);
    world.fakes.inner().accept_refusal = Some(Refusal::quota_exceeded(1, wait));
    let second = post(&world, "k1", hello()).await;
    assert_eq!((second.status, second.header("idempotency-replayed")), (202, "true"));
    assert_eq!(first.json()["id"], second.json()["id"]);
    let woken = world.fakes.notes().iter().filter(|note| note.starts_with("wake")).count();
    assert_eq!(woken, 1, "a replay wakes nobody");

    let mut other = hello();
    other["text"]["body"] = json!("other");
    assert_eq!(post(&world, "k1", other).await.problem().1, "idempotency_mismatch");
    let path = format!("/v1/sessions/{}/messages", world.add_session(world.tenant, true));
    let elsewhere = request(Method::POST, &path, &world.key, Some(hello()));
    let elsewhere = world.send(elsewhere.insert_header(("idempotency-key", "k1"))).await;
    assert_eq!(elsewhere.problem().1, "idempotency_mismatch", "the path is part of the request");
}

#[actix_web::test]
async fn a_replay_is_answered_though_its_expiry_has_passed_meanwhile() {
    let world = World::new();
    let mut body = hello();
    body["expires_at"] = json!(columba::domain::time::WallTime(super::fakes::NOW.0 + 1_000));
    let first = post(&world, "k1", body.clone()).await;
    world.fakes.advance(2_000);
    assert_eq!(post(&world, "k2", body.clone()).await.problem().2, "/expires_at");
    let second = post(&world, "k1", body).await;
    assert_eq!((second.status, &second.json()["id"]), (202, &first.json()["id"]));
}

#[actix_web::test]
async fn a_second_request_hears_409_while_the_first_is_worked_on() {
    let world = World::new();
    world.fakes.turns.forget_permits(usize::MAX);
    let first = async { post(&world, "k1", hello()).await.status };
    let second = async {
        world.fakes.accepting.notified().await;
        let reply = post(&world, "k1", hello()).await;
        assert_eq!(reply.problem().1, "idempotency_in_flight");
        assert_eq!(reply.header("retry-after"), "1");
        let absent = "/v1/sessions/ses_019a2b3c4d5e7f808192a3b4c5d6e7f8/messages";
        let elsewhere = request(Method::POST, absent, &world.key, Some(hello()));
        let elsewhere = world.send(elsewhere.insert_header(("idempotency-key", "k1"))).await;
        assert_eq!(elsewhere.problem().1, "not_found", "404 comes first");
        world.fakes.turns.add_permits(1);
    };
    let (status, ()) = futures_util::join!(first, second);
    assert_eq!(status, 202);
    world.fakes.turns.add_permits(1);
    assert_eq!(post(&world, "k1", hello()).await.header("idempotency-replayed"), "true");
}

#[actix_web::test]
async fn a_caller_who_hangs_up_leaves_the_key_free() {
    let world = World::new();
    world.fakes.turns.forget_permits(usize::MAX);
    {
        let mut first = Box::pin(post(&world, "k1", hello()));
        let begun = world.fakes.accepting.notified();
        futures_util::select! {
            _ = (&mut first).fuse() => unreachable!("it has no turn"),
            () = begun.fuse() => (),
        }
    }
    world.fakes.turns.add_permits(1);
    assert_eq!(post(&world, "k1", hello()).await.status, 202);
}

#[actix_web::test]
async fn a_key_of_the_same_name_made_twice_shows_its_text_once() {
    let world = World::new();
    let path = format!("/v1/admin/tenants/{}/keys", world.tenant);
    let make = || {
        let post = request(Method::POST, &path, world.state.operator.expose(), Some(json!({"name": "bot"})));
        world.send(post.insert_header(("idempotency-key", "k1")))
    };
    let (first, second) = (make().await, make().await);
    assert_eq!((first.status, second.status, second.header("idempotency-replayed")), (201, 201, "true"));
    let (first, second) = (first.json(), second.json());
    assert_eq!(first["id"], second["id"]);
    assert!(first["key"].as_str().unwrap().starts_with("col_live_"));
    assert!(second.as_object().unwrap().contains_key("key") && second["key"].is_null());
}
