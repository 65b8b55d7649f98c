//! The port over an engine's shards.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use columba_bridge_protocol as wire;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use thiserror::Error;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wire::{Capability, Command, ErrorCode, Failure, Private, Reply, SessionKey};

use super::board::Board;
use super::fleet::Fleet;
use super::links::{Answer, Item, LinkId};
use super::media::{self, Lent, Ordered};
use super::program::Program;
use super::shard::{Opening, Order, Setup, Shard, Told};
use super::{asked, words};
use crate::domain::id::SessionId;
use crate::domain::media::Handle as MediaHandle;
use crate::domain::message::Draft;
use crate::domain::phone::Phone;
use crate::domain::proxy::Proxy;
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::{Jitter, Reading};
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::installation::ShardView;
use crate::ports::media::{FilesError, MediaFiles};
use crate::ports::outbox::Work;
use crate::ports::questions::{self, Question};
use crate::ports::transport::{
    DeliveryId, FetchError, LinkEvent, PairingCode, Probe, SendError, Transport, TransportError, patience,
};
use crate::ports::vault::{Vault, Writer};

/// The longest a call waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest a file may take to come.
const FETCH: Duration = Duration::from_secs(120);
/// A link from which nothing was heard by then is lost.
const FIRST: Duration = Duration::from_secs(30);
/// The path of a unix socket may have 107 bytes; a name has some twenty.
const SOCKET_ROOM: usize = 80;

/// What an engine is started with.
#[derive(Debug, Clone)]
pub struct BridgeOptions {
    /// The pinned program.
    pub program: Program,
    /// Engine, exact version, and form of its records: what its hello has to say.
    pub writer: Writer,
    /// Most sessions on one process.
    pub shard_size: usize,
    /// Address of a server instead of WhatsApp's. A bridge that accepts anybody's certificates is welcome only with it.
    pub endpoint: Option<String>,
    /// Where sockets and media lie: a folder of this server alone, made with mode 0700. What is in it is removed.
    pub runtime: PathBuf,
    /// Where processes are recorded, see [`lay`](super::lay).
    pub records: PathBuf,
}

/// Why an engine cannot be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its folder cannot be made.
    #[error("{0} cannot be made: {1}")]
    Folder(PathBuf, io::Error),
    /// Its program is not what was pinned, or cannot be read.
    #[error(transparent)]
    Program(#[from] super::program::ProgramError),
    /// No thread.
    #[error("the thread of the bridges cannot be started: {0}")]
    Thread(io::Error),
}

/// An engine that is processes.
pub struct BridgeTransport {
    shared: Arc<Shared>,
    files: Arc<dyn MediaFiles>,
    clock: Arc<dyn Clock>,
    endpoint: Option<String>,
    _driver: Driver,
}

struct Shared {
    setup: Arc<Setup>,
    runtime: Handle,
    told: mpsc::UnboundedSender<Told>,
    crew: Mutex<Crew>,
}

/// Shards and who is on them.
struct Crew {
    fleet: Fleet,
    shards: Vec<mpsc::UnboundedSender<Order>>,
    tasks: Vec<JoinHandle<()>>,
    /// What the bridge of each shard has said that it can do, while it serves.
    can: HashMap<usize, Vec<Capability>>,
    /// No shard is started any more.
    closed: bool,
}

