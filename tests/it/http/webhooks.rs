//! Webhooks at the edge: what may be asked for, and what is shown.

use actix_web::http::Method;
use columba::domain::tenant::KeyScope;
use serde_json::{Value, json};

use super::world::{World, request};

const HOOKS: &str = "/v1/webhooks";

fn good() -> Value {
    json!({"url": "https://example.com/hook"})
}

#[actix_web::test]
async fn a_webhooks_record_has_every_field_and_its_secret_once() {
    let world = World::new();
    world.in_store().await;
    let body = json!({
        "url": "https://example.com/hook", "description": "crm", "events": ["message.*"],
        "sessions": [world.session], "headers": {"X-Env": "prod", "authorization": "Bearer mine"},
    });
    let made = world.ask(Method::POST, HOOKS, Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut record = made.json();
    let secret = record["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() > 40);
    record.as_object_mut().unwrap().remove("secret");
    assert_eq!(
        record,
        json!({
            "id": record["id"], "url": "https://example.com/hook", "description": "crm", "events": ["message.*"],
            "sessions": [world.session], "headers": ["authorization", "x-env"], "status": "active",
            "reason": null, "since": record["since"],
            "health": {"failures": 0, "failing_since": null, "rests_until": null},
            "overlap_until": null, "created_at": record["created_at"],
        })
    );
    let path = format!("{HOOKS}/{}", record["id"].as_str().unwrap());
    assert_eq!(world.ask(Method::GET, &path, None).await.json(), record);
    let list = world.ask(Method::GET, HOOKS, None).await;
    assert_eq!(list.json(), json!({"data": [record], "next_cursor": null, "has_more": false}));
    assert!(!list.text.contains("whsec_") && !list.text.contains("mine"));
}

#[actix_web::test]
async fn each_field_has_bounds_and_all_that_is_wrong_is_said_at_once() {
    let world = World::new();
    world.in_store().await;
    let stranger = world.add_session(world.add_tenant("Other"), true);
    let many = |n: usize| (0..n).map(|at| (format!("x-{at}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    for (field, value, status, pointer) in [
        ("url", json!(5), 400, "/url"),
        ("url", json!("http://example.com/"), 422, "/url"),
        ("description", json!("ä".repeat(257)), 422, "/description"),
        ("events", json!("*"), 400, "/events"),
        ("events", json!([]), 422, "/events"),
        ("events", json!(["message.sent", "message.snet"]), 422, "/events/1"),
        ("events", json!(vec!["*"; 51]), 422, "/events"),
        ("sessions", json!(["ses_1"]), 400, "/sessions/0"),
        ("sessions", json!([world.session, stranger]), 422, "/sessions/1"),
        ("headers", json!({"host": "inside"}), 422, "/headers/host"),
        ("headers", json!({"Webhook-Id": "mine"}), 422, "/headers/Webhook-Id"),
        ("headers", json!({"transfer-encoding": "chunked"}), 422, "/headers/transfer-encoding"),
        ("headers", json!({"a b": "x"}), 422, "/headers/a b"),
        ("headers", json!({"x": "a\r\nhost: b"}), 422, "/headers/x"),
        ("headers", json!({"x": "v".repeat(1_025)}), 422, "/headers/x"),
        ("headers", json!({"x-a": "1", "X-A": "2"}), 422, "/headers/x-a"),
        ("headers", Value::Object(many(21)), 422, "/headers"),
        ("secret", json!("mine"), 400, "/secret"),
        ("status", json!("disabled"), 400, "/status"),
    ] {
        let mut body = good();
        body[field] = value.clone();
        let reply = world.ask(Method::POST, HOOKS, Some(body)).await;
        assert_eq!(reply.status, status, "{field} {value}: {}", reply.text);
        assert_eq!(reply.problem().2, pointer, "{field} {value}");
    }
    let body = json!({"url": "http://x/", "events": ["x", "y"], "headers": {"host": "h"}});
    let reply = world.ask(Method::POST, HOOKS, Some(body)).await;
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 4, "{}", reply.text);
    assert_eq!(world.ask(Method::GET, HOOKS, None).await.json()["data"], json!([]));
}

#[actix_web::test]
async fn the_same_request_twice_is_one_webhook_and_a_ninth_is_refused() {
    let world = World::new();
    world.in_store().await;
    let ask = async |key: &str| {
        let request = request(Method::POST, HOOKS, &world.key, Some(good()));
        world.send(request.insert_header(("idempotency-key", key))).await
    };
    let first = ask("k").await;
    let again = ask("k").await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, "true"));
    assert_eq!((&again.json()["id"], &again.json()["secret"]), (&first.json()["id"], &Value::Null));
    for key in 1..8 {
        assert_eq!(ask(&key.to_string()).await.status, 201);
    }
    assert_eq!(ask("ninth").await.problem().1, "conflict");
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_disabling_is_one() {
    let world = World::new();
    world.in_store().await;
    let made = world.ask(Method::POST, HOOKS, Some(good())).await.json();
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let change = json!({"events": ["session.*"], "status": "disabled", "headers": {"x-a": "1"}});
    let changed = world.ask(Method::PATCH, &path, Some(change)).await.json();
    assert_eq!(changed["events"], json!(["session.*"]));
    assert_eq!((&changed["status"], &changed["reason"]), (&json!("disabled"), &json!("requested")));
    assert_eq!((&changed["headers"], &changed["url"]), (&json!(["x-a"]), &made["url"]));
    assert_eq!(world.ask(Method::POST, &format!("{path}/test"), None).await.problem().1, "conflict");
    let enabled = world.ask(Method::POST, &format!("{path}/enable"), None).await.json();
    assert_eq!((&enabled["status"], &enabled["reason"]), (&json!("active"), &Value::Null));
    let wrong = world.ask(Method::PATCH, &path, Some(json!({"url": "ftp://x"}))).await;
    assert_eq!(wrong.problem().2, "/url");
    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(world.ask(Method::DELETE, &path, None).await.problem().0, 404);
}

#[actix_web::test]
async fn a_rotation_may_be_without_a_body_and_has_bounds() {
    let world = World::new();
    world.in_store().await;
    let made = world.ask(Method::POST, HOOKS, Some(good())).await.json();
    let path = format!("{HOOKS}/{}/rotate", made["id"].as_str().unwrap());
    for (body, status) in [
        (None, 200),
        (Some(json!({})), 200),
        (Some(json!({"overlap_s": 604_801})), 422),
        (Some(json!({"overlap": 1})), 400),
        (Some(json!({"overlap_s": 604_800})), 200),
        // Four are valid by now.
        (None, 409),
        (Some(json!({"overlap_s": 0})), 200),
    ] {
        let reply = world.ask(Method::POST, &path, body.clone()).await;
        assert_eq!(reply.status, status, "{body:?}: {}", reply.text);
    }
}

#[actix_web::test]
async fn deliveries_are_listed_by_status_and_a_range_has_bounds() {
    let world = World::new();
    world.in_store().await;
    let made = world.ask(Method::POST, HOOKS, Some(good())).await.json();
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let test = world.ask(Method::POST, &format!("{path}/test"), None).await;
    assert_eq!(test.status, 202, "{}", test.text);
    let test = test.json();
    assert_eq!((&test["type"], &test["status"]), (&json!("webhook.test"), &json!("pending")));
    let list = async |query: &str| world.ask(Method::GET, &format!("{path}/deliveries{query}"), None).await;
    assert_eq!(list("").await.json()["data"], json!([test]));
    assert_eq!(list("?status=dead").await.json()["data"], json!([]));
    assert_eq!(list("?status=lost").await.problem().2, "?status");
    assert_eq!(list("?limit=201").await.problem().2, "?limit");
    let one = world.ask(Method::GET, &format!("/v1/deliveries/{}", test["id"].as_str().unwrap()), None).await;
    let one = one.json();
    assert_eq!(one["request"]["body"]["data"], json!({"test": true}));
    assert_eq!((&one["log"], &one["request"]["headers"]["webhook-id"]), (&json!([]), &test["event"]));
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    for (body, status, pointer) in [
        (json!({"from": late, "to": early}), 422, "/to"),
        (json!({"from": early}), 400, "/to"),
        (json!({"from": early, "to": late, "statuses": []}), 422, "/statuses"),
        (json!({"from": early, "to": late, "statuses": ["pending"]}), 422, "/statuses/0"),
    ] {
        let reply = world.ask(Method::POST, &format!("{path}/redeliver"), Some(body.clone())).await;
        assert_eq!((reply.status, reply.problem().2.as_str()), (status, pointer), "{body}");
    }
    let span = json!({"from": early, "to": late});
    let reply = world.ask(Method::POST, &format!("{path}/redeliver"), Some(span)).await;
    assert_eq!((reply.status, reply.json()), (202, json!({"redelivered": 0, "next_from": null})));
}

#[actix_web::test]
async fn reading_needs_read_and_changing_needs_session_and_a_live_key() {
    let world = World::new();
    world.in_store().await;
    let made = world.ask(Method::POST, HOOKS, Some(good())).await.json();
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let reader = world.add_key(world.tenant, |key| key.scopes = vec![KeyScope::Read]);
    let tester = world.add_key(world.tenant, |key| key.test = true);
    let say = async |key: &str, method: Method, path: &str, body| {
        world.send(request(method, path, key, body)).await
    };
    assert_eq!(say(&reader, Method::GET, &path, None).await.status, 200);
    assert_eq!(say(&tester, Method::GET, &path, None).await.status, 200);
    for key in [&reader, &tester] {
        assert_eq!(say(key, Method::POST, HOOKS, Some(good())).await.problem().1, "forbidden");
        assert_eq!(say(key, Method::PATCH, &path, Some(json!({}))).await.problem().1, "forbidden");
        assert_eq!(say(key, Method::DELETE, &path, None).await.problem().1, "forbidden");
        for verb in ["test", "rotate", "enable"] {
            let reply = say(key, Method::POST, &format!("{path}/{verb}"), None).await;
            assert_eq!(reply.problem().1, "forbidden", "{verb}");
        }
    }
}
