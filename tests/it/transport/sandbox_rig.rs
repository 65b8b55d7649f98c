//! A simulated network in a folder of its own, spoken to in process or through HTTP, and one session on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Delivery, ReceiptKind, WaId};
use columba::domain::session::{CloseReason, Epoch, Lease};
use columba::domain::time::{Moment, WallTime};
use columba::ports::outbox::Work;
use columba::ports::sandbox::{Frame, Sandbox as _};
use columba::ports::transport::{DeliveryId, LinkEvent, SendError, Transport as _};
use columba::transport::sandbox::{
    FILE_NAME, Latency, Network, NetworkServer, OpenError, RemoteNetwork, SandboxTransport, serve,
};
use futures_util::stream::{BoxStream, StreamExt as _};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::tokio_clock::TokioClock;
use crate::support::vault::MemoryVault;

/// Which way the adapter reaches the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    InProcess,
    Remote,
}

pub type Link = BoxStream<'static, LinkEvent>;

pub const TEXT: &str = "words that nobody but the recipient may read";

/// A network, the adapter to it, and one session.
pub struct Rig {
    face: Face,
    folder: TempDir,
    latency: Latency,
    server: Option<NetworkServer>,
    pub engine: SandboxTransport,
    pub clock: Arc<TokioClock>,
    pub vault: Arc<MemoryVault>,
    pub lease: Lease,
    messages: u32,
}

impl Rig {
    pub async fn start(face: Face) -> Self {
        Self::with(face, Latency::none()).await
    }

    pub async fn with(face: Face, latency: Latency) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::<TokioClock>::default();
        let (engine, server) = reach(face, folder.path(), &clock, latency).await;
        let at = WallTime(0);
        let lease = Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) };
        Self { face, folder, latency, server, engine, clock, vault: Arc::default(), lease, messages: 0 }
    }

    /// The network's process dies and a new one takes over its folder. Every link must have been dropped.
    pub async fn restart_network(mut self) -> Self {
        self.stop_network().await;
        let Self { face, folder, latency, clock, vault, lease, messages, engine, .. } = self;
        drop(engine);
        let (engine, server) = reach(face, folder.path(), &clock, latency).await;
        Self { face, folder, latency, server, engine, clock, vault, lease, messages }
    }

    pub async fn stop_network(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// What the network wrote down.
    pub fn journal(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(FILE_NAME)).unwrap()
    }

    pub fn open(&self) -> Link {
        self.engine.open(self.lease, self.vault.clone(), None)
    }

    /// Pairs by scanning the first code.
    pub async fn pair(&self) {
        let mut link = self.open();
        let code = code(next(&mut link).await);
        assert_eq!(self.engine.scan(&code).await, Ok(self.lease.session));
        assert_eq!(
            rest(&mut link).await,
            [LinkEvent::Paired, LinkEvent::Closed(CloseReason::RestartRequired)]
        );
    }

    /// A link that has told what it owed.
    pub async fn log_in(&self) -> (Link, Vec<LinkEvent>) {
        let mut link = self.open();
        assert_eq!(next(&mut link).await, LinkEvent::Connected);
        let mut owed = vec![];
        loop {
            match next(&mut link).await {
                LinkEvent::OfflineSynced => return (link, owed),
                event => owed.push(event),
            }
        }
    }

    /// Paired and logged in.
    pub async fn connected(&self) -> Link {
        self.pair().await;
        let (link, owed) = self.log_in().await;
        assert_eq!(owed, []);
        link
    }

    /// A new message to `to`.
    pub fn message(&mut self, to: &str) -> Work {
        self.messages += 1;
        Work {
            lease: self.lease,
            message: MessageId::mint(WallTime(0)),
            number: 1,
            wa_id: WaId::mint(WallTime(0), self.messages),
            to: Chat::parse(to).unwrap(),
            content: Content::Text(Text { body: TEXT.to_owned() }),
            reply_to: None,
            referred: None,
            delivery: Delivery::AtLeastOnce,
            claimed_at: Moment(0),
        }
    }

    pub async fn send(&self, work: &Work) -> Result<(), SendError> {
        timeout(BOUND, self.engine.send(work)).await.expect("no answer to a send")
    }

    pub async fn frames(&self) -> Vec<Frame> {
        self.engine.frames(self.lease.session, 0, 1000).await.unwrap()
    }

    pub async fn confirm(&self, event: &LinkEvent) {
        let (LinkEvent::Receipt { delivery, .. } | LinkEvent::Inbound { delivery, .. }) = event else {
            panic!("{event:?} is no delivery");
        };
        assert_eq!(self.engine.confirm(self.lease, delivery).await, Ok(()));
    }
}

async fn reach(
    face: Face,
    folder: &Path,
    clock: &Arc<TokioClock>,
    latency: Latency,
) -> (SandboxTransport, Option<NetworkServer>) {
    let network = take_over(folder, clock, latency).await;
    match face {
        Face::InProcess => (SandboxTransport::new(network, clock.clone()), None),
        Face::Remote => {
            let server = serve(network, ([127, 0, 0, 1], 0).into()).await.unwrap();
            let remote = RemoteNetwork::at(&format!("http://{}", server.address())).unwrap();
            (SandboxTransport::new(remote, clock.clone()), Some(server))
        }
    }
}

/// A stopped server's threads let go of the folder a moment after it has stopped; nothing tells when.
async fn take_over(folder: &Path, clock: &Arc<TokioClock>, latency: Latency) -> Arc<Network> {
    let opening = async {
        loop {
            match Network::open(folder, clock.clone(), latency) {
                Err(OpenError::InUse) => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    timeout(BOUND, opening).await.expect("the folder stayed in use")
}

/// Long enough for a busy machine; only a failing test waits for it.
const BOUND: Duration = Duration::from_secs(20);

/// The next event of a link that must have one.
pub async fn next(link: &mut Link) -> LinkEvent {
    timeout(BOUND, link.next()).await.expect("the link said nothing").expect("the link had ended")
}

/// Everything up to the end of a link that must end.
pub async fn rest(link: &mut Link) -> Vec<LinkEvent> {
    timeout(BOUND, link.collect()).await.expect("the link did not end")
}

pub fn code(event: LinkEvent) -> String {
    match event {
        LinkEvent::PairingCode { code, .. } => code,
        other => panic!("expected a code, not {other:?}"),
    }
}

/// What a receipt says, without its name.
pub fn receipt(event: &LinkEvent) -> (&WaId, ReceiptKind) {
    match event {
        LinkEvent::Receipt { wa_id, kind, .. } => (wa_id, *kind),
        other => panic!("expected a receipt, not {other:?}"),
    }
}

pub fn delivery(event: &LinkEvent) -> DeliveryId {
    match event {
        LinkEvent::Receipt { delivery, .. } | LinkEvent::Inbound { delivery, .. } => delivery.clone(),
        other => panic!("expected a delivery, not {other:?}"),
    }
}
