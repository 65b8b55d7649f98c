//! Files over HTTP: taken as they come, handed out in pieces, and refused before they are read where they can be.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::domain::id::{MediaId, MessageId};
use columba::domain::media::{Handle, MediaFile, MediaState};
use columba::domain::message::Direction;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::WallTime;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fakes::NOW;
use super::world::{Reply, World, request};

/// A picture, by its first bytes.
fn jpeg(size: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0];
    bytes.extend((4..size).map(|n| (n % 251) as u8));
    bytes
}

fn upload(world: &World, path: &str, mime: Option<&str>, body: Vec<u8>) -> TestRequest {
    let upload = request(Method::POST, path, &world.key, None);
    match mime {
        Some(mime) => upload.insert_header(("content-type", mime)),
        None => upload,
    }
    .set_payload(body)
}

async fn uploaded(world: &World, mime: &str, body: Vec<u8>) -> Value {
    let reply = world.send(upload(world, "/v1/media?file_name=m%C3%A4nu.jpg", Some(mime), body)).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()
}

fn path(record: &Value) -> String {
    format!("/v1/media/{}", record["id"].as_str().unwrap())
}

/// A file that came in and lies with the network.
async fn came_in(world: &World, size: u64) -> MediaId {
    let file = MediaFile {
        id: MediaId::mint(NOW),
        tenant: world.tenant,
        session: Some(world.session),
        direction: Direction::In,
        mime: "image/jpeg".into(),
        size,
        sha256: None,
        file_name: None,
        state: MediaState::Remote,
        handle: Some(Handle(b"key".to_vec())),
        created_at: NOW,
        kept_from: NOW,
    };
    let id = file.id;
    let lease = Lease { tenant: world.tenant, session: world.session, epoch: Epoch(1) };
    world.state.media.records.note(lease, file).await.unwrap();
    id
}

fn nothing_is_left(world: &World) {
    let incoming = world.data.path().join("media/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

#[actix_web::test]
async fn a_file_is_taken_shown_handed_out_and_removed() {
    let world = World::new();
    let bytes = jpeg(300_000);
    let record = uploaded(&world, "image/jpeg", bytes.clone()).await;
    assert_eq!(record["mime"], "image/jpeg");
    assert_eq!((&record["size"], &record["state"]), (&json!(300_000), &json!("stored")));
    assert_eq!(record["sha256"], hex::encode(Sha256::digest(&bytes)));
    assert_eq!((&record["file_name"], &record["direction"]), (&json!("mänu.jpg"), &json!("out")));
    assert_eq!(record["expires_at"], json!(NOW + std::time::Duration::from_secs(30 * 24 * 3600)));
    let path = path(&record);
    assert_eq!(world.ask(Method::GET, &path, None).await.json(), record);

    let whole = world.ask(Method::GET, &format!("{path}/content"), None).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, "image/jpeg"));
    assert_eq!(whole.bytes, bytes);
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(whole.header("content-security-policy").contains("sandbox"));
    let named = "attachment; filename*=UTF-8''m%C3%A4nu.jpg";
    assert_eq!(whole.header("content-disposition"), named);

    assert_eq!(world.ask(Method::DELETE, &path, None).await.status, 204);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/content")),
        (Method::DELETE, path.clone()),
    ] {
        assert_eq!(world.ask(method, &path, None).await.problem().0, 404);
    }
    assert_eq!(world.state.media.files.of(world.tenant).await.unwrap(), []);
}

#[actix_web::test]
async fn a_range_is_answered_in_part_and_what_is_known_not_at_all() {
    let world = World::new();
    let bytes = jpeg(100_000);
    let record = uploaded(&world, "image/jpeg", bytes.clone()).await;
    let path = format!("{}/content", path(&record));
    let tag = format!("\"{}\"", record["sha256"].as_str().unwrap());
    let ask = async |headers: &[(&str, &str)]| {
        let mut asked = request(Method::GET, &path, &world.key, None);
        for &header in headers {
            asked = asked.insert_header(header);
        }
        world.send(asked).await
    };
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65536-", 65_536, 100_000),
        ("bytes=99999-200000", 99_999, 100_000),
        ("bytes=-10", 99_990, 100_000),
        ("bytes=10-80000", 10, 80_001),
    ] {
        for headers in [vec![("range", range)], vec![("range", range), ("if-range", &*tag)]] {
            let part = ask(&headers).await;
            assert_eq!(part.status, 206, "{range}");
            assert_eq!(part.header("content-range"), format!("bytes {from}-{}/100000", to - 1));
            assert_eq!(part.bytes, bytes[from..to], "{range}");
        }
    }
    let other = [("range", "bytes=0-0"), ("if-range", "\"another\"")];
    for headers in
        [&[("range", "bytes=100000-")][..], &[("range", "bytes=0-1,5-6")], &[("range", "rows=1-2")], &other]
    {
        let whole = ask(headers).await;
        assert_eq!((whole.status, whole.bytes.len()), (200, 100_000), "{headers:?}");
    }
    let known = ask(&[("if-none-match", &tag)]).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
}

