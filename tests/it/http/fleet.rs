//! What operators see of all tenants, over a real store.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::message::MessageReason;
use columba::domain::scope::SystemScope;
use columba::domain::session::{Engine, Reason, SessionStatus, Standing};
use columba::domain::time::WallTime;
use columba::domain::webhook::WebhookReason;
use columba::ports::installation::{EngineView, ShardView};
use columba::ports::outbox::Outcome;
use columba::ports::sessions::StatusChange;
use serde_json::{Value, json};

use super::firm::Firm;
use super::world::{World, hello, request};
use crate::storage::contract::stage::{ANN, BOB};
use crate::support::webhooks::webhook;

const READS: [&str; 10] = [
    "overview",
    "sessions",
    "sessions/{session}",
    "messages",
    "messages/{message}",
    "webhooks",
    "transports",
    "system",
    "backups",
    "tenants",
];

async fn stand(firm: &Firm, status: SessionStatus, reason: Option<Reason>) {
    let change = StatusChange { status, reason, code: None, since: firm.stage.now() };
    firm.stage.sessions.announce(firm.stage.lease, change).await.unwrap();
}

fn list(reply: &Value) -> &Vec<Value> {
    reply["data"].as_array().unwrap()
}

#[actix_web::test]
async fn none_of_it_opens_for_a_tenant_s_key_or_for_nobody() {
    let firm = Firm::open().await;
    let message = firm.stage.accept(ANN).await.id.to_string();
    for read in READS {
        let read = read.replace("{session}", &firm.stage.session.to_string()).replace("{message}", &message);
        let path = format!("/v1/admin/{read}");
        assert_eq!(firm.ask(Method::GET, &path, None).await.problem().0, 401, "{path}");
        assert_eq!(firm.send(TestRequest::get().uri(&path)).await.problem().0, 401, "{path}");
        assert_eq!(firm.rule(Method::GET, &path, None).await.status, 200, "{path}");
    }
    assert_eq!(firm.ask(Method::POST, "/v1/admin/backups", None).await.problem().0, 401);
    let absent = "/v1/admin/sessions/ses_019a2b3c4d5e7f808192a3b4c5d6e7f2";
    assert_eq!(firm.rule(Method::GET, absent, None).await.problem().0, 404);
}

