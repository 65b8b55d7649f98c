//! Operators on a tenant's behalf: what they see and may do, what a look opens, and what the tenant hears of it.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use async_trait::async_trait;
use columba::domain::audit::{Act, Actor, Entry, Head};
use columba::domain::content::{
    Card, Contacts, Content, Edit, Location, Media, Poll, Reaction, Revoke, Target, Text,
};
use columba::domain::id::{MediaId, MessageId, OperatorId, TenantId};
use columba::domain::message::{Category, Delivery, Direction, Message, MessageStatus, Times, WaId};
use columba::domain::operator::{OperatorAccount, Role};
use columba::domain::page::Slice;
use columba::domain::phone::Phone;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::http::openapi;
use columba::ports::audit::{Audit, AuditFilter, AuditPage};
use columba::ports::store::StoreError;
use columba::tenancy::behalf::stand_in;
use columba::tenancy::operator::OperatorToken;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::doors::first;
use super::fakes::NOW;
use super::world::{Reply, World, hello, request};

/// Stands in everything that people wrote.
const MARK: &str = "canary-content";

/// Calls whose answers last, and which take a key.
const FEEDS: [&str; 3] = ["/v1/feed", "/v1/feed/tickets", "/v1/events"];

/// A token of an operator with this role.
fn admit(world: &World, role: Role) -> String {
    let token = OperatorToken::mint(&mut rand::rng());
    world.fakes.inner().snapshot.admit(OperatorAccount {
        id: OperatorId::mint(NOW),
        name: role.to_string(),
        hash: Some(token.hash()),
        role,
        email: None,
        created_at: NOW,
        expires_at: None,
        revoked_at: None,
    });
    token.expose().to_owned()
}

fn behalf(request: TestRequest, tenant: TenantId, look: Option<&str>) -> TestRequest {
    let request = request.insert_header(("columba-tenant", tenant.to_string()));
    match look {
        Some(look) => request.insert_header(("columba-look", look.to_owned())),
        None => request,
    }
}

async fn ask(world: &World, token: &str, look: Option<&str>, method: Method, path: &str) -> Reply {
    world.send(behalf(request(method, path, token, None), world.tenant, look)).await
}

