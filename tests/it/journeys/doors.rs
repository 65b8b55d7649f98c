//! People come in at the real program: by the link, with a second factor, over restarts; and nothing that lets anybody in is in
//! the log.

use columba::domain::time::WallTime;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, Feed, Reply};
use crate::support::authenticator::Authenticator;
use crate::support::server::{Home, Server};

const PASSWORD: &str = "canary-words nobody reads";
const EMAIL: &str = "canary-ada@example.com";

/// A browser: its cookie, and the token of its page.
struct Browser {
    cookie: String,
    csrf: String,
}

impl Browser {
    fn of(reply: &Reply) -> Self {
        assert!(reply.status.is_success(), "{}", reply.text);
        let cookie = reply.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { cookie, csrf: reply.body["csrf"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, server: &Server, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.with(server, method, path, body, &[]).await
    }

    async fn with(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        body: Option<Value>,
        more: &[(&str, &str)],
    ) -> Reply {
        let headers =
            [("cookie", &*self.cookie), ("x-csrf-token", &*self.csrf), ("sec-fetch-site", "same-origin")];
        let body = body.map(|body| body.to_string());
        let api = Api::anonymous(&server.url);
        api.call(method, path, body.as_deref(), &[&headers, more].concat()).await
    }
}

async fn knock(server: &Server, path: &str, body: Value) -> Reply {
    let api = Api::anonymous(&server.url);
    api.call(Method::POST, &format!("/v1/admin/door/{path}"), Some(&body.to_string()), &[]).await
}

fn now() -> WallTime {
    use columba::ports::clock::Clock as _;
    columba::app::clock::SystemClock::new().wall()
}

on_both_databases!(a_person_comes_in_is_asked_for_two_things_and_leaves_no_trace_of_either);

async fn a_person_comes_in_is_asked_for_two_things_and_leaves_no_trace_of_either(home: Home) {
    let server = home.start(&[("COLUMBA__LOG__LEVEL", "debug")]).await;
    let root = server.operator();
    root.plan("basic", json!({})).await;
    let (tenant, acme) = root.tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let sent = acme.send(&session, ANNA).await;

    let link = root.act("/v1/admin/operators/setup-link").await.expect(201);
    let token = link["setup"].as_str().unwrap().split('#').nth(1).unwrap().to_owned();
    let first = json!({"token": token, "name": "Ada", "email": EMAIL, "password": PASSWORD});
    let ada = Browser::of(&knock(&server, "setup", first).await);
    let proposed = ada.ask(&server, Method::POST, "/v1/admin/me/totp", None).await.expect(200);
    let letters = proposed["secret"].as_str().unwrap().to_owned();
    let code = Authenticator::with(&letters).code(now());
    let confirmed = json!({"code": code});
    let paper =
        ada.ask(&server, Method::POST, "/v1/admin/me/totp/confirm", Some(confirmed)).await.expect(200);
    let paper: Vec<String> = serde_json::from_value(paper["recovery_codes"].clone()).unwrap();

    // On behalf of the tenant, in outline and with a look.
    let behalf = ("columba-tenant", &*tenant);
    let path = format!("/v1/messages/{sent}");
    let outline = ada.with(&server, Method::GET, &path, None, &[behalf]).await.expect(200);
    assert!(outline["redacted"] == true && outline.get("text").is_none(), "{outline}");
    let looks = format!("/v1/admin/tenants/{tenant}/looks");
    let reason = json!({"reason": "Ticket 4711: nothing arrives"});
    let look = ada.ask(&server, Method::POST, &looks, Some(reason)).await.expect(201)["id"].clone();
    let look = ("columba-look", look.as_str().unwrap());
    let whole = ada.with(&server, Method::GET, &path, None, &[behalf, look]).await.expect(200);
    assert_eq!(whole["text"], acme.message(&sent).await["text"]);
    let told = acme.get("/v1/audit").await.expect(200);
    assert_eq!((&told["data"][0]["action"], &told["data"][0]["actor"]), (&json!("look.open"), &json!("Ada")));

    // Her ticket opens the tenant's feed, in which nothing stands that people wrote.
    let ticket =
        ada.with(&server, Method::POST, "/v1/feed/tickets", Some(json!({})), &[behalf]).await.expect(201);
    let offer = format!("columba.v1, ticket.{}", ticket["ticket"].as_str().unwrap());
    let mut feed = Feed::open(&server.url, &[("sec-websocket-protocol", &offer)]).await.unwrap();
    feed.say(&json!({"op": "subscribe"}).to_string()).await;
    while feed.next().await["op"] != "ready" {}
    let heard = acme.send(&session, ANNA).await;
    feed.until(&heard, "sent").await;
    let told = acme.get("/v1/audit").await.expect(200);
    assert_eq!(told["data"][0]["action"], "look.open", "to listen is to read: {told}");

    // A restart ends no sign-in, and forgets no code.
    let first_log = server.logged();
    server.finish().await;
    let server = home.start(&[("COLUMBA__LOG__LEVEL", "debug")]).await;
    let me = ada.ask(&server, Method::GET, "/v1/admin/me", None).await.expect(200);
    assert_eq!(me["operator"]["recovery_codes_left"], 10);
    let mut credentials = json!({"email": EMAIL, "password": PASSWORD, "totp": code});
    let replayed = knock(&server, "sign-in", credentials.clone()).await;
    assert_eq!(replayed.body["errors"][0]["code"], "wrong_code", "{}", replayed.text);
    credentials.as_object_mut().unwrap().remove("totp");
    credentials["recovery_code"] = json!(paper[0]);
    let again = Browser::of(&knock(&server, "sign-in", credentials.clone()).await);
    credentials["password"] = json!("canary-words of somebody else");
    assert_eq!(knock(&server, "sign-in", credentials).await.status, 401);
    again.ask(&server, Method::POST, "/v1/admin/me/sign-out-everywhere", None).await.expect(204);
    assert_eq!(ada.ask(&server, Method::GET, "/v1/admin/me", None).await.status, 401);

    let audit = server.operator().get("/v1/admin/audit?limit=200").await.expect(200).to_string();
    let logs = first_log + &server.logged() + &audit;
    let cookies = [&ada, &again].map(|browser| browser.cookie.split_once('=').unwrap().1.to_owned());
    for secret in [PASSWORD, "canary-words of", &letters, &token, &ada.csrf, &again.csrf]
        .into_iter()
        .map(str::to_owned)
        .chain(paper)
        .chain(cookies)
    {
        assert!(
            !logs.contains(&secret),
            "a secret of {} characters is in the log or the audit",
            secret.len()
        );
    }
    assert!(!server.logged().contains("canary-ada"), "nor is an address in the log");
    server.finish().await;
}
