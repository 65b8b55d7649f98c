//! The shell around the machine: one task per shard, which starts the process, reads it and speaks to it.

pub mod machine;
mod pipes;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio::process::ChildStdin;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::{Boot, Command, Down, ErrorCode, Failure, Hello, Refusal, SessionKey, Up, Welcome};

use self::machine::{Breach, Effect, Input, Machine, NotStarted, State, Trouble};
use self::pipes::{Connection, Word};
use super::links::{Answer, Item, Links};
use super::program::{Program, ProgramError, Running};
use super::{desk, ghosts};
use crate::domain::time::Jitter;
use crate::ports::clock::Clock;
use crate::ports::transport::SendError;
use crate::ports::vault::{Vault, Writer};

/// Frames that wait for the socket.
const OUTGOING: usize = 1024;
/// Frames between two heartbeats that are no traffic any more but a flood.
const FLOOD: u32 = 200_000;
/// What a drain gives the sessions of a bridge.
const DRAIN_MS: u32 = 5_000;
/// What a close may take, with what is pending written.
const CLOSE_MS: u32 = 10_000;

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

/// What a shard is asked.
pub enum Order {
    /// Open a session.
    Open(Box<Opening>),
    /// Nobody listens to this link any more.
    Drop(SessionKey),
    /// This event is safe.
    Confirm(SessionKey, u64),
    /// A command, and where its answer goes.
    Call {
        /// Whose.
        key: SessionKey,
        /// What.
        command: Command,
        /// How long the answer is of use.
        deadline_ms: u32,
        /// Where it goes.
        answer: oneshot::Sender<Answer>,
    },
    /// As [`Call`](Self::Call), for a message: its ack goes to `ack`, which is dropped when the link ends before it.
    Send {
        /// Whose.
        key: SessionKey,
        /// Its id.
        wa_id: String,
        /// What.
        command: Command,
        /// How long the answer is of use.
        deadline_ms: u32,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
        /// Where the ack goes.
        ack: oneshot::Sender<Result<(), SendError>>,
    },
    /// End.
    Stop,
}

/// A session to be opened.
pub struct Opening {
    /// Whose.
    pub key: SessionKey,
    /// `open`.
    pub command: Command,
    /// Its auth state.
    pub vault: Arc<dyn Vault>,
    /// Who listens.
    pub events: mpsc::UnboundedSender<Item>,
}

/// Told to the engine: the bridge has let go of this epoch of a session, or is dead.
pub type Released = SessionKey;

/// A process that was started.
struct Process {
    pid: u32,
    token: String,
    /// Its end is the supervisor's end.
    stdin: Option<ChildStdin>,
    /// Frames to it, once its hello was good.
    out: Option<mpsc::Sender<Down>>,
    connection: Option<Box<Connection>>,
    tasks: Vec<JoinHandle<()>>,
    exited: bool,
}

