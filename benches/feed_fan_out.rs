//! The feed of the real program against the barest thing that could do the same: a tokio writer that has the frame ready
//! and writes it to every socket. Both in one run, in turns, each a process of its own, with the same listeners.
//!
//! What is published costs as well (an HTTP request and its commit), so that is measured alone, with nobody
//! listening, and taken off. Every subscription has a filter by session and by kind. CPU is user and system time.
//!
//!     cargo bench --locked --bench feed_fan_out              # everything: about six minutes
//!     cargo bench --locked --bench feed_fan_out -- 1000      # with a thousand subscribers only

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod support;

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::http::Api;
use support::listeners::{Board, Listeners};
use support::process::{Process, raise_open_files};
use support::server::{Folder, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How often each measurement is made; the middle one counts.
const ROUNDS: usize = 3;
/// Callers that publish at once in a burst.
const CALLERS: usize = 32;
const TO: &str = "+15551230001";

/// How events come.
#[derive(Clone, Copy)]
enum Pace {
    /// So many a second.
    Rate(u32),
    /// As fast as they can be published, but so many at most that have not reached everybody.
    Burst(usize),
}

struct Load {
    subscribers: usize,
    pace: Pace,
    events: usize,
}

/// 10,000 deliveries a second, or as near as it makes sense; then bursts.
const LOADS: &[Load] = &[
    Load { subscribers: 1, pace: Pace::Rate(200), events: 1_000 },
    Load { subscribers: 100, pace: Pace::Rate(100), events: 600 },
    Load { subscribers: 1_000, pace: Pace::Rate(10), events: 60 },
    Load { subscribers: 10_000, pace: Pace::Rate(1), events: 8 },
    Load { subscribers: 1, pace: Pace::Burst(100), events: 4_000 },
    Load { subscribers: 100, pace: Pace::Burst(100), events: 4_000 },
    Load { subscribers: 1_000, pace: Pace::Burst(100), events: 1_000 },
    Load { subscribers: 10_000, pace: Pace::Burst(10), events: 30 },
];

/// What one measurement found.
#[derive(Clone, Copy)]
struct Found {
    /// CPU of the server's process.
    cpu: Duration,
    wall: Duration,
    /// Age of an event when it arrived, in milliseconds: the middle one, and one in a hundred.
    ages: [f64; 2],
    /// Resident memory a subscriber took.
    kib: f64,
}

/// Something that fans out.
trait Subject {
    fn process(&self) -> &Process;
    fn address(&self) -> &str;
    fn token(&self) -> &str;
    fn subscribe(&self) -> String;
    /// A caller of its own that publishes one event a call, and returns once that is done.
    fn publisher(&self) -> Box<dyn FnMut() + Send>;
}

struct Columba {
    server: Server,
    tenant: Api,
    session: String,
}

impl Columba {
    /// A session that is paired and stopped takes messages and sends none: each is one event.
    fn start(folder: &Folder) -> Self {
        let server = folder.start(&[]);
        let tenants = server.tenants(1, 1);
        server.all(&tenants, "stop", "stopped");
        let tenant = tenants.into_iter().next().expect("one was made");
        Self { server, tenant: tenant.api, session: tenant.sessions[0].clone() }
    }
}

impl Subject for Columba {
    fn process(&self) -> &Process {
        &self.server.process
    }

    fn address(&self) -> &str {
        &self.tenant.address
    }

    fn token(&self) -> &str {
        &self.tenant.token
    }

    fn subscribe(&self) -> String {
        json!({"op": "subscribe", "sessions": [self.session], "events": ["msg"]}).to_string()
    }

    fn publisher(&self) -> Box<dyn FnMut() + Send> {
        let (api, path) = (self.tenant.again(), format!("/v1/sessions/{}/messages", self.session));
        let message: Value = json!({"to": TO, "type": "text", "text": {"body": "x"}});
        Box::new(move || drop(api.call("POST", &path, Some(&message))))
    }
}

struct Bare {
    process: Process,
    address: String,
}

impl Subject for Bare {
    fn process(&self) -> &Process {
        &self.process
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn token(&self) -> &str {
        ""
    }

    fn subscribe(&self) -> String {
        json!({"op": "subscribe"}).to_string()
    }

    fn publisher(&self) -> Box<dyn FnMut() + Send> {
        let mut connection = Blocking::connect(&self.address).expect("it listens");
        connection.set_nodelay(true).expect("a socket");
        connection.write_all(b"PUBLISH\r\n\r\n").expect("it reads");
        Box::new(move || {
            connection.write_all(b"!").expect("it reads");
            connection.read_exact(&mut [0]).expect("it answers");
        })
    }
}

/// Publishes; returns how long that took, from the first event to the last delivery.
fn publish(subject: &dyn Subject, load: &Load, board: &Arc<Board>, listening: usize) -> Duration {
    let begun = Instant::now();
    match load.pace {
        Pace::Rate(per_second) => {
            let mut publish = subject.publisher();
            for event in 0..load.events {
                let due = Duration::from_secs(1) / per_second * event as u32;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                board.publish(event);
                publish();
            }
        }
        Pace::Burst(window) => {
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..CALLERS.min(window) {
                    let (next, mut publish) = (&next, subject.publisher());
                    scope.spawn(move || {
                        loop {
                            let event = next.fetch_add(1, Ordering::Relaxed);
                            if event >= load.events {
                                return;
                            }
                            while event as u64 * listening as u64
                                >= board.delivered() + window as u64 * listening.max(1) as u64
                            {
                                std::thread::sleep(Duration::from_micros(100));
                            }
                            board.publish(event);
                            publish();
                        }
                    });
                }
            });
        }
    }
    board.until_delivered((load.events * listening) as u64);
    begun.elapsed()
}