async fn open_look(world: &World, token: &str) -> String {
    let path = format!("/v1/admin/tenants/{}/looks", world.tenant);
    let reason = Some(json!({"reason": "Ticket 4711: nothing arrives"}));
    let made = world.send(request(Method::POST, &path, token, reason)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// One content of each kind, with the mark wherever somebody's words can stand.
fn contents() -> Vec<Content> {
    let mark = || MARK.to_owned();
    let target = || Target { message: None, wa_id: Some(WaId("3EB0".into())) };
    let media = || Media {
        media: MediaId::mint(NOW),
        mime: "image/jpeg".into(),
        size: 1,
        caption: Some(mark()),
        file_name: Some(mark()),
        seconds: None,
        voice: false,
    };
    vec![
        Content::Text(Text { body: mark() }),
        Content::Image(media()),
        Content::Video(media()),
        Content::Audio(media()),
        Content::Document(media()),
        Content::Sticker(media()),
        Content::Location(Location {
            latitude: 1.0,
            longitude: 2.0,
            name: Some(mark()),
            address: Some(mark()),
        }),
        Content::Contacts(Contacts { cards: vec![Card { name: mark(), vcard: mark() }] }),
        Content::Reaction(Reaction { target: target(), emoji: mark() }),
        Content::Poll(Poll { question: mark(), options: vec![mark(), mark()], selectable: 1 }),
        Content::Edit(Edit { target: target(), body: mark() }),
        Content::Revoke(Revoke { target: target() }),
        Content::Other,
    ]
}

/// Puts a message of each kind into the tenant's log.
fn fill(world: &World) -> Vec<Message> {
    let phone = || Phone::parse("+15551230001").unwrap();
    let message = |content| Message {
        id: MessageId::mint(NOW),
        tenant: world.tenant,
        session: world.session,
        direction: Direction::In,
        chat: phone().into(),
        author: None,
        content,
        quoted: None,
        status: MessageStatus::Received,
        reason: None,
        held_until: None,
        wa_id: WaId::mint(NOW, 7),
        client_ref: None,
        category: Category::default(),
        delivery: Delivery::default(),
        reply_to: None,
        send_at: None,
        expires_at: None,
        attempts: 0,
        times: Times::from([(MessageStatus::Received.into(), NOW)]),
    };
    let all: Vec<Message> = contents().into_iter().map(message).collect();
    let mut inner = world.fakes.inner();
    inner.messages.extend(all.iter().map(|one| (one.id, one.clone())));
    all
}

#[actix_web::test]
async fn without_a_look_no_answer_holds_a_word_of_anybody_s_and_with_one_all_do() {
    let world = World::new();
    world.in_store().await;
    let messages = fill(&world);
    // An address may hold a secret.
    let url = format!("https://example.com/{MARK}?key={MARK}");
    let hook = world.ask(Method::POST, "/v1/webhooks", Some(json!({"url": url}))).await.json();
    let hook = hook["id"].as_str().unwrap();
    let support = admit(&world, Role::Support);
    for role in Role::iter() {
        let token = admit(&world, role);
        let list = ask(&world, &token, None, Method::GET, "/v1/messages").await;
        let rows = list.json()["data"].as_array().unwrap().clone();
        assert_eq!(rows.len(), messages.len());
        for row in rows {
            let kind = row["type"].as_str().unwrap();
            assert!(row["redacted"] == true && row.get(kind).is_none(), "{row}");
        }
        // Whatever can be read at all.
        for operation in openapi::groups().into_iter().flat_map(|group| group.operations) {
            if operation.method != "get" || operation.on_behalf().is_none() || FEEDS.contains(&operation.path)
            {
                continue;
            }
            let ids = [world.session.to_string(), messages[0].id.to_string(), hook.to_owned()];
            for id in &ids {
                let path = operation.path.replace("{id}", id);
                let reply = ask(&world, &token, None, Method::GET, &path).await;
                assert!(!reply.text.contains(MARK), "{role} {path}: {}", reply.text);
            }
        }
    }
    let sent = request(Method::POST, &world.messages_path(), &support, Some(hello()));
    let sent = world.send(behalf(sent, world.tenant, None)).await;
    assert_eq!((sent.status, &sent.json()["redacted"], sent.json().get("text")), (202, &json!(true), None));

    let look = open_look(&world, &support).await;
    let hook = ask(&world, &support, Some(&look), Method::GET, &format!("/v1/webhooks/{hook}")).await;
    assert_eq!(hook.json()["url"], json!(url));
    for message in &messages {
        let path = format!("/v1/messages/{}", message.id);
        let seen = ask(&world, &support, Some(&look), Method::GET, &path).await;
        let own = world.ask(Method::GET, &path, None).await;
        assert_eq!((seen.status, &seen.text), (200, &own.text), "as the tenant sees it");
        let kind = message.content.kind();
        let is_bare = matches!(kind, "revoke" | "other");
        assert!(is_bare || seen.text.contains(MARK), "{kind}");
        assert!(seen.json().get("redacted").is_none());
    }
}

#[actix_web::test]
async fn every_call_of_a_tenant_s_takes_of_an_operator_what_its_table_says() {
    let world = World::new();
    let mut judged = 0;
    for role in Role::iter() {
        let token = admit(&world, role);
        let look = role.may(columba::tenancy::permission::Permission::Look);
        let look = if look { Some(open_look(&world, &token).await) } else { None };
        for look in [None, look.as_deref()] {
            for operation in openapi::groups().into_iter().flat_map(|group| group.operations) {
                let Some(needs) = operation.on_behalf().filter(|_| !FEEDS.contains(&operation.path)) else {
                    continue;
                };
                // Refusals are counted, and limited to so many a minute.
                world.fakes.advance(2_000);
                let path = operation.path.replace("{id}", "absent");
                let method = Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
                let asked = request(method, &path, &token, operation.asked().cloned());
                let reply = world.send(behalf(asked, world.tenant, look)).await;
                let expected = stand_in(role, world.tenant, look.is_some(), needs);
                let code = reply.json()["code"].as_str().unwrap_or_default().to_owned();
                let at = format!(
                    "{role} at {} {}, look: {}: {}",
                    operation.method,
                    path,
                    look.is_some(),
                    reply.text
                );
                // What cannot be read is said before.
                if !matches!(reply.status, 400 | 415) {
                    let refused = ["forbidden", "look_required"].contains(&&*code).then_some(code);
                    assert_eq!(refused, expected.err().map(|no| no.code.to_string()), "{at}");
                    judged += 1;
                }
                assert_ne!(reply.status, 401, "{at}");
            }
        }
    }
    assert!(judged > 250, "{judged}");
}

#[actix_web::test]
async fn a_look_counts_for_who_opened_it_and_that_tenant_until_it_ends() {
    let world = World::new();
    let message = format!("/v1/messages/{}", fill(&world)[0].id);
    let (bea, cid) = (admit(&world, Role::Support), admit(&world, Role::Support));
    let path = format!("/v1/admin/tenants/{}/looks", world.tenant);
    for (reason, status) in [("short", 422), ("       8", 422), (&*"x".repeat(501), 422), ("Ticket 4", 201)] {
        let asked = request(Method::POST, &path, &bea, Some(json!({"reason": reason})));
        assert_eq!(world.send(asked).await.status, status, "{reason}");
    }
    let viewer = admit(&world, Role::Viewer);
    let asked = request(Method::POST, &path, &viewer, Some(json!({"reason": "I am curious"})));
    assert_eq!(world.send(asked).await.problem().1, "forbidden");

    let look = open_look(&world, &bea).await;
    let reads = async |token: &str, look: &str| ask(&world, token, Some(look), Method::GET, &message).await;
    assert_eq!(reads(&bea, &look).await.status, 200);
    assert_eq!(reads(&cid, &look).await.problem().1, "look_required", "another's");
    let other = world.add_tenant("Other");
    let elsewhere = behalf(request(Method::GET, "/v1/messages", &bea, None), other, Some(&look));
    assert_eq!(world.send(elsewhere).await.problem().1, "look_required", "another tenant's");
    assert_eq!(reads(&bea, "lok_019a2b3c4d5e7f808192a3b4c5d6e7f8").await.problem().1, "look_required");
    let start = format!("/v1/sessions/{}/start", world.session);
    assert_eq!(
        ask(&world, &bea, Some(&look), Method::POST, &start).await.problem().1,
        "forbidden",
        "it only reads"
    );
    assert_eq!(ask(&world, &bea, None, Method::POST, &start).await.status, 202);

    let end = format!("/v1/admin/looks/{look}");
    assert_eq!(world.send(request(Method::DELETE, &end, &cid, None)).await.status, 404);
    assert_eq!(world.send(request(Method::DELETE, &end, &bea, None)).await.status, 204);
    assert_eq!(world.send(request(Method::DELETE, &end, &bea, None)).await.status, 404);
    assert_eq!(reads(&bea, &look).await.problem().1, "look_required");
    let look = open_look(&world, &bea).await;
    world.fakes.advance(30 * 60_000 - 1);
    assert_eq!(reads(&bea, &look).await.status, 200);
    world.fakes.advance(1);
    assert_eq!(reads(&bea, &look).await.problem().1, "look_required");
}

/// What a tenant's key reads of its own audit: who did what, newest first.
async fn own_audit(world: &World, key: &str) -> Vec<Value> {
    let reply = world.send(request(Method::GET, "/v1/audit?limit=200", key, None)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    for hidden in ["seq", "hash", "address", "request_id", "192.0.2.1"] {
        assert!(!reply.text.contains(hidden), "{hidden}: {}", reply.text);
    }
    reply.json()["data"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_tenant_reads_who_looked_and_why_and_what_was_done_for_it_and_nothing_of_another() {
    let world = World::new();
    let other = world.add_tenant("Other");
    let others_key = world.add_key(other, |_| ());
    let bea = admit(&world, Role::Support);
    let look = open_look(&world, &bea).await;
    let start = format!("/v1/sessions/{}/start", world.session);
    ask(&world, &bea, None, Method::POST, &start).await;
    let viewer = admit(&world, Role::Viewer);
    assert_eq!(ask(&world, &viewer, None, Method::POST, &start).await.problem().1, "forbidden");
    ask(&world, &viewer, None, Method::GET, "/v1/messages").await;
    world.send(request(Method::DELETE, &format!("/v1/admin/looks/{look}"), &bea, None)).await;
    let key = world.key.clone();
    world.send(request(Method::POST, &start, &key, None)).await;

    let seen = own_audit(&world, &key).await;
    let told: Vec<_> = seen.iter().map(|row| (row["actor"].clone(), row["action"].clone())).collect();
    let expected = [("support", "look.end"), ("support", "tenant.on_behalf"), ("support", "look.open")];
    assert_eq!(
        told,
        expected.map(|(who, what)| (json!(who), json!(what))),
        "reading and its own calls are not there"
    );
    assert_eq!(seen[2]["after"]["reason"], "Ticket 4711: nothing arrives");
    assert_eq!(seen[1]["subject"], json!({"kind": "call", "id": format!("POST {start}")}));
    assert_eq!(own_audit(&world, &others_key).await, Vec::<Value>::new());
    // On behalf of the tenant an operator reads the same.
    let on_behalf = ask(&world, &viewer, None, Method::GET, "/v1/audit").await.json();
    assert_eq!(on_behalf["data"], json!(seen));
    let path = format!("/v1/admin/audit?tenant={}&order=asc", world.tenant);
    let narrowed = world.rule(Method::GET, &path, None).await.json();
    assert_eq!(narrowed["data"].as_array().unwrap().len(), 3);
    let refused = world.rule(Method::GET, "/v1/admin/audit?action=call.refused", None).await.json();
    assert_eq!(refused["data"][0]["actor"]["name"], "viewer", "for the operators only");
}

#[actix_web::test]
async fn a_tenant_is_named_well_or_not_at_all_and_a_key_speaks_for_its_own() {
    let world = World::new();
    let bea = admit(&world, Role::Support);
    let get = |token: &str| request(Method::GET, "/v1/sessions", token, None);
    let tenant = world.tenant.to_string();
    let named = async |name: &'static str, value: &str| {
        let asked = get(&bea)
            .insert_header(("columba-tenant", tenant.clone()))
            .insert_header((name, value.to_owned()));
        world.send(asked).await
    };
    assert_eq!(
        named("columba-tenant", "ten_1").await.problem(),
        (400, "invalid_request".into(), "Columba-Tenant".into())
    );
    assert_eq!(
        named("columba-look", "lok_1").await.problem(),
        (400, "invalid_request".into(), "Columba-Look".into())
    );
    let twice = get(&bea)
        .append_header(("columba-tenant", tenant.clone()))
        .append_header(("columba-tenant", tenant.clone()));
    assert_eq!(world.send(twice).await.problem().0, 400);
    let absent = TenantId::mint(NOW).to_string();
    assert_eq!(named("columba-tenant", &absent).await.problem().1, "not_found");
    assert_eq!(world.send(get(&bea)).await.problem().1, "unauthorized", "nobody's behalf");
    let other = world.add_tenant("Other");
    let theirs = world.add_session(other, true).to_string();
    let own = world.send(get(&world.key).insert_header(("columba-tenant", other.to_string()))).await;
    assert!(own.status == 200 && !own.text.contains(&theirs), "{}", own.text);
}

#[actix_web::test]
async fn whoever_signed_in_gives_the_password_anew_to_destroy_on_a_tenant_s_behalf() {
    let world = super::operators::world().await;
    let ada = first(&world).await;
    let tenant: TenantId = super::operators::tenant(&world).await.parse().unwrap();
    let session = world.add_session(tenant, true);
    let look = format!("/v1/admin/tenants/{tenant}/looks");
    let reason = Some(json!({"reason": "Ticket 4711: nothing arrives"}));
    let look = ada.ask(&world, Method::POST, &look, reason).await.json()["id"].as_str().unwrap().to_owned();
    world.fakes.advance(600_000);
    let on_behalf = async |method: Method, path: &str, look: Option<&str>| {
        world.send(behalf(ada.request(method, path, None), tenant, look)).await
    };
    let of = |verb: &str| format!("/v1/sessions/{session}{verb}");
    assert_eq!(on_behalf(Method::POST, &of("/logout"), None).await.problem().1, "step_up_required");
    assert_eq!(on_behalf(Method::DELETE, &of(""), None).await.problem().1, "step_up_required");
    assert_eq!(on_behalf(Method::POST, &of("/start"), None).await.status, 202);
    assert_eq!(on_behalf(Method::GET, "/v1/messages", Some(&look)).await.status, 200);
    // A look is bound to the sign-in that opened it.
    let body = json!({"email": "ada@example.com", "password": super::doors::PASSWORD});
    let again = super::doors::browser(&world, body).await;
    let elsewhere = behalf(again.request(Method::GET, "/v1/messages", None), tenant, Some(&look));
    assert_eq!(world.send(elsewhere).await.problem().1, "look_required");
    assert_eq!(
        world.send(behalf(again.request(Method::POST, &of("/logout"), None), tenant, None)).await.status,
        202
    );
}

/// An audit that cannot be written now.
struct Full;

#[async_trait]
impl Audit for Full {
    async fn entries(
        &self,
        _: SystemScope,
        _: AuditFilter,
        _: AuditPage,
    ) -> Result<Slice<Entry>, StoreError> {
        unreachable!("nobody reads it here")
    }

    async fn of_tenant(&self, _: TenantScope, _: u32, _: Option<u64>) -> Result<Slice<Entry>, StoreError> {
        unreachable!("nobody reads it here")
    }

    async fn head(&self, _: SystemScope) -> Result<Head, StoreError> {
        unreachable!("nobody reads it here")
    }

    async fn record(&self, _: Actor, _: Act) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("the disk is full".into()))
    }
}

#[actix_web::test]
async fn nobody_acts_or_looks_unseen() {
    let mut world = World::new();
    let bea = admit(&world, Role::Owner);
    world.state.audit = Arc::new(Full);
    let start = format!("/v1/sessions/{}/start", world.session);
    assert_eq!(ask(&world, &bea, None, Method::POST, &start).await.problem().1, "unavailable");
    assert_eq!(world.fakes.notes(), Vec::<String>::new(), "nothing was done");
    let looks = format!("/v1/admin/tenants/{}/looks", world.tenant);
    let asked = request(Method::POST, &looks, &bea, Some(json!({"reason": "Ticket 4711: nothing arrives"})));
    assert_eq!(world.send(asked).await.problem().1, "unavailable");
    assert_eq!(
        ask(&world, &bea, None, Method::GET, "/v1/messages").await.status,
        200,
        "reading in outline goes on"
    );
}
