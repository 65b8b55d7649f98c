//! Two tenants who cannot see each other.

use std::collections::BTreeMap;

use columba::http::openapi;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{ANNA, Api, BERT};
use crate::support::server::Home;

on_both_databases!(
    what_is_somebody_elses_looks_exactly_like_what_is_not_there,
    no_described_call_reaches_what_is_somebody_elses
);

async fn what_is_somebody_elses_looks_exactly_like_what_is_not_there(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, bolt) = operator.tenant("Bolt", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;

    let absent_session = "ses_01a2035721e37384b6433d3532e325b2";
    let absent_message = "msg_01a2035721e37384b6433d3532e325b2";
    let text = json!({"to": BERT, "type": "text", "text": {"body": "x"}}).to_string();
    let inbound = |session: &str| json!({"session": session, "from": BERT, "text": "x"}).to_string();
    let fault = |session: &str| json!({"session": session, "fault": "panic"}).to_string();
    let ticket = |session: &str| json!({"sessions": [session]}).to_string();
    let calls = |session: &str, message: &str| -> Vec<(Method, String, Option<String>)> {
        let of = |tail: &str| format!("/v1/sessions/{session}{tail}");
        vec![
            (Method::GET, of(""), None),
            (Method::DELETE, of(""), None),
            (Method::POST, of("/start"), None),
            (Method::POST, of("/stop"), None),
            (Method::POST, of("/restart"), None),
            (Method::POST, of("/logout"), None),
            (Method::GET, of("/qr"), None),
            (Method::DELETE, of("/queue"), None),
            (Method::POST, of("/pairing-code"), Some(json!({"phone": BERT}).to_string())),
            (Method::POST, of("/messages"), Some(text.clone())),
            (Method::GET, format!("/v1/messages/{message}"), None),
            (Method::DELETE, format!("/v1/messages/{message}"), None),
            (Method::GET, format!("/v1/sandbox/frames?session={session}"), None),
            (Method::POST, "/v1/sandbox/messages".to_owned(), Some(inbound(session))),
            (Method::POST, "/v1/sandbox/faults".to_owned(), Some(fault(session))),
            (Method::POST, "/v1/feed/tickets".to_owned(), Some(ticket(session))),
        ]
    };
    let without_id = |mut body: Value| {
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    let (theirs, nobodys) = (calls(&session, &message), calls(absent_session, absent_message));
    for ((method, path, body), (_, absent_path, absent_body)) in theirs.into_iter().zip(nobodys) {
        let foreign = bolt.call(method.clone(), &path, body.as_deref(), &[]).await.refused(404, "not_found");
        let absent =
            bolt.call(method, &absent_path, absent_body.as_deref(), &[]).await.refused(404, "not_found");
        assert_eq!(without_id(foreign), without_id(absent), "{path}");
    }
    assert_eq!(bolt.get("/v1/sessions").await.expect(200)["data"], json!([]));
    assert_eq!(bolt.get("/v1/messages").await.expect(200)["data"], json!([]));
    assert_eq!(bolt.get("/v1/usage").await.expect(200)["messages"]["used"], 0);

    // Acme's session is untouched by all that, and Bolt's feed has heard nothing of it.
    let mut theirs = bolt.feed(json!({"op": "subscribe", "sessions": [session]})).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    theirs.say(r#"{"op":"ping"}"#).await;
    assert_eq!(theirs.next().await["op"], "pong", "nothing came before it");
    assert_eq!(acme.get(&format!("/v1/sessions/{session}")).await.expect(200)["status"], "connected");
    server.finish().await;
}

/// Where a document's part names the schema of an id, that id, if it is one of these.
fn foreign<'a>(schema: &Value, ids: &BTreeMap<&str, &'a str>) -> Option<&'a str> {
    let name = schema["$ref"].as_str().and_then(|place| place.rsplit('/').next())?;
    ids.get(name).copied()
}

/// Puts foreign ids into a body that is otherwise fine; whether there was a place for one.
fn fill(document: &Value, schema: &Value, body: &mut Value, ids: &BTreeMap<&str, &str>) -> bool {
    let schema = match schema["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let mut filled = false;
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let one = foreign(property, ids);
        let many = foreign(&property["items"], ids);
        if let Some(id) = one.or(many) {
            body[name] = if one.is_some() { json!(id) } else { json!([id]) };
            filled = true;
        }
    }
    filled
}

