//! Sessions and what they are told.

use actix_web::http::Method;
use columba::domain::proxy::{self, Proxy};
use columba::domain::session::Engine;
use columba::ports::readiness::Readiness as _;
use columba::ports::sealer::Sealer as _;
use serde_json::{Value, json};

use super::world::{World, hello};
use crate::support::webhooks::OpenSealer;

#[actix_web::test]
async fn a_session_s_record_has_every_field_of_the_contract() {
    let world = World::new();
    let body = json!({"label": "shop", "metadata": {"crm": "17"}});
    let reply = world.ask(Method::POST, "/v1/sessions", Some(body)).await;
    assert_eq!(reply.status, 201);
    let record = reply.json();
    assert_eq!(
        record,
        json!({
            "id": record["id"], "label": "shop", "engine": "sandbox", "status": "stopped", "reason": null,
            "reason_code": null, "since": record["since"], "restriction": null, "release": null,
            "metadata": {"crm": "17"}, "paired": false, "proxy": false, "created_at": record["created_at"],
            "counters": {"queued": 0, "sent": 0, "failed": 0, "received": 0, "reconnects": 0},
        })
    );
    let path = format!("/v1/sessions/{}", record["id"].as_str().unwrap());
    assert_eq!(world.ask(Method::GET, &path, None).await.json(), record);
}

