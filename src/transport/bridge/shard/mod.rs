//! The shell around the machine: one task per shard, which starts the process, reads it and speaks to it.

pub mod machine;
mod orders;
mod pipes;
mod process;
mod report;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::{Boot, Capability, Command, Down, ErrorCode, Failure, Hello, Refusal, SessionKey, Up, Welcome};

use self::machine::{Breach, Effect, Input, Machine, NotStarted, State};
pub use self::orders::{Opening, Order, Told};
use self::pipes::{Connection, Word};
use self::process::Process;
use super::board::Board;
use super::desk::{self, Desks};
use super::links::{Item, LinkId, Links};
use super::program::{Program, Running};
use super::{ghosts, words};
use crate::domain::session::CloseReason;
use crate::domain::time::Jitter;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::transport::LinkEvent;
use crate::ports::vault::Writer;

/// Frames that wait for the socket.
const OUTGOING: usize = 1024;
/// Frames between two heartbeats that are no traffic any more but a flood.
const FLOOD: u32 = 200_000;
/// What a drain gives the sessions of a bridge.
const DRAIN_MS: u32 = 5_000;
/// What a close may take, with what is pending written.
const CLOSE_MS: u32 = 10_000;
/// A close that is not answered by then never will be.
const UNCLOSED: Duration = Duration::from_millis(CLOSE_MS as u64 + 5_000);

/// What all shards of an engine share.
pub struct Setup {
    /// What is started.
    pub program: Program,
    /// What its hello has to say: engine, exact version, form of its records.
    pub writer: Writer,
    /// Whether an engine that trusts anybody's certificates is welcome.
    pub testbed: bool,
    /// A folder of mode 0700, for sockets and media.
    pub runtime: PathBuf,
    /// Where records of processes are kept.
    pub records: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Spreads rests.
    pub draw: fn() -> Jitter,
    /// Where shards write down how they stand.
    pub board: Board,
    /// Who answers sessions' questions to their vaults.
    pub desks: Arc<Desks>,
}

impl Setup {
    /// What a shard is called.
    pub fn name(&self, shard: usize) -> String {
        format!("{}-{shard}", self.writer.engine)
    }

    /// Where the bridge of a shard reads and writes files.
    pub fn media_folder(&self, shard: &str) -> PathBuf {
        self.runtime.join(format!("{shard}.media"))
    }
}

/// One shard.
pub struct Shard {
    index: usize,
    name: String,
    setup: Arc<Setup>,
    machine: Machine,
    links: Links,
    waiting: Vec<Opening>,
    process: Option<Process>,
    number: u64,
    /// Frames since the last heartbeat.
    frames: u32,
    /// What the hello said that the bridge can do.
    can: Vec<Capability>,
    words: mpsc::Sender<(u64, Word)>,
    told: mpsc::UnboundedSender<Told>,
    /// Let go of by their sessions, and not yet by the process: it may hold their sockets until it says so or is dead.
    gone: HashMap<SessionKey, LinkId>,
    /// Openings of such sessions. A bridge refuses an epoch that it has open still, so they wait until it has let go.
    behind: HashMap<SessionKey, Opening>,
}

impl Shard {
    /// Starts nothing yet. Runs on the current tokio runtime, whose thread has to live as long as the server: a bridge's
    /// parent-death signal comes when the thread that started it ends.
    pub fn launch(
        index: usize,
        setup: Arc<Setup>,
        orders: mpsc::UnboundedReceiver<Order>,
        told: mpsc::UnboundedSender<Told>,
    ) -> JoinHandle<()> {
        let (words, heard) = mpsc::channel(256);
        let shard = Self {
            index,
            name: setup.name(index),
            setup,
            machine: Machine::default(),
            links: Links::default(),
            waiting: vec![],
            process: None,
            number: 0,
            frames: 0,
            can: vec![],
            words,
            told,
            gone: HashMap::new(),
            behind: HashMap::new(),
        };
        tokio::spawn(shard.run(orders, heard))
    }

