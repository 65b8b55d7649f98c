//! Every error is a problem document, whoever made it.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::config::http::HttpOptions;
use columba::domain::refusal::{Code, Refusal};
use columba::http::problem::Problem;
use columba::ports::store::StoreError;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::world::{Reply, World, hello, request};

#[actix_web::test]
async fn what_the_framework_refuses_is_a_problem_document_too() {
    let world = World::new();
    let absent = "msg_019a2b3c4d5e7f808192a3b4c5d6e7f8";
    for (method, path, status, code) in [
        (Method::GET, "/absent".to_owned(), 404, "not_found"),
        (Method::GET, "/v2/sessions".to_owned(), 404, "not_found"),
        (Method::GET, "/v1".to_owned(), 404, "not_found"),
        (Method::GET, "/v1/sessions/".to_owned(), 404, "not_found"),
        (Method::GET, "/v1/campaigns".to_owned(), 404, "not_found"),
        (Method::GET, "/v1/admin/releases".to_owned(), 404, "not_found"),
        (Method::GET, format!("/v1/messages/{absent}"), 404, "not_found"),
        (Method::GET, "/v1/messages/msg_1".to_owned(), 404, "not_found"),
        (Method::PUT, "/v1/sessions".to_owned(), 405, "method_not_allowed"),
        (Method::OPTIONS, "/v1/sessions".to_owned(), 405, "method_not_allowed"),
        (Method::POST, "/livez".to_owned(), 405, "method_not_allowed"),
        (Method::POST, "/v1/sessions".to_owned(), 415, "unsupported_media_type"),
        (Method::GET, "/v1/sessions?limit=0".to_owned(), 400, "invalid_request"),
    ] {
        let reply = world.ask(method.clone(), &path, None).await;
        let (said, word, _) = reply.problem();
        assert_eq!((said, &*word), (status, code), "{method} {path}");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[actix_web::test]
async fn a_wrong_method_hears_the_right_ones() {
    let world = World::new();
    let reply = world.ask(Method::PATCH, "/v1/sessions", None).await;
    let mut allowed: Vec<_> = reply.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "POST"]);
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_refused_before_anybody_is_asked_who_sends_it() {
    let world = World::with(&HttpOptions { body_limit: 100, ..HttpOptions::default() });
    let path = world.messages_path();
    let post = || TestRequest::post().uri(&path).insert_header(("content-type", "application/json"));
    let announced = world.send(post().set_payload("").insert_header(("content-length", "101"))).await;
    assert_eq!(announced.problem().0, 413);
    let counted = world.send(post().set_payload(vec![b' '; 101])).await;
    assert_eq!(counted.problem().0, 413);
    let fits = world.send(post().set_payload(vec![b' '; 100])).await;
    assert_eq!(fits.problem().0, 400, "blank is not JSON, and 400 comes before 401");
}

#[actix_web::test]
async fn only_json_is_read() {
    let world = World::new();
    let path = world.messages_path();
    for (content_type, status) in [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
    ] {
        let post = request(Method::POST, &path, &world.key, None);
        let post = post.insert_header(("content-type", content_type)).set_payload(hello().to_string());
        assert_eq!(world.send(post).await.status, status, "{content_type}");
    }
    let post =
        request(Method::POST, &path, &world.key, Some(hello())).insert_header(("content-encoding", "gzip"));
    assert_eq!(world.send(post).await.problem().0, 415);
}

#[actix_web::test]
async fn a_request_keeps_its_id_if_it_could_stand_in_a_log() {
    let world = World::new();
    let long = "x".repeat(65);
    for (given, kept) in [
        ("abc-DEF_1.2", true),
        (&long[..64], true),
        (&long, false),
        ("a b", false),
        ("", false),
        ("a\"b", false),
    ] {
        let get = TestRequest::get().uri("/livez").insert_header(("x-request-id", given));
        let reply = world.send(get).await;
        assert_eq!(reply.header("x-request-id") == given, kept, "{given}");
        assert!(kept || reply.header("x-request-id").starts_with("req_"), "{given}");
    }
}

#[actix_web::test]
async fn a_panic_is_answered_under_the_request_s_id_and_the_server_goes_on() {
    let world = World::new();
    world.fakes.inner().panic_next = true;
    let path = "/v1/messages/msg_019a2b3c4d5e7f808192a3b4c5d6e7f8";
    let get = request(Method::GET, path, &world.key, None).insert_header(("x-request-id", "mine"));
    let reply = world.send(get).await;
    assert_eq!(reply.problem(), (503, "unavailable".into(), String::new()));
    assert_eq!((reply.header("x-request-id"), reply.header("cache-control")), ("mine", "no-store"));
    assert_eq!(world.ask(Method::GET, path, None).await.status, 404);
}

#[actix_web::test]
async fn a_store_that_is_away_is_503_and_its_complaint_stays_inside() {
    let world = World::new();
    world.fakes.inner().store_error = Some(StoreError::Unavailable("disk /var/secret is full".into()));
    let reply = world.ask(Method::GET, "/v1/messages/msg_019a2b3c4d5e7f808192a3b4c5d6e7f8", None).await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.header("retry-after"), "1");
    assert!(!reply.text.contains("secret"));
}