impl Process {
    fn cut(&mut self) {
        self.stdin = None;
        self.out = None;
        self.connection = None;
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

/// One shard.
pub struct Shard {
    name: String,
    setup: Arc<Setup>,
    machine: Machine,
    links: Links,
    waiting: Vec<Opening>,
    process: Option<Process>,
    number: u64,
    /// Frames since the last heartbeat.
    frames: u32,
    words: mpsc::Sender<(u64, Word)>,
    released: mpsc::UnboundedSender<Released>,
    /// Let go of by their sessions, and not yet by the process: it may hold their sockets until it says so or is dead.
    gone: HashSet<SessionKey>,
}

impl Shard {
    /// Starts nothing yet. Runs on the current tokio runtime, whose thread has to live as long as the server: a bridge's
    /// parent-death signal comes when the thread that started it ends.
    pub fn launch(
        index: usize,
        setup: Arc<Setup>,
        orders: mpsc::UnboundedReceiver<Order>,
        released: mpsc::UnboundedSender<Released>,
    ) -> JoinHandle<()> {
        let (words, heard) = mpsc::channel(256);
        let shard = Self {
            name: setup.name(index),
            setup,
            machine: Machine::default(),
            links: Links::default(),
            waiting: vec![],
            process: None,
            number: 0,
            frames: 0,
            words,
            released,
            gone: HashSet::new(),
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
            if self.machine.state() == State::Gone {
                return;
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Open(opening) => {
                if self.machine.is_up() {
                    self.open(*opening).await;
                } else {
                    self.waiting.push(*opening);
                    self.step(Input::Wanted).await;
                }
            }
            Order::Drop(key) => self.let_go(key).await,
            Order::Confirm(key, seq) => {
                if let Some(frame) = self.links.confirm(&key, seq) {
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
        let Opening { key, command, vault, events } = opening;
        let Some(out) = self.process.as_ref().and_then(|process| process.out.clone()) else { return };
        let (ask, questions) = mpsc::channel(wire::VAULT_CALLS);
        tokio::spawn(desk::serve(vault, Arc::clone(&self.setup.clock), questions, out));
        self.links.add(key.clone(), events, ask);
        let (answer, _) = oneshot::channel();
        let frame = self.links.call(Some(key), command, CLOSE_MS, answer);
        self.say(frame).await;
    }

    /// Closes a link that nobody listens to. The session stays this shard's until the bridge has let go.
    async fn let_go(&mut self, key: SessionKey) {
        self.waiting.retain(|opening| opening.key != key);
        if !self.links.has(&key) {
            match self.machine.state() {
                State::Dying { .. } => drop(self.gone.insert(key)),
                _ => self.release(key),
            }
            return;
        }
        self.links.mute(&key);
        self.gone.insert(key.clone());
        let (answer, answered) = oneshot::channel();
        let frame = self.links.call(Some(key.clone()), Command::Close, CLOSE_MS, answer);
        self.say(frame).await;
        let (words, number) = (self.words.clone(), self.number);
        tokio::spawn(async move {
            if answered.await.is_ok() {
                let _ = words.send((number, Word::Closed(key))).await;
            }
        });
    }

    fn release(&mut self, key: SessionKey) {
        self.gone.remove(&key);
        let _ = self.released.send(key);
    }

    async fn hear(&mut self, word: Word) {
        match word {
            Word::Connected(connection, hello) => {
                if let Some(process) = &mut self.process {
                    process.connection = Some(connection);
                }
                let verdict = self.judge(&hello);
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
                for key in std::mem::take(&mut self.gone) {
                    self.release(key);
                }
            }
            Word::Closed(key) => {
                self.links.remove(&key);
                self.release(key);
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
                let done = self.links.event(&session, seq, event, self.setup.clock.wall());
                if closed {
                    self.release(session);
                }
                done
            }
            Up::Vault { id, session, call } => self.links.question(&session, id, call),
            Up::Heartbeat(beat) => {
                tracing::trace!(shard = %self.name, rss_kib = beat.rss_kib, lag_ms = beat.lag_ms, "heartbeat");
                self.frames = 0;
                self.links.sweep();
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

    /// Never waits: a bridge that does not read must not hold up its own supervision.
    async fn say(&mut self, frame: Down) {
        let out = self.process.as_ref().and_then(|process| process.out.as_ref());
        if let Some(out) = out
            && out.try_send(frame).is_err()
        {
            Box::pin(self.step(Input::Broke(Breach::Stalled))).await;
        }
    }

    async fn step(&mut self, input: Input) {
        let now = self.setup.clock.now();
        let effects = self.machine.on(now, (self.setup.draw)(), input);
        for effect in effects {
            self.perform(effect).await;
        }
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
                if let Some(process) = &mut self.process {
                    process.cut();
                    let pid = process.pid.cast_signed();
                    // What has ended may have left others in its group; its own number may be somebody else's by now.
                    if process.exited { ghosts::kill_group(pid) } else { ghosts::kill(pid) }
                }
            }
            Effect::CutLinks => {
                self.links.cut();
                for opening in self.waiting.drain(..) {
                    let event = crate::ports::transport::LinkEvent::Closed(
                        crate::domain::session::CloseReason::TransportLost,
                    );
                    let _ = opening.events.send(Item { event, confirm: None });
                }
            }
            Effect::AskToLeave => {
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
            Effect::Report(trouble) => report(&self.name, &trouble),
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
        let started = self.setup.program.start().map_err(not_started)?;
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
        let welcome = Welcome {
            protocol: wire::PROTOCOL,
            heartbeat_ms: wire::HEARTBEAT_MS,
            window: wire::WINDOW,
            media,
        };
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

fn not_started(error: ProgramError) -> NotStarted {
    match error {
        ProgramError::Changed { found, .. } => NotStarted::Checksum { found },
        other => NotStarted::Io(other.to_string()),
    }
}

/// For an operator. Everything but a start that was asked for is worth a line.
fn report(shard: &str, trouble: &Trouble) {
    match trouble {
        Trouble::NotStarted(NotStarted::Checksum { found }) => tracing::error!(
            shard,
            found,
            "the bridge is not the pinned program and was not started; restore it, or pin the new checksum"
        ),
        Trouble::NotStarted(NotStarted::Io(why)) => {
            tracing::error!(shard, why, "the bridge cannot be started")
        }
        Trouble::Refused(refusal) => {
            tracing::error!(shard, ?refusal, "the bridge is not the one that is configured")
        }
        Trouble::Breach(breach) => {
            tracing::warn!(shard, ?breach, "the bridge broke the protocol and is killed")
        }
        Trouble::NoHello => tracing::warn!(shard, "the bridge said no hello and is killed"),
        Trouble::Silent => tracing::warn!(shard, "three heartbeats were missed; the bridge is killed"),
        Trouble::Exited => tracing::warn!(shard, "the bridge ended by itself"),
        Trouble::Unkillable => tracing::error!(shard, "the bridge was killed and is still there"),
    }
}
