//! Operators, their roles, what is written down of them, and the keys they make. Over the memory store.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use chrono_tz::Tz;
use columba::billing::rules;
use columba::config::http::HttpOptions;
use columba::domain::audit::{Entry, Walk};
use columba::storage::memory;
use serde_json::{Value, json};

use super::world::{Reply, World, plan, request};
use crate::support::events::EventLog;

/// A world whose operators, tenants and keys are kept by the memory store, with one plan in it.
pub async fn world() -> World {
    world_with(&HttpOptions::default()).await
}

pub async fn world_with(options: &HttpOptions) -> World {
    let mut world = World::with(options);
    let stores = memory::open(world.fakes.clone(), rules(Tz::UTC), Arc::new(EventLog::default()));
    world.state.directory = stores.directory;
    world.state.audit = stores.audit;
    world.state.people = stores.people;
    made(world.rule(Method::POST, "/v1/admin/plans", Some(plan("starter"))).await);
    world
}

#[track_caller]
fn made(reply: Reply) -> Value {
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()
}

fn text(record: &Value, name: &str) -> String {
    record[name].as_str().unwrap_or_else(|| panic!("no {name} in {record}")).to_owned()
}

pub async fn operator(world: &World, body: Value) -> (String, String) {
    let record = made(world.rule(Method::POST, "/v1/admin/operators", Some(body)).await);
    (text(&record, "id"), text(&record, "token"))
}

pub async fn tenant(world: &World) -> String {
    let body = json!({"name": "Acme", "plan": "starter"});
    text(&made(world.rule(Method::POST, "/v1/admin/tenants", Some(body)).await), "id")
}

async fn ask(world: &World, token: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    world.send(request(method, path, token, body)).await
}

/// Every entry, oldest first, once they are known to fit.
pub async fn entries(world: &World) -> Vec<Value> {
    #[derive(serde::Deserialize)]
    struct Page {
        data: Vec<Entry>,
    }
    let reply = world.rule(Method::GET, "/v1/admin/audit?order=asc&limit=200", None).await;
    assert_eq!(reply.json()["has_more"], false);
    // From the text: what is hashed are the bytes of the answer.
    let page: Page = serde_json::from_str(&reply.text).unwrap();
    let mut walk = Walk::default();
    page.data
        .iter()
        .for_each(|entry| walk.step(entry).unwrap_or_else(|misfit| panic!("{misfit}: {entry:?}")));
    let rows = reply.json()["data"].as_array().unwrap().clone();
    let head = world.rule(Method::GET, "/v1/admin/audit/head", None).await.json();
    assert_eq!(head, json!(walk.head()));
    rows
}

#[actix_web::test]
async fn a_token_is_shown_once_opens_at_once_and_is_refused_once_it_is_deleted() {
    let world = world().await;
    let path = "/v1/admin/operators";
    let post = || {
        let body = json!({"name": "eve", "role": "owner"});
        request(Method::POST, path, world.state.operator.expose(), Some(body))
            .insert_header(("idempotency-key", "k"))
    };
    let first = made(world.send(post()).await);
    let token = text(&first, "token");
    assert!(token.starts_with("col_op_") && text(&first, "id").starts_with("opr_"));
    let again = world.send(post()).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json()["token"]), ("true", &Value::Null));
    assert_eq!(again.json()["id"], first["id"]);

    let made_by_eve =
        ask(&world, &token, Method::POST, "/v1/admin/tenants", Some(json!({"name": "x", "plan": "starter"})))
            .await;
    assert_eq!(made_by_eve.status, 201);
    let listed = ask(&world, &token, Method::GET, path, None).await;
    let names: Vec<_> =
        listed.json()["data"].as_array().unwrap().iter().map(|row| text(row, "name")).collect();
    assert_eq!(names, ["eve", "root"]);
    assert!(!listed.text.contains(&token) && !listed.text.contains("token") && !listed.text.contains("hash"));

    let eve = format!("{path}/{}", text(&first, "id"));
    for _ in 0..2 {
        assert_eq!(world.rule(Method::DELETE, &eve, None).await.status, 204);
    }
    let refused = ask(&world, &token, Method::GET, "/v1/admin/tenants", None).await;
    assert_eq!(refused.problem().1, "unauthorized");
    let root = listed.json()["data"][1]["id"].as_str().unwrap().to_owned();
    let kept = world.rule(Method::DELETE, &format!("{path}/{root}"), None).await;
    assert_eq!(kept.problem().1, "conflict");
    assert!(kept.text.contains("operator.token"), "{}", kept.text);
    assert_eq!(world.rule(Method::GET, "/v1/admin/tenants", None).await.status, 200);
    let told: Vec<_> =
        entries(&world).await.iter().map(|e| (text(&e["actor"], "name"), text(e, "action"))).collect();
    let told: Vec<_> = told.iter().map(|(name, action)| (&**name, &**action)).collect();
    assert_eq!(
        told,
        [
            ("root", "plan.create"),
            ("root", "operator.create"),
            ("eve", "tenant.create"),
            ("root", "operator.delete"),
            ("eve", "call.refused"),
        ]
    );
}

