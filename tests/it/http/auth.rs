//! Who gets in, and how far.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::tenant::{KeyScope, TenantStatus};
use columba::domain::time::WallTime;
use columba::tenancy::keys::KeyText;
use serde_json::json;

use super::fakes::NOW;
use super::world::{World, hello, request};

#[actix_web::test]
async fn only_a_good_key_in_the_header_gets_in() {
    let world = World::new();
    let unknown = KeyText::mint(false, &mut rand::rng());
    let expired = world.add_key(world.tenant, |key| key.expires_at = Some(NOW));
    let revoked = world.add_key(world.tenant, |key| key.revoked_at = Some(NOW));
    let later = world.add_key(world.tenant, |key| key.expires_at = Some(WallTime(NOW.0 + 1)));
    let operator = world.state.operator.expose().to_owned();
    let key = world.key.clone();
    for (authorization, status) in [
        (format!("Bearer {key}"), 200),
        (format!("bearer {key}"), 200),
        (format!("Bearer {later}"), 200),
        (format!("Basic {key}"), 401),
        (key.clone(), 401),
        ("Bearer".to_owned(), 401),
        ("Bearer ".to_owned(), 401),
        (format!("Bearer {}", &key[..46]), 401),
        (format!("Bearer {}", unknown.expose()), 401),
        (format!("Bearer {expired}"), 401),
        (format!("Bearer {revoked}"), 401),
        (format!("Bearer {operator}"), 401),
    ] {
        let get =
            TestRequest::get().uri("/v1/sessions").insert_header(("authorization", authorization.clone()));
        let reply = world.send(get).await;
        assert_eq!(reply.status, status, "{authorization}");
        if status == 401 {
            assert_eq!(reply.problem().1, "unauthorized");
            assert!(reply.header("www-authenticate").starts_with("Bearer"));
        }
    }
    let none = world.send(TestRequest::get().uri("/v1/sessions")).await;
    assert_eq!(none.problem().0, 401);
    let two = request(Method::GET, "/v1/sessions", &key, None).append_header(("authorization", "Bearer x"));
    assert_eq!(world.send(two).await.problem().0, 401);
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_say() {
    let world = World::new();
    let (session, absent) = (world.session, "019a2b3c4d5e7f808192a3b4c5d6e7f8");
    let routes = [
        (KeyScope::Read, Method::GET, "/v1/sessions".to_owned(), None),
        (KeyScope::Read, Method::GET, format!("/v1/sessions/{session}"), None),
        (KeyScope::Read, Method::GET, format!("/v1/sessions/{session}/qr"), None),
        (KeyScope::Read, Method::GET, "/v1/messages".to_owned(), None),
        (KeyScope::Read, Method::GET, format!("/v1/messages/msg_{absent}"), None),
        (KeyScope::Read, Method::GET, "/v1/usage".to_owned(), None),
        (KeyScope::Read, Method::GET, "/v1/limits".to_owned(), None),
        (KeyScope::Read, Method::GET, format!("/v1/sandbox/frames?session={session}"), None),
        (KeyScope::Send, Method::POST, world.messages_path(), Some(hello())),
        (KeyScope::Send, Method::DELETE, format!("/v1/messages/msg_{absent}"), None),
        (KeyScope::Send, Method::DELETE, format!("/v1/sessions/{session}/queue"), None),
        (KeyScope::Session, Method::POST, "/v1/sessions".to_owned(), Some(json!({"label": "x"}))),
        (KeyScope::Session, Method::POST, format!("/v1/sessions/{session}/start"), None),
        (KeyScope::Session, Method::POST, format!("/v1/sessions/{session}/stop"), None),
        (KeyScope::Session, Method::POST, format!("/v1/sessions/{session}/restart"), None),
        (KeyScope::Session, Method::POST, format!("/v1/sessions/{session}/logout"), None),
        (
            KeyScope::Session,
            Method::POST,
            format!("/v1/sessions/{session}/pairing-code"),
            Some(json!({"phone": "+15551230001"})),
        ),
        (KeyScope::Session, Method::POST, "/v1/sandbox/scan".to_owned(), Some(json!({"code": "x"}))),
        (
            KeyScope::Session,
            Method::POST,
            "/v1/sandbox/messages".to_owned(),
            Some(json!({"session": session, "from": "+15551230001", "text": "hi"})),
        ),
        (
            KeyScope::Session,
            Method::POST,
            "/v1/sandbox/faults".to_owned(),
            Some(json!({"session": session, "fault": "panic"})),
        ),
        (KeyScope::Session, Method::DELETE, format!("/v1/sessions/ses_{absent}"), None),
    ];
    for held in [KeyScope::Read, KeyScope::Send, KeyScope::Session] {
        let key = world.add_key(world.tenant, |key| key.scopes = vec![held]);
        for (needed, method, path, body) in &routes {
            let reply = world.send(request(method.clone(), path, &key, body.clone())).await;
            let forbidden = reply.status == 403 && reply.problem().1 == "forbidden";
            assert_eq!(forbidden, held != *needed, "{held} at {method} {path}: {reply:?}");
        }
    }
}

#[actix_web::test]
async fn a_suspended_tenant_hears_so_whatever_it_asks() {
    let world = World::new();
    world.fakes.inner().snapshot.tenants.get_mut(&world.tenant).unwrap().status = TenantStatus::Suspended;
    for (method, path, body) in
        [(Method::GET, "/v1/sessions".to_owned(), None), (Method::POST, world.messages_path(), Some(hello()))]
    {
        let reply = world.ask(method, &path, body).await;
        assert_eq!(reply.problem(), (403, "tenant_suspended".into(), String::new()));
    }
}

#[actix_web::test]
async fn only_the_operator_s_token_opens_the_admin_routes() {
    let world = World::new();
    let token = world.state.operator.expose().to_owned();
    for (presented, status) in
        [(&*token, 200), (&*world.key, 401), (&token[..20], 401), (&*format!("{token}x"), 401), ("", 401)]
    {
        let reply = world.send(request(Method::GET, "/v1/admin/tenants", presented, None)).await;
        assert_eq!(reply.status, status);
    }
}

#[actix_web::test]
async fn what_a_test_key_sends_is_not_metered() {
    let world = World::new();
    let test = world.add_key(world.tenant, |key| key.test = true);
    world.send(request(Method::POST, &world.messages_path(), &test, Some(hello()))).await;
    assert_eq!(world.fakes.notes()[0], "accept metered=false");
    world.ask(Method::POST, &world.messages_path(), Some(hello())).await;
    assert_eq!(world.fakes.notes()[0], "accept metered=true");
}

#[actix_web::test]
async fn another_tenant_s_things_look_exactly_like_absent_ones() {
    let world = World::new();
    let stranger = world.add_tenant("Other");
    let theirs = world.add_session(stranger, true);
    world.fakes.inner().codes.insert("their-code".into(), theirs);
    let absent = "ses_019a2b3c4d5e7f808192a3b4c5d6e7f8";
    let faults = |session: &str| json!({"session": session, "fault": "panic"});
    let letter = |session: &str| json!({"session": session, "from": "+15551230001", "text": "hi"});
    let theirs = theirs.to_string();
    for (method, path, body) in [
        (Method::GET, "/v1/sessions/ID", None),
        (Method::POST, "/v1/sessions/ID/start", None),
        (Method::POST, "/v1/sessions/ID/stop", None),
        (Method::POST, "/v1/sessions/ID/restart", None),
        (Method::POST, "/v1/sessions/ID/logout", None),
        (Method::DELETE, "/v1/sessions/ID", None),
        (Method::GET, "/v1/sessions/ID/qr", None),
        (Method::POST, "/v1/sessions/ID/pairing-code", Some(json!({"phone": "+15551230001"}))),
        (Method::POST, "/v1/sessions/ID/messages", Some(hello())),
        (Method::GET, "/v1/sandbox/frames?session=ID", None),
    ] {
        let mut said = Vec::new();
        for id in [&*theirs, absent] {
            let ask = request(method.clone(), &path.replace("ID", id), &world.key, body.clone());
            said.push(world.send(ask.insert_header(("x-request-id", "same"))).await);
        }
        assert_eq!((said[0].status, &said[0].text), (404, &said[1].text), "{method} {path}");
    }
    for (path, body) in [
        ("/v1/sandbox/faults", faults(&theirs)),
        ("/v1/sandbox/faults", faults(absent)),
        ("/v1/sandbox/messages", letter(&theirs)),
        ("/v1/sandbox/scan", json!({"code": "their-code"})),
        ("/v1/sandbox/scan", json!({"code": "no-code"})),
    ] {
        assert_eq!(world.ask(Method::POST, path, Some(body)).await.problem().1, "not_found", "{path}");
    }
    assert_eq!(world.fakes.notes(), Vec::<String>::new(), "nobody was told anything");
}
