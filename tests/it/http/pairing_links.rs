//! Links with which somebody else links a number.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::id::SessionId;
use columba::domain::page::Order;
use columba::domain::scope::SystemScope;
use columba::domain::session::{Engine, SessionStatus};
use columba::domain::tenant::TenantStatus;
use columba::domain::time::WallTime;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::supervisor::PairingView;
use serde_json::{Value, json};

use super::fakes::NOW;
use super::world::{Reply, World};

const MINUTE: u64 = 60_000;

/// A world with a session that nobody has linked yet, and a link to do it.
async fn world() -> (World, SessionId, String) {
    let world = World::new();
    let session = world.add_session(world.tenant, false);
    let token = link(&world, session).await;
    (world, session, token)
}

async fn link(world: &World, session: SessionId) -> String {
    let made = world.ask(Method::POST, &format!("/v1/sessions/{session}/pairing-links"), None).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let (page, token) = url.split_once('#').unwrap();
    assert!(page.ends_with("/pair") && page.starts_with("http://"), "{url}");
    assert!(made.json()["id"].as_str().unwrap().starts_with("plk_"));
    token.to_owned()
}

/// Asks as anybody would, from one address.
async fn ask(world: &World, path: &str, body: Value) -> Reply {
    let request = TestRequest::post().uri(&format!("/v1/pair/{path}"));
    world.send(request.peer_addr("192.0.2.9:1000".parse().unwrap()).set_json(body)).await
}

async fn state(world: &World, token: &str) -> String {
    let seen = ask(world, "peek", json!({"token": token})).await;
    assert_eq!(seen.header("cache-control"), "no-store");
    seen.json()["state"].as_str().unwrap_or("absent").to_owned()
}

async fn audit(world: &World) -> Vec<(String, String)> {
    let page = AuditPage { limit: 50, order: Order::Ascending, beyond: None };
    let entries = world.state.audit.entries(SystemScope, AuditFilter::default(), page).await.unwrap();
    entries.rows.into_iter().map(|entry| (entry.action.clone(), format!("{entry:?}"))).collect()
}

#[actix_web::test]
async fn a_link_says_for_whom_it_is_is_used_once_and_starts_the_session() {
    let (world, session, token) = world().await;
    world.fakes.inner().sessions.get_mut(&session).unwrap().engine = Engine::Native;
    let seen = ask(&world, "peek", json!({"token": token})).await.json();
    assert_eq!(
        (&seen["tenant"], &seen["session"], &seen["state"]),
        (&json!("Acme"), &json!("shop"), &json!("open"))
    );
    assert!(seen["warning"].as_str().unwrap().contains("banned at any time"));
    assert_eq!(state(&world, &token).await, "open", "looking uses nothing up");
    assert_eq!(world.fakes.notes(), Vec::<String>::new());

    let confirmed = ask(&world, "confirm", json!({"token": token})).await;
    let pass = confirmed.json()["pass"].as_str().unwrap().to_owned();
    assert_eq!(world.fakes.notes(), ["want running", "heed running"]);
    assert_eq!(state(&world, &token).await, "used");
    assert_eq!(ask(&world, "confirm", json!({"token": token})).await.problem().1, "conflict");
    assert_eq!(world.fakes.notes(), Vec::<String>::new(), "a second use does nothing");

    let stands = ask(&world, "state", json!({"pass": pass})).await.json();
    assert_eq!((&stands["step"], &stands["qr"]), (&json!("waiting"), &Value::Null));
    world.fakes.inner().sessions.get_mut(&session).unwrap().status = SessionStatus::Pairing;
    let in_a_minute = WallTime(NOW.0 + 60_000);
    world.fakes.inner().pairing =
        Some(PairingView { code: "2@abc,def".into(), expires_at: in_a_minute, attempt: 2, passkey: None });
    let qr = ask(&world, "state", json!({"pass": pass})).await.json()["qr"].clone();
    assert_eq!((&qr["code"], &qr["attempt"], &qr["of"]), (&json!("2@abc,def"), &json!(2), &json!(6)));
    assert!(qr["svg"].as_str().unwrap().starts_with("<?xml") || qr["svg"].as_str().unwrap().contains("<svg"));
    let code = ask(&world, "code", json!({"pass": pass, "phone": "+15551230001"})).await;
    assert_eq!(code.json()["code"], "ABCD-EFGH");
    world.fakes.inner().sessions.get_mut(&session).unwrap().status = SessionStatus::Connected;
    assert_eq!(ask(&world, "state", json!({"pass": pass})).await.json()["step"], "connected");

    let told = audit(&world).await;
    let actions: Vec<_> = told.iter().map(|(action, _)| &**action).collect();
    assert_eq!(actions, ["session.pairing_link", "session.pairing_link_used", "session.pairing_code"]);
    for (_, text) in told {
        assert!(!text.contains(&token) && !text.contains(&pass) && !text.contains("15551230001"), "{text}");
    }
}