#[actix_web::test]
async fn the_fleet_names_tenants_and_is_sorted_and_sought_page_by_page() {
    let firm = Firm::open().await;
    firm.stage.sibling().await;
    firm.stage.stranger().await;
    let accepted = firm.stage.accept(ANN).await;
    let read = async |query: &str| firm.rule(Method::GET, &format!("/v1/admin/sessions?{query}"), None).await;
    let all = read("").await.json();
    assert_eq!(list(&all).len(), 3);
    let busy = list(&all).iter().find(|row| row["id"] == json!(firm.stage.session)).unwrap();
    assert_eq!((&busy["tenant_name"], &busy["queued"]), (&json!("Acme"), &json!(1)));
    assert_eq!(busy["last_activity_at"], json!(accepted.id.minted_at()));
    assert_eq!(read("q=FRONT").await.json(), all, "by a part of the label");
    assert_eq!(list(&read("q=nothing").await.json()).len(), 0);
    assert_eq!(list(&read("q=acme").await.json()).len(), 3, "by the tenant's name");
    assert_eq!(list(&read(&format!("q={}", firm.stage.session)).await.json()).len(), 1, "by its id");

    let (mut seen, mut query) = (vec![], "sort=queued&order=desc&limit=1".to_owned());
    loop {
        let page = read(&query).await.json();
        seen.extend(list(&page).iter().map(|row| row["queued"].as_u64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        let other = read(&format!("sort=label&cursor={next}")).await;
        assert_eq!(other.problem().2, "?cursor", "a cursor is good for its own sort");
        query = format!("sort=queued&order=desc&limit=1&cursor={next}");
    }
    assert_eq!(seen, [1, 0, 0]);
    for (query, pointer) in [
        ("sort=size", "?sort"),
        ("order=up", "?order"),
        ("status=gone", "?status"),
        ("reason=because", "?reason"),
        ("engine=steam", "?engine"),
        ("restricted=maybe", "?restricted"),
        ("q=", "?q"),
        ("limit=201", "?limit"),
        ("release=1", "?release"),
    ] {
        assert_eq!(read(query).await.problem().2, pointer, "{query}");
    }
    let standing = Standing { timelock_until: Some(firm.stage.in_secs(60)), ..Standing::default() };
    firm.stage.sessions.remember(firm.stage.lease, standing).await.unwrap();
    let limited = read("restricted=true").await.json();
    assert_eq!(list(&limited)[0]["id"], json!(firm.stage.session));
    assert_eq!(list(&read("restricted=false").await.json()).len(), 2);
}

#[actix_web::test]
async fn the_log_tells_whose_with_whom_and_how_it_fared_and_nothing_of_what_was_said() {
    let firm = Firm::open().await;
    let sent = firm.stage.attempt(ANN, Outcome::Sent).await;
    firm.stage.wait_secs(1);
    let held = Outcome::Held { until: firm.stage.in_secs(60), reason: MessageReason::Timelock };
    firm.stage.attempt(BOB, held).await;
    let read = async |query: &str| firm.rule(Method::GET, &format!("/v1/admin/messages?{query}"), None).await;
    let all = read("").await;
    assert!(!all.text.contains("hello") && !all.text.contains("\"text\":{"), "{}", all.text);
    let rows = all.json();
    assert_eq!(list(&rows).len(), 2);
    for row in list(&rows) {
        assert_eq!(
            (&row["redacted"], &row["tenant_name"], &row["type"]),
            (&json!(true), &json!("Acme"), &json!("text"))
        );
    }
    assert_eq!(list(&rows)[0]["hold"]["until"], json!(firm.stage.in_secs(60)));
    let one = read(&format!("to={ANN}")).await.json();
    assert_eq!(list(&one)[0]["id"], json!(sent.id), "a plus sign may come as a space");
    assert_eq!(list(&read(&format!("wa_id={}", sent.wa_id.0)).await.json()).len(), 1);
    assert_eq!(list(&read("status=held&direction=out").await.json()).len(), 1);
    assert_eq!(read("to=%2B15551230001&direction=in").await.problem().2, "?to");
    assert_eq!(read("from=yesterday").await.problem().2, "?from");

    let life = firm.rule(Method::GET, &format!("/v1/admin/messages/{}", sent.id), None).await.json();
    let stops: Vec<_> = life["life"].as_array().unwrap().iter().map(|stop| stop["stop"].clone()).collect();
    assert_eq!(stops, [json!("accepted"), json!("attempted"), json!("sent")]);
    assert_eq!((&life["life"][0]["ms"], &life["life"][1]["ms"]), (&Value::Null, &json!(0)));
    assert!(life.get("text").is_none());
}

#[actix_web::test]
async fn a_window_shows_the_minute_s_attempts_the_next_slot_and_what_waits() {
    let firm = Firm::open().await;
    firm.put_plan("basic", json!({"messages_per_minute": 2, "messages_per_month": 100})).await;
    let path = format!("/v1/sessions/{}/window", firm.stage.session);
    let read = async || firm.ask(Method::GET, &path, None).await.json();
    let empty = read().await;
    assert_eq!((&empty["attempts"], &empty["cap"], &empty["span_s"]), (&json!([]), &json!(2), &json!(60)));
    assert_eq!((&empty["next_slot_at"], &empty["queue"]["head"]), (&empty["now"], &Value::Null));
    let first = firm.stage.now();
    firm.stage.attempt(ANN, Outcome::Sent).await;
    firm.stage.wait_secs(10);
    firm.stage.attempt(ANN, Outcome::Sent).await;
    let waits = firm.stage.accept(ANN).await;
    let full = read().await;
    assert_eq!(full["attempts"], json!([first, firm.stage.now()]));
    assert_eq!(full["next_slot_at"], json!(WallTime(first.0 + 61_000)));
    assert_eq!((&full["queue"]["queued"], &full["queue"]["head"]["id"]), (&json!(1), &json!(waits.id)));
    firm.stage.wait_secs(51);
    assert_eq!(read().await["attempts"].as_array().unwrap().len(), 1, "the first is older than a minute");
    let theirs = format!("/v1/sessions/{}/window", firm.stage.stranger().await.session);
    assert_eq!(firm.ask(Method::GET, &theirs, None).await.problem().0, 404);
}

#[actix_web::test]
async fn a_timeline_runs_from_the_present_back() {
    let firm = Firm::open().await;
    for (status, reason) in
        [(SessionStatus::Connected, None), (SessionStatus::Reconnecting, Some(Reason::Throttled))]
    {
        firm.stage.wait_secs(1);
        stand(&firm, status, reason).await;
    }
    let path = format!("/v1/sessions/{}/timeline", firm.stage.session);
    let (mut seen, mut query) = (vec![], "?limit=1".to_owned());
    loop {
        let page = firm.ask(Method::GET, &format!("{path}{query}"), None).await.json();
        seen.extend(list(&page).clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=1&cursor={next}");
    }
    let told: Vec<_> = seen.iter().map(|spell| (spell["status"].clone(), spell["reason"].clone())).collect();
    assert_eq!(
        told,
        [
            (json!("reconnecting"), json!("throttled")),
            (json!("connected"), Value::Null),
            (json!("stopped"), Value::Null)
        ]
    );
    assert_eq!((&seen[0]["until"], &seen[1]["until"]), (&Value::Null, &seen[0]["since"]));
    assert_eq!(firm.ask(Method::GET, &format!("{path}?cursor=x"), None).await.problem().2, "?cursor");
}

#[actix_web::test]
async fn what_did_not_arrive_is_sent_again_as_a_new_message_that_counts() {
    let firm = Firm::open().await;
    let failed = firm.stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await;
    let resend = async |id: &str, key: Option<&str>| {
        let path = format!("/v1/messages/{id}/resend");
        let post = request(Method::POST, &path, &firm.key, None);
        firm.send(match key {
            Some(key) => post.insert_header(("idempotency-key", key)),
            None => post,
        })
        .await
    };
    let again = resend(&failed.id.to_string(), Some("once")).await;
    assert_eq!((again.status, &again.json()["status"]), (202, &json!("queued")), "{}", again.text);
    assert_ne!(again.json()["id"], json!(failed.id));
    assert_eq!((&again.json()["text"], &again.json()["to"]), (&json!({"body": "hello"}), &json!(ANN)));
    let replay = resend(&failed.id.to_string(), Some("once")).await;
    assert_eq!((replay.header("idempotency-replayed"), &replay.json()["id"]), ("true", &again.json()["id"]));
    assert_eq!(firm.stage.usage().await, (0, 1), "the new one is held a place");
    assert_eq!(firm.stage.message(failed.id).await, failed, "the old one is as it was");

    let waits = again.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(resend(&waits, None).await.problem().1, "conflict");
    let heard = firm.stage.heard(ANN, "IN1");
    firm.stage.hear(heard.clone()).await;
    assert_eq!(resend(&heard.id.to_string(), None).await.problem().1, "conflict");
    assert_eq!(resend("msg_019a2b3c4d5e7f808192a3b4c5d6e7f3", None).await.problem().0, 404);
}

#[actix_web::test]
async fn an_overview_says_what_is_wrong_in_plain_words_and_is_looked_at_once_a_second() {
    let firm = Firm::open().await;
    firm.stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await;
    firm.stage.accept(ANN).await;
    let read = async || firm.rule(Method::GET, "/v1/admin/overview", None).await;
    let first = read().await;
    let told = first.json();
    assert_eq!(
        (&told["sessions"]["total"], &told["sessions"]["by_status"]["stopped"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(told["sessions"]["by_status"]["quarantined"], 0, "every status is told");
    assert_eq!((&told["messages"]["queued"], &told["messages"]["held"]), (&json!(1), &json!(0)));
    assert_eq!((&told["tenants"], &told["incidents"]), (&json!({"total": 1, "suspended": 0}), &json!([])));
    assert_eq!(told["messages"]["per_minute_history"].as_array().unwrap().len(), 60);
    assert_eq!(
        (&told["trouble"][0]["name"], &told["trouble"][0]["failed_messages"]),
        (&json!("Acme"), &json!(1))
    );

    stand(&firm, SessionStatus::LoggedOut, Some(Reason::DeviceRemoved)).await;
    assert_eq!(read().await.text, first.text, "within a second it is the same look");
    firm.stage.wait_secs(1);
    let told = read().await.json();
    let incident = &told["incidents"][0];
    assert_eq!((&incident["kind"], &incident["count"]), (&json!("logged_out"), &json!(1)));
    assert_eq!(
        (&incident["tenant"], &incident["session"]),
        (&json!(firm.stage.tenant), &json!(firm.stage.session))
    );
    assert!(incident["text"].as_str().unwrap().contains("“Acme”"), "{incident}");
    assert_eq!(told["trouble"][0]["logged_out"], 1);
    firm.stage.fixture.clock.advance(std::time::Duration::from_secs(3600));
    let past = read().await.json()["sessions"]["history"].as_array().unwrap().clone();
    assert!((3..=5).contains(&past.len()), "quarters of an hour since the session was made: {past:?}");
    assert_eq!(past.last().unwrap()["by_status"], json!({"logged_out": 1}));
}

#[actix_web::test]
async fn a_system_shows_its_checks_its_settings_and_its_engines() {
    let world = World::new();
    let shard = ShardView {
        id: "native-0".into(),
        state: "down",
        sessions: 3,
        since: None,
        restarts: 4,
        last_beat_ms: None,
        resident_bytes: None,
    };
    let engine = |engine, shards| EngineView {
        engine,
        release: "1".into(),
        experimental: false,
        checksum: None,
        capabilities: None,
        shards,
    };
    world.fakes.inner().engines =
        vec![engine(Engine::Sandbox, None), engine(Engine::Native, Some(vec![shard]))];
    let system = world.rule(Method::GET, "/v1/admin/system", None).await.json();
    assert_eq!((&system["ready"], &system["checks"]["accepting"]), (&json!(true), &json!("ok")));
    assert_eq!((&system["store"], &system["config"][0]["source"]), (&Value::Null, &json!("default")));
    let transports = world.rule(Method::GET, "/v1/admin/transports", None).await.json();
    let states: Vec<_> = list(&transports).iter().map(|one| one["state"].clone()).collect();
    assert_eq!(states, [json!("in_process"), json!("down")]);
    assert!(list(&transports)[1]["warning"].as_str().unwrap().contains("unofficial"));
    let overview = world.rule(Method::GET, "/v1/admin/overview", None).await.json();
    assert_eq!(overview["incidents"][0]["kind"], "bridge_down");
    let busy = world.rule(Method::POST, "/v1/admin/backups", None).await;
    assert_eq!(busy.problem().1, "conflict");
    assert_eq!(world.fakes.notes(), ["back up"]);
    let sent = world.ask(Method::POST, &world.messages_path(), Some(hello())).await;
    assert_eq!(sent.status, 202, "looking changes nothing");
}

#[actix_web::test]
async fn endpoints_of_all_tenants_are_listed_without_what_may_be_secret_in_their_addresses() {
    let firm = Firm::open().await;
    let url = "https://user:pass@hooks.example.com:8443/secret?token=hidden";
    let failing = webhook(firm.stage.tenant, url, firm.stage.now());
    firm.stage.webhooks.create(firm.stage.scope(), failing.clone(), 10, None).await.unwrap();
    let read = async |query: &str| firm.rule(Method::GET, &format!("/v1/admin/webhooks?{query}"), None).await;
    let all = read("").await;
    assert_eq!(list(&all.json())[0]["url"], "https://hooks.example.com:8443");
    assert_eq!(list(&all.json())[0]["tenant_name"], "Acme");
    for word in ["hidden", "secret", "pass", "sealed"] {
        assert!(!all.text.contains(word), "{word}: {}", all.text);
    }
    assert_eq!(list(&read("state=active").await.json()).len(), 1);
    for state in ["failing", "disabled"] {
        assert_eq!(list(&read(&format!("state={state}")).await.json()).len(), 0, "{state}");
    }
    firm.stage
        .webhooks
        .disable(SystemScope, failing.id, WebhookReason::Gone, firm.stage.now())
        .await
        .unwrap();
    assert_eq!(list(&read("state=disabled").await.json()).len(), 1);
    assert_eq!(read("state=tired").await.problem().2, "?state");
    let overview = firm.rule(Method::GET, "/v1/admin/overview", None).await.json();
    assert_eq!(overview["webhooks"]["disabled"], 1);
    assert_eq!(overview["incidents"][0]["kind"], "webhooks_disabled");
}

#[actix_web::test]
async fn tenants_are_sought_by_name_status_and_plan_and_show_this_month_s_usage() {
    let firm = Firm::open().await;
    firm.stage.accept(ANN).await;
    let other = firm.stage.stranger().await.tenant;
    let suspend = format!("/v1/admin/tenants/{other}/suspend");
    assert_eq!(firm.rule(Method::POST, &suspend, None).await.status, 200);
    let read = async |query: &str| firm.rule(Method::GET, &format!("/v1/admin/tenants?{query}"), None).await;
    let all = read("q=ACM").await.json();
    assert_eq!(list(&all).len(), 2);
    let mine = list(&all).iter().find(|row| row["id"] == json!(firm.stage.tenant)).unwrap();
    assert_eq!(mine["usage"], json!({"used": 1, "limit": 10}));
    let theirs = list(&all).iter().find(|row| row["id"] == json!(other)).unwrap();
    assert_eq!(theirs["usage"], json!({"used": 0, "limit": 2}), "what the plan gives");
    for (query, count) in [
        ("status=suspended", 1),
        ("status=active&plan=basic", 1),
        ("plan=gold", 0),
        ("q=nobody", 0),
        (&*format!("q={other}"), 1),
    ] {
        assert_eq!(list(&read(query).await.json()).len(), count, "{query}");
    }
    assert_eq!(read("status=gone").await.problem().2, "?status");
}
