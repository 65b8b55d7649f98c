//! People come in: the first account, passwords, second factors, cookies, and what keeps others out. Over the memory store.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::time::WallTime;
use columba::http::hashing::Hashing;
use columba::tenancy::password::Password;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};

use super::fakes::NOW;
use super::operators::{entries, operator, world};
use super::world::{Reply, World, request};
use crate::support::authenticator::Authenticator;

pub const PASSWORD: &str = "four words you remember";
const HOST: &str = "ops.example.com";

/// Somebody's browser, signed in.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
    pub id: String,
}

fn from_page(method: Method, path: &str, body: Option<Value>) -> TestRequest {
    let request = TestRequest::with_uri(path)
        .method(method)
        .peer_addr("192.0.2.9:1000".parse().unwrap())
        .insert_header(("host", HOST))
        .insert_header(("origin", format!("http://{HOST}")))
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("user-agent", "Testbrowser/1"));
    match body {
        Some(body) => request.set_json(body),
        None => request,
    }
}

async fn knock(world: &World, path: &str, body: Value) -> Reply {
    world.send(from_page(Method::POST, path, Some(body))).await
}

/// `errors[0].code` of a refusal.
fn why(reply: &Reply) -> (u16, String) {
    let code = reply.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
    (reply.problem().0, code)
}

impl Browser {
    #[track_caller]
    fn of(reply: &Reply) -> Self {
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text);
        let header = reply.header("set-cookie");
        let cookie = header.split(';').next().unwrap().to_owned();
        let body = reply.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { cookie, csrf: text(&body["csrf"]), id: text(&body["operator"]["id"]) }
    }

    pub fn request(&self, method: Method, path: &str, body: Option<Value>) -> TestRequest {
        from_page(method, path, body)
            .insert_header(("cookie", self.cookie.clone()))
            .insert_header(("x-csrf-token", self.csrf.clone()))
    }

    pub async fn ask(&self, world: &World, method: Method, path: &str, body: Option<Value>) -> Reply {
        world.send(self.request(method, path, body)).await
    }

    async fn me(&self, world: &World) -> Reply {
        self.ask(world, Method::GET, "/v1/admin/me", None).await
    }
}

/// The first owner, through the link.
pub async fn first(world: &World) -> Browser {
    let path = world.state.setup_link.renew();
    let token = path.strip_prefix("/ui/setup#").unwrap();
    let body = json!({"token": token, "name": "Ada", "email": "Ada@Example.com", "password": PASSWORD});
    Browser::of(&knock(world, "/v1/admin/door/setup", body).await)
}

/// A person of this role, through an invitation.
pub async fn person(world: &World, name: &str, role: &str) -> Browser {
    let body = json!({"name": name, "role": role, "email": format!("{name}@example.com")});
    let made = world.rule(Method::POST, "/v1/admin/operators", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json()["token"], Value::Null);
    let path = made.json()["invitation"].as_str().unwrap().to_owned();
    let token = path.strip_prefix("/ui/welcome#").unwrap();
    Browser::of(&knock(world, "/v1/admin/door/welcome", json!({"token": token, "password": PASSWORD})).await)
}

async fn sign_in(world: &World, body: Value) -> Reply {
    knock(world, "/v1/admin/door/sign-in", body).await
}

/// Signs in with these.
pub async fn browser(world: &World, credentials: Value) -> Browser {
    Browser::of(&sign_in(world, credentials).await)
}

fn credentials(email: &str, password: &str) -> Value {
    json!({"email": email, "password": password})
}

