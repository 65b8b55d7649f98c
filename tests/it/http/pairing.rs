//! Pairing over HTTP.

use actix_web::http::Method;
use columba::domain::page::Order;
use columba::domain::passkey::{Passkey, PasskeyStage};
use columba::domain::scope::SystemScope;
use columba::domain::session::{Engine, Reason, SessionStatus};
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::supervisor::PairingView;
use serde_json::json;
use strum::IntoEnumIterator as _;

use super::fakes::NOW;
use super::world::{World, request};

fn show(world: &World) {
    world.fakes.inner().pairing =
        Some(PairingView { code: "2@abc,def".into(), expires_at: NOW, attempt: 2, passkey: None });
}

#[actix_web::test]
async fn the_code_comes_as_json_or_as_a_picture() {
    let world = World::new();
    show(&world);
    let path = format!("/v1/sessions/{}/qr", world.session);
    let reply = world.ask(Method::GET, &path, None).await;
    assert_eq!(reply.json(), json!({"code": "2@abc,def", "expires_at": NOW, "attempt": 2}));
    assert_eq!(reply.header("cache-control"), "no-store");
    let get = request(Method::GET, &path, &world.key, None)
        .insert_header(("accept", "text/html, image/svg+xml;q=1"));
    let reply = world.send(get).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "image/svg+xml"));
    assert!(reply.text.contains("<svg") && reply.text.ends_with("</svg>"));
}

#[actix_web::test]
async fn without_a_code_the_answer_says_what_to_do_in_each_status() {
    let world = World::new();
    let mut said = std::collections::HashSet::new();
    for status in SessionStatus::iter() {
        world.fakes.inner().sessions.get_mut(&world.session).unwrap().status = status;
        for (method, path, body) in
            [(Method::GET, "qr", None), (Method::POST, "pairing-code", Some(json!({"phone": "not a phone"})))]
        {
            let path = format!("/v1/sessions/{}/{path}", world.session);
            let reply = world.ask(method, &path, body).await;
            assert_eq!(reply.problem().1, "not_pairing", "{status}");
            said.insert(reply.json()["detail"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(said.len(), SessionStatus::iter().count() - 1, "starting and pairing are one advice");
}

#[actix_web::test]
async fn a_code_by_phone_is_limited_per_phone() {
    let world = World::new();
    show(&world);
    let path = format!("/v1/sessions/{}/pairing-code", world.session);
    let ask = |phone: &str| world.ask(Method::POST, &path, Some(json!({"phone": phone})));
    assert_eq!(ask("15551230001").await.problem(), (422, "invalid_request".into(), "/phone".into()));
    for _ in 0..3 {
        assert_eq!(ask("+15551230001").await.json(), json!({"code": "ABCD-EFGH", "expires_at": NOW}));
    }
    let refused = ask("+15551230001").await;
    assert_eq!((refused.problem().1, refused.header("retry-after")), ("rate_limited".into(), "3600"));
    assert_eq!(ask("+15551230002").await.status, 200);
}

#[actix_web::test]
async fn who_asks_for_a_code_by_phone_is_written_down_without_the_phone_and_told_what_it_risks() {
    let world = World::new();
    show(&world);
    for (engine, warns) in [(Engine::Sandbox, false), (Engine::Native, true), (Engine::Baileys, true)] {
        world.fakes.inner().sessions.get_mut(&world.session).unwrap().engine = engine;
        let path = format!("/v1/sessions/{}", world.session);
        let phone = json!({"phone": "+15551230001"});
        let typed = world.ask(Method::POST, &format!("{path}/pairing-code"), Some(phone)).await.json();
        let scanned = world.ask(Method::GET, &format!("{path}/qr"), None).await.json();
        for shown in [typed, scanned] {
            let warning = shown["warning"].as_str();
            assert_eq!(warning.is_some_and(|text| text.contains("banned at any time")), warns, "{shown}");
        }
    }
    let page = AuditPage { limit: 10, order: Order::Descending, beyond: None };
    let entries = world.state.audit.entries(SystemScope, AuditFilter::default(), page).await.unwrap().rows;
    assert_eq!(entries.len(), 3);
    for (entry, engine) in entries.iter().zip(["baileys", "native", "sandbox"]) {
        assert!(entry.actor.name.starts_with("key_"), "{}", entry.actor.name);
        assert_eq!(
            (entry.action.as_str(), entry.subject.id.as_str()),
            ("session.pairing_code", &*world.session.to_string())
        );
        let text = format!("{entry:?}");
        assert!(text.contains(engine) && !text.contains("15551230001"), "{text}");
    }
}

#[actix_web::test]
async fn what_a_passkey_asks_of_the_phone_s_owner_is_said_beside_the_code() {
    let world = World::new();
    let path = format!("/v1/sessions/{}/qr", world.session);
    for (stage, code) in [
        (PasskeyStage::Requested, None),
        (PasskeyStage::Confirm, Some("ABCD-EFGH")),
        (PasskeyStage::Failed, None),
    ] {
        let passkey = Some(Passkey { stage, code: code.map(str::to_owned) });
        world.fakes.inner().pairing =
            Some(PairingView { code: "2@abc".into(), expires_at: NOW, attempt: 2, passkey });
        let shown = world.ask(Method::GET, &path, None).await.json();
        let mut expected = json!({"stage": stage, "todo": stage.todo()});
        if let Some(code) = code {
            expected["code"] = code.into();
        }
        assert_eq!(shown["passkey"], expected, "{stage}");
    }
    // Without a code there is nowhere else to say it.
    world.fakes.inner().pairing = None;
    for session in world.fakes.inner().sessions.values_mut() {
        (session.status, session.reason) = (SessionStatus::Pairing, Some(Reason::PasskeyRequested));
    }
    let refused = world.ask(Method::GET, &path, None).await;
    assert!(refused.text.contains("asks for the account's passkey"), "{}", refused.text);
}