fn refusal_of(code: Code) -> Refusal {
    let wait = Duration::from_millis(1_500);
    match code {
        Code::InvalidRequest => Refusal::malformed("no", vec![]),
        Code::Unauthorized => Refusal::unauthorized("no"),
        Code::Forbidden => Refusal::forbidden("no"),
        Code::StepUpRequired => Refusal::step_up_required(),
        Code::LookRequired => Refusal::look_required(),
        Code::TenantSuspended => Refusal::tenant_suspended(),
        Code::NotFound => Refusal::not_found(),
        Code::MethodNotAllowed => Refusal::method_not_allowed(),
        Code::IdempotencyInFlight => Refusal::idempotency_in_flight(),
        Code::IdempotencyMismatch => Refusal::idempotency_mismatch(),
        Code::SessionNotReady => Refusal::session_not_ready(),
        Code::NotPairing => Refusal::not_pairing("no"),
        Code::Conflict => Refusal::conflict("no"),
        Code::PayloadTooLarge => Refusal::payload_too_large(1),
        Code::UnsupportedMediaType => Refusal::unsupported_media_type(),
        Code::Suppressed => Refusal { code, status: 422, ..Refusal::unsupported("no") },
        Code::Unsupported => Refusal::unsupported("no"),
        Code::QuotaExceeded => Refusal::quota_exceeded(1, wait),
        Code::QueueFull => Refusal::queue_full(1, wait),
        Code::RateLimited => Refusal::rate_limited("no", wait),
        Code::Unavailable => Refusal::unavailable("no"),
    }
}

#[actix_web::test]
async fn every_code_has_its_status_and_says_when_to_come_back() {
    let table = [
        ("invalid_request", 400, None),
        ("unauthorized", 401, None),
        ("forbidden", 403, None),
        ("step_up_required", 403, None),
        ("look_required", 403, None),
        ("tenant_suspended", 403, None),
        ("not_found", 404, None),
        ("method_not_allowed", 405, None),
        ("idempotency_in_flight", 409, Some("1")),
        ("idempotency_mismatch", 422, None),
        ("session_not_ready", 409, None),
        ("not_pairing", 409, None),
        ("conflict", 409, None),
        ("payload_too_large", 413, None),
        ("unsupported_media_type", 415, None),
        ("suppressed", 422, None),
        ("unsupported", 422, None),
        ("quota_exceeded", 402, Some("2")),
        ("queue_full", 429, Some("2")),
        ("rate_limited", 429, Some("2")),
        ("unavailable", 503, Some("1")),
    ];
    assert_eq!(table.len(), Code::iter().count());
    for (code, (word, status, retry_after)) in Code::iter().zip(table) {
        let response = Problem::from(refusal_of(code)).respond(Some("req_1"));
        let headers = response.headers().clone();
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!(word), &json!(status)));
        assert_eq!(body["type"], format!("/docs/errors#{word}"));
        let said = headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!((said, body["retryable"] == true), (retry_after, retry_after.is_some()), "{word}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401, "{word}");
    }
}

async fn accept_says(world: &World, path: &str, body: Value) -> (u16, String, String) {
    let reply: Reply = world.ask(Method::POST, path, Some(body)).await;
    reply.problem()
}

/// One request that deserves every refusal hears the first in the order of API.md; then one cause after another goes.
#[actix_web::test]
async fn refusals_come_in_the_order_of_the_contract() {
    let world = World::new();
    let (absent, unpaired) = ("ses_019a2b3c4d5e7f808192a3b4c5d6e7f8", world.add_session(world.tenant, false));
    let to = |session: &str| format!("/v1/sessions/{session}/messages");
    world.fakes.inner().accept_refusal = Some(Refusal::quota_exceeded(1, Duration::from_secs(60)));
    let bad = json!({"to": "nobody", "type": "text", "text": {"body": ""}});
    let reader = world.add_key(world.tenant, |key| key.scopes.clear());

    let post = |token: &str, session: &str, body: &Value| {
        request(Method::POST, &to(session), token, Some(body.clone()))
    };
    let unreadable = json!({"to": 1});
    assert_eq!(world.send(post("nobody", absent, &unreadable)).await.problem().0, 400);
    assert_eq!(world.send(post("nobody", absent, &bad)).await.problem().0, 401);
    assert_eq!(world.send(post(&reader, absent, &bad)).await.problem().0, 403);
    assert_eq!(accept_says(&world, &to(absent), bad.clone()).await.1, "not_found");
    assert_eq!(accept_says(&world, &to("ses_1"), bad.clone()).await.1, "not_found");
    assert_eq!(accept_says(&world, &to(&unpaired.to_string()), bad.clone()).await.1, "session_not_ready");
    let paired = world.session.to_string();
    let (status, code, pointer) = accept_says(&world, &to(&paired), bad).await;
    assert_eq!((status, &*code, &*pointer), (422, "invalid_request", "/to"));
    assert_eq!(accept_says(&world, &to(&paired), hello()).await.1, "quota_exceeded");
}
