//! Many websockets of the feed in one thread, each as light as it can be: they share one buffer, parse what comes by
//! hand, and only count. The nth event of a socket is the nth that was published, so its age is known by its number.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle as Task, LocalSet};

/// Sockets that open at once; a listening socket has a bounded backlog.
const OPENING: usize = 64;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What publisher and listeners share.
pub struct Board {
    begun: Instant,
    /// When each event was published, in nanoseconds since the board began.
    published: Vec<AtomicU64>,
    ready: AtomicU64,
    delivered: AtomicU64,
    ended: AtomicBool,
}

impl Board {
    /// Room for so many events.
    pub fn new(events: usize) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            published: (0..events).map(|_| AtomicU64::new(0)).collect(),
            ready: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        })
    }

    /// Notes that an event is published now.
    pub fn publish(&self, event: usize) {
        self.published[event].store(self.now(), Ordering::Relaxed);
    }

    /// Events that reached a socket, over all sockets.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    /// Waits until so many events have reached a socket, over all sockets.
    pub fn until_delivered(&self, wanted: u64) {
        self.until("deliveries", wanted, &self.delivered);
    }

    fn until(&self, what: &str, wanted: u64, count: &AtomicU64) {
        let begun = Instant::now();
        while count.load(Ordering::Acquire) < wanted {
            let found = count.load(Ordering::Relaxed);
            assert!(begun.elapsed() < PATIENCE, "{found} of {wanted} {what} within a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }
}

/// Sockets that listen.
pub struct Listeners {
    board: Arc<Board>,
    thread: JoinHandle<Vec<u32>>,
}

impl Listeners {
    /// Opens so many sockets and returns once all of them have heard `ready`.
    pub fn open(address: &str, token: &str, subscribe: &str, count: usize, board: &Arc<Board>) -> Self {
        let (address, token, subscribe) = (address.to_owned(), token.to_owned(), subscribe.to_owned());
        let shared = Arc::clone(board);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let all = listen(address, token, subscribe, count, shared);
            LocalSet::new().block_on(&runtime.expect("a runtime"), all)
        });
        board.until("sockets", count as u64, &board.ready);
        Self { board: Arc::clone(board), thread }
    }

    /// Closes them; the age of every event that came, in microseconds, sorted.
    pub fn close(self) -> Vec<u32> {
        self.board.ended.store(true, Ordering::Relaxed);
        let mut ages = self.thread.join().expect("no socket failed");
        ages.sort_unstable();
        ages
    }
}

struct Common {
    buffer: Box<[u8]>,
    ages: Vec<u32>,
}

async fn listen(
    address: String,
    token: String,
    subscribe: String,
    count: usize,
    board: Arc<Board>,
) -> Vec<u32> {
    let common = Rc::new(RefCell::new(Common { buffer: vec![0; 1 << 18].into(), ages: vec![] }));
    let hello = format!(
        "GET /v1/feed HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nupgrade: websocket\r\n\
         connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let gate = Rc::new(Semaphore::new(OPENING));
    let mut sockets = vec![];
    for _ in 0..count {
        gate.acquire().await.expect("never closed").forget();
        let stream = TcpStream::connect(&address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        let mut socket = Socket { stream, rest: vec![], phase: Phase::Upgrading, events: 0 };
        socket.stream.write_all(hello.as_bytes()).await.expect("the server reads");
        let (common, board, gate) = (Rc::clone(&common), Arc::clone(&board), Rc::clone(&gate));
        let wish = masked(0x1, subscribe.as_bytes());
        sockets
            .push(tokio::task::spawn_local(async move { socket.run(&wish, &common, &board, &gate).await }));
    }
    while !board.ended.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sockets.iter().for_each(Task::abort);
    for socket in sockets {
        if let Err(error) = socket.await {
            assert!(error.is_cancelled(), "a socket failed");
        }
    }
    Rc::into_inner(common).expect("nobody reads any more").into_inner().ages
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Upgrading,
    Subscribing,
    Live,
}

struct Socket {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
    phase: Phase,
    events: usize,
}

impl Socket {
    async fn run(&mut self, wish: &[u8], common: &RefCell<Common>, board: &Board, gate: &Semaphore) {
        loop {
            self.stream.readable().await.expect("an open socket");
            let before = self.phase;
            let answer = {
                let Common { buffer, ages } = &mut *common.borrow_mut();
                match self.stream.try_read(buffer) {
                    Ok(0) => panic!("the server closed a socket"),
                    Ok(read) => self.take(&buffer[..read], ages, board),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => panic!("{error}"),
                }
            };
            match (before, self.phase) {
                (Phase::Upgrading, Phase::Subscribing) => {
                    self.stream.write_all(wish).await.expect("the server reads");
                }
                (Phase::Subscribing, Phase::Live) => {
                    gate.add_permits(1);
                    board.ready.fetch_add(1, Ordering::Release);
                }
                _ => {}
            }
            if answer {
                self.stream.write_all(&masked(0xA, b"")).await.expect("the server reads");
            }
        }
    }

    /// Takes what came; whether a ping is to be answered.
    fn take(&mut self, read: &[u8], ages: &mut Vec<u32>, board: &Board) -> bool {
        let joined;
        let mut bytes = match self.rest.is_empty() {
            true => read,
            false => {
                joined = [&self.rest[..], read].concat();
                &joined[..]
            }
        };
        let (now, mut pinged, mut events) = (board.now(), false, 0);
        if self.phase == Phase::Upgrading
            && let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
        {
            assert!(bytes.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&bytes[..head]));
            self.phase = Phase::Subscribing;
            bytes = &bytes[head + 4..];
        }
        while self.phase != Phase::Upgrading
            && let Some((opcode, payload, rest)) = frame(bytes)
        {
            match opcode {
                0x1 if payload.starts_with(br#"{"op":"event""#) => {
                    let age = now - board.published[self.events].load(Ordering::Relaxed);
                    ages.push((age / 1_000) as u32);
                    self.events += 1;
                    events += 1;
                }
                0x1 if payload.starts_with(br#"{"op":"ready""#) => self.phase = Phase::Live,
                0x1 if payload.starts_with(br#"{"op":"hello""#) => {}
                0x9 => pinged = true,
                _ => panic!("unexpected: {}", String::from_utf8_lossy(payload)),
            }
            bytes = rest;
        }
        self.rest = bytes.to_vec();
        board.delivered.fetch_add(events, Ordering::Release);
        pinged
    }
}

/// The first whole frame of a server: its opcode, its payload, and what follows.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => panic!("no frame of the feed is that long"),
        short => (usize::from(short), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first & 0xF, payload, rest))
}

/// A client's frame of at most 125 bytes, or a few hundred; the mask is zero.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short if short < 126 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
