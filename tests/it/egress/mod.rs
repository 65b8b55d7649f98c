//! The one way out: what it refuses, in every notation, and what it does with answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use columba::config::webhooks::WebhooksOptions;
use columba::egress::{Client, Guard, Names};
use columba::ports::egress::{BODY_MAX, Egress as _, EgressError, Post};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::receiver::{Receiver, status};

/// Names that lead where a test wants; the nth question may be answered otherwise than the first.
struct Leads(Vec<Vec<IpAddr>>, AtomicUsize);

impl Leads {
    fn to(answers: &[&[&str]]) -> Arc<Self> {
        let answers =
            answers.iter().map(|some| some.iter().map(|one| one.parse().unwrap()).collect()).collect();
        Arc::new(Self(answers, AtomicUsize::new(0)))
    }
}

#[async_trait]
impl Names for Leads {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        Ok(self.0[asked].clone())
    }
}

/// Only the address decides: any port and any scheme pass.
fn options(port: u16, allowed: &[&str]) -> WebhooksOptions {
    let allow_private = allowed.iter().map(|target| target.parse().unwrap()).collect();
    WebhooksOptions { allow_private, allow_http: true, ports: vec![80, 443, port], ..Default::default() }
}

fn client(port: u16, allowed: &[&str], names: Arc<Leads>) -> Client {
    Client::new(Guard::new(&options(port, allowed)), names).unwrap()
}

fn post(url: &str) -> Post {
    let headers = vec![("x-mine".to_owned(), "1".to_owned())];
    Post { url: url.to_owned(), headers, body: Bytes::from_static(b"{}") }
}

/// Every way to write an IPv4 address that browsers and resolvers read.
fn notations(address: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = address;
    let whole = u32::from_be_bytes(address);
    let (rest, tail) = (whole & 0xff_ffff, whole & 0xffff);
    let (high, low) = (whole >> 16, whole & 0xffff);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{whole}"),
        format!("0x{whole:x}"),
        format!("0x{whole:08X}"),
        format!("0{whole:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("00000{a:o}.000{b:o}.00{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0x{a:x}.{b}.0{c:o}.{d}"),
        format!("{a}.{rest}"),
        format!("{a}.0x{rest:x}"),
        format!("0x{a:x}.0{rest:o}"),
        format!("{a}.{b}.{tail}"),
        format!("0{a:o}.{b}.0x{tail:x}"),
        format!("%{:02x}{}.{b}.{c}.{d}", a.to_string().as_bytes()[0], &a.to_string()[1..]),
        // Full-width digits and dots are the same after IDNA.
        format!("{a}.{b}.{c}.{d}").chars().map(wide).collect(),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{3002}{d}"),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::]"),
        format!("[::ffff:0:{a}.{b}.{c}.{d}]"),
    ]
}

fn wide(letter: char) -> char {
    match letter {
        '.' => '\u{ff0e}',
        digit => char::from_u32(digit as u32 - '0' as u32 + 0xff10).unwrap(),
    }
}

const PRIVATE_V6: [&str; 16] = [
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[fc00::1]",
    "[fd00::1]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[3fff::1]",
    "[4000::1]",
    "[2001:20::1]",
];

/// Names that a resolver may lead inside, and names that never lead out.
const NAMES: [&str; 14] = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "printer.local",
    "metadata.google.internal",
    "db.internal",
    "router.home.arpa",
    "localhost.localdomain",
    "127.0.0.1.nip.io",
    "rebind.example.com",
    "xn--e1afmkfd.example.com",
    "a.b.c.d.example.com",
    "example.com",
];

