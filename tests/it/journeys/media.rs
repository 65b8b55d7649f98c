//! Files through the real program: up, out with a message, back, and what an upload that breaks off leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{ANNA, Api};
use crate::support::server::{Home, Server};

on_both_databases!(
    a_file_goes_up_out_with_a_message_and_down_again_and_is_there_after_a_restart,
    what_a_correspondent_sends_is_a_record_first_and_bytes_when_somebody_asks,
    what_lies_in_the_folder_and_in_no_row_is_gone_after_a_restart
);

const MIB: usize = 1024 * 1024;

fn picture(size: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0];
    bytes.extend((4..size).map(|n| (n % 251) as u8));
    bytes
}

async fn upload(acme: &Api, bytes: Vec<u8>) -> serde_json::Value {
    acme.raw(Method::POST, "/v1/media", bytes, &[("content-type", "image/jpeg")]).await.expect(201)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

async fn until(what: &str, fact: impl Fn() -> bool) {
    let poll = async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), poll).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn a_file_goes_up_out_with_a_message_and_down_again_and_is_there_after_a_restart(home: Home) {
    let server = home.start(&[]).await;
    server.operator().plan("basic", json!({})).await;
    let (_, acme) = server.operator().tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let bytes = picture(3 * MIB);
    let file = upload(&acme, bytes.clone()).await;
    let (id, sha256) = (file["id"].as_str().unwrap().to_owned(), hex::encode(Sha256::digest(&bytes)));
    assert_eq!(file["sha256"], sha256);

    let mut feed = acme.feed_of(&session).await;
    let image = json!({"media": id, "caption": "canary-body look"});
    let body = json!({"to": ANNA, "type": "image", "image": image});
    let sent = acme.post(&format!("/v1/sessions/{session}/messages"), body).await.expect(202);
    let message = sent["id"].as_str().unwrap();
    feed.until(message, "read").await;
    let record = acme.message(message).await;
    assert_eq!(record["type"], "image");
    assert_eq!((&record["image"]["media"], &record["image"]["mime"]), (&json!(id), &json!("image/jpeg")));
    assert_eq!(record["image"]["size"], 3 * MIB);
    server.finish().await;

    let server = home.start(&[]).await;
    let acme = acme.at_url(&server.url);
    let whole = reqwest::Client::new()
        .get(format!("{}/v1/media/{id}/content", server.url))
        .bearer_auth(acme.token())
        .send()
        .await
        .unwrap();
    assert_eq!(hex::encode(Sha256::digest(whole.bytes().await.unwrap())), sha256);
    assert_eq!(acme.delete(&format!("/v1/media/{id}")).await.status, 204);
    acme.get(&format!("/v1/media/{id}")).await.refused(404, "not_found");
    assert_eq!(files(&home.data().join("media")), Vec::<PathBuf>::new());
    server.finish().await;
}

async fn what_a_correspondent_sends_is_a_record_first_and_bytes_when_somebody_asks(home: Home) {
    let server = home.start(&[]).await;
    server.operator().plan("basic", json!({})).await;
    let (_, acme) = server.operator().tenant("Acme", "basic").await;
    let session = acme.connected("sales").await;
    let bytes = picture(MIB);
    let file = upload(&acme, bytes.clone()).await;
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["in"]})).await;
    let image = json!({"media": file["id"], "caption": "canary-body look"});
    acme.post("/v1/sandbox/messages", json!({"session": session, "from": ANNA, "image": image}))
        .await
        .expect(202);
    let event = feed.next().await;
    let record = acme.message(event["id"].as_str().unwrap()).await;
    assert_eq!((&record["type"], &record["image"]["caption"]), (&json!("image"), &image["caption"]));
    let id = record["image"]["media"].as_str().unwrap();
    assert_ne!(file["id"], id, "it has a record of its own");
    let path = format!("/v1/media/{id}");
    let remote = acme.get(&path).await.expect(200);
    assert_eq!((&remote["state"], &remote["sha256"]), (&json!("remote"), &json!(null)));
    assert_eq!((&remote["direction"], &remote["session"]), (&json!("in"), &json!(session)));

    let mut states = acme.feed_of(&session).await;
    acme.act(&format!("/v1/sessions/{session}/stop")).await.expect(202);
    states.session(&session, "stopped").await;
    acme.get(&format!("{path}/content")).await.refused(409, "session_not_ready");
    acme.act(&format!("/v1/sessions/{session}/start")).await.expect(202);
    states.session(&session, "connected").await;
    acme.get(&format!("{path}/content")).await;
    let stored = acme.get(&path).await.expect(200);
    assert_eq!((&stored["state"], &stored["sha256"]), (&json!("stored"), &file["sha256"]));
    server.finish().await;
}

