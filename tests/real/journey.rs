//! From the HTTP API to a phone: the whole server with a session of each engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{Bridge, PATIENCE, Testbed, baileys_testbed, native_testbed, program};
use crate::support::api::{Api, Feed};
use crate::support::server::Server;

const OWN: &str = "+15551110001";
const FRIEND: &str = "+15551110002";
const STRANGER: &str = "+15551110003";
/// Writes first.
const CALLER: &str = "+15551110004";
const NOBODY: &str = "+15551110099";

/// The phone with this number scans the code that a session shows.
pub async fn scanned(api: &Api, testbed: &Testbed, session: &str, phone: &str) -> Value {
    let path = format!("/v1/sessions/{session}/qr");
    let shown = async {
        loop {
            let reply = api.get(&path).await;
            if reply.status == 200 {
                return reply.body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let shown = tokio::time::timeout(PATIENCE, shown).await.expect("a code to scan");
    testbed.post("/admin/scan", json!({"phone": phone, "qr": shown["code"]})).await;
    shown
}

/// What a server is told of a bridge.
pub fn settings(bridge: &Bridge, folder: &Path, testbed: &Testbed) -> [(String, String); 3] {
    let program = program(bridge, folder);
    let key = |name: &str| format!("COLUMBA__BRIDGES__{}__{name}", bridge.engine.to_uppercase());
    [
        (key("PATH"), program.path.to_str().unwrap().to_owned()),
        (key("SHA256"), program.sha256),
        (key("ENDPOINT"), testbed.url.clone()),
    ]
}

pub async fn listens(api: &Api) -> Feed {
    let mut feed = api.feed(json!({"op": "subscribe"})).await;
    feed.patience = PATIENCE;
    feed
}

#[rstest]
#[tokio::test]
async fn a_tenant_links_a_number_is_heard_by_a_phone_hears_it_and_is_held_back_from_strangers(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let engine = bridge().engine;
    let testbed = Testbed::start().await;
    for phone in [OWN, FRIEND, STRANGER, CALLER] {
        testbed.account(phone).await;
    }
    let dir = Arc::new(TempDir::new().unwrap());
    let settings = settings(&bridge(), dir.path(), &testbed);
    let environment = settings.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    // The number was linked just now: without the operator's word it would answer only.
    operator.plan("careful", json!({"first_contacts_per_day": 2})).await;
    let (_, acme) = operator.tenant("Acme", "careful").await;
    let made = acme.post("/v1/sessions", json!({"label": "sales", "engine": engine})).await.expect(201);
    let session = made["id"].as_str().unwrap().to_owned();
    let mut feed = listens(&acme).await;
    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    let shown = scanned(&acme, &testbed, &session, OWN).await;
    assert!(shown["warning"].as_str().unwrap().contains("banned at any time"), "{shown}");
    feed.session(&session, "connected").await;

    // A friend's phone decrypts it, under the id that was promised.
    let message = acme.send(&session, FRIEND).await;
    feed.until(&message, "delivered").await;
    let chat = testbed.chat(FRIEND, 1).await;
    assert_eq!(chat[0]["id"], acme.message(&message).await["wa_id"]);

    // A number without an account is never written to, and the day's third stranger waits.
    let nobody = acme.send(&session, NOBODY).await;
    feed.until(&nobody, "failed").await;
    let failed = acme.message(&nobody).await;
    assert_eq!((&failed["reason"], &failed["attempts"]), (&json!("not_on_whatsapp"), &json!(0)), "{failed}");
    let third = acme.send(&session, STRANGER).await;
    feed.until(&third, "held").await;
    assert_eq!(acme.message(&third).await["reason"], "first_contact");

    // The friend writes, and says that it is enough.
    for text in ["hello", "Stop!"] {
        testbed.post("/admin/messages", json!({"phone": FRIEND, "to": OWN, "text": text})).await;
        while feed.next().await["e"] != "in" {}
    }
    acme.text(&session, FRIEND, "but").await.refused(422, "suppressed");

    // What the server left behind logs in again without a person, once.
    let token = acme.token().to_owned();
    server.kill().await;
    let server = Server::start_in(dir, &environment).await;
    let acme = server.api(&token);
    let mut feed = listens(&acme).await;
    testbed.post("/admin/messages", json!({"phone": CALLER, "to": OWN, "text": "are you there?"})).await;
    while feed.next().await["e"] != "in" {}
    let reply = acme.send(&session, CALLER).await;
    feed.until(&reply, "delivered").await;
    let accounts = testbed.get("/admin/accounts").await;
    assert_eq!(accounts[0]["companions"].as_array().unwrap().len(), 1, "never linked anew: {accounts}");
    server.finish().await;
}
