//! Slow and huge requests in number. Each is ended by the server, those who behave are served meanwhile, and nothing of it
//! stays in memory.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::size;
use crate::support::api::Api;
use crate::support::server::Server;

/// The server's own times for a head and for a body are 5 and 10 s; what a busy machine adds.
const SLACK: Duration = Duration::from_secs(10);
/// Resident bytes that a flood may leave behind, in KiB: what the allocator keeps of thousands of connections.
const LEFT_KIB: u64 = 64 * 1024;

/// A way of being a nuisance.
#[derive(Debug, Clone, Copy)]
enum Nuisance {
    /// Says nothing.
    Silent,
    /// A head that never ends, a byte a second.
    DrippingHead,
    /// A body that never ends, a byte a second, with a good key.
    DrippingBody,
    /// A head of a megabyte.
    HugeHead,
}

const NUISANCES: [Nuisance; 4] =
    [Nuisance::Silent, Nuisance::DrippingHead, Nuisance::DrippingBody, Nuisance::HugeHead];

impl Nuisance {
    /// Within what time the server is to end it.
    fn bound(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::DrippingBody) { 10 } else { 5 }) + SLACK
    }

    /// One connection, from its beginning until the server ends it.
    async fn once(self, address: &str, key: &str, session: &str) {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let opening = match self {
            Self::Silent => String::new(),
            Self::DrippingHead => "GET /v1/sessions HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(),
            Self::DrippingBody => format!(
                "POST /v1/sessions/{session}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
                 content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
            ),
            Self::HugeHead => {
                format!("GET /v1/sessions HTTP/1.1\r\nhost: x\r\nx-huge: {}", "x".repeat(1 << 20))
            }
        };
        let (mut reader, mut writer) = socket.split();
        let write = async {
            // Whatever fails was ended by the server.
            let mut open = writer.write_all(opening.as_bytes()).await.is_ok();
            while open {
                sleep(Duration::from_secs(1)).await;
                open = matches!(self, Self::Silent | Self::HugeHead) || writer.write_all(b"x").await.is_ok();
            }
        };
        let read = async {
            let mut answer = vec![];
            let _ = reader.read_to_end(&mut answer).await;
            answer
        };
        let ended = async {
            tokio::select! {
                answer = read => answer,
                () = write => vec![],
            }
        };
        let answer = timeout(self.bound(), ended).await;
        let answer = answer.unwrap_or_else(|_| panic!("{self:?} goes on after {:?}", self.bound()));
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{self:?} was answered: {}",
            answer.chars().take(200).collect::<String>()
        );
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends message after message; the times they took.
async fn behave(api: &Api, session: &str, over: &AtomicBool) -> Vec<Duration> {
    let mut took = vec![];
    while !over.load(Ordering::SeqCst) {
        let begun = Instant::now();
        api.text(session, "+15551300001", "canary-body").await.expect(202);
        took.push(begun.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
    took
}

#[tokio::test]
async fn flood_of_slow_and_huge_requests_ends_by_itself_while_others_are_served() {
    let (connections, rounds) = (size("COLUMBA_DEEP_FLOOD", 2_000), size("COLUMBA_DEEP_FLOOD_ROUNDS", 3));
    let server = Server::start().await;
    let operator = server.operator();
    operator.plan("ample", json!({"messages_per_minute": 60_000, "messages_per_month": 1_000_000})).await;
    let (_, good) = operator.tenant("Good", "ample").await;
    let (_, bad) = operator.tenant("Bad", "ample").await;
    let (session, theirs) = (good.connected("one").await, bad.session("one").await);
    for _ in 0..50 {
        good.text(&session, "+15551300001", "canary-body").await.expect(202);
    }
    let address = server.url.strip_prefix("http://").unwrap();
    let before = resident_kib(server.pid());
    let over = AtomicBool::new(false);
    let flood = async {
        let one = |number: u64| {
            let (nuisance, key, theirs) = (NUISANCES[(number % 4) as usize], bad.token(), &theirs);
            async move {
                for _ in 0..rounds {
                    nuisance.once(address, key, theirs).await;
                }
            }
        };
        join_all((0..connections).map(one)).await;
        over.store(true, Ordering::SeqCst);
    };
    let most = async {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            most = most.max(resident_kib(server.pid()));
            sleep(Duration::from_millis(200)).await;
        }
        most
    };
    let ((), mut took, most) = tokio::join!(flood, behave(&good, &session, &over), most);
    took.sort_unstable();
    let after = resident_kib(server.pid());
    println!(
        "flood of {connections} slow and huge connections, {rounds} times: {} messages accepted meanwhile, p50 {:?}, max {:?}; \
         resident {} MiB before, {} most, {} after",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1],
        before / 1024,
        most / 1024,
        after / 1024
    );
    assert!(after <= before + LEFT_KIB, "{before} KiB before, {after} after");
    server.finish().await;
}