impl BridgeTransport {
    /// Checks the program and gets ready. No process starts before a session opens.
    ///
    /// # Errors
    /// When the program is not the pinned one, and when folder or thread cannot be made.
    pub fn start(
        options: BridgeOptions,
        files: Arc<dyn MediaFiles>,
        clock: Arc<dyn Clock>,
        draw: fn() -> Jitter,
    ) -> Result<Arc<Self>, StartError> {
        options.program.check()?;
        let runtime = runtime_folder(&options.runtime, &options.writer.engine)?;
        let driver = Driver::start(&options.writer.engine).map_err(StartError::Thread)?;
        let setup = Setup {
            program: options.program,
            writer: options.writer,
            testbed: options.endpoint.is_some(),
            runtime,
            records: options.records,
            clock: Arc::clone(&clock),
            draw,
            board: Board::default(),
            desks: Arc::default(),
        };
        let (told, hearing) = mpsc::unbounded_channel();
        let fleet = Fleet::new(options.shard_size);
        let crew = Crew { fleet, shards: vec![], tasks: vec![], can: HashMap::new(), closed: false };
        let shared =
            Shared { setup: Arc::new(setup), runtime: driver.runtime.clone(), told, crew: Mutex::new(crew) };
        let shared = Arc::new(shared);
        driver.runtime.spawn(account(Arc::downgrade(&shared), hearing));
        Ok(Arc::new(Self { shared, files, clock, endpoint: options.endpoint, _driver: driver }))
    }

    /// How this engine signs the vaults it writes.
    pub fn writer(&self) -> Writer {
        self.shared.setup.writer.clone()
    }

    /// SHA-256 of its pinned program.
    pub fn checksum(&self) -> String {
        self.shared.setup.program.sha256.clone()
    }

    /// What its processes have said that they can do; `None` before the first did.
    pub fn capabilities(&self) -> Option<Vec<String>> {
        self.shared.setup.board.capabilities()
    }

    /// How its processes stand at `at`.
    pub fn shards(&self, at: Reading) -> Vec<ShardView> {
        let setup = &self.shared.setup;
        let crew = self.shared.crew();
        setup.board.read(at, |shard| setup.name(shard), |shard| crew.fleet.load_of(shard))
    }

    /// The number of the process that a session is on; none when no process can have a socket of it.
    pub fn shard_of(&self, session: SessionId) -> Option<usize> {
        self.shared.crew().fleet.shard_of(&session.to_string())
    }

    /// Whether the bridge that has this session can send such a message; `None` while none serves it.
    pub fn sends(&self, session: SessionId, draft: &Draft) -> Option<bool> {
        let crew = self.shared.crew();
        let can = crew.can.get(&crew.fleet.shard_of(&session.to_string())?)?;
        Some(words::needs(draft).all(|needed| can.contains(&needed)))
    }

    /// Ends every process in good order: their sessions are closed with what is pending written, for at most six seconds,
    /// then they are killed. No session opens afterwards.
    pub async fn close(&self) {
        let tasks = {
            let mut crew = self.shared.crew();
            crew.closed = true;
            for shard in crew.shards.drain(..) {
                let _ = shard.send(Order::Stop);
            }
            std::mem::take(&mut crew.tasks)
        };
        for task in tasks {
            let _ = task.await;
        }
        let _ = fs::remove_dir_all(&self.shared.setup.runtime);
    }

    async fn call(&self, lease: Lease, command: Command) -> Answer {
        match timeout(PATIENCE, self.command(lease, command, PATIENCE)?).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Failure::of(ErrorCode::Uncertain)),
        }
    }
}

impl BridgeTransport {
    /// Asks; where the answer comes. It is dropped if the bridge goes away.
    fn command(
        &self,
        lease: Lease,
        command: Command,
        patience: Duration,
    ) -> Result<oneshot::Receiver<Answer>, Failure> {
        let key = words::key(lease);
        let (answer, answered) = oneshot::channel();
        let deadline_ms = patience.as_millis() as u32;
        self.shared.order(&key.session.clone(), Order::Call { key, command, deadline_ms, answer })?;
        Ok(answered)
    }

