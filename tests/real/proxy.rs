//! A session that has a proxy: all of its traffic goes through it, files too, and without it there is none. Through the whole
//! server, from the operator's word on, with a proxy of the test's own in front of the testbed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::journey::{listens, scanned, settings};
use crate::rig::{Bridge, PATIENCE, Testbed, baileys_testbed, native_testbed};
use crate::support::api::Api;
use crate::support::server::Server;

const OWN: &str = "+15551130001";
const FRIEND: &str = "+15551130002";
const USER: &str = "canary-user";
const PASSWORD: &str = "canary&pass+word";

/// A proxy that wants a name and a password, speaks HTTP or SOCKS 5, and notes where it was asked to.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    refused: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    async fn start(at: &str, scheme: &'static str) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, refused): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = Default::default();
        let (noted, counted) = (Arc::clone(&asked), Arc::clone(&refused));
        let accepting = tokio::spawn(async move {
            // What it has let through ends with it.
            let mut tunnels = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (noted, counted) = (Arc::clone(&noted), Arc::clone(&counted));
                tunnels.spawn(async move {
                    let asked = |target: String| noted.lock().unwrap().push(target);
                    let served = match scheme {
                        "http" => http(client, asked).await,
                        _ => socks(client, asked).await,
                    };
                    if served.is_none() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, asked, refused, accepting }
    }

    fn url(&self, scheme: &str) -> String {
        let password = PASSWORD.replace('&', "%26").replace('+', "%2B");
        format!("{scheme}://{USER}:{password}@{}", self.address)
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// It is gone, with all that went through it.
    async fn stop(self) -> SocketAddr {
        self.accepting.abort();
        let _ = self.accepting.await;
        self.address
    }
}

/// `CONNECT`; none when the caller does not know the password.
async fn http(mut client: TcpStream, asked: impl Fn(String)) -> Option<()> {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let login = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let target = head.split(' ').nth(1).filter(|_| head.starts_with("CONNECT ")).map(str::to_owned);
    let (Some(target), true) = (target, head.contains(&login)) else {
        let _ = client.write_all(b"HTTP/1.1 407 Who are you?\r\ncontent-length: 0\r\n\r\n").await;
        return None;
    };
    asked(target.clone());
    let mut server = TcpStream::connect(&target).await.ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Some(())
}

/// RFC 1928 and 1929.
async fn socks(mut client: TcpStream, asked: impl Fn(String)) -> Option<()> {
    let text = async |client: &mut TcpStream| {
        let mut text = vec![0; client.read_u8().await.ok()?.into()];
        client.read_exact(&mut text).await.ok()?;
        String::from_utf8(text).ok()
    };
    client.read_u8().await.ok()?;
    let methods = text(&mut client).await?;
    if !methods.contains('\u{2}') {
        let _ = client.write_all(&[5, 0xff]).await;
        return None;
    }
    client.write_all(&[5, 2]).await.ok()?;
    client.read_u8().await.ok()?;
    let known = text(&mut client).await? == USER && text(&mut client).await? == PASSWORD;
    client.write_all(&[1, u8::from(!known)]).await.ok()?;
    if !known {
        return None;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await.ok()?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await.ok()?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => text(&mut client).await?,
        _ => return None,
    };
    let target = format!("{host}:{}", client.read_u16().await.ok()?);
    asked(target.clone());
    let mut server = TcpStream::connect(&target).await.ok()?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Some(())
}

/// A new session of this engine: its id, and where its proxy is set.
async fn session(acme: &Api, engine: &str) -> (String, String) {
    let made = acme.post("/v1/sessions", json!({"label": "desk", "engine": engine})).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let proxy = format!("/v1/admin/sessions/{id}/proxy");
    (id, proxy)
}

/// The session says that its proxy is why it does not connect. On a busy machine a bridge may take longer to start than one link waits.
async fn fails(acme: &Api, session: &str) {
    let failed = async {
        while acme.at(session).await["reason"] != "proxy_failed" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(2 * PATIENCE, failed).await.expect("a reason");
}

#[rstest]
#[tokio::test]
async fn all_of_a_session_s_traffic_goes_through_its_proxy_and_none_past_it(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
    #[values("http", "socks5")] scheme: &'static str,
) {
    let engine = bridge().engine;
    let testbed = Testbed::start().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let settings = settings(&bridge(), dir.path(), &testbed);
    let environment = settings.each_ref().map(|(key, value)| (key.as_str(), value.as_str()));
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    let operator = server.operator();
    operator.plan("open", json!({"first_contacts_per_day": 5})).await;
    let (_, acme) = operator.tenant("Acme", "open").await;
    let mut feed = listens(&acme).await;
    let (own, own_proxy) = session(&acme, engine).await;
    let (friend, friend_proxy) = session(&acme, engine).await;

    // A password that is not the proxy's: it does not connect, and says why.
    let proxy = Proxy::start("127.0.0.1:0", scheme).await;
    let wrong = format!("{scheme}://{USER}:guess@{}", proxy.address);
    operator.put(&own_proxy, json!({"url": wrong})).await.expect(200);
    acme.act(&format!("/v1/sessions/{own}/start")).await.expect(202);
    fails(&acme, &own).await;
    assert_eq!(acme.at(&own).await["proxy"], true);
    assert!(proxy.refused.load(Ordering::Relaxed) > 0 && proxy.count() == 0);

    // With the right one they pair, and a file goes from one to the other: each connection is asked for at the proxy.
    for (id, at, phone) in [(&own, &own_proxy, OWN), (&friend, &friend_proxy, FRIEND)] {
        testbed.account(phone).await;
        operator.put(at, json!({"url": proxy.url(scheme)})).await.expect(200);
        acme.act(&format!("/v1/sessions/{id}/start")).await.expect(202);
        scanned(&acme, &testbed, id, phone).await;
        feed.session(id, "connected").await;
    }
    let bytes: Vec<u8> =
        [0xFF, 0xD8, 0xFF, 0xE0].into_iter().chain((0..50_000_u32).map(|n| n as u8)).collect();
    let jpeg = [("content-type", "image/jpeg")];
    let file = acme.raw(Method::POST, "/v1/media", bytes.clone(), &jpeg).await.expect(201);
    let before = proxy.count();
    let body = json!({"to": FRIEND, "type": "image", "image": {"media": file["id"]}});
    acme.post(&format!("/v1/sessions/{own}/messages"), body).await.expect(202);
    let came = loop {
        let event = feed.next().await;
        if event["e"] == "in" && event["s"] == friend.as_str() {
            break acme.message(event["id"].as_str().unwrap()).await;
        }
    };
    let uploaded = proxy.count();
    assert!(uploaded > before, "the file went another way: {:?}", proxy.asked.lock().unwrap());
    let content = format!("/v1/media/{}/content", came["image"]["media"].as_str().unwrap());
    let fetched = acme.raw(Method::GET, &content, "", &[]).await;
    let etag = format!("\"{}\"", hex::encode(Sha256::digest(&bytes)));
    assert_eq!(fetched.status, 200);
    assert_eq!(fetched.headers["etag"], etag.as_str());
    assert!(proxy.count() > uploaded, "the file came another way");

    // Without the proxy there is no connection, and with it the same session is back.
    let address = proxy.stop().await;
    fails(&acme, &own).await;
    assert_eq!(testbed.get("/admin/sockets").await["open"], 0, "it went past its proxy");
    feed.seen.clear();
    let proxy = Proxy::start(&address.to_string(), scheme).await;
    feed.session(&own, "connected").await;
    assert!(proxy.count() > 0);

    let entries = operator.get("/v1/admin/audit?action=session.proxy").await.expect(200);
    assert_eq!(entries["data"].as_array().unwrap().len(), 3, "{entries}");
    // Nothing of the address is in what was written down or said.
    let log = server.logged();
    for shown in [&log, &entries.to_string(), &acme.at(&own).await.to_string()] {
        assert!(
            [USER, PASSWORD, "canary%26pass"].iter().all(|word| !shown.contains(word)),
            "an address is shown"
        );
    }
    server.finish().await;
}
