//! A tenant's money in the real program: told by webhook, stopped over a kill -9, paid and back, and judged from the rows.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api::{ANNA, Api};
use crate::support::receiver::{Receiver, Request};
use crate::support::server::{Server, program};

/// So dear that also the last minute of a month costs something.
const PRICE: i64 = 1_000_000_000;

#[tokio::test]
async fn a_tenant_is_told_of_its_money_and_stays_stopped_over_a_kill_until_it_has_paid() {
    let environment = [("COLUMBA__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.1")];
    let dir = Arc::new(TempDir::new().unwrap());
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("small", json!({"price_minor": PRICE})).await;
    operator.plan("large", json!({"price_minor": 2 * PRICE})).await;
    let (tenant, acme) = operator.tenant("Acme", "small").await;
    let session = acme.connected("sales").await;
    let first = invoices(&acme, 1).await.remove(0);

    let receiver = Receiver::start().await;
    let events = json!({"url": receiver.url(), "events": ["invoice.*", "subscription.*"]});
    acme.post("/v1/webhooks", events).await.expect(201);
    let dearer = format!("/v1/admin/tenants/{tenant}/subscription");
    operator.patch(&dearer, json!({"plan": "large"})).await.expect(200);
    let second = invoices(&acme, 2).await.remove(0);
    let issued = told(&receiver, "invoice.issued", &second["id"]).await;
    assert_eq!(issued["data"], at_first(&second), "the record, as it stood");
    let changed = told(&receiver, "subscription.updated", &Value::Null).await;
    assert_eq!(changed["data"]["deal"]["plan"], "large", "{changed}");
    server.kill().await;

    // What four weeks without a payment come to.
    let at = dir.path().join("data/columba.db");
    let rows = Database::connect(format!("sqlite://{}", at.display())).await.unwrap();
    for text in [
        "UPDATE subscription SET status = 'suspended', body = json_set(body, '$.status', 'suspended')",
        "UPDATE tenant SET standing = 'stopped'",
    ] {
        rows.execute_unprepared(text).await.unwrap();
    }
    rows.close().await.unwrap();

    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let (operator, acme) = (server.operator(), server.api(acme.token()));
    let shown = acme.at(&session).await;
    assert_eq!(
        (&shown["status"], &shown["reason"]),
        (&json!("stopped"), &json!("tenant_suspended")),
        "{shown}"
    );
    acme.text(&session, ANNA, "x").await.refused(403, "tenant_suspended");
    for invoice in [&first, &second] {
        let pay = format!("/v1/admin/invoices/{}/pay", id(invoice));
        operator.act(&pay).await.expect(200);
        told(&receiver, "invoice.paid", &invoice["id"]).await;
    }
    let mut feed = acme.feed_of(&session).await;
    if acme.at(&session).await["status"] != "connected" {
        feed.session(&session, "connected").await;
    }
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    server.finish().await;

    let judged = tokio::process::Command::new(program("columba-check"))
        .args(["--json", "--data"])
        .arg(dir.path().join("data"))
        .output()
        .await
        .unwrap();
    let verdict: Value = serde_json::from_slice(&judged.stdout).unwrap();
    assert!(judged.status.success() && verdict["counts"]["invoices"] == 2, "{verdict}");
}

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

/// The tenant's invoices, newest first, once there are so many: they come by the clock.
async fn invoices(api: &Api, count: usize) -> Vec<Value> {
    let issued = async {
        loop {
            let list = api.get("/v1/invoices").await.expect(200);
            let list = list["data"].as_array().unwrap().clone();
            if list.len() == count {
                return list;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), issued).await.expect("so many invoices")
}

/// What was told of a kind, about the thing of this id if there is one.
async fn told(receiver: &Receiver, kind: &str, about: &Value) -> Value {
    let fits = |one: &Request| {
        let body = one.json();
        one.status == 200 && body["type"] == kind && (about.is_null() || body["data"]["id"] == *about)
    };
    receiver.taken(kind, fits).await.json()
}

/// The record of the API without what only it has.
fn at_first(record: &Value) -> Value {
    let mut record = record.clone();
    record.as_object_mut().unwrap().remove("due_minor");
    record
}