#[actix_web::test]
async fn an_operator_s_body_is_judged_and_an_expired_token_is_refused_and_written_down() {
    let world = world().await;
    let now = json!(super::fakes::NOW);
    for (body, status, pointer) in [
        (json!({}), 400, "/name"),
        (json!({"name": "x", "role": "king"}), 400, "/role"),
        (json!({"name": "x", "scopes": []}), 400, "/scopes"),
        (json!({"name": ""}), 422, "/name"),
        (json!({"name": "root"}), 422, "/name"),
        (json!({"name": "system"}), 422, "/name"),
        (json!({"name": "x", "expires_at": now}), 422, "/expires_at"),
    ] {
        let reply = world.rule(Method::POST, "/v1/admin/operators", Some(body.clone())).await;
        let (said, _, at) = reply.problem();
        assert_eq!((said, &*at), (status, pointer), "{body}");
    }
    let end = json!(columba::domain::time::WallTime(super::fakes::NOW.0 + 1_000));
    let (id, token) = operator(&world, json!({"name": "bob", "expires_at": end})).await;
    assert_eq!(ask(&world, &token, Method::GET, "/v1/admin/plans", None).await.status, 200);
    world.fakes.advance(1_000);
    assert_eq!(ask(&world, &token, Method::GET, "/v1/admin/plans", None).await.problem().1, "unauthorized");
    let last = entries(&world).await.pop().unwrap();
    assert_eq!(last["actor"], json!({"id": id, "name": "bob"}));
    assert_eq!(last["subject"], json!({"kind": "call", "id": "GET /v1/admin/plans"}));
    assert_eq!(last["after"], json!({"status": 401, "code": "unauthorized"}));
}

/// Every admin route that writes, and every one that reads.
fn routes(tenant: &str, key: &str, operator: &str) -> Vec<(Method, String, Option<Value>)> {
    let (post, put, patch, delete, get) =
        (Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::GET);
    let admin = |path: &str| format!("/v1/admin{path}");
    let of = |rest: &str| format!("/v1/admin/tenants/{tenant}{rest}");
    vec![
        (post.clone(), admin("/tenants"), Some(json!({"name": "x", "plan": "starter"}))),
        (patch, of(""), Some(json!({"name": "y"}))),
        (post.clone(), of("/suspend"), None),
        (post.clone(), of("/resume"), None),
        (post.clone(), of("/keys"), Some(json!({"name": "x"}))),
        (post.clone(), admin(&format!("/keys/{key}/rotate")), Some(json!({}))),
        (delete.clone(), admin(&format!("/keys/{key}")), None),
        (post.clone(), admin("/plans"), Some(plan("other"))),
        (put, admin("/plans/starter"), Some(plan("starter"))),
        (delete.clone(), admin("/plans/other"), None),
        (post, admin("/operators"), Some(json!({"name": "x"}))),
        (delete.clone(), admin(&format!("/operators/{operator}")), None),
        (get.clone(), admin("/tenants"), None),
        (get.clone(), of(""), None),
        (get.clone(), of("/keys"), None),
        (get.clone(), admin("/plans"), None),
        (get.clone(), admin("/plans/starter"), None),
        (get.clone(), admin("/sessions"), None),
        (get.clone(), admin("/operators"), None),
        (get.clone(), admin("/audit"), None),
        (get, admin("/audit/head"), None),
        // Last: nothing of the tenant can be read behind it.
        (delete, of(""), None),
    ]
}

