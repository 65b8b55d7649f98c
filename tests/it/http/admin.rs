//! The operator's routes.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::fakes::NOW;
use super::world::{World, plan, request};

#[actix_web::test]
async fn a_tenant_is_made_read_changed_suspended_resumed_and_removed() {
    let world = World::new();
    let made =
        world.rule(Method::POST, "/v1/admin/tenants", Some(json!({"name": "New", "plan": "starter"}))).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("ten_"));
    let path = format!("/v1/admin/tenants/{id}");
    assert_eq!(world.rule(Method::GET, &path, None).await.json(), made.json());
    world.add_session(id.parse().unwrap(), true);

    let changed = world.rule(Method::PATCH, &path, Some(json!({"name": "Newer"}))).await;
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("Newer")));
    assert_eq!(world.fakes.notes(), [format!("wake {id}")]);
    for (verb, status) in [("suspend", "suspended"), ("resume", "active")] {
        let reply = world.rule(Method::POST, &format!("{path}/{verb}"), None).await;
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!(status)));
        assert_eq!(world.fakes.notes(), ["heed stopped"]);
    }
    assert_eq!(world.rule(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(
        world.fakes.notes(),
        ["remove".to_owned(), "forget_tenant".to_owned(), format!("delete {id}")]
    );
    assert_eq!(world.rule(Method::DELETE, &path, None).await.problem().1, "not_found");
}

#[actix_web::test]
async fn bodies_of_the_operator_are_judged_like_any_other() {
    let world = World::new();
    let tenant = format!("/v1/admin/tenants/{}", world.tenant);
    let keys = format!("{tenant}/keys");
    for (method, path, body, status, pointer) in [
        (Method::POST, "/v1/admin/tenants", json!({"name": "", "plan": "starter"}), 422, "/name"),
        (Method::POST, "/v1/admin/tenants", json!({"name": "x"}), 400, "/plan"),
        (Method::POST, "/v1/admin/tenants", json!({"name": "x", "plan": "p", "id": 1}), 400, "/id"),
        (Method::PATCH, &*tenant, json!({"status": "active"}), 400, "/status"),
        (Method::PATCH, &*tenant, json!({"name": "n".repeat(129)}), 422, "/name"),
        (Method::PATCH, "/v1/admin/tenants/ten_1", json!({"name": "x"}), 404, ""),
        (Method::POST, &*keys, json!({"name": "x", "scopes": []}), 422, "/scopes"),
        (Method::POST, &*keys, json!({"name": "x", "scopes": ["all"]}), 400, "/scopes/0"),
        (Method::POST, &*keys, json!({"name": "x", "expires_at": NOW}), 422, "/expires_at"),
        (Method::POST, "/v1/admin/tenants/ten_1/keys", json!({"name": "x"}), 404, ""),
        (Method::GET, "/v1/admin/tenants/ten_1/keys", Value::Null, 404, ""),
        (Method::DELETE, "/v1/admin/keys/key_1", Value::Null, 404, ""),
        (Method::POST, "/v1/admin/plans", plan("starter"), 409, ""),
        (Method::PUT, "/v1/admin/plans/absent", plan("absent"), 404, ""),
        (Method::PUT, "/v1/admin/plans/starter", plan("other"), 422, "/code"),
        (Method::GET, "/v1/admin/plans/absent", Value::Null, 404, ""),
        (Method::DELETE, "/v1/admin/plans/absent", Value::Null, 404, ""),
        (Method::GET, "/v1/admin/sessions?release=1", Value::Null, 400, "?release"),
        (Method::GET, "/v1/admin/sessions?status=gone", Value::Null, 400, "?status"),
        (Method::GET, "/v1/admin/plans?cursor=rubbish", Value::Null, 400, "?cursor"),
    ] {
        let reply = world.rule(method.clone(), path, Some(body.clone()).filter(|body| !body.is_null())).await;
        let (said, _, at) = reply.problem();
        assert_eq!((said, &*at), (status, pointer), "{method} {path} {body}");
    }
    let mut nameless = plan("x");
    nameless.as_object_mut().unwrap().remove("code");
    let reply = world.rule(Method::POST, "/v1/admin/plans", Some(nameless)).await;
    assert_eq!(reply.problem(), (400, "invalid_request".into(), "/code".into()));
}

#[actix_web::test]
async fn a_key_opens_what_it_was_made_for_until_it_is_revoked() {
    let world = World::new();
    let path = format!("/v1/admin/tenants/{}/keys", world.tenant);
    let body = json!({"name": "bot", "scopes": ["read"], "test": true});
    let made = world.rule(Method::POST, &path, Some(body)).await.json();
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("col_test_") && key.ends_with(made["last4"].as_str().unwrap()));
    let get = || world.send(request(Method::GET, "/v1/sessions", &key, None));
    assert_eq!(get().await.status, 200);

    let listed = world.rule(Method::GET, &path, None).await;
    assert_eq!(listed.json()["data"][0]["id"], made["id"]);
    assert!(!listed.text.contains(&key) && listed.json()["data"][0].get("key").is_none());

    let path = format!("/v1/admin/keys/{}", made["id"].as_str().unwrap());
    assert_eq!(world.rule(Method::DELETE, &path, None).await.status, 204);
    assert_eq!(get().await.status, 401);
}

#[actix_web::test]
async fn a_new_version_of_a_plan_wakes_exactly_its_tenants() {
    let world = World::new();
    let other = world.add_tenant("Other");
    world.fakes.inner().snapshot.tenants.get_mut(&other).unwrap().plan = "gold".into();
    let mut body = plan("starter");
    body["messages_per_minute"] = json!(5);
    body.as_object_mut().unwrap().remove("code");
    let reply = world.rule(Method::PUT, "/v1/admin/plans/starter", Some(body)).await;
    assert_eq!((reply.status, &reply.json()["messages_per_minute"]), (200, &json!(5)));
    assert_eq!(world.fakes.notes(), [format!("wake {}", world.tenant)]);
}

#[actix_web::test]
async fn plans_are_listed_by_code_page_by_page() {
    let world = World::new();
    for code in ["b", "a", "c"] {
        assert_eq!(world.rule(Method::POST, "/v1/admin/plans", Some(plan(code))).await.status, 201);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/admin/plans?limit=3".to_owned();
    loop {
        let body = world.rule(Method::GET, &path, None).await.json();
        seen.extend(
            body["data"].as_array().unwrap().iter().map(|plan| plan["code"].as_str().unwrap().to_owned()),
        );
        let Some(next) = body["next_cursor"].as_str() else { break };
        path = format!("/v1/admin/plans?limit=3&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "starter"]);
}

#[actix_web::test]
async fn the_fleet_shows_whose_each_session_is_and_can_be_narrowed() {
    let world = World::new();
    let other = world.add_tenant("Other");
    let theirs = world.add_session(other, false);
    let all = world.rule(Method::GET, "/v1/admin/sessions?status=stopped", None).await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    let path = format!("/v1/admin/sessions?tenant={other}");
    let one = world.rule(Method::GET, &path, None).await.json();
    assert_eq!((&one["data"][0]["id"], &one["data"][0]["tenant"]), (&json!(theirs), &json!(other)));
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
}