async fn what_lies_in_the_folder_and_in_no_row_is_gone_after_a_restart(home: Home) {
    let server = home.start(&[]).await;
    server.operator().plan("basic", json!({})).await;
    let (_, acme) = server.operator().tenant("Acme", "basic").await;
    let (kept, lost) = (upload(&acme, picture(1_000)).await, upload(&acme, picture(2_000)).await);
    server.finish().await;
    let media = home.data().join("media");
    let all = files(&media);
    let of = |file: &serde_json::Value| {
        all.iter().find(|path| path.ends_with(file["id"].as_str().unwrap())).unwrap().clone()
    };
    // A crash between the bytes and their row, one in the middle of an upload, and a disk that lost a file.
    let shelf = of(&kept).parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let orphan = of(&kept).with_file_name(format!("med_019a2b3c4d5e7f808192a3b4c5d6e7{shelf}"));
    fs::write(&orphan, "bytes of nobody").unwrap();
    fs::write(media.join("incoming/0123"), "half").unwrap();
    fs::remove_file(of(&lost)).unwrap();

    let server = home.start(&[]).await;
    let acme = acme.at_url(&server.url);
    until("the orphan is removed", || !orphan.exists()).await;
    assert_eq!(files(&media), [of(&kept)]);
    let absent =
        async || acme.get(&format!("/v1/media/{}", lost["id"].as_str().unwrap())).await.status == 404;
    assert!(absent().await, "records are looked at before bytes");
    acme.get(&format!("/v1/media/{}", kept["id"].as_str().unwrap())).await.expect(200);
    server.finish().await;
}

/// Resident memory of a process, in bytes.
fn resident(server: &Server) -> usize {
    let statm = fs::read_to_string(format!("/proc/{}/statm", server.pid())).unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn a_large_file_passes_in_pieces_and_memory_does_not_grow_with_it() {
    let home = Home::in_files();
    let server = home.start(&[]).await;
    server.operator().plan("large", json!({"media_bytes_max": 100 * MIB})).await;
    let (_, acme) = server.operator().tenant("Acme", "large").await;
    let path = format!("/v1/media/{}/content", upload(&acme, picture(MIB)).await["id"].as_str().unwrap());
    acme.get(&path).await;
    let before = resident(&server);
    let bytes = picture(96 * MIB);
    let file = upload(&acme, bytes.clone()).await;
    assert_eq!(file["sha256"], hex::encode(Sha256::digest(&bytes)));
    let path = format!("/v1/media/{}/content", file["id"].as_str().unwrap());
    let reply = reqwest::Client::new().get(format!("{}{path}", server.url)).bearer_auth(acme.token()).send();
    assert_eq!(reply.await.unwrap().bytes().await.unwrap().len(), bytes.len());
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 24 * MIB, "{grown} bytes more for a file of {}", bytes.len());
    server.finish().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_dawdles_or_says_nothing_true_leaves_nothing() {
    let home = Home::in_files();
    let server = home.start(&[("COLUMBA__HTTP__BODY_TIMEOUT_S", "1")]).await;
    server.operator().plan("basic", json!({"media_bytes_max": MIB})).await;
    let (_, acme) = server.operator().tenant("Acme", "basic").await;
    let media = home.data().join("media");
    let head = |more: &str| {
        format!("POST /v1/media HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{more}\r\n", acme.token())
    };
    let say = async |head: String, body: &[u8]| {
        let mut socket = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        // It may be refused before all of it is written.
        let _ = socket.write_all(body).await;
        socket
    };
    let answer = async |mut socket: TcpStream| {
        let mut text = vec![];
        let _ = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut text)).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    // Cut in the middle.
    let socket = say(head("content-length: 900000\r\n"), &picture(300_000)).await;
    until("it is being written", || files(&media).len() == 1).await;
    drop(socket);
    until("what is not whole is removed", || files(&media).is_empty()).await;
    // No more comes, and the socket stays open.
    let dawdles = say(head("content-length: 900000\r\n"), &picture(300_000)).await;
    assert!(answer(dawdles).await.starts_with("HTTP/1.1 400"), "within its time");
    // Neither length nor end, and more than the plan takes.
    let endless = head("transfer-encoding: chunked\r\n");
    let chunk = [b"10000\r\n".as_slice(), &picture(0x10000), b"\r\n"].concat();
    let refused = answer(say(endless, &chunk.repeat(20)).await).await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    // Too long by its own word, and without a key: nobody reads them.
    let refused = answer(say(head("content-length: 99999999\r\n"), b"").await).await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    let nobody = "POST /v1/media HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n".to_owned();
    let refused = answer(say(nobody, &picture(100_000)).await).await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    // No length at all is no body.
    let refused = answer(say(head("connection: close\r\n"), b"").await).await;
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    until("nothing is left", || files(&media).is_empty()).await;
    assert_eq!(upload(&acme, picture(MIB)).await["size"], MIB);
    server.finish().await;
}