/// The invoice of a tenant's first round, which comes by the clock.
async fn first_invoice(api: &Api) -> String {
    let issued = async {
        loop {
            let invoices = api.get("/v1/invoices").await.expect(200);
            if let Some(id) = invoices["data"][0]["id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), issued).await.expect("an invoice")
}

async fn no_described_call_reaches_what_is_somebody_elses(home: Home) {
    let server = home.start(&[]).await;
    let operator = server.operator();
    // So dear that also the last minute of a month costs something.
    operator.plan("basic", json!({"price_minor": 1_000_000_000_i64})).await;
    let (_, acme) = operator.tenant("Acme", "basic").await;
    let (_, bolt) = operator.tenant("Bolt", "basic").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed(json!({"op": "subscribe"})).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let made = acme.post("/v1/webhooks", json!({"url": "https://hooks.example.com/acme"})).await.expect(201);
    let webhook = made["id"].as_str().unwrap();
    let entry = acme.post("/v1/suppressions", json!({"phone": "+15551230066"})).await.expect(201);
    let file = [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0].as_slice();
    let jpeg = [("content-type", "image/jpeg")];
    let media = acme.raw(Method::POST, "/v1/media", file.to_vec(), &jpeg).await.expect(201);
    let invoice = first_invoice(&acme).await;
    let back = json!({"amount_minor": 1, "reason": "for the test"});
    let notes = format!("/v1/admin/invoices/{invoice}/credit-notes");
    let note = operator.post(&notes, back).await.expect(201);
    let tested = acme.act(&format!("/v1/webhooks/{webhook}/test")).await.expect(202);
    // Of each kind of id that a path may name, one that is Acme's. A new kind needs its line here.
    let ids = BTreeMap::from([
        ("SessionId", session.as_str()),
        ("MessageId", message.as_str()),
        ("WebhookId", webhook),
        ("DeliveryId", tested["id"].as_str().unwrap()),
        ("SuppressionId", entry["id"].as_str().unwrap()),
        ("MediaId", media["id"].as_str().unwrap()),
        ("InvoiceId", invoice.as_str()),
        ("CreditNoteId", note["id"].as_str().unwrap()),
    ]);

    let document: Value = serde_json::from_str(&openapi::document()).unwrap();
    let (mut by_path, mut by_body, mut by_query) = (0, 0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/") || path.starts_with("/v1/admin/") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let content = &operation["requestBody"]["content"]["application/json"];
            let (mut body, mut path) = (content["example"].clone(), path.clone());
            let mut named = None;
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let place = parameter["in"].as_str().unwrap_or_default();
                if place == "path" {
                    let id = foreign(&parameter["schema"], &ids);
                    let id =
                        id.unwrap_or_else(|| panic!("{method} {path} names an id this test has none of"));
                    path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), id);
                    named = Some(&mut by_path);
                } else if let (Some(id), "query") = (foreign(&parameter["schema"], &ids), place) {
                    path = format!("{path}?{}={id}", parameter["name"].as_str().unwrap());
                    named = Some(&mut by_query);
                }
            }
            if fill(&document, &content["schema"], &mut body, &ids) && named.is_none() {
                named = Some(&mut by_body);
            }
            let Some(count) = named else { continue };
            *count += 1;
            let text = (!body.is_null()).then(|| body.to_string());
            let reply = bolt.call(method.clone(), &path, text.as_deref(), &[]).await;
            // A filter of a list narrows it to nothing; everything else is absent.
            if reply.status == 200 && path.contains('?') && reply.body["data"] == json!([]) {
                continue;
            }
            // A list of sessions in a body is judged like any other field, and a foreign one as one that is nowhere.
            if reply.status == 422 {
                let absent = text.unwrap().replace(&session, "ses_01a2035721e37384b6433d3532e325b2");
                let nowhere =
                    bolt.call(method, &path, Some(&absent), &[]).await.refused(422, "invalid_request");
                let foreign = reply.refused(422, "invalid_request");
                assert_eq!(foreign["errors"], nowhere["errors"], "{path}");
                assert_eq!(foreign["errors"][0]["pointer"], "/sessions/0", "{path}");
                continue;
            }
            reply.refused(404, "not_found");
        }
    }
    assert!(by_path >= 22 && by_body >= 4 && by_query >= 2, "{by_path} {by_body} {by_query}");
    let record = acme.get(&format!("/v1/sessions/{session}")).await.expect(200);
    assert_eq!((&record["status"], &record["counters"]["sent"]), (&json!("connected"), &json!(1)));
    server.finish().await;
}