/// The load with `listening` subscribers, which is that of `load`, or none.
fn measure(subject: &dyn Subject, load: &Load, listening: usize) -> Found {
    let board = Board::new(load.events);
    let resident = subject.process().resident_kib();
    let listeners =
        Listeners::open(subject.address(), subject.token(), &subject.subscribe(), listening, &board);
    std::thread::sleep(Duration::from_millis(500));
    let grown = subject.process().resident_kib().saturating_sub(resident);
    let before = subject.process().cpu();
    let wall = publish(subject, load, &board, listening);
    let cpu = subject.process().cpu() - before;
    let ages = listeners.close();
    std::thread::sleep(Duration::from_millis(300));
    let at =
        |share: f64| ages.get((ages.len() as f64 * share) as usize).map_or(0.0, |&age| f64::from(age) / 1e3);
    Found { cpu, wall, ages: [at(0.5), at(0.99)], kib: grown as f64 / listening.max(1) as f64 }
}

/// The middle one of some figures.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Microseconds of CPU per delivery, the publishing taken off, and what else the rounds found in the middle.
fn report(name: &str, load: &Load, found: &[(Found, Found)]) -> f64 {
    let deliveries = (load.events * load.subscribers) as f64;
    let middle =
        |figure: &dyn Fn(&(Found, Found)) -> f64| median(&found.iter().map(figure).collect::<Vec<_>>());
    let alone = middle(&|(_, alone)| alone.cpu.as_secs_f64() * 1e6 / load.events as f64);
    let cpu =
        middle(&|(with, _)| with.cpu.as_secs_f64() * 1e6 / deliveries) - alone / load.subscribers as f64;
    let rate = middle(&|(with, _)| deliveries / with.wall.as_secs_f64());
    let (p50, p99) = (middle(&|(with, _)| with.ages[0]), middle(&|(with, _)| with.ages[1]));
    let kib = middle(&|(with, _)| with.kib);
    println!(
        "  {name:<8} {rate:>9.0} deliveries/s {cpu:>7.2} us CPU/delivery (publishing one: {alone:.0} us)  \
         p50 {p50:.1} ms p99 {p99:.1} ms  {kib:.1} KiB/subscriber"
    );
    cpu
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("bare") {
        return bare();
    }
    raise_open_files();
    let only: Option<usize> = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let this = std::env::current_exe().expect("a path");
    let folder = Folder::new();
    let columba = Columba::start(&folder);
    let log = folder.path().join("bare.log");
    let (process, address) = Process::start(Command::new(this).arg("bare"), "listens on ", &log);
    let bare = Bare { process, address };
    for load in LOADS.iter().filter(|load| only.is_none_or(|only| only == load.subscribers)) {
        match load.pace {
            Pace::Rate(rate) => println!("{} subscribers, {rate} events/s:", load.subscribers),
            Pace::Burst(window) => {
                println!("{} subscribers, at most {window} events under way:", load.subscribers)
            }
        }
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            for (subject, found) in [(&columba as &dyn Subject, &mut ours), (&bare, &mut theirs)] {
                let alone = measure(subject, load, 0);
                found.push((measure(subject, load, load.subscribers), alone));
            }
        }
        let ours = report("columba", load, &ours);
        let theirs = report("bare", load, &theirs);
        println!("  ratio    {:>9.2}", ours / theirs);
    }
}

// ---- the bare writer ----------------------------------------------------------------------------------------------

/// As long as the feed's own.
fn ready_made() -> Vec<u8> {
    let id = "0".repeat(32);
    let event = format!(
        r#"{{"op":"event","q":1234,"s":"ses_{id}","e":"msg","id":"msg_{id}","c":"queued","t":1795000000000}}"#
    );
    framed(&event)
}

fn framed(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short if short < 126 => frame.push(short as u8),
        long => {
            frame.push(126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}

#[derive(Default)]
struct Room {
    sockets: RefCell<Vec<Rc<TcpStream>>>,
}

fn bare() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let all = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("listens on {}", listener.local_addr().expect("an address"));
        let room = Rc::new(Room::default());
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            tokio::task::spawn_local(serve(stream, Rc::clone(&room)));
        }
    };
    tokio::task::LocalSet::new().block_on(&runtime, all)
}

async fn serve(mut stream: TcpStream, room: Rc<Room>) {
    let (mut head, mut byte) = (vec![], [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    if head.starts_with(b"PUBLISH") {
        let frame = ready_made();
        while stream.read(&mut byte).await.unwrap_or(0) > 0 {
            for socket in &*room.sockets.borrow() {
                let written = socket.try_write(&frame);
                assert!(matches!(written, Ok(all) if all == frame.len()), "a socket is full: {written:?}");
            }
            stream.write_all(&byte).await.expect("it reads");
        }
        return;
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.expect("it reads");
    let mut chunk = [0; 512];
    assert_ne!(stream.read(&mut chunk).await.expect("a socket"), 0, "it subscribes");
    stream.write_all(&framed(r#"{"op":"ready"}"#)).await.expect("it reads");
    let socket = Rc::new(stream);
    room.sockets.borrow_mut().push(Rc::clone(&socket));
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    room.sockets.borrow_mut().retain(|other| !Rc::ptr_eq(other, &socket));
}
