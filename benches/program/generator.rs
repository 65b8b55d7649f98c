//! Closed-loop load: so many connections, each with one request out at a time. As light as it can be, since it shares
//! the cores: requests are built beforehand, only digits change, and of an answer only status and length are read.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Digits of the counter in a request.
const DIGITS: usize = 9;
/// What stands in a request where the counter goes.
pub const COUNTER: &str = "#########";

/// Where to send what.
pub struct Target {
    pub address: SocketAddr,
    /// Sent in turns. Each [`COUNTER`] in one becomes a number that no other request has.
    pub requests: Vec<Vec<u8>>,
}

/// What came of it.
pub struct Load {
    pub requests: usize,
    pub wall: Duration,
    /// Sorted, in microseconds.
    latencies: Vec<u32>,
}

impl Load {
    /// The latency that this share of the requests did not exceed, in milliseconds.
    pub fn quantile(&self, share: f64) -> f64 {
        let at = ((self.latencies.len() as f64 * share) as usize).min(self.latencies.len() - 1);
        f64::from(self.latencies[at]) / 1_000.0
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }
}

/// The bytes of `POST path` with a JSON body.
pub fn post(path: &str, token: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Keeps `connections` busy for `time`. Every answer has to be 202.
pub fn drive(target: &Target, connections: usize, time: Duration, first: usize) -> Load {
    alone(driven(target, connections, time, first))
}

/// Sends `count` requests over `connections`, as fast as they are answered.
pub fn send(target: &Target, connections: usize, count: usize, first: usize) {
    alone(sent(target, connections, count, first));
}

/// On one thread, so that no more than one core is taken from what is measured.
fn alone<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

async fn driven(target: &Target, connections: usize, time: Duration, first: usize) -> Load {
    let begun = Instant::now();
    let each = (0..connections).map(|number| {
        let (requests, address) = (target.requests.clone(), target.address);
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            let mut requests = Requests::of(requests);
            let (mut latencies, mut count) = (vec![], number);
            while begun.elapsed() < time {
                let request = requests.take(count, first + count);
                let sent = Instant::now();
                connection.ask(request).await;
                latencies.push(sent.elapsed().as_micros() as u32);
                count += connections;
            }
            latencies
        })
    });
    let mut latencies = vec![];
    for task in each.collect::<Vec<_>>() {
        latencies.extend(task.await.expect("no answer but 202"));
    }
    let wall = begun.elapsed();
    latencies.sort_unstable();
    Load { requests: latencies.len(), wall, latencies }
}

async fn sent(target: &Target, connections: usize, count: usize, first: usize) {
    let each = (0..connections).map(|number| {
        let (requests, address) = (target.requests.clone(), target.address);
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            let mut requests = Requests::of(requests);
            for count in (number..count).step_by(connections) {
                connection.ask(requests.take(count, first + count)).await;
            }
        })
    });
    for task in each.collect::<Vec<_>>() {
        task.await.expect("no answer but 202");
    }
}

/// Requests, and where their counters stand.
struct Requests {
    texts: Vec<Vec<u8>>,
    spots: Vec<Vec<usize>>,
}

impl Requests {
    fn of(texts: Vec<Vec<u8>>) -> Self {
        let spots = texts.iter().map(|text| spots(text)).collect();
        Self { texts, spots }
    }

    /// The one whose turn it is, with this number.
    fn take(&mut self, turn: usize, number: usize) -> &[u8] {
        let at = turn % self.texts.len();
        fill(&mut self.texts[at], &self.spots[at], number);
        &self.texts[at]
    }
}

fn spots(request: &[u8]) -> Vec<usize> {
    let windows = request.windows(DIGITS).enumerate();
    windows.filter(|(_, window)| *window == COUNTER.as_bytes()).map(|(at, _)| at).collect()
}

fn fill(request: &mut [u8], spots: &[usize], number: usize) {
    for &spot in spots {
        let mut rest = number;
        for digit in request[spot..spot + DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: Vec::with_capacity(4_096) }
    }

    /// One request and its whole answer.
    async fn ask(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("it reads");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("it answers");
            assert!(read > 0, "hung up in the middle of an answer");
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end]).expect("a head is text");
                let whole = end + 4 + length(head);
                if self.buffer.len() >= whole {
                    assert!(head.starts_with("HTTP/1.1 202"), "{}", String::from_utf8_lossy(&self.buffer));
                    return;
                }
            }
        }
    }
}

fn length(head: &str) -> usize {
    let named = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().expect("a number"))
    });
    named.expect("an answer says its length")
}