    async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        mut words: mpsc::Receiver<(u64, Word)>,
    ) {
        let mut closed = false;
        loop {
            let clock = Arc::clone(&self.setup.clock);
            let due = self.machine.due();
            let timer = async move {
                match due {
                    Some(due) => tokio::time::sleep(due.since(clock.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // What a bridge has said comes before what its silence would mean, and a flood holds up no order.
                biased;
                order = orders.recv(), if !closed => match order {
                    Some(order) => self.obey(order).await,
                    None => {
                        closed = true;
                        self.step(Input::Stop).await;
                    }
                },
                Some((number, word)) = words.recv() => {
                    if number == self.number {
                        self.hear(word).await;
                    }
                }
                () = timer => self.step(Input::Fired).await,
            }
            if self.machine.is_up() {
                let used = self.is_used();
                self.step(Input::Used(used)).await;
            }
            if self.machine.state() == State::Gone {
                return;
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Open(opening) => {
                if self.machine.is_up() {
                    // The word that nobody listens to the one before may still be on its way.
                    if let Some(before) = self.links.of(&opening.key) {
                        self.let_go(opening.key.clone(), before).await;
                    }
                    if self.gone.contains_key(&opening.key) {
                        self.behind.insert(opening.key.clone(), *opening);
                    } else {
                        self.open(*opening).await;
                    }
                } else {
                    self.waiting.push(*opening);
                    self.step(Input::Wanted).await;
                }
            }
            Order::Drop(key, link) => self.let_go(key, link).await,
            Order::Confirm(key, link, seq) => {
                if let Some(frame) = self.links.confirm(&key, link, seq) {
                    self.say(frame).await;
                }
            }
            Order::Call { key, command, deadline_ms, answer } => {
                if self.links.has(&key) {
                    let frame = self.links.call(Some(key), command, deadline_ms, answer);
                    self.say(frame).await;
                } else {
                    let _ = answer.send(Err(Failure::of(ErrorCode::NoLink)));
                }
            }
            Order::Send { key, wa_id, command, deadline_ms, answer, ack } => {
                if self.links.expect_ack(&key, &wa_id, ack) {
                    let frame = self.links.call(Some(key), command, deadline_ms, answer);
                    self.say(frame).await;
                } else {
                    let _ = answer.send(Err(Failure::of(ErrorCode::NoLink)));
                }
            }
            Order::Stop => self.step(Input::Stop).await,
        }
    }

    async fn open(&mut self, opening: Opening) {
        if !self.takes(&opening) {
            let event = LinkEvent::Closed(CloseReason::ProxyFailed);
            let _ = opening.events.send(Item { event, confirm: None });
            return self.release(&opening.key, opening.link);
        }
        let Opening { key, link, command, vault, events } = opening;
        let Some(out) = self.process.as_ref().and_then(|process| process.out.clone()) else { return };
        let (ask, questions) = mpsc::channel(wire::VAULT_CALLS);
        let (engine, clock) = (self.setup.writer.engine.clone(), Arc::clone(&self.setup.clock));
        let place = self.setup.desks.line_up(&key.session);
        tokio::spawn(desk::serve(place, engine, vault, clock, questions, out));
        self.links.add(key.clone(), link, events, ask, self.setup.clock.now());
        let (answer, _) = oneshot::channel();
        let frame = self.links.call(Some(key), command, CLOSE_MS, answer);
        self.say(frame).await;
    }

    /// A bridge that knows no proxies might connect without: it is not asked.
    fn takes(&self, opening: &Opening) -> bool {
        let is_proxied = matches!(opening.command, Command::Open { proxy: Some(_), .. });
        let takes = !is_proxied || self.can.contains(&Capability::Proxy);
        if !takes {
            tracing::error!(shard = %self.name, "this bridge takes no proxy; a session that has one does not connect");
        }
        takes
    }

    /// Closes a link that nobody listens to. The session stays this shard's until the bridge has let go.
    async fn let_go(&mut self, key: SessionKey, link: LinkId) {
        self.waiting.retain(|opening| opening.link != link);
        if self.behind.get(&key).is_some_and(|opening| opening.link == link) {
            self.behind.remove(&key);
            return;
        }
        if self.links.of(&key) != Some(link) {
            // It has ended by itself. Another link of the same session may be here by now, and is none of its business.
            let is_another = self.links.has(&key) || self.gone.contains_key(&key) || self.waits(&key);
            match self.machine.state() {
                _ if is_another => {}
                State::Dying { .. } => drop(self.gone.insert(key, link)),
                _ => self.release(&key, link),
            }
            return;
        }
        if self.gone.contains_key(&key) {
            return;
        }
        self.links.mute(&key);
        self.gone.insert(key.clone(), link);
        let (answer, answered) = oneshot::channel();
        let frame = self.links.call(Some(key.clone()), Command::Close, CLOSE_MS, answer);
        self.say(frame).await;
        let (words, number) = (self.words.clone(), self.number);
        tokio::spawn(async move {
            let word = match tokio::time::timeout(UNCLOSED, answered).await {
                Ok(Ok(_)) => Word::Closed(key),
                // The process is gone.
                Ok(Err(_)) => return,
                Err(_) => Word::Broke(Breach::Unclosed),
            };
            let _ = words.send((number, word)).await;
        });
    }

    /// The process has let go of a link. The session is this shard's still if it has been placed here anew, of which this shard
    /// need not have heard yet.
    fn release(&mut self, key: &SessionKey, link: LinkId) {
        self.gone.remove(key);
        let _ = self.told.send(Told::Released(key.session.clone(), link));
    }

    /// Whether a session is open here, is to be, or is being let go of.
    fn is_used(&self) -> bool {
        !(self.links.is_empty() && self.waiting.is_empty() && self.gone.is_empty() && self.behind.is_empty())
    }

    /// Whether the session waits for a process here.
    fn waits(&self, key: &SessionKey) -> bool {
        self.waiting.iter().any(|opening| opening.key == *key)
    }

    async fn hear(&mut self, word: Word) {
        match word {
            Word::Connected(connection, hello) => {
                if let Some(process) = &mut self.process {
                    process.connection = Some(connection);
                }
                let verdict = self.judge(&hello);
                if verdict.is_ok() {
                    self.setup.board.can(&hello.capabilities);
                }
                self.can = hello.capabilities;
                self.step(Input::Hello(verdict)).await;
            }
            Word::Frame(frame) => self.read(*frame).await,
            Word::Broke(breach) => self.step(Input::Broke(breach)).await,
            Word::Exited(status) => {
                tracing::info!(shard = %self.name, status, "the bridge ended");
                ghosts::forget(&self.setup.records, &self.name);
                if let Some(process) = &mut self.process {
                    process.exited = true;
                }
                self.step(Input::Exited).await;
                // Of one that was not missed: what it was asked last is not answered any more.
                self.links.cut();
                for (key, link) in std::mem::take(&mut self.gone) {
                    self.release(&key, link);
                }
            }
            Word::Closed(key) => {
                self.links.remove(&key);
                if let Some(link) = self.gone.remove(&key) {
                    self.release(&key, link);
                }
                if let Some(opening) = self.behind.remove(&key) {
                    self.open(opening).await;
                }
            }
        }
    }

    async fn read(&mut self, frame: Up) {
        self.frames += 1;
        if self.frames > FLOOD {
            return self.step(Input::Broke(Breach::Window)).await;
        }
        let done = match frame {
            Up::Hello(_) => Err(Breach::Garbage("a second hello".to_owned())),
            Up::Reply { id, outcome } => {
                self.links.reply(id, outcome);
                Ok(None)
            }
            Up::Event { session, seq, event } => {
                let closed = matches!(event, wire::Event::Closed { .. });
                let link = self.links.of(&session);
                let done = self.links.event(&session, seq, event, self.setup.clock.wall());
                // Of one that was asked to close the answer to that is the last word.
                if let Some(link) = link
                    && closed
                    && !self.gone.contains_key(&session)
                {
                    self.release(&session, link);
                }
                done
            }
            Up::Vault { id, session, call } => self.links.question(&session, id, call),
            Up::Heartbeat(beat) => {
                tracing::trace!(shard = %self.name, rss_kib = beat.rss_kib, lag_ms = beat.lag_ms, "heartbeat");
                self.frames = 0;
                self.links.sweep();
                self.show(beat);
                self.step(Input::Beat).await;
                Ok(None)
            }
        };
        match done {
            Ok(Some(frame)) => self.say(frame).await,
            Ok(None) => {}
            Err(breach) => self.step(Input::Broke(breach)).await,
        }
    }

    fn show(&mut self, beat: wire::Heartbeat) {
        let unconfirmed = self.links.unconfirmed();
        let Some(shown) = self.process.as_mut().and_then(|process| process.shown.as_mut()) else { return };
        let sessions = beat.sessions.into_iter().map(|(state, count)| (words::state(state), count)).collect();
        let lag = Duration::from_millis(beat.lag_ms.into());
        let resident_bytes = beat.rss_kib.saturating_mul(1024);
        shown.beat(resident_bytes, lag, sessions, unconfirmed);
        self.setup.board.weighs(self.index, resident_bytes);
    }

    /// Never waits: a bridge that does not read must not hold up its own supervision.
    async fn say(&mut self, frame: Down) {
        let Some(out) = self.process.as_ref().and_then(|process| process.out.as_ref()) else { return };
        let breach = match out.try_send(frame) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => Breach::Stalled,
            Err(TrySendError::Closed(_)) => Breach::Cut,
        };
        Box::pin(self.step(Input::Broke(breach))).await;
    }

    async fn step(&mut self, input: Input) {
        let now = self.setup.clock.now();
        let effects = self.machine.on(now, (self.setup.draw)(), input);
        for effect in effects {
            self.perform(effect).await;
        }
        self.setup.board.stands(self.index, self.machine.state(), self.number);
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn => {
                let outcome = self.spawn().await;
                let input = outcome.map_or_else(Input::NotSpawned, |()| Input::Spawned);
                Box::pin(self.step(input)).await;
            }
            Effect::Welcome => self.welcome().await,
            Effect::Refuse(refusal) => self.refuse(refusal).await,
            Effect::Kill => {
                let _ = self.told.send(Told::Ended(self.index));
                if let Some(process) = &mut self.process {
                    process.cut();
                    let pid = process.pid.cast_signed();
                    // What has ended may have left others in its group; its own number may be somebody else's by now.
                    if process.exited { ghosts::kill_group(pid) } else { ghosts::kill(pid) }
                }
            }
            Effect::Suspect => {
                let suspects = self.links.suspects(self.setup.clock.now());
                tracing::info!(shard = %self.name, suspects = suspects.len(), "sessions were opening or asked for something");
                let _ = self.told.send(Told::Suspects(suspects));
            }
            Effect::CutLinks => {
                self.links.cut();
                let behind = self.behind.drain().map(|(_, opening)| opening);
                for opening in self.waiting.drain(..).chain(behind) {
                    let event = LinkEvent::Closed(CloseReason::TransportLost);
                    let _ = opening.events.send(Item { event, confirm: None });
                }
            }
            Effect::AskToLeave => {
                tracing::info!(shard = %self.name, "the bridge is asked to end");
                let (answer, drained) = oneshot::channel();
                let frame = self.links.call(None, Command::Drain, DRAIN_MS, answer);
                self.say(frame).await;
                let (answer, _) = oneshot::channel();
                let shutdown = self.links.call(None, Command::Shutdown, 1_000, answer);
                if let Some(out) = self.process.as_ref().and_then(|process| process.out.clone()) {
                    tokio::spawn(async move {
                        let _ = drained.await;
                        let _ = out.send(shutdown).await;
                    });
                }
            }
            Effect::Report(trouble) => report::trouble(&self.setup.writer.engine, &self.name, &trouble),
            Effect::Ended => self.process = None,
        }
    }

    /// Whether this is the bridge that was started.
    fn judge(&self, hello: &Hello) -> Result<(), Refusal> {
        let Some(process) = &self.process else { return Err(Refusal::Process) };
        let writer = &self.setup.writer;
        if hello.token != process.token {
            return Err(Refusal::Token);
        }
        if hello.protocol != wire::PROTOCOL {
            return Err(Refusal::Protocol { oldest: wire::PROTOCOL, newest: wire::PROTOCOL });
        }
        if hello.pid != process.pid {
            return Err(Refusal::Process);
        }
        if hello.engine != writer.engine {
            return Err(Refusal::Engine { expected: writer.engine.clone() });
        }
        if hello.version != writer.version {
            return Err(Refusal::Version { expected: writer.version.clone() });
        }
        if hello.vault_format != writer.format {
            return Err(Refusal::VaultFormat { expected: writer.format });
        }
        if hello.capabilities.contains(&wire::Capability::Testbed) && !self.setup.testbed {
            return Err(Refusal::Testbed);
        }
        Ok(())
    }

    /// Starts the program; it gets the line it needs to connect once its record is on disk.
    async fn spawn(&mut self) -> Result<(), NotStarted> {
        self.number += 1;
        let broken = |error: io::Error| NotStarted::Io(error.to_string());
        let socket = self.setup.runtime.join(format!("{}.sock", self.name));
        let media = self.media();
        let _ = fs::remove_file(&socket);
        let _ = fs::remove_dir_all(&media);
        fs::create_dir(&media).map_err(broken)?;
        let listener = UnixListener::bind(&socket).map_err(broken)?;
        // On this thread: a bridge's parent-death signal is about the thread that started it. Hashing takes some 20 ms.
        let started = self.setup.program.start().map_err(report::not_started)?;
        let Running { child, pid, mut stdin, stderr } = started;
        let record = ghosts::Record::of(pid).and_then(|record| record.keep(&self.setup.records, &self.name));
        record.map_err(broken)?;
        let token = hex::encode(rand::random::<[u8; 32]>());
        let boot = Boot {
            protocol: wire::PROTOCOL,
            socket: socket.display().to_string(),
            token: token.clone(),
            supervisor: std::process::id(),
        };
        let line = wire::encode(&boot).map_err(|error| NotStarted::Io(error.to_string()))?;
        // A pipe takes the line at once, whether it is read or not. If the process has ended, its exit tells.
        let _ = stdin.write_all(&line).await;
        let (words, number) = (self.words.clone(), self.number);
        tokio::spawn(pipes::await_exit(child, words.clone(), number));
        let tasks = vec![
            tokio::spawn(pipes::complaints(stderr, self.name.clone())),
            tokio::spawn(pipes::accept(listener, words, number)),
        ];
        self.process = Some(Process {
            pid,
            token,
            stdin: Some(stdin),
            out: None,
            connection: None,
            tasks,
            exited: false,
            shown: None,
        });
        tracing::info!(shard = %self.name, pid, "bridge started");
        Ok(())
    }

    fn media(&self) -> PathBuf {
        self.setup.media_folder(&self.name)
    }

    async fn welcome(&mut self) {
        let media = self.media().display().to_string();
        let (words, number) = (self.words.clone(), self.number);
        let Some(process) = &mut self.process else { return };
        let Some(connection) = process.connection.take() else { return };
        let Connection { lines, write } = *connection;
        let (out, frames) = mpsc::channel(OUTGOING);
        process.tasks.push(tokio::spawn(pipes::read(lines, words.clone(), number)));
        process.tasks.push(tokio::spawn(pipes::write(write, frames, words, number)));
        process.out = Some(out);
        process.shown = Some(meters::Bridge::serving(&self.setup.writer.engine));
        let welcome = Welcome {
            protocol: wire::PROTOCOL,
            heartbeat_ms: wire::HEARTBEAT_MS,
            window: wire::WINDOW,
            media,
        };
        let _ = self.told.send(Told::Serves(self.index, self.can.clone()));
        self.say(Down::Welcome(welcome)).await;
        for opening in std::mem::take(&mut self.waiting) {
            self.open(opening).await;
        }
    }

    async fn refuse(&mut self, refusal: Refusal) {
        let connection = self.process.as_mut().and_then(|process| process.connection.as_mut());
        if let (Some(connection), Ok(line)) = (connection, wire::encode(&Down::Refused(refusal))) {
            // Out of courtesy, and no longer than that: the process is killed next.
            let said = connection.write.write_all(&line);
            let _ = tokio::time::timeout(Duration::from_millis(200), said).await;
        }
    }
}