#[actix_web::test]
async fn a_viewer_reads_all_and_changes_nothing_and_what_an_owner_does_is_his_at_every_route() {
    let world = world().await;
    let tenant = tenant(&world).await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let key = text(&made(world.rule(Method::POST, &keys, Some(json!({"name": "k"}))).await), "id");
    let (viewer, look) = operator(&world, json!({"name": "viola"})).await;
    let (owner, act) = operator(&world, json!({"name": "otto", "role": "owner"})).await;
    let before = entries(&world).await;
    let mut refused = vec![];
    for (method, path, body) in routes(&tenant, &key, &viewer) {
        let reply = ask(&world, &look, method.clone(), &path, body).await;
        if method == Method::GET {
            assert_eq!(reply.status, 200, "{path}: {}", reply.text);
            continue;
        }
        assert_eq!(reply.problem(), (403, "forbidden".into(), String::new()), "{method} {path}");
        assert!(reply.text.contains("this takes the role"), "it says what is needed: {}", reply.text);
        refused.push(format!("{method} {path}"));
    }
    let written = entries(&world).await.split_off(before.len());
    let told: Vec<_> = written.iter().map(|entry| text(&entry["subject"], "id")).collect();
    assert_eq!(told, refused, "each refusal is there, no reading is");
    assert!(written.iter().all(|entry| entry["actor"] == json!({"id": viewer, "name": "viola"})));

    let before = before.len() + written.len();
    for (method, path, body) in routes(&tenant, &key, &viewer) {
        let reply = ask(&world, &act, method.clone(), &path, body).await;
        assert!(reply.status < 300, "{method} {path}: {}", reply.text);
    }
    let written = entries(&world).await.split_off(before);
    let told: Vec<_> = written.iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(
        told,
        [
            "tenant.create",
            "tenant.update",
            "tenant.suspend",
            "tenant.resume",
            "key.create",
            "key.rotate",
            "key.revoke",
            "plan.create",
            "plan.replace",
            "plan.delete",
            "operator.create",
            "operator.delete",
            "tenant.suspend",
            "tenant.delete",
        ]
    );
    for entry in &written {
        assert_eq!(entry["actor"], json!({"id": owner, "name": "otto"}), "{entry}");
        assert_eq!(entry["address"], "192.0.2.1");
        assert!(text(entry, "request_id").starts_with("req_"), "{entry}");
    }
}

#[actix_web::test]
async fn refusals_of_one_operator_are_bounded_so_that_nobody_fills_the_log() {
    let world = world().await;
    let (viewer, look) = operator(&world, json!({"name": "viola"})).await;
    let herself = format!("/v1/admin/operators/{viewer}");
    let before = entries(&world).await.len();
    let mut heard = vec![];
    for _ in 0..40 {
        heard.push(ask(&world, &look, Method::DELETE, &herself, None).await.status);
        heard.push(
            ask(&world, &look, Method::POST, "/v1/admin/operators", Some(json!({"name": "x"}))).await.status,
        );
    }
    let forbidden = heard.iter().filter(|&&status| status == 403).count();
    let limited = heard.iter().filter(|&&status| status == 429).count();
    assert_eq!((forbidden, limited), (30, 50), "{heard:?}");
    assert_eq!(entries(&world).await.len(), before + forbidden);
    assert_eq!(ask(&world, &look, Method::GET, "/v1/admin/plans", None).await.status, 200, "reading goes on");
}

#[actix_web::test]
async fn a_tenant_s_key_is_no_known_operator() {
    let world = world().await;
    let tenant = tenant(&world).await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let key = text(&made(world.rule(Method::POST, &keys, Some(json!({"name": "k"}))).await), "key");
    let before = entries(&world).await.len();
    for token in [&*key, "col_op_nobody", ""] {
        assert_eq!(ask(&world, token, Method::GET, "/v1/admin/audit", None).await.status, 401);
    }
    assert_eq!(entries(&world).await.len(), before);
}

#[actix_web::test]
async fn no_entry_holds_a_secret() {
    let world = world().await;
    let tenant = tenant(&world).await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let key = made(world.rule(Method::POST, &keys, Some(json!({"name": "k"}))).await);
    let rotate = format!("/v1/admin/keys/{}/rotate", text(&key, "id"));
    let next = made(world.rule(Method::POST, &rotate, Some(json!({}))).await);
    let (_, token) = operator(&world, json!({"name": "eve", "role": "owner"})).await;
    let all = world.rule(Method::GET, "/v1/admin/audit", None).await.text;
    for secret in [&*text(&key, "key"), &*text(&next, "key"), &*token, world.state.operator.expose()] {
        assert!(!all.contains(secret));
        use sha2::Digest as _;
        assert!(!all.contains(&hex::encode(sha2::Sha256::digest(secret.as_bytes()))));
    }
}

#[actix_web::test]
async fn the_query_of_the_audit_is_judged_and_its_pages_follow_each_other() {
    let world = world().await;
    let tenant = tenant(&world).await;
    for (query, pointer) in [
        ("action=tenant.explode", "?action"),
        ("from=yesterday", "?from"),
        ("order=up", "?order"),
        ("cursor=rubbish", "?cursor"),
        ("limit=0", "?limit"),
        ("who=root", "?who"),
    ] {
        let reply = world.rule(Method::GET, &format!("/v1/admin/audit?{query}"), None).await;
        assert_eq!(reply.problem(), (400, "invalid_request".into(), pointer.into()), "{query}");
    }
    for name in ["a", "b", "c"] {
        world.rule(Method::PATCH, &format!("/v1/admin/tenants/{tenant}"), Some(json!({"name": name}))).await;
    }
    let mut names = vec![];
    let first = format!("/v1/admin/audit?limit=2&action=tenant.update&actor=root&subject={tenant}");
    let mut path = first.clone();
    loop {
        let body = world.rule(Method::GET, &path, None).await.json();
        names.extend(body["data"].as_array().unwrap().iter().map(|entry| text(&entry["after"], "name")));
        let Some(next) = body["next_cursor"].as_str() else { break };
        path = format!("{first}&cursor={next}");
    }
    assert_eq!(names, ["c", "b", "a"], "newest first");
}