    /// Lends the file of a message to the bridge that sends it.
    async fn lend(&self, work: &Work) -> Result<Option<Lent>, SendError> {
        let Some(media) = work.content.media() else { return Ok(None) };
        let folder = self.shared.media_of(&work.lease.session.to_string()).ok_or(SendError::NoLink)?;
        let lent = Lent::to(&folder, &*self.files, work.lease.tenant, media.media).await;
        lent.map(Some).map_err(|error| match error {
            FilesError::Absent if folder.is_dir() => SendError::NoFile,
            // The bridge's process has just ended, or the disk is full: nothing was sent.
            error => {
                tracing::warn!(%error, "a file cannot be lent to the bridge");
                SendError::NoLink
            }
        })
    }
}

/// Notes what shards tell.
async fn account(shared: std::sync::Weak<Shared>, mut hearing: mpsc::UnboundedReceiver<Told>) {
    while let Some(told) = hearing.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        match told {
            Told::Released(session, link) => shared.crew().fleet.release(&session, link),
            Told::Serves(shard, can) => drop(shared.crew().can.insert(shard, can)),
            Told::Ended(shard) => drop(shared.crew().can.remove(&shard)),
            Told::Suspects(sessions) => {
                let mut crew = shared.crew();
                for session in crew.fleet.suspect(shared.setup.clock.now(), &sessions) {
                    tracing::warn!(
                        session,
                        "the session's bridge died again; it is set apart from its neighbours"
                    );
                }
                meters::bridge_apart(&shared.setup.writer.engine, crew.fleet.apart());
            }
        }
    }
}

impl Shared {
    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an order to the shard that has the session.
    fn order(&self, session: &str, order: Order) -> Result<(), Failure> {
        let crew = self.crew();
        let shard = crew.fleet.shard_of(session).and_then(|shard| crew.shards.get(shard));
        let sent = shard.is_some_and(|shard| shard.send(order).is_ok());
        if sent { Ok(()) } else { Err(Failure::of(ErrorCode::NoLink)) }
    }

    /// The media folder of the shard that has the session.
    fn media_of(&self, session: &str) -> Option<PathBuf> {
        let shard = self.crew().fleet.shard_of(session)?;
        Some(self.setup.media_folder(&self.setup.name(shard)))
    }

    /// Places a session and opens it there; where its events go. None when nothing opens any more.
    fn open(
        self: &Arc<Self>,
        key: SessionKey,
        command: Command,
        vault: Arc<dyn Vault>,
        events: mpsc::UnboundedSender<Item>,
    ) -> Option<LinkId> {
        let mut crew = self.crew();
        if crew.closed {
            return None;
        }
        let (shard, link) = crew.fleet.place(self.setup.clock.now(), &key.session);
        while shard >= crew.shards.len() {
            let index = crew.shards.len();
            let (orders, taken) = mpsc::unbounded_channel();
            let _entered = self.runtime.enter();
            crew.tasks.push(Shard::launch(index, Arc::clone(&self.setup), taken, self.told.clone()));
            crew.shards.push(orders);
        }
        let opening = Opening { key, link, command, vault, events };
        crew.shards[shard].send(Order::Open(Box::new(opening))).is_ok().then_some(link)
    }
}

/// One link, as its session polls it. Dropping it closes the link.
struct Link {
    shared: Arc<Shared>,
    key: SessionKey,
    /// None before it was asked for.
    id: Option<LinkId>,
    stage: Stage,
}

enum Stage {
    /// Not asked for yet.
    New { vault: Arc<dyn Vault>, proxy: Option<Proxy>, endpoint: Option<String> },
    /// Asked for, nothing heard.
    Silent(mpsc::UnboundedReceiver<Item>),
    /// Speaks.
    Speaks(mpsc::UnboundedReceiver<Item>),
    /// `Closed` was said.
    Over,
}