/// Gives somebody a second factor: its secret, and the codes on paper.
async fn factor(world: &World, browser: &Browser) -> (Authenticator, Vec<String>) {
    let proposed = browser.ask(world, Method::POST, "/v1/admin/me/totp", None).await.json();
    let text = proposed["secret"].as_str().unwrap();
    assert!(proposed["uri"].as_str().unwrap().contains(text));
    assert!(proposed["qr_svg"].as_str().unwrap().contains("<svg"));
    let phone = Authenticator::with(text);
    let code = phone.code(world.fakes.wall_now());
    let confirm = "/v1/admin/me/totp/confirm";
    let codes = browser.ask(world, Method::POST, confirm, Some(json!({"code": code}))).await;
    assert_eq!(codes.status, 200, "{}", codes.text);
    let codes = codes.json()["recovery_codes"].as_array().unwrap().clone();
    (phone, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[actix_web::test]
async fn the_first_account_is_made_once_by_the_link_and_is_an_owner_who_is_signed_in() {
    let world = world().await;
    let door = async || world.send(TestRequest::get().uri("/v1/admin/door")).await.json()["setup"].clone();
    assert_eq!(door().await, true);
    let path = world.state.setup_link.renew();
    let token = path.strip_prefix("/ui/setup#").unwrap();
    let body = |token: &str, email: &str, password: &str| json!({"token": token, "name": "Ada", "email": email, "password": password});
    let ask = async |body| knock(&world, "/v1/admin/door/setup", body).await;
    assert_eq!(why(&ask(body("wrong", "ada@example.com", PASSWORD)).await), (401, "wrong_link".into()));
    for (email, password, pointer) in [
        ("ada", PASSWORD, "/email"),
        ("ada@b.c", "short", "/password"),
        ("four.words@b.c", "Four.Words 2026", "/password"),
    ] {
        let (status, _, at) = ask(body(token, email, password)).await.problem();
        assert_eq!((status, &*at), (422, pointer));
    }
    let ada = Browser::of(&ask(body(token, "Ada@Example.com", PASSWORD)).await);
    assert_eq!(door().await, false);
    assert_eq!(why(&ask(body(token, "eve@example.com", PASSWORD)).await).1, "wrong_link", "it is used up");
    let renewed = world.rule(Method::POST, "/v1/admin/operators/setup-link", None).await;
    assert_eq!(renewed.problem().1, "conflict", "there is a person now");
    let another = world.state.setup_link.renew();
    let late = ask(body(another.strip_prefix("/ui/setup#").unwrap(), "eve@example.com", PASSWORD)).await;
    assert_eq!(late.problem().1, "conflict", "whatever link there is");

    let me = ada.me(&world).await.json();
    let expected = json!({
        "id": ada.id, "name": "Ada", "email": "ada@example.com", "role": "owner", "totp": false, "recovery_codes_left": 0,
    });
    assert_eq!(me["operator"], expected);
    assert_eq!((&me["csrf"], &me["stepped_up_until"]), (&json!(ada.csrf), &json!(WallTime(NOW.0 + 600_000))));
    let tenants = ada.ask(&world, Method::GET, "/v1/admin/tenants", None).await;
    assert_eq!(tenants.status, 200);
    let made = json!({"name": "Acme", "plan": "starter"});
    assert_eq!(ada.ask(&world, Method::POST, "/v1/admin/tenants", Some(made)).await.status, 201);
    let last = entries(&world).await.pop().unwrap();
    assert_eq!((&last["action"], &last["actor"]["name"]), (&json!("tenant.create"), &json!("Ada")));
}

#[actix_web::test]
async fn a_cookie_is_out_of_reach_of_scripts_and_other_sites_and_bound_to_tls_where_there_is_any() {
    let options = columba::config::http::HttpOptions {
        trusted_proxies: vec!["192.0.2.9".parse().unwrap()],
        ..Default::default()
    };
    let world = super::operators::world_with(&options).await;
    first(&world).await;
    let body = || Some(credentials("ada@example.com", PASSWORD));
    let plain = world.send(from_page(Method::POST, "/v1/admin/door/sign-in", body())).await;
    let over_tls = from_page(Method::POST, "/v1/admin/door/sign-in", body());
    let over_tls = world.send(over_tls.insert_header(("x-forwarded-proto", "https"))).await;
    for (reply, name, secure) in [(&plain, "columba", false), (&over_tls, "__Host-columba", true)] {
        let header = reply.header("set-cookie");
        let (pair, attributes) = header.split_once("; ").unwrap();
        assert!(
            pair.starts_with(&format!("{name}=")) && pair.len() == name.len() + 44,
            "{} letters",
            pair.len()
        );
        let mut attributes: Vec<_> = attributes.split("; ").collect();
        attributes.sort_unstable();
        let mut expected = vec!["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Strict"];
        expected.extend(secure.then_some("Secure"));
        assert_eq!(attributes, expected);
    }
    // What was given over TLS does not count without.
    let tls = Browser::of(&over_tls);
    assert_eq!(tls.me(&world).await.status, 401);
    let me = tls.request(Method::GET, "/v1/admin/me", None).insert_header(("x-forwarded-proto", "https"));
    assert_eq!(world.send(me).await.status, 200);
}

#[rstest]
#[case::all_of_it(&[], 204)]
#[case::no_token(&[("x-csrf-token", None)], 403)]
#[case::another_token(&[("x-csrf-token", Some("00"))], 403)]
#[case::nothing_said_of_the_page(&[("origin", None), ("sec-fetch-site", None)], 403)]
#[case::another_origin(&[("origin", Some("https://evil.example"))], 403)]
#[case::another_site(&[("sec-fetch-site", Some("same-site"))], 403)]
#[case::an_old_browser(&[("sec-fetch-site", None)], 204)]
#[case::a_browser_without_origin(&[("origin", None)], 204)]
#[actix_web::test]
async fn whatever_changes_something_comes_from_our_page_with_its_token(
    #[case] changed: &[(&str, Option<&str>)],
    #[case] status: u16,
) {
    let world = world().await;
    let ada = first(&world).await;
    let mut headers = [
        ("host", Some(HOST)),
        ("origin", Some("http://ops.example.com")),
        ("sec-fetch-site", Some("same-origin")),
        ("cookie", Some(&*ada.cookie)),
        ("x-csrf-token", Some(&*ada.csrf)),
    ];
    for (name, value) in changed {
        headers.iter_mut().filter(|(known, _)| known == name).for_each(|(_, known)| *known = *value);
    }
    for (method, path, expected) in
        [(Method::GET, "/v1/admin/tenants", 200), (Method::POST, "/v1/admin/me/sign-out", status)]
    {
        let asked = TestRequest::with_uri(path).method(method);
        let asked = headers.iter().fold(asked, |asked, (name, value)| match value {
            Some(value) => asked.insert_header((*name, *value)),
            None => asked,
        });
        assert_eq!(world.send(asked).await.status, expected, "{path}");
    }
    assert_eq!(ada.me(&world).await.status, if status == 204 { 401 } else { 200 });
}

#[actix_web::test]
async fn a_page_of_another_origin_signs_nobody_in() {
    let world = world().await;
    first(&world).await;
    let body = Some(credentials("ada@example.com", PASSWORD));
    let evil = from_page(Method::POST, "/v1/admin/door/sign-in", body)
        .insert_header(("origin", "https://evil.example"));
    assert_eq!(world.send(evil).await.problem().1, "forbidden");
}

#[actix_web::test]
async fn nobody_learns_whether_there_is_such_an_address() {
    let world = world().await;
    first(&world).await;
    // Asked in, and not come yet: no password to compare with.
    let invited = json!({"name": "bea", "email": "bea@example.com"});
    world.rule(Method::POST, "/v1/admin/operators", Some(invited)).await;
    let mut said = vec![];
    for email in ["ada@example.com", "ADA@example.com", "bea@example.com", "eve@example.com", "no address"] {
        let before = world.state.hashing.done();
        let asked =
            from_page(Method::POST, "/v1/admin/door/sign-in", Some(credentials(email, "wrong words here")));
        let reply = world.send(asked.insert_header(("x-request-id", "same"))).await;
        assert_eq!(world.state.hashing.done() - before, 1, "{email}: each is compared with a hash");
        assert_eq!(why(&reply), (401, "wrong_credentials".into()));
        assert_eq!(reply.header("set-cookie"), "");
        said.push(reply.text);
    }
    assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    // And what is limited is limited whether there is somebody or not.
    for email in ["ada@example.com", "eve@example.com"] {
        let statuses = limited(&world, email).await;
        assert_eq!(statuses.last(), Some(&429), "{email}");
    }
}

/// Statuses of wrong tries until one has to wait, each from another address.
async fn limited(world: &World, email: &str) -> Vec<u16> {
    let mut statuses = vec![];
    for n in 0..20 {
        let asked =
            from_page(Method::POST, "/v1/admin/door/sign-in", Some(credentials(email, "wrong words here")));
        let reply = world.send(asked.peer_addr(format!("198.51.100.{n}:9").parse().unwrap())).await;
        statuses.push(reply.status);
        if reply.status == 429 {
            assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
            break;
        }
    }
    statuses
}

#[actix_web::test]
async fn wrong_tries_wait_longer_and_longer_and_a_right_one_is_forgiven() {
    let world = world().await;
    first(&world).await;
    let right = async || sign_in(&world, credentials("ada@example.com", PASSWORD)).await;
    assert_eq!(limited(&world, "ada@example.com").await, [401, 401, 401, 401, 401, 429]);
    let waits = right().await;
    assert_eq!(
        (waits.problem().1, waits.header("retry-after")),
        ("rate_limited".to_owned(), "1"),
        "also with the right password"
    );
    world.fakes.advance(1_000);
    assert_eq!(right().await.status, 200);
    assert_eq!(limited(&world, "ada@example.com").await.len(), 6, "all of them anew");

    // One address that tries many names waits, too.
    let mut statuses = vec![];
    for n in 0..30 {
        let body = credentials(&format!("nobody{n}@example.com"), "wrong words here");
        statuses.push(sign_in(&world, body).await.status);
    }
    assert!(statuses.ends_with(&[429, 429, 429]), "{statuses:?}");
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_after_the_password_and_each_code_is_good_once() {
    let world = world().await;
    let ada = first(&world).await;
    let (phone, paper) = factor(&world, &ada).await;
    assert_eq!(ada.me(&world).await.json()["operator"]["recovery_codes_left"], 10);
    let with = |name: &str, code: &str| {
        let mut body = credentials("ada@example.com", PASSWORD);
        body[name] = json!(code);
        body
    };
    let alone = sign_in(&world, credentials("ada@example.com", PASSWORD)).await;
    assert_eq!(why(&alone), (401, "second_factor_required".into()));
    let mut wrong = with("totp", &phone.code(world.fakes.wall_now()));
    assert_eq!(
        why(&sign_in(&world, wrong.clone()).await),
        (401, "wrong_code".into()),
        "the first code was it already"
    );
    wrong["password"] = json!("wrong words here");
    assert_eq!(
        why(&sign_in(&world, wrong).await).1,
        "wrong_credentials",
        "nothing is said of a code before the password"
    );

    world.fakes.advance(60_000);
    let code = phone.code(world.fakes.wall_now());
    assert_eq!(sign_in(&world, with("totp", &code)).await.status, 200);
    assert_eq!(why(&sign_in(&world, with("totp", &code)).await), (401, "wrong_code".into()), "it was used");
    let step_up = json!({"password": PASSWORD, "totp": code});
    let replayed = ada.ask(&world, Method::POST, "/v1/admin/me/step-up", Some(step_up)).await;
    assert_eq!(why(&replayed).1, "wrong_code", "nor does it count elsewhere");
    let early = phone.code(WallTime(world.fakes.wall_now().0 - 30_000));
    assert_eq!(why(&sign_in(&world, with("totp", &early)).await).1, "wrong_code", "an older one even less");

    world.fakes.advance(60_000);
    assert_eq!(sign_in(&world, with("recovery_code", &paper[3].to_uppercase())).await.status, 200);
    assert_eq!(why(&sign_in(&world, with("recovery_code", &paper[3])).await), (401, "wrong_code".into()));
    assert_eq!(ada.me(&world).await.json()["operator"]["recovery_codes_left"], 9);
    let own = json!({"totp": "1"});
    assert_eq!(knock(&world, "/v1/admin/me/totp/confirm", own).await.status, 400, "the body is judged first");

    // Removing it takes the password anew, once it is ten minutes old.
    world.fakes.advance(600_000);
    let remove = async || ada.ask(&world, Method::DELETE, "/v1/admin/me/totp", None).await;
    assert_eq!(remove().await.problem().1, "step_up_required");
    let code = phone.code(world.fakes.wall_now());
    let step_up = json!({"password": PASSWORD, "totp": code});
    assert_eq!(ada.ask(&world, Method::POST, "/v1/admin/me/step-up", Some(step_up)).await.status, 200);
    assert_eq!(remove().await.status, 204);
    assert_eq!(sign_in(&world, credentials("ada@example.com", PASSWORD)).await.status, 200);
}

#[actix_web::test]
async fn what_destroys_or_reveals_takes_the_password_anew_and_a_token_does_not() {
    let world = world().await;
    let ada = first(&world).await;
    let tenant = super::operators::tenant(&world).await;
    let routes = || {
        let of = |rest: &str| format!("/v1/admin/tenants/{tenant}{rest}");
        let absent = "019a2b3c4d5e7f808192a3b4c5d6e7f8";
        [
            (Method::POST, of("/keys"), Some(json!({"name": "k"}))),
            (Method::POST, format!("/v1/admin/keys/key_{absent}/rotate"), Some(json!({}))),
            (Method::POST, "/v1/admin/operators".to_owned(), Some(json!({"name": "x"}))),
            (Method::PATCH, format!("/v1/admin/operators/opr_{absent}"), Some(json!({"name": "x"}))),
            (Method::DELETE, format!("/v1/admin/operators/opr_{absent}"), None),
            (Method::POST, format!("/v1/admin/operators/opr_{absent}/invitation"), None),
            (Method::POST, format!("/v1/admin/invoices/inv_{absent}/void"), None),
            (Method::POST, format!("/v1/admin/invoices/inv_{absent}/write-off"), None),
            (Method::DELETE, of(""), None),
        ]
    };
    world.fakes.advance(600_000);
    for (method, path, body) in routes() {
        let reply = ada.ask(&world, method.clone(), &path, body).await;
        assert_eq!(reply.problem().1, "step_up_required", "{method} {path}");
    }
    let refused = entries(&world).await.iter().filter(|entry| entry["action"] == "call.refused").count();
    assert_eq!(refused, 0, "that the password is asked for is no refusal");
    let wrong = json!({"password": "wrong words here"});
    let step_up = async |body| ada.ask(&world, Method::POST, "/v1/admin/me/step-up", Some(body)).await;
    assert_eq!(why(&step_up(wrong).await), (401, "wrong_credentials".into()));
    let until = step_up(json!({"password": PASSWORD})).await.json()["stepped_up_until"].clone();
    assert_eq!(until, json!(WallTime(NOW.0 + 1_200_000)));
    for (method, path, body) in routes() {
        let reply = ada.ask(&world, method.clone(), &path, body).await;
        assert_ne!(reply.status, 403, "{method} {path}: {}", reply.text);
    }
    let (_, token) = operator(&world, json!({"name": "ci", "role": "owner"})).await;
    let tenant = super::operators::tenant(&world).await;
    world.fakes.advance(3_600_000);
    let gone =
        world.send(request(Method::DELETE, &format!("/v1/admin/tenants/{tenant}"), &token, None)).await;
    assert_eq!(gone.status, 204);
}

#[actix_web::test]
async fn a_sign_in_ends_when_it_is_idle_or_old_or_somebody_ends_it() {
    let world = world().await;
    let ada = first(&world).await;
    let again = async || Browser::of(&sign_in(&world, credentials("ada@example.com", PASSWORD)).await);
    let hour = 3_600_000;
    // Used every eleven hours it lives for a week, and not longer.
    for n in 1..=15 {
        world.fakes.advance(11 * hour);
        assert_eq!(ada.me(&world).await.status, 200, "{n}");
    }
    world.fakes.advance(3 * hour);
    let ended = ada.me(&world).await;
    assert_eq!(ended.problem().1, "unauthorized");
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "a script cannot take it back");

    let (one, other) = (again().await, again().await);
    let listed = one.ask(&world, Method::GET, "/v1/admin/me/sign-ins", None).await.json();
    let rows = listed["data"].as_array().unwrap();
    let current: Vec<_> = rows.iter().map(|row| row["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true], "newest first, and the one that has ended is gone");
    assert_eq!((&rows[0]["address"], &rows[0]["agent"]), (&json!("192.0.2.9"), &json!("Testbrowser/1")));
    let end = format!("/v1/admin/me/sign-ins/{}", rows[0]["id"].as_str().unwrap());
    assert_eq!(one.ask(&world, Method::DELETE, &end, None).await.status, 204);
    assert_eq!(one.ask(&world, Method::DELETE, &end, None).await.status, 404);
    assert_eq!((other.me(&world).await.status, one.me(&world).await.status), (401, 200));

    let third = again().await;
    let all = one.ask(&world, Method::POST, "/v1/admin/me/sign-out-everywhere", None).await;
    assert!(all.status == 204 && all.header("set-cookie").contains("Max-Age=0"));
    assert_eq!((one.me(&world).await.status, third.me(&world).await.status), (401, 401));
    let idle = again().await;
    world.fakes.advance(12 * hour);
    assert_eq!(idle.me(&world).await.status, 401);
}

#[actix_web::test]
async fn a_person_has_twenty_places_at_most() {
    let world = world().await;
    let ada = first(&world).await;
    for n in 0..19 {
        assert_eq!(ada.me(&world).await.status, 200, "{n}");
        sign_in(&world, credentials("ada@example.com", PASSWORD)).await;
    }
    assert_eq!(ada.me(&world).await.status, 200, "twenty");
    let last = Browser::of(&sign_in(&world, credentials("ada@example.com", PASSWORD)).await);
    assert_eq!((ada.me(&world).await.status, last.me(&world).await.status), (401, 200));
}

#[actix_web::test]
async fn another_password_ends_the_other_sign_ins_and_an_invitation_all_of_them() {
    let world = world().await;
    let ada = first(&world).await;
    let bea = person(&world, "bea", "support").await;
    let elsewhere = Browser::of(&sign_in(&world, credentials("bea@example.com", PASSWORD)).await);
    let new = "four others, as easy";
    let change = async |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        bea.ask(&world, Method::POST, "/v1/admin/me/password", Some(body)).await
    };
    assert_eq!(why(&change("wrong words here", new).await), (401, "wrong_credentials".into()));
    assert_eq!(change(PASSWORD, "short").await.problem(), (422, "invalid_request".into(), "/new".into()));
    assert_eq!(change(PASSWORD, new).await.status, 204);
    assert_eq!((bea.me(&world).await.status, elsewhere.me(&world).await.status), (200, 401));
    assert_eq!(sign_in(&world, credentials("bea@example.com", PASSWORD)).await.status, 401);

    let (_, _) = factor(&world, &bea).await;
    let invite = format!("/v1/admin/operators/{}/invitation", bea.id);
    let asked = json!({"remove_second_factor": true});
    let made = ada.ask(&world, Method::POST, &invite, Some(asked)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(bea.me(&world).await.status, 401);
    assert_eq!(
        sign_in(&world, credentials("bea@example.com", new)).await.status,
        401,
        "the old password, too"
    );
    let token = made.json()["invitation"].as_str().unwrap().replace("/ui/welcome#", "");
    let welcome = async |token: &str| {
        knock(&world, "/v1/admin/door/welcome", json!({"token": token, "password": PASSWORD})).await
    };
    let second = ada.ask(&world, Method::POST, &invite, None).await.json()["invitation"].clone();
    assert_eq!(why(&welcome(&token).await), (401, "wrong_link".into()), "a newer one has replaced it");
    let token = second.as_str().unwrap().replace("/ui/welcome#", "");
    world.fakes.advance(48 * 3_600_000 - 1);
    assert_eq!(Browser::of(&welcome(&token).await).me(&world).await.json()["operator"]["totp"], false);
    assert_eq!(why(&welcome(&token).await).1, "wrong_link", "it is good once");
    let late = world.rule(Method::POST, &invite, None).await.json()["invitation"].clone();
    world.fakes.advance(48 * 3_600_000);
    let token = late.as_str().unwrap().replace("/ui/welcome#", "");
    assert_eq!(why(&welcome(&token).await).1, "wrong_link", "and for two days");
}

#[actix_web::test]
async fn whoever_is_removed_or_made_less_hears_so_at_once_and_the_last_owner_stays_one() {
    let world = world().await;
    let ada = first(&world).await;
    let bea = person(&world, "bea", "admin").await;
    let at = |browser: &Browser| format!("/v1/admin/operators/{}", browser.id);
    let role = |role: &str| Some(json!({"role": role}));
    for lower in [role("admin"), role("viewer")] {
        assert_eq!(world.rule(Method::PATCH, &at(&ada), lower).await.problem().1, "conflict");
    }
    assert_eq!(world.rule(Method::DELETE, &at(&ada), None).await.problem().1, "conflict");
    let keys = format!("/v1/admin/tenants/{}/keys", super::operators::tenant(&world).await);
    assert_eq!(bea.ask(&world, Method::POST, &keys, Some(json!({"name": "k"}))).await.status, 201);
    assert_eq!(ada.ask(&world, Method::PATCH, &at(&bea), role("viewer")).await.status, 200);
    assert_eq!(
        bea.ask(&world, Method::POST, &keys, Some(json!({"name": "k"}))).await.problem().1,
        "forbidden"
    );
    assert_eq!(ada.ask(&world, Method::PATCH, &at(&bea), role("owner")).await.status, 200);
    assert_eq!(bea.ask(&world, Method::DELETE, &at(&ada), None).await.status, 204);
    assert_eq!(ada.me(&world).await.status, 401);
    assert_eq!(world.rule(Method::DELETE, &at(&bea), None).await.problem().1, "conflict");
    let again = json!({"name": "ada", "email": "ada@example.com"});
    let made = world.rule(Method::POST, "/v1/admin/operators", Some(again.clone())).await;
    assert_eq!(made.status, 201, "the address is free again");
    assert_eq!(world.rule(Method::POST, "/v1/admin/operators", Some(again)).await.problem().1, "conflict");
}

#[actix_web::test]
async fn nothing_that_lets_somebody_in_is_in_the_audit_or_in_a_list() {
    let world = world().await;
    let ada = first(&world).await;
    let (phone, paper) = factor(&world, &ada).await;
    let bea = person(&world, "bea", "viewer").await;
    let invite = format!("/v1/admin/operators/{}/invitation", bea.id);
    let link =
        world.rule(Method::POST, &invite, None).await.json()["invitation"].as_str().unwrap().to_owned();
    sign_in(&world, credentials("ada@example.com", "wrong words here")).await;
    let mut said = world.rule(Method::GET, "/v1/admin/audit?limit=200", None).await.text;
    said += &world.rule(Method::GET, "/v1/admin/operators", None).await.text;
    said += &ada.ask(&world, Method::GET, "/v1/admin/me/sign-ins", None).await.text;
    let cookies = [&ada.cookie, &bea.cookie].map(|cookie| cookie.split_once('=').unwrap().1.to_owned());
    let mut secrets = vec![PASSWORD.to_owned(), "wrong words here".to_owned(), phone.text()];
    secrets.extend(paper);
    secrets.extend(cookies);
    secrets.extend([ada.csrf, bea.csrf, link.split_once('#').unwrap().1.to_owned()]);
    for secret in secrets {
        assert!(!said.contains(&secret), "{} characters of it", secret.len());
        use sha2::Digest as _;
        assert!(!said.contains(&hex::encode(sha2::Sha256::digest(secret.as_bytes()))));
    }
    assert!(!said.contains("argon2") && !said.contains("sealed") && !said.contains("hash\":\"$"));
}

#[actix_web::test]
async fn a_token_is_nobody_s_own_and_a_key_or_nothing_is_nobody_at_all() {
    let world = world().await;
    first(&world).await;
    for path in ["/v1/admin/me", "/v1/admin/me/sign-ins"] {
        assert_eq!(world.rule(Method::GET, path, None).await.problem().1, "unauthorized");
        assert_eq!(world.send(TestRequest::get().uri(path)).await.problem().1, "unauthorized");
        assert_eq!(world.ask(Method::GET, path, None).await.problem().1, "unauthorized");
    }
    for _ in 0..40 {
        let page = from_page(Method::GET, "/docs/", None).insert_header(("cookie", "columba=ended-long-ago"));
        assert_eq!(world.send(page).await.status, 200, "a page and its pictures are no guesses");
    }
    let forged =
        from_page(Method::GET, "/v1/admin/tenants", None).insert_header(("cookie", "columba=made-up"));
    assert_eq!(world.send(forged).await.problem().1, "unauthorized");
}

#[actix_web::test]
async fn when_too_many_wait_for_their_password_further_ones_are_asked_to_come_again() {
    let hashing: Arc<Hashing> = Arc::default();
    let all = (0..40).map(|_| hashing.is(Password::typed(PASSWORD), None));
    let said = join_all(all).await;
    let limited = said.iter().filter(|one| one.as_ref().is_err_and(|no| no.refusal().status == 429)).count();
    assert!(said.iter().all(|one| one.as_ref().is_ok_and(|same| !same) || one.is_err()));
    assert!(limited >= 1 && limited + hashing.done() == 40, "{limited} of 40");
}
