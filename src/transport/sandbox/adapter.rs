//! The sandbox engine: the ports over a [`Wire`], and the credential in between.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::time::timeout;

use super::wire::{Hello, Outgoing, Wire, WireEvent};
use super::{device, recipients};
use crate::domain::content::Media;
use crate::domain::id::{MediaId, SessionId};
use crate::domain::media::{Handle, MediaKind};
use crate::domain::message::{Letter, WaId};
use crate::domain::phone::Phone;
use crate::domain::proxy::Proxy;
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::WallTime;
use crate::ports::clock::Clock;
use crate::ports::media::{FilesError, MediaFiles};
use crate::ports::outbox::Work;
use crate::ports::questions::{Answer, Question};
use crate::ports::sandbox::{Frame, Sandbox, SandboxError, SandboxFault};
use crate::ports::transport::{
    DeliveryId, FetchError, LinkEvent, PairingCode, Probe, SendError, Transport, TransportError,
};
use crate::ports::vault::{Vault, Writer};

/// The longest a request waits for its response; an attempt's deadline is its caller's.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sandbox engine. Holds no link of its own: a link lives as long as the stream it reports through.
#[derive(Clone)]
pub struct SandboxTransport {
    wire: Arc<dyn Wire>,
    clock: Arc<dyn Clock>,
    files: Option<Arc<dyn MediaFiles>>,
}

impl SandboxTransport {
    /// Speaks to the network behind `wire`.
    pub fn new(wire: Arc<dyn Wire>, clock: Arc<dyn Clock>) -> Self {
        Self { wire, clock, files: None }
    }

    /// The same, with files that correspondents send: the network sees no bodies, so what they send is what the tenant has
    /// uploaded before.
    pub fn with_files(self, files: Arc<dyn MediaFiles>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// How this engine signs the vaults it writes.
    pub fn writer() -> Writer {
        device::writer()
    }
}

/// Turns what the network says into what the port promises; a new credential is kept before anyone hears of it.
async fn report(event: WireEvent, lease: Lease, vault: Arc<dyn Vault>, clock: Arc<dyn Clock>) -> LinkEvent {
    match event {
        WireEvent::PairingCode { code, expires_at } => LinkEvent::PairingCode { code, expires_at },
        WireEvent::Paired { token } => match device::save(&*vault, token, clock.wall()).await {
            Ok(()) => LinkEvent::Paired,
            Err(error) => lost(lease, &error),
        },
        WireEvent::Connected => LinkEvent::Connected,
        WireEvent::OfflineSynced => LinkEvent::OfflineSynced,
        WireEvent::Receipt { delivery, wa_id, kind } => {
            LinkEvent::Receipt { delivery: DeliveryId(delivery), wa_id, kind }
        }
        WireEvent::Inbound { delivery, mut letter } => {
            let handle = announced(&mut letter, clock.wall());
            LinkEvent::Inbound { delivery: DeliveryId(delivery), letter, handle }
        }
        WireEvent::Timelocked { until } => LinkEvent::Timelocked { until },
        WireEvent::NewChatsUsedUp { until } => LinkEvent::NewChatsUsedUp { until },
        WireEvent::Closed(reason) => LinkEvent::Closed(reason),
    }
}

/// A file that a correspondent has sent is a new one, as an engine tells of it, and is brought here by the name of that which was
/// uploaded.
fn announced(letter: &mut Letter, at: WallTime) -> Option<Handle> {
    let (kind, uploaded) = MediaKind::of(&letter.content).zip(letter.content.media().cloned())?;
    let handle = Handle(uploaded.media.to_string().into_bytes());
    letter.content = kind.holding(Media { media: MediaId::mint(at), ..uploaded });
    Some(handle)
}

fn lost(lease: Lease, error: &device::DeviceError) -> LinkEvent {
    tracing::warn!(session = %lease.session, why = error.word(), "device record not at hand");
    LinkEvent::Closed(error.reason())
}

/// One link. Thousands of them are idle, so what is only at work now and then has its room apart.
struct Link {
    wire: Arc<dyn Wire>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    vault: Arc<dyn Vault>,
    /// What the network says, once it was asked.
    events: Option<BoxStream<'static, WireEvent>>,
    over: bool,
}

impl Link {
    /// The next event; `None` after the first `Closed`, and there is one in any case.
    async fn next(&mut self) -> Option<LinkEvent> {
        if self.over {
            return None;
        }
        if self.events.is_none() {
            match Box::pin(device::load(&*self.vault)).await {
                Ok(token) => {
                    let hello = Hello { caller: self.lease.into(), token };
                    self.events = Some(Arc::clone(&self.wire).open(hello));
                }
                Err(error) => {
                    self.over = true;
                    return Some(lost(self.lease, &error));
                }
            }
        }
        let said = match &mut self.events {
            Some(events) => events.next().await,
            None => None,
        };
        let event = match said {
            Some(said) => {
                let (vault, clock) = (Arc::clone(&self.vault), Arc::clone(&self.clock));
                Box::pin(report(said, self.lease, vault, clock)).await
            }
            None => LinkEvent::Closed(CloseReason::TransportLost),
        };
        self.over = matches!(event, LinkEvent::Closed(_));
        Some(event)
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, TransportError>> + Send,
) -> Result<T, TransportError> {
    timeout(PATIENCE, answer).await.unwrap_or(Err(TransportError::NoLink))
}

async fn played<T>(answer: impl Future<Output = Result<T, SandboxError>> + Send) -> Result<T, SandboxError> {
    timeout(PATIENCE, answer).await.unwrap_or(Err(SandboxError::Unreachable))
}

#[async_trait]
impl Probe for SandboxTransport {
    async fn ping(&self, lease: Lease) -> Result<Duration, TransportError> {
        let asked = self.clock.now();
        in_time(self.wire.ping(lease.into())).await?;
        Ok(self.clock.now().since(asked))
    }
}

#[async_trait]
impl Transport for SandboxTransport {
    fn open(&self, lease: Lease, vault: Arc<dyn Vault>, _: Option<Proxy>) -> BoxStream<'static, LinkEvent> {
        let (wire, clock) = (Arc::clone(&self.wire), Arc::clone(&self.clock));
        let link = Link { wire, clock, lease, vault, events: None, over: false };
        let events = stream::unfold(link, |mut link| async move { Some((link.next().await?, link)) });
        events.boxed()
    }