#[tokio::test]
async fn no_address_inside_is_reached_in_whatever_notation() {
    let tripwire = Receiver::start_at("0.0.0.0:0").await;
    let port = tripwire.address.port();
    let addresses: [[u8; 4]; 14] = [
        [127, 0, 0, 1],
        [127, 0, 0, 2],
        [127, 255, 255, 254],
        [0, 0, 0, 0],
        [10, 0, 0, 1],
        [10, 255, 1, 2],
        [172, 16, 0, 1],
        [172, 31, 255, 254],
        [192, 168, 0, 1],
        [169, 254, 169, 254],
        [100, 64, 0, 1],
        [198, 18, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
    ];
    let hosts: Vec<String> = addresses
        .into_iter()
        .flat_map(notations)
        .chain(PRIVATE_V6.map(str::to_owned))
        .chain(NAMES.map(str::to_owned))
        .collect();
    // Whatever is asked for leads inside.
    let inside = Leads::to(&[&["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"]]);
    let client = client(port, &[], inside);
    let mut tried = 0;
    for host in &hosts {
        for url in [format!("http://{host}:{port}/"), format!("https://{host}:{port}/a?b=c")] {
            let said = client.post(post(&url)).await.err();
            assert_eq!(said, Some(EgressError::AddressNotAllowed), "{url}");
            tried += 1;
        }
    }
    for odd in [
        format!("http://user:secret@127.0.0.1:{port}/"),
        format!("http://example.com@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}\\@example.com/"),
        format!("http:127.0.0.1:{port}"),
        format!("http:\\\\127.0.0.1:{port}\\"),
        format!("  http://127.0.0.1:{port}/"),
        format!("ht\ntp://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/#@example.com/"),
        "file:///etc/passwd".to_owned(),
        format!("gopher://127.0.0.1:{port}/_x"),
        format!("ftp://127.0.0.1:{port}/"),
        "data:text/plain,x".to_owned(),
        "http://".to_owned(),
        String::new(),
    ] {
        assert!(client.post(post(&odd)).await.is_err(), "{odd}");
        tried += 1;
    }
    assert!(tried >= 300, "{tried}");
    assert_eq!(tripwire.connections(), 0, "of {tried}");
    // The wire would have been tripped: with the guard open, it is.
    let open = self::client(port, &["127.0.0.0/8"], Leads::to(&[&["127.0.0.1"]]));
    for url in [format!("http://2130706433:{port}/"), format!("http://some.example.com:{port}/")] {
        assert_eq!(open.post(post(&url)).await.ok().map(|reply| reply.status), Some(200), "{url}");
    }
    assert_eq!(tripwire.got().len(), 2);
}

#[tokio::test]
async fn what_is_refused_when_it_is_named_is_refused_with_a_reason() {
    let guard = Guard::new(&WebhooksOptions::default());
    for (url, hint) in [
        ("http://example.com/", "only https://"),
        ("https://example.com:22/", "port 22 is not allowed; 80, 443, 8443 are"),
        ("https://127.0.0.1/", "private and special"),
        ("https://0x7f.1/", "private and special"),
        ("https://[::1]/", "private and special"),
        ("https://localhost/", "localhost"),
        ("https://a.b.internal/", "internal"),
        ("https://me:pw@example.com/", "user or password"),
        ("https://example.com/#x", "fragment"),
        ("ftp://example.com/", "only https://"),
        ("example.com", "not a URL"),
        ("https:///", "not a URL"),
    ] {
        let said = guard.vet(url).expect_err(url);
        assert!(said.contains(hint), "{url}: {said}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    assert!(guard.vet(&long).is_err());
    for fine in [
        "https://example.com",
        "https://example.com:8443/a?b=c",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
    ] {
        assert!(guard.vet(fine).is_ok(), "{fine}");
    }
    let lenient = Guard::new(&WebhooksOptions {
        allow_private: vec!["10.1.0.0/16".parse().unwrap(), "hooks.intranet".parse().unwrap()],
        ..Default::default()
    });
    for fine in ["http://10.1.2.3:9000/", "http://hooks.intranet:8080/x", "https://HOOKS.intranet./"] {
        assert!(lenient.vet(fine).is_ok(), "{fine}");
    }
    for inside in ["http://10.2.0.1/", "https://10.2.0.1/", "http://other.intranet/", "https://localhost/"] {
        assert!(lenient.vet(inside).is_err(), "{inside}");
    }
}

#[tokio::test]
async fn each_connection_goes_to_an_address_that_was_judged_for_it() {
    let good = Receiver::start_at("127.0.0.2:0").await;
    let port = good.address.port();
    let bad = Receiver::start_at(&format!("127.0.0.1:{port}")).await;
    // It leads to an allowed address once, and inside from then on.
    let names = Leads::to(&[&["127.0.0.1", "127.0.0.2"], &["127.0.0.1"]]);
    let client = client(port, &["127.0.0.2"], names);
    good.next("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let url = format!("http://rebind.example.com:{port}/");
    assert_eq!(client.post(post(&url)).await.ok().map(|reply| reply.status), Some(200));
    for _ in 0..3 {
        assert_eq!(client.post(post(&url)).await.err(), Some(EgressError::AddressNotAllowed));
    }
    assert_eq!((good.connections(), bad.connections()), (1, 0));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (receiver, tripwire) = (Receiver::start().await, Receiver::start_at("127.0.0.2:0").await);
    let client = client(receiver.address.port(), &["127.0.0.1"], Leads::to(&[&["127.0.0.1"]]));
    for code in [301, 302, 303, 307, 308] {
        receiver.next(&format!(
            "HTTP/1.1 {code} Elsewhere\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            tripwire.url()
        ));
        let reply = client.post(post(&receiver.url())).await.ok().unwrap();
        assert_eq!(reply.status, code);
    }
    assert_eq!((receiver.got().len(), tripwire.connections()), (5, 0));
}

#[tokio::test]
async fn an_answer_is_read_in_bounded_space_and_says_when_to_come_back() {
    let receiver = Receiver::start().await;
    let client = client(receiver.address.port(), &["127.0.0.1"], Leads::to(&[&["127.0.0.1"]]));
    let long = "x".repeat(BODY_MAX * 4);
    receiver.next(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len()));
    let reply = client.post(post(&receiver.url())).await.ok().unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, BODY_MAX));

    receiver.next("HTTP/1.1 429 Slow\r\nretry-after: 7200\r\ncontent-length: 0\r\n\r\n");
    let reply = client.post(post(&receiver.url())).await.ok().unwrap();
    assert_eq!((reply.status, reply.retry_after), (429, Some(Duration::from_secs(7_200))));
    receiver.next("HTTP/1.1 503 Slow\r\nretry-after: 99999999\r\ncontent-length: 0\r\n\r\n");
    let reply = client.post(post(&receiver.url())).await.ok().unwrap();
    assert_eq!(reply.retry_after, Some(Duration::from_secs(24 * 3_600)));

    // A body that never ends does not change what the status said.
    receiver.next("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf");
    let reply = client.post(post(&receiver.url())).await.ok().unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"half"[..]));

    let got = receiver.got();
    assert_eq!(got[0].header("x-mine"), "1");
    assert_eq!(got[0].header("host"), receiver.address.to_string());
    assert_eq!(got[0].body, "{}");
}

#[tokio::test]
async fn what_does_not_answer_is_named_by_what_went_wrong() {
    let receiver = Receiver::start().await;
    let port = receiver.address.port();
    let nobody = {
        let gone = Receiver::start().await;
        gone.address.port()
    };
    // It speaks first, and no TLS.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spoken = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut vec![]).await.unwrap_or_default();
    });
    let options = WebhooksOptions { ports: vec![port, nobody], ..options(port, &["127.0.0.1"]) };
    let client = Client::new(Guard::new(&options), Leads::to(&[&[]])).unwrap();
    receiver.next("this is no HTTP\r\n\r\n");
    for (url, error) in [
        (receiver.url(), EgressError::ConnectionBroken),
        (format!("http://127.0.0.1:{nobody}/"), EgressError::ConnectionRefused),
        (format!("http://nowhere.example.com:{port}/"), EgressError::NameNotResolved),
        (format!("https://127.0.0.1:{spoken}/"), EgressError::TlsFailed),
    ] {
        assert_eq!(client.post(post(&url)).await.err(), Some(error), "{url}");
    }
    receiver.usual(&status(204));
    assert_eq!(client.post(post(&receiver.url())).await.ok().map(|reply| reply.status), Some(204));
}