#[actix_web::test]
async fn a_link_is_good_for_ten_minutes_and_what_it_opened_for_fifteen() {
    let (world, session, token) = world().await;
    world.fakes.advance(10 * MINUTE - 1);
    let used = link(&world, session).await;
    let pass =
        ask(&world, "confirm", json!({"token": used})).await.json()["pass"].as_str().unwrap().to_owned();
    world.fakes.advance(15 * MINUTE - 1);
    assert_eq!(ask(&world, "state", json!({"pass": pass})).await.status, 200);
    world.fakes.advance(1);
    assert_eq!(ask(&world, "state", json!({"pass": pass})).await.problem().0, 404);

    let late = link(&world, session).await;
    world.fakes.advance(10 * MINUTE - 1);
    assert_eq!(state(&world, &late).await, "open");
    world.fakes.advance(1);
    assert_eq!(state(&world, &late).await, "expired");
    assert_eq!(ask(&world, "confirm", json!({"token": late})).await.problem().1, "conflict");
    assert_eq!(state(&world, &token).await, "expired", "a newer one took its place");
}

#[actix_web::test]
async fn a_link_that_is_replaced_taken_back_or_reported_opens_nothing() {
    let (world, session, first) = world().await;
    let second = link(&world, session).await;
    assert_eq!(
        (state(&world, &first).await, state(&world, &second).await),
        ("expired".into(), "open".into())
    );
    let path = format!("/v1/sessions/{session}/pairing-links");
    for _ in 0..2 {
        assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    }
    assert_eq!(state(&world, &second).await, "expired");

    let third = link(&world, session).await;
    let pass =
        ask(&world, "confirm", json!({"token": third})).await.json()["pass"].as_str().unwrap().to_owned();
    let reported = ask(&world, "report", json!({"token": third, "text": "<b>who?</b>"})).await;
    assert_eq!(reported.status, 204);
    assert_eq!(
        ask(&world, "state", json!({"pass": pass})).await.problem().0,
        404,
        "also for whoever used it"
    );
    assert_eq!(state(&world, &third).await, "expired");
    assert_eq!(ask(&world, "report", json!({"token": third})).await.problem().0, 404, "once");
    let told = audit(&world).await;
    assert!(
        told.iter().any(|(action, text)| action == "session.pairing_link_reported" && text.contains("who?"))
    );
    let overview = world.rule(Method::GET, "/v1/admin/overview", None).await.json();
    let incident = &overview["incidents"][0];
    assert_eq!((&incident["kind"], &incident["session"]), (&json!("pairing_reported"), &json!(session)));
    let long = json!({"token": third, "text": "x".repeat(501)});
    assert_eq!(ask(&world, "report", long).await.problem().2, "/text");
}

#[actix_web::test]
async fn what_is_not_known_is_absent_in_the_same_words_and_nobody_gets_to_try_many() {
    let (world, ..) = world().await;
    let mut said = std::collections::BTreeSet::new();
    for body in [json!({"token": "a".repeat(64)}), json!({"token": ""}), json!({"token": "§".repeat(10_000)})]
    {
        for path in ["peek", "confirm", "report"] {
            let reply = ask(&world, path, body.clone()).await;
            assert_eq!(reply.problem().0, 404, "{path}");
            said.insert(reply.json()["detail"].as_str().unwrap().to_owned());
        }
    }
    for path in ["state", "code"] {
        let reply = ask(&world, path, json!({"pass": "x", "phone": "+15551230001"})).await;
        if path == "code" {
            assert_eq!(reply.problem().0, 404);
            said.insert(reply.json()["detail"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(reply.problem().2, "/phone", "unknown fields are named as everywhere");
        }
    }
    assert_eq!(said.len(), 1, "{said:?}");
    let mut last = 404;
    for _ in 0..30 {
        last = ask(&world, "peek", json!({"token": "b"})).await.status;
    }
    assert_eq!(last, 429);
}

#[actix_web::test]
async fn no_link_is_made_for_what_is_linked_and_none_works_for_a_suspended_tenant() {
    let (world, session, token) = world().await;
    let path = |session: SessionId| format!("/v1/sessions/{session}/pairing-links");
    assert_eq!(world.ask(Method::POST, &path(world.session), None).await.problem().1, "conflict");
    let other = world.add_tenant("Other");
    let theirs = world.add_session(other, false);
    assert_eq!(world.ask(Method::POST, &path(theirs), None).await.problem().0, 404);

    world.fakes.inner().sessions.get_mut(&session).unwrap().paired = true;
    assert_eq!(ask(&world, "confirm", json!({"token": token})).await.problem().1, "conflict");
    world.fakes.inner().sessions.get_mut(&session).unwrap().paired = false;
    world.fakes.inner().snapshot.tenants.get_mut(&world.tenant).unwrap().status = TenantStatus::Suspended;
    assert_eq!(state(&world, &token).await, "expired");
    assert_eq!(ask(&world, "confirm", json!({"token": token})).await.problem().1, "conflict");
    assert_eq!(world.fakes.notes(), Vec::<String>::new());
}

#[actix_web::test]
async fn a_link_begins_with_the_address_that_people_know() {
    let mut world = World::new();
    let session = world.add_session(world.tenant, false);
    world.state.public_url = "https://columba.example.com".into();
    let made = world.ask(Method::POST, &format!("/v1/sessions/{session}/pairing-links"), None).await;
    assert!(made.json()["url"].as_str().unwrap().starts_with("https://columba.example.com/pair#"));
}