impl Link {
    /// The next event; `None` after the first `Closed`, and there is one in any case.
    async fn next(&mut self) -> Option<LinkEvent> {
        if let Stage::New { vault, proxy, endpoint } = &mut self.stage {
            let (events, heard) = mpsc::unbounded_channel();
            let proxy = proxy.take().map(|proxy| Private::from(proxy.expose()));
            let command = Command::Open { proxy, endpoint: endpoint.take() };
            self.id = self.shared.open(self.key.clone(), command, Arc::clone(vault), events);
            if self.id.is_none() {
                self.stage = Stage::Over;
                return Some(LinkEvent::Closed(CloseReason::TransportLost));
            }
            self.stage = Stage::Silent(heard);
        }
        let item = match &mut self.stage {
            Stage::Silent(heard) => timeout(FIRST, heard.recv()).await.ok().flatten(),
            Stage::Speaks(heard) => heard.recv().await,
            Stage::New { .. } | Stage::Over => return None,
        };
        let item =
            item.unwrap_or(Item { event: LinkEvent::Closed(CloseReason::TransportLost), confirm: None });
        if let (Some(id), Some(seq)) = (self.id, item.confirm) {
            let order = Order::Confirm(self.key.clone(), id, seq);
            let _ = self.shared.order(&self.key.session, order);
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        if !matches!(item.event, LinkEvent::Closed(_)) {
            self.stage = match stage {
                Stage::Silent(heard) | Stage::Speaks(heard) => Stage::Speaks(heard),
                other => other,
            };
        }
        Some(item.event)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let _ = self.shared.order(&self.key.session, Order::Drop(self.key.clone(), id));
        }
    }
}

#[async_trait]
impl Probe for BridgeTransport {
    async fn ping(&self, lease: Lease) -> Result<Duration, TransportError> {
        let asked = self.clock.now();
        self.call(lease, Command::Ping).await.map_err(|failure| words::call_error(&failure))?;
        Ok(self.clock.now().since(asked))
    }
}