#[actix_web::test]
async fn a_key_is_rotated_shown_once_and_the_old_one_opens_until_the_overlap_ends() {
    let world = world().await;
    let tenant = tenant(&world).await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let body =
        json!({"name": "bot", "test": true, "scopes": ["read"], "allowed_addresses": ["192.0.2.0/24"]});
    let old = made(world.rule(Method::POST, &keys, Some(body)).await);
    let path = format!("/v1/admin/keys/{}/rotate", text(&old, "id"));
    for (body, status, pointer) in [
        (json!({"overlap_s": 30 * 24 * 3600 + 1}), 422, "/overlap_s"),
        (json!({"overlap_s": -1}), 400, "/overlap_s"),
        (json!({"overlap": 1}), 400, "/overlap"),
    ] {
        let (said, _, at) = world.rule(Method::POST, &path, Some(body)).await.problem();
        assert_eq!((said, &*at), (status, pointer));
    }
    let absent = "/v1/admin/keys/key_019a2b3c4d5e7f808192a3b4c5d6e7f8/rotate";
    assert_eq!(world.rule(Method::POST, absent, Some(json!({}))).await.problem().0, 404);

    let rotate = || {
        let post =
            request(Method::POST, &path, world.state.operator.expose(), Some(json!({"overlap_s": 60})));
        world.send(post.insert_header(("idempotency-key", "k")))
    };
    let new = made(rotate().await);
    for field in ["name", "scopes", "test", "allowed_addresses", "tenant"] {
        assert_eq!(new[field], old[field], "{field}");
    }
    assert!(text(&new, "key").starts_with("col_test_"));
    let again = made(rotate().await);
    assert_eq!((&again["id"], &again["key"]), (&new["id"], &Value::Null));

    let listed = world.rule(Method::GET, &keys, None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert_eq!(listed["data"][1]["replaced_by"], new["id"]);
    let get = async |record: &Value| {
        ask(&world, &text(record, "key"), Method::GET, "/v1/sessions", None).await.status
    };
    assert_eq!((get(&old).await, get(&new).await), (200, 200), "two at once");
    world.fakes.advance(60_000);
    assert_eq!((get(&old).await, get(&new).await), (401, 200));
}

#[actix_web::test]
async fn a_key_with_a_list_of_addresses_is_refused_elsewhere_without_a_word_about_either() {
    let world = world().await;
    let tenant = tenant(&world).await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let many: Vec<String> = (0..65).map(|n| format!("192.0.2.{n}")).collect();
    for (list, pointer) in [
        (json!([]), "/allowed_addresses"),
        (json!(many), "/allowed_addresses"),
        (json!(["192.0.2.1", "here"]), "/allowed_addresses/1"),
        (json!(["192.0.2.1/24"]), "/allowed_addresses/0"),
    ] {
        let body = json!({"name": "x", "allowed_addresses": list});
        let reply = world.rule(Method::POST, &keys, Some(body)).await;
        assert_eq!(reply.problem(), (422, "invalid_request".into(), pointer.into()), "{list}");
    }
    let body = json!({"name": "x", "allowed_addresses": ["2001:db8::/32", "203.0.113.7", "203.0.113.7/32"]});
    let key = made(world.rule(Method::POST, &keys, Some(body)).await);
    assert_eq!(key["allowed_addresses"], json!(["203.0.113.7", "2001:db8::/32"]));
    let bearer = format!("Bearer {}", text(&key, "key"));
    for (from, status) in [
        ("203.0.113.7", 200),
        ("[::ffff:203.0.113.7]", 200),
        ("[2001:db8::9]", 200),
        ("203.0.113.8", 403),
        ("[2001:db9::9]", 403),
    ] {
        let get = TestRequest::get().uri("/v1/sessions").peer_addr(format!("{from}:9").parse().unwrap());
        let reply = world.send(get.insert_header(("authorization", bearer.clone()))).await;
        assert_eq!(reply.status, status, "{from}");
        if status == 403 {
            assert_eq!(reply.problem().1, "forbidden");
            for told in ["203.0.113", "2001", "key_", &text(&key, "last4")] {
                assert!(!reply.json()["detail"].as_str().unwrap().contains(told), "{}", reply.text);
            }
        }
    }
    let used = world.state.key_use.unwritten();
    assert_eq!(used.len(), 1, "what was refused is no use of a key");
    assert_eq!(used[0].0.to_string(), text(&key, "id"));
}
