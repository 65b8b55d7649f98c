//! Files from one number to another, both on native sessions of one server: through the HTTP API on either end.

use std::fs;
use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::journey::{listens, scanned, settings};
use crate::rig::{Testbed, native_testbed};
use crate::support::server::Server;

const OWN: &str = "+15551120001";
const FRIEND: &str = "+15551120002";
const MIB: usize = 1024 * 1024;

/// Bytes of which no two stretches are alike, behind the first ones of a picture.
fn picture(size: usize) -> Vec<u8> {
    let noise = (0..size as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
    [0xFF, 0xD8, 0xFF, 0xE0].into_iter().chain(noise).take(size).collect()
}

/// Resident memory of a process, in bytes.
fn resident(server: &Server) -> usize {
    let statm = fs::read_to_string(format!("/proc/{}/statm", server.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn a_picture_and_a_large_document_arrive_byte_for_byte_and_the_server_does_not_grow() {
    let testbed = Testbed::start().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let settings = settings(&native_testbed(), dir.path(), &testbed);
    let environment = settings.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("large", json!({"first_contacts_per_day": 2, "media_bytes_max": 32 * MIB})).await;
    let (_, acme) = operator.tenant("Acme", "large").await;
    let mut feed = listens(&acme).await;
    let mut sessions = vec![];
    for phone in [OWN, FRIEND] {
        testbed.account(phone).await;
        let made = acme.post("/v1/sessions", json!({"label": "desk", "engine": "native"})).await.expect(201);
        let session = made["id"].as_str().unwrap().to_owned();
        acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
        scanned(&acme, &testbed, &session, phone).await;
        feed.session(&session, "connected").await;
        sessions.push(session);
    }
    let before = resident(&server);
    for (kind, size) in [("image", 300_000), ("document", 20 * MIB)] {
        let bytes = picture(size);
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let headers = [("content-type", "image/jpeg")];
        let file = acme.raw(Method::POST, "/v1/media?file_name=menu.jpg", bytes, &headers).await.expect(201);
        assert_eq!(file["sha256"], sha256);
        let held = json!({"media": file["id"], "caption": "canary-body look"});
        let body = json!({"to": FRIEND, "type": kind, kind: held});
        acme.post(&format!("/v1/sessions/{}/messages", sessions[0]), body).await.expect(202);
        let came = loop {
            let event = feed.next().await;
            if event["e"] == "in" && event["s"] == sessions[1].as_str() {
                break acme.message(event["id"].as_str().unwrap()).await;
            }
        };
        assert_eq!(came["type"], kind, "{came}");
        assert_eq!((&came[kind]["size"], &came[kind]["caption"]), (&json!(size), &held["caption"]));
        let path = format!("/v1/media/{}", came[kind]["media"].as_str().unwrap());
        assert_eq!(acme.get(&path).await.expect(200)["state"], "remote");
        let content = format!("{path}/content");
        let answer = acme.raw(Method::GET, &content, "", &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["etag"], format!("\"{sha256}\"").as_str());
        let stored = acme.get(&path).await.expect(200);
        assert_eq!((&stored["state"], &stored["sha256"]), (&json!("stored"), &json!(sha256)));
    }
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 20 * MIB, "{grown} bytes more");
    server.finish().await;
}