#[async_trait]
impl Transport for BridgeTransport {
    fn open(
        &self,
        lease: Lease,
        vault: Arc<dyn Vault>,
        proxy: Option<Proxy>,
    ) -> BoxStream<'static, LinkEvent> {
        let stage = Stage::New { vault, proxy, endpoint: self.endpoint.clone() };
        let link = Link { shared: Arc::clone(&self.shared), key: words::key(lease), id: None, stage };
        stream::unfold(link, |mut link| async move { Some((link.next().await?, link)) }).boxed()
    }

    async fn send(&self, work: &Work) -> Result<(), SendError> {
        let key = words::key(work.lease);
        let wa_id = work.wa_id.0.clone();
        let lent = self.lend(work).await?;
        let content = match &lent {
            Some(lent) => media::sent(&work.content, &lent.name),
            None => words::content(&work.content, work.referred.as_deref()),
        };
        let command = Command::Send {
            to: words::address(&work.to),
            wa_id: wa_id.clone(),
            content: Box::new(content.ok_or(SendError::Unsupported)?),
            quote: words::quote(work).map(Box::new),
        };
        let (answer, answered) = oneshot::channel();
        let (ack, acked) = oneshot::channel();
        let deadline_ms = patience(&work.content).as_millis() as u32;
        let session = key.session.clone();
        let order = Order::Send { key, wa_id, command, deadline_ms, answer, ack };
        self.shared.order(&session, order).map_err(|failure| words::send_error(&failure))?;
        // A bridge that went away with the command may have carried it out.
        let answer = answered.await.unwrap_or(Err(Failure::of(ErrorCode::Uncertain)));
        drop(lent);
        answer.map_err(|failure| words::send_error(&failure))?;
        acked.await.unwrap_or(Err(SendError::NoAck))
    }

    async fn confirm(&self, lease: Lease, delivery: &DeliveryId) -> Result<(), TransportError> {
        let key = words::key(lease);
        let (link, seq) = words::delivered(delivery).ok_or(TransportError::NoLink)?;
        let session = key.session.clone();
        self.shared
            .order(&session, Order::Confirm(key, link, seq))
            .map_err(|failure| words::call_error(&failure))
    }

    async fn has_account(&self, lease: Lease, phone: &Phone) -> Result<bool, TransportError> {
        let command = Command::CheckNumber { phones: vec![Private::from(phone.as_str())] };
        match self.call(lease, command).await.map_err(|failure| words::call_error(&failure))? {
            // An answer about another number than the one asked for is none.
            Reply::Numbers { numbers }
                if numbers.len() == 1 && numbers[0].phone.as_str() == phone.as_str() =>
            {
                Ok(numbers[0].exists)
            }
            _ => Err(TransportError::NoLink),
        }
    }

    async fn fetch_media(&self, lease: Lease, handle: &MediaHandle, most: u64) -> Result<File, FetchError> {
        let folder = self.shared.media_of(&lease.session.to_string()).ok_or(FetchError::NoLink)?;
        let ordered = Ordered::in_folder(folder);
        let command = Command::FetchMedia {
            handle: handle.0.clone().into(),
            name: ordered.name.clone(),
            max_bytes: most,
        };
        let answered = self.command(lease, command, FETCH).map_err(|failure| words::fetch_error(&failure))?;
        // Whatever comes after this side has given up is removed all the same.
        let fetched = tokio::spawn(async move {
            match answered.await.unwrap_or(Err(Failure::of(ErrorCode::Uncertain))) {
                Ok(Reply::Media { size }) => ordered.take(size, most).await,
                Ok(_) => Err(FetchError::Broken),
                Err(failure) => Err(words::fetch_error(&failure)),
            }
        });
        timeout(FETCH, fetched).await.ok().and_then(Result::ok).unwrap_or(Err(FetchError::Broken))
    }

    async fn ask(&self, lease: Lease, question: Question) -> Result<questions::Answer, TransportError> {
        let command = asked::command(&question);
        let reply = self.call(lease, command).await.map_err(|failure| words::call_error(&failure))?;
        asked::answer(&question, reply).ok_or(TransportError::NoLink)
    }

    async fn pairing_code(&self, lease: Lease, phone: &Phone) -> Result<PairingCode, TransportError> {
        let command = Command::PairCode { phone: Private::from(phone.as_str()) };
        match self.call(lease, command).await.map_err(|failure| words::call_error(&failure))? {
            Reply::PairCode { code, expires_in_ms } => Ok(PairingCode {
                code: words::spaced(code.as_str()),
                expires_at: self.clock.wall() + Duration::from_millis(expires_in_ms.into()),
            }),
            _ => Err(TransportError::NoLink),
        }
    }

    async fn log_out(&self, lease: Lease) -> Result<(), TransportError> {
        self.call(lease, Command::LogOut).await.map(drop).map_err(|failure| words::call_error(&failure))
    }
}

/// A folder for one engine, empty. Where the path would be too long for a socket, one in the system's folder for
/// temporary files.
fn runtime_folder(base: &Path, engine: &str) -> Result<PathBuf, StartError> {
    // A bridge works in another directory, so what it is told has to be absolute.
    let near =
        std::path::absolute(base.join(engine)).map_err(|error| StartError::Folder(base.to_owned(), error))?;
    let folder = if near.as_os_str().len() <= SOCKET_ROOM {
        near
    } else {
        std::env::temp_dir().join(format!("columba-{engine}-{:016x}", rand::random::<u64>()))
    };
    let made = || {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)
    };
    made().map_err(|error| StartError::Folder(folder.clone(), error))?;
    Ok(folder)
}

/// The thread all bridges of an engine are started from and watched by. It lives as long as the server: their
/// parent-death signal comes when it ends. A session that blocks its own thread must not stall a neighbour's ack.
struct Driver {
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Driver {
    fn start(engine: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let turn = move || {
            let _ = runtime.block_on(stopped);
        };
        std::thread::Builder::new().name(format!("bridge-{engine}")).spawn(turn)?;
        Ok(Self { runtime: handle, _stop: stop })
    }
}