    /// The network gets no bytes, but a file that is not there is not sent here either.
    async fn send(&self, work: &Work) -> Result<(), SendError> {
        if let (Some(media), Some(files)) = (work.content.media(), &self.files)
            && !files.has(work.lease.tenant, media.media).await.map_err(|_| SendError::NoLink)?
        {
            return Err(SendError::NoFile);
        }
        let (wa_id, to) = (work.wa_id.clone(), work.to.clone());
        self.wire.send(Outgoing { caller: work.lease.into(), wa_id, to }).await
    }

    async fn confirm(&self, lease: Lease, delivery: &DeliveryId) -> Result<(), TransportError> {
        in_time(self.wire.confirm(lease.into(), delivery.0.clone())).await
    }

    /// The sandbox tells only who sends: a number without an account refuses the message.
    async fn has_account(&self, _: Lease, _: &Phone) -> Result<bool, TransportError> {
        Err(TransportError::Unsupported)
    }

    /// The handle names a file of the tenant's.
    async fn fetch_media(&self, lease: Lease, handle: &Handle, most: u64) -> Result<File, FetchError> {
        let files = self.files.as_ref().ok_or(FetchError::Unsupported)?;
        let named = std::str::from_utf8(&handle.0).ok().and_then(|text| text.parse().ok());
        let file = files.open(lease.tenant, named.ok_or(FetchError::Absent)?).await;
        let file = file.map_err(|error| match error {
            FilesError::Absent => FetchError::Absent,
            FilesError::Broken(_) => FetchError::Broken,
        })?;
        let size = file.metadata().map_err(|_| FetchError::Broken)?.len();
        if size > most { Err(FetchError::TooLarge) } else { Ok(file) }
    }

    /// The network keeps nothing of this, so the answers are made up here; that the link works is real.
    async fn ask(&self, lease: Lease, question: Question) -> Result<Answer, TransportError> {
        in_time(self.wire.ping(lease.into())).await?;
        Ok(recipients::answer(&question))
    }

    /// The number is not used: any phone may type the code.
    async fn pairing_code(&self, lease: Lease, _: &Phone) -> Result<PairingCode, TransportError> {
        in_time(self.wire.pairing_code(lease.into())).await
    }

    async fn log_out(&self, lease: Lease) -> Result<(), TransportError> {
        in_time(self.wire.log_out(lease.into())).await
    }
}

#[async_trait]
impl Sandbox for SandboxTransport {
    async fn find_code(&self, code: &str) -> Result<Option<SessionId>, SandboxError> {
        played(self.wire.find_code(code.to_owned())).await
    }

    async fn scan(&self, code: &str) -> Result<SessionId, SandboxError> {
        played(self.wire.scan(code.to_owned())).await
    }

    async fn write(&self, session: SessionId, letter: Letter) -> Result<WaId, SandboxError> {
        played(self.wire.write(session, letter)).await
    }

    async fn fault(&self, session: SessionId, fault: SandboxFault) -> Result<(), SandboxError> {
        played(self.wire.fault(session, fault)).await
    }

    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError> {
        played(self.wire.frames(session, after, limit)).await
    }
}