#[actix_web::test]
async fn what_cannot_be_kept_is_refused_with_what_is_allowed_and_leaves_nothing() {
    let world = World::new();
    let nobody = TestRequest::post().uri("/v1/media").set_payload(jpeg(10));
    assert_eq!(world.send(nobody).await.problem().0, 401);
    let reader =
        world.add_key(world.tenant, |key| key.scopes = vec![columba::domain::tenant::KeyScope::Read]);
    let asked = request(Method::POST, "/v1/media", &reader, None).set_payload(jpeg(10));
    assert_eq!(world.send(asked).await.problem().0, 403);
    for (path, mime, body, status, pointer) in [
        ("/v1/media", Some("image/jpeg"), vec![], 422, ""),
        ("/v1/media", Some("image/jpeg"), b"no picture".to_vec(), 422, "Content-Type"),
        ("/v1/media", Some("picture"), jpeg(10), 400, "Content-Type"),
        ("/v1/media", Some("multipart/form-data; boundary=x"), jpeg(10), 415, ""),
        ("/v1/media", Some("application/x-www-form-urlencoded"), jpeg(10), 415, ""),
        ("/v1/media?file_name=", Some("image/jpeg"), jpeg(10), 400, "?file_name"),
        ("/v1/media?file_name=a%2Fb", Some("image/jpeg"), jpeg(10), 400, "?file_name"),
        ("/v1/media?name=a", Some("image/jpeg"), jpeg(10), 400, "?name"),
        // The plan of this tenant takes 1 MiB and keeps 4.
        ("/v1/media", Some("image/jpeg"), jpeg(1024 * 1024 + 1), 413, ""),
    ] {
        let (said, _, at) = world.send(upload(&world, path, mime, body)).await.problem();
        assert_eq!((said, at.as_str()), (status, pointer), "{path} {mime:?}");
    }
    let announced = upload(&world, "/v1/media", None, vec![]).insert_header(("content-length", "1048577"));
    let too_large = world.send(announced).await;
    assert!(too_large.text.contains("1048576"), "{}", too_large.text);
    assert_eq!(too_large.problem().0, 413);
    let encoded = upload(&world, "/v1/media", None, jpeg(10)).insert_header(("content-encoding", "gzip"));
    assert_eq!(world.send(encoded).await.problem().0, 415);
    for _ in 0..4 {
        uploaded(&world, "image/jpeg", jpeg(1024 * 1024)).await;
    }
    let full = world.send(upload(&world, "/v1/media", None, jpeg(10))).await;
    assert!(full.text.contains("4194304"), "{}", full.text);
    assert_eq!(full.problem().1, "conflict");
    nothing_is_left(&world);
    let scope = TenantScope::authenticated(world.tenant);
    assert_eq!(world.state.media.records.usage(scope).await, Ok(4 * 1024 * 1024));
}

#[actix_web::test]
async fn the_same_file_twice_under_one_key_is_one_file_and_another_is_refused() {
    let world = World::new();
    let send = async |body: Vec<u8>| {
        let asked = upload(&world, "/v1/media", Some("image/jpeg"), body);
        world.send(asked.insert_header(("idempotency-key", "menu"))).await
    };
    let first = send(jpeg(5_000)).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, ""));
    let second = send(jpeg(5_000)).await;
    assert_eq!((second.status, second.header("idempotency-replayed")), (201, "true"));
    assert_eq!(first.json(), second.json());
    assert_eq!(send(jpeg(5_001)).await.problem().1, "idempotency_mismatch");
    assert_eq!(world.state.media.files.of(world.tenant).await.unwrap().len(), 1);
    nothing_is_left(&world);
}

