//! One engine's session writes to the other's: two bridges, two libraries, one network.

use std::sync::Arc;

use columba::ports::transport::Transport as _;
use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use crate::journey::{scanned, settings};
use crate::messages::inbound;
use crate::rig::{Bridge, PATIENCE, Rig, Testbed, baileys_testbed, native_testbed};
use crate::support::api::{Api, Feed};
use crate::support::server::Server;

const ALICE: &str = "+15551230001";
const BOB: &str = "+15551230002";

#[rstest]
#[case(native_testbed, baileys_testbed)]
#[case(baileys_testbed, native_testbed)]
#[tokio::test]
async fn sessions_of_two_engines_write_to_each_other(
    #[case] of_alice: fn() -> Bridge,
    #[case] of_bob: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let (alices, bobs) = (Rig::start(of_alice(), &testbed.url), Rig::start(of_bob(), &testbed.url));
    let (alice, mut to_alice) = alices.paired(&testbed, ALICE).await;
    let (bob, mut to_bob) = bobs.paired(&testbed, BOB).await;
    for round in 0..5 {
        let there = format!("question {round}: Grüße, 👋🏽");
        let work = alice.message(BOB, &there);
        assert_eq!(alices.engine.send(&work).await, Ok(()));
        let (delivery, wa_id, from, body) = inbound(&mut to_bob).await;
        assert_eq!((wa_id, from.as_str(), body), (work.wa_id.0, ALICE, there));
        bobs.engine.confirm(bob.lease, &delivery).await.unwrap();
        let back = format!("answer {round}");
        assert_eq!(bobs.engine.send(&bob.message(ALICE, &back)).await, Ok(()));
        let (delivery, _, from, body) = inbound(&mut to_alice).await;
        assert_eq!((from.as_str(), body), (BOB, back));
        alices.engine.confirm(alice.lease, &delivery).await.unwrap();
    }
}

/// Two tenants of one server, each with an engine of its own, and nobody but they.
#[tokio::test]
async fn tenants_of_two_engines_write_to_each_other_through_one_server() {
    let testbed = Testbed::start().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let bridges = [native_testbed(), baileys_testbed()];
    let engines = bridges.each_ref().map(|bridge| bridge.engine);
    let told: Vec<_> = bridges
        .iter()
        .flat_map(|bridge| {
            let folder = dir.path().join(format!("of-{}", bridge.engine));
            std::fs::create_dir(&folder).unwrap();
            settings(bridge, &folder, &testbed)
        })
        .collect();
    let environment: Vec<_> = told.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("free", json!({"first_contacts_per_day": 10})).await;
    let mut sides = vec![];
    for (engine, phone) in engines.into_iter().zip([ALICE, BOB]) {
        testbed.account(phone).await;
        let (_, tenant) = operator.tenant(engine, "free").await;
        let made = tenant.post("/v1/sessions", json!({"label": "line", "engine": engine})).await.expect(201);
        let session = made["id"].as_str().unwrap().to_owned();
        let mut feed = tenant.feed_of(&session).await;
        feed.patience = PATIENCE;
        tenant.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
        scanned(&tenant, &testbed, &session, phone).await;
        feed.session(&session, "connected").await;
        sides.push((tenant, session, feed));
    }
    let [alice, bob] = &mut sides[..] else { panic!("two sides") };
    for round in 0..3 {
        writes(alice, bob, BOB, &format!("question {round}")).await;
        writes(bob, alice, ALICE, &format!("answer {round}")).await;
    }
    server.finish().await;
}

type Side = (Api, String, Feed);

/// One side writes, the other has it, and the first hears that it has.
async fn writes((from, session, told): &mut Side, (to, _, heard): &mut Side, phone: &str, body: &str) {
    let sent = from.text(session, phone, body).await.expect(202);
    let message = sent["id"].as_str().unwrap();
    let came = loop {
        let event = heard.next().await;
        if event["e"] == "in" {
            break event["id"].as_str().unwrap().to_owned();
        }
    };
    assert_eq!(to.message(&came).await["text"]["body"], body);
    told.until(message, "delivered").await;
    let wa_id = &from.message(message).await["wa_id"];
    assert_eq!(&to.message(&came).await["wa_id"], wa_id, "one id at both ends");
}