#[actix_web::test]
async fn a_session_s_label_and_metadata_have_bounds() {
    let world = World::new();
    let keys =
        |n: usize| (0..n).map(|key| (format!("k{key}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    for (field, value, status, pointer) in [
        ("label", json!(""), 422, "/label"),
        ("label", json!("ä".repeat(129)), 422, "/label"),
        ("label", json!("ä".repeat(128)), 201, ""),
        ("label", json!(null), 400, "/label"),
        ("label", json!("a\0"), 422, "/label"),
        ("engine", json!("sandbox"), 201, ""),
        ("engine", json!("native"), 422, ""),
        ("engine", json!("pigeon"), 400, "/engine"),
        ("metadata", json!([]), 400, "/metadata"),
        ("metadata", json!({"a": 1}), 422, "/metadata"),
        ("metadata", json!({"a": {"b": "c"}}), 422, "/metadata"),
        ("metadata", json!({"a": "x".repeat(4_096)}), 422, "/metadata"),
        ("metadata", Value::Object(keys(50)), 201, ""),
        ("metadata", Value::Object(keys(51)), 422, "/metadata"),
        ("tenant", json!("ten_1"), 400, "/tenant"),
    ] {
        let mut body = json!({"label": "shop"});
        body[field] = value.clone();
        let reply = world.ask(Method::POST, "/v1/sessions", Some(body)).await;
        assert_eq!(reply.status, status, "{field} {value}: {}", reply.text);
        if status != 201 {
            assert_eq!(reply.problem().2, pointer, "{field} {value}");
        }
    }
}

#[actix_web::test]
async fn what_is_wanted_is_written_before_anybody_is_told() {
    let world = World::new();
    for (verb, notes) in [
        ("start", ["want running", "heed running"]),
        ("stop", ["want stopped", "heed stopped"]),
        ("logout", ["want logged_out", "heed logged_out"]),
        ("restart", ["want running", "restart"]),
    ] {
        for _ in 0..2 {
            let path = format!("/v1/sessions/{}/{verb}", world.session);
            let reply = world.ask(Method::POST, &path, None).await;
            assert_eq!((reply.status, &reply.json()["id"]), (202, &json!(world.session)), "{verb}");
            assert_eq!(world.fakes.notes(), notes, "{verb}");
        }
    }
    let path = format!("/v1/sessions/{}", world.session);
    let reply = world.ask(Method::DELETE, &path, None).await;
    assert_eq!((reply.status, &*reply.text), (204, ""));
    assert_eq!(world.fakes.notes(), ["want stopped", "remove", "delete", "remove"]);
    assert_eq!(world.ask(Method::DELETE, &path, None).await.problem().0, 404);
}

#[actix_web::test]
async fn usage_and_limits_show_the_plan_until_the_month_s_first_message() {
    let world = World::new();
    let idle = world.add_session(world.tenant, false);
    let usage = world.ask(Method::GET, "/v1/usage", None).await.json();
    assert_eq!(usage["messages"], json!({"used": 0, "held": 0, "limit": 10_000, "remaining": 10_000}));
    assert_eq!(usage["sessions"], json!({"used": 2, "limit": 2}));
    assert_eq!(usage["period"]["start"], "2026-11-01T00:00:00.000Z");
    let limits = world.ask(Method::GET, "/v1/limits", None).await.json();
    assert_eq!((&limits["plan"]["code"], &limits["tenant"]), (&json!("starter"), &Value::Null));
    let minute = |session, used| json!({"session": session, "cap": 20, "used": used, "remaining": 20 - used});
    assert_eq!(limits["sessions"], json!([minute(idle, 0), minute(world.session, 7)]));
}

#[actix_web::test]
async fn while_the_gate_is_closed_messages_are_refused_and_reading_goes_on() {
    let world = World::new();
    assert_eq!(world.ask(Method::GET, "/readyz", None).await.json(), json!({"status": "ready"}));
    world.state.gate.note("store", false);
    let reply = world.ask(Method::GET, "/readyz?verbose", None).await;
    assert_eq!(reply.problem().0, 503);
    assert_eq!(reply.json()["errors"][1]["code"], "failing");
    assert_eq!(world.ask(Method::POST, &world.messages_path(), Some(hello())).await.status, 202);
    world.state.gate.close();
    let reply = world.ask(Method::POST, &world.messages_path(), Some(hello())).await;
    assert_eq!((reply.problem().1, reply.header("retry-after")), ("unavailable".into(), "1"));
    assert_eq!(world.ask(Method::GET, "/v1/sessions", None).await.status, 200);
    assert_eq!(world.ask(Method::GET, "/livez", None).await.status, 200);
    world.state.gate.open();
    world.state.gate.note("store", true);
    let reply = world.ask(Method::GET, "/readyz?verbose", None).await;
    assert_eq!(reply.json()["checks"], json!({"accepting": "ok", "store": "ok"}));
}

#[actix_web::test]
async fn a_proxy_is_set_by_operators_sealed_and_never_shown_again() {
    let world = World::new();
    let id = world.session;
    let path = format!("/v1/admin/sessions/{id}/proxy");
    let url = "socks5://somebody:hunter2@proxy.example";
    let put = async |url: &str| world.rule(Method::PUT, &path, Some(json!({"url": url}))).await;

    let refused = put(url).await;
    assert_eq!(refused.problem(), (422, "unsupported".into(), "".into()), "the sandbox reaches no network");
    world.fakes.inner().sessions.get_mut(&id).unwrap().engine = Engine::Native;
    for wrong in [
        "",
        "https://proxy.example",
        "socks4://proxy.example",
        "socks5://",
        "socks5://:hunter2@proxy.example",
        "http://hunter2.example/hunter2",
        "http://hunter2.example:0",
        &format!("http://hunter2{}", "x".repeat(2_000)),
    ] {
        let reply = put(wrong).await;
        assert_eq!(reply.problem(), (422, "invalid_request".into(), "/url".into()), "{wrong}");
        assert!(!reply.text.contains("hunter2"), "{}", reply.text);
    }
    assert!(put("https://proxy.example").await.text.contains("native takes proxies that speak http, socks5"));
    assert_eq!(world.rule(Method::PUT, &path, Some(json!({"url": 1}))).await.problem().2, "/url");
    assert_eq!(
        world.rule(Method::PUT, "/v1/admin/sessions/ses_1/proxy", Some(json!({"url": url}))).await.status,
        404
    );
    assert_eq!(world.ask(Method::PUT, &path, Some(json!({"url": url}))).await.status, 401, "no tenant");
    assert_eq!(world.fakes.notes(), Vec::<String>::new(), "nothing was written");

    let set = put(url).await;
    assert_eq!((set.status, &set.json()["id"], &set.json()["proxy"]), (200, &json!(id), &json!(true)));
    assert!(set.json()["applies"].as_str().unwrap().contains("until it is restarted"), "{}", set.text);
    assert_eq!(world.fakes.notes(), ["proxy by root"]);
    let sealed = world.fakes.inner().proxy.clone().unwrap();
    let place = proxy::place(id);
    let opened = OpenSealer.open(world.tenant, &place, &sealed).await.unwrap();
    assert_eq!(Proxy::stored(&opened).unwrap().expose(), format!("{url}:1080"));
    let own = world.ask(Method::GET, &format!("/v1/sessions/{id}"), None).await;
    let fleet = world.rule(Method::GET, "/v1/admin/sessions", None).await;
    assert_eq!((&own.json()["proxy"], &fleet.json()["data"][0]["proxy"]), (&json!(true), &json!(true)));
    for shown in [&set.text, &own.text, &fleet.text] {
        assert!(["hunter2", "somebody", "proxy.example"].iter().all(|word| !shown.contains(word)), "{shown}");
    }

    let cleared = world.rule(Method::DELETE, &path, None).await;
    assert_eq!((cleared.status, &cleared.json()["proxy"]), (200, &json!(false)));
    assert_eq!(world.fakes.inner().proxy, None);
}