#[actix_web::test]
async fn a_message_carries_a_file_of_its_tenants_that_whatsapp_shows_so() {
    let world = World::new();
    let picture = uploaded(&world, "image/jpeg", jpeg(2_000)).await["id"].clone();
    let text = uploaded(&world, "text/plain", b"hello".to_vec()).await["id"].clone();
    let send = async |kind: &str, held: Value| {
        let body = json!({"to": "+15551230001", "type": kind, kind: held});
        world.ask(Method::POST, &world.messages_path(), Some(body)).await
    };
    let sent = send("image", json!({"media": picture, "caption": "look"})).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let held = json!({"media": picture, "mime": "image/jpeg", "size": 2_000, "caption": "look"});
    assert_eq!(sent.json()["image"], held);
    let sent = send("document", json!({"media": text})).await.json();
    assert_eq!(sent["document"]["file_name"], "mänu.jpg", "as it was uploaded, unless it is said");
    let remote = came_in(&world, 10).await;
    for (kind, media, code) in [
        ("image", json!(text), "not_allowed"),
        ("sticker", picture.clone(), "not_allowed"),
        ("video", picture.clone(), "not_allowed"),
        ("image", json!(MediaId::mint(NOW)), "not_found"),
        ("image", json!(remote), "not_allowed"),
    ] {
        let refused = send(kind, json!({"media": media})).await;
        let fault = &refused.json()["errors"][0];
        assert_eq!((&fault["code"], &fault["pointer"]), (&json!(code), &json!(format!("/{kind}/media"))));
        assert_eq!(refused.problem().0, 422);
    }
    let other = world.add_tenant("Other");
    let key = world.add_key(other, |_| ());
    let path = format!("/v1/media/{}", picture.as_str().unwrap());
    for path in [path.clone(), format!("{path}/content")] {
        assert_eq!(world.send(request(Method::GET, &path, &key, None)).await.problem().0, 404);
    }
    assert_eq!(
        world.ask(Method::GET, &format!("/v1/media/{}", MessageId::mint(NOW)), None).await.problem().0,
        404
    );
}

#[actix_web::test]
async fn what_came_in_is_fetched_once_when_somebody_asks_and_kept() {
    let world = World::new();
    let bytes = jpeg(90_000);
    let id = came_in(&world, 90_000).await;
    let path = format!("/v1/media/{id}");
    let not_connected = world.ask(Method::GET, &format!("{path}/content"), None).await;
    assert_eq!(not_connected.problem().1, "session_not_ready");

    world.fakes.notes();
    world.fakes.inner().at_the_network = Some(bytes.clone());
    let asked =
        (0..5).map(|_| async { world.ask(Method::GET, &format!("{path}/content"), None).await.bytes });
    for got in join_all(asked).await {
        assert_eq!(got, bytes);
    }
    assert_eq!(world.fakes.notes(), ["fetch_media"], "five readers, one fetch");
    world.fakes.inner().at_the_network = None;
    let again: Reply = world.ask(Method::GET, &format!("{path}/content"), None).await;
    assert_eq!((again.status, again.bytes.len()), (200, 90_000), "it is here now");
    let record = world.ask(Method::GET, &path, None).await.json();
    assert_eq!((&record["state"], &record["direction"]), (&json!("stored"), &json!("in")));
    assert_eq!(record["sha256"], hex::encode(Sha256::digest(&bytes)));
}

#[actix_web::test]
async fn what_is_larger_than_the_plan_takes_is_not_kept_whatever_was_said_of_it() {
    let world = World::new();
    for said in [10, 2 * 1024 * 1024] {
        let id = came_in(&world, said).await;
        world.fakes.inner().at_the_network = Some(jpeg(1024 * 1024 + 1));
        let refused = world.ask(Method::GET, &format!("/v1/media/{id}/content"), None).await;
        assert_eq!(refused.problem().1, "conflict");
        assert!(refused.text.contains("1048576"), "{}", refused.text);
    }
    assert_eq!(world.state.media.files.tenants().await, Ok(vec![]));
    nothing_is_left(&world);
}

#[actix_web::test]
async fn bytes_without_a_record_go_and_records_without_bytes_are_with_the_network_again() {
    let world = World::new();
    let media = &world.state.media;
    let (lost, stays) =
        (uploaded(&world, "image/jpeg", jpeg(10)).await, uploaded(&world, "image/jpeg", jpeg(11)).await);
    let orphan = MediaId::mint(NOW);
    media.files.begin(world.tenant).await.unwrap().keep(orphan).await.unwrap();
    media.files.remove(world.tenant, lost["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    let fetched = came_in(&world, 90).await;
    world.fakes.inner().at_the_network = Some(jpeg(90));
    world.ask(Method::GET, &format!("/v1/media/{fetched}/content"), None).await;
    media.files.remove(world.tenant, fetched).await.unwrap();

    // Ids of other tests in this process may have pushed these ahead, so neither end is near.
    media.reconcile(WallTime(0)).await.unwrap();
    assert_eq!(
        media.files.of(world.tenant).await.unwrap().len(),
        2,
        "what is as young as this start is somebody's work"
    );
    media.reconcile(NOW + std::time::Duration::from_secs(365 * 24 * 3600)).await.unwrap();
    assert_eq!(media.files.of(world.tenant).await.unwrap(), [stays["id"].as_str().unwrap().parse().unwrap()]);
    assert_eq!(world.ask(Method::GET, &path(&lost), None).await.problem().0, 404);
    assert_eq!(world.ask(Method::GET, &format!("/v1/media/{fetched}"), None).await.json()["state"], "remote");
    assert_eq!(media.remove_gone(10).await, Ok(1));
    assert_eq!(media.records.gone(SystemScope, 10).await, Ok(vec![]));
}
