//! An HTTP server on loopback that notes what it gets and answers as it is told. It knows nothing of our code.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(30);

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `POST /hook`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The status it was answered with.
    pub status: u16,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the library of Standard Webhooks takes its signature, by this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let mut headers = reqwest::header::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, self.header(name).parse().unwrap());
        }
        standardwebhooks::Webhook::new(secret).unwrap().verify(self.body.as_bytes(), &headers).is_ok()
    }
}

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<Request>>,
    news: Notify,
    connections: AtomicUsize,
    /// The whole answers to the next requests, then `usual`.
    next: Mutex<VecDeque<String>>,
    usual: Mutex<String>,
}

/// A server that runs until it is dropped.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _task: Arc<tokio::task::JoinSet<()>>,
}

/// An answer with a status and no more.
pub fn status(code: u16) -> String {
    format!("HTTP/1.1 {code} As Asked\r\ncontent-length: 2\r\n\r\nok")
}

/// An answer with JSON.
pub fn json(code: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {code} As Asked\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        *shared.usual.lock().unwrap() = status(200);
        let mut task = tokio::task::JoinSet::new();
        let serving = Arc::clone(&shared);
        task.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, _task: Arc::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers everything with this from now on.
    pub fn usual(&self, answer: &str) {
        answer.clone_into(&mut self.shared.usual.lock().unwrap());
    }

    /// Answers the next request with this.
    pub fn next(&self, answer: &str) {
        self.shared.next.lock().unwrap().push_back(answer.to_owned());
    }

    /// Connections made so far, whatever came over them.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub fn got(&self) -> Vec<Request> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Waits until what it got is as wanted; that.
    pub async fn until(&self, what: &str, wanted: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let waiting = async {
            loop {
                let news = self.shared.news.notified();
                let got = self.got();
                if wanted(&got) {
                    return got;
                }
                news.await;
            }
        };
        let types = || -> Vec<_> {
            self.got().iter().map(|one| format!("{} {}", one.status, one.json()["type"])).collect()
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(got) => got,
            Err(_) => panic!("{what} did not come; got {:?}", types()),
        }
    }

    /// Waits for a request that is as wanted and was taken.
    pub async fn taken(&self, what: &str, wanted: impl Fn(&Request) -> bool) -> Request {
        let is = |one: &Request| one.status == 200 && wanted(one);
        let got = self.until(what, |got| got.iter().any(is)).await;
        got.into_iter().find(is).unwrap()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = vec![];
    loop {
        let Some(head_end) = read_until(&mut stream, &mut buffer, |buffer| {
            buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
        })
        .await
        else {
            return;
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
        let line = head.lines().next().unwrap_or_default();
        let line = line.rsplit_once(' ').map_or(line, |(line, _)| line).to_owned();
        let headers: Vec<_> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
        let whole = head_end + length;
        if read_until(&mut stream, &mut buffer, |buffer| (buffer.len() >= whole).then_some(whole))
            .await
            .is_none()
        {
            return;
        }
        let body = String::from_utf8_lossy(&buffer[head_end..whole]).into_owned();
        buffer.drain(..whole);
        let answer = shared.next.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| shared.usual.lock().unwrap().clone());
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        shared.got.lock().unwrap().push(Request { line, headers, body, status });
        shared.news.notify_waiters();
        if answer.is_empty() {
            // It never answers.
            std::future::pending::<()>().await;
        }
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read_until(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    found: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    loop {
        if let Some(at) = found(buffer) {
            return Some(at);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
