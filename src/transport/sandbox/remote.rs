//! A network in another process, seen through HTTP. `call` says what is spoken.
//!
//! Connections live on a thread of their own: a session that blocks its arbiter must not stall the socket a neighbour's
//! ack comes through.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::call::{Call, MAX_BODY, SILENCE};
use super::wire::{Caller, Hello, Outgoing, Wire, WireEvent};
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, WaId};
use crate::domain::session::CloseReason;
use crate::ports::sandbox::{Frame, SandboxError, SandboxFault};
use crate::ports::transport::{PairingCode, SendError, TransportError};

/// An idle connection is given up before the network closes it, see `server`.
const IDLE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// Ten thousand frames fit in.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Events read ahead of a slow session.
const AHEAD: usize = 64;

/// Why an address is no network.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// Not an address at all.
    #[error("the sandbox network's address is no URL; expected one such as http://127.0.0.1:9090")]
    NotAUrl,
    /// TLS is not built in: the network stands on the same machine.
    #[error("the sandbox network is reached by http only, not by {0}; expected http://127.0.0.1:PORT")]
    Scheme(String),
    /// Credentials of simulated devices pass in the clear.
    #[error("the sandbox network has to be on a loopback address such as http://127.0.0.1:9090, not on {0}")]
    NotLoopback(String),
    /// The client or its thread could not be made.
    #[error("cannot start the client of the sandbox network: {0}")]
    Start(String),
}

/// A network in another process.
pub struct RemoteNetwork {
    http: Client,
    links: Url,
    calls: Url,
    driver: Driver,
}

impl RemoteNetwork {
    /// Gets ready to speak to the network at `url`. Connects to nothing yet: the network may come later.
    pub fn at(url: &str) -> Result<Arc<Self>, RemoteError> {
        let base = Url::parse(url).map_err(|_| RemoteError::NotAUrl)?;
        if base.scheme() != "http" {
            return Err(RemoteError::Scheme(base.scheme().to_owned()));
        }
        let host = base.host_str().unwrap_or_default();
        if !is_loopback(host) {
            return Err(RemoteError::NotLoopback(host.to_owned()));
        }
        let join = |path| base.join(path).map_err(|_| RemoteError::NotAUrl);
        let client = Client::builder().no_proxy().connect_timeout(CONNECT).pool_idle_timeout(IDLE);
        let http = client.build().map_err(|error| RemoteError::Start(error.to_string()))?;
        let driver = Driver::start().map_err(|error| RemoteError::Start(error.to_string()))?;
        Ok(Arc::new(Self { http, links: join("/links")?, calls: join("/calls")?, driver }))
    }

    async fn call<T: DeserializeOwned + Send + 'static>(&self, call: Call) -> Result<T, Failure> {
        let request = self.http.post(self.calls.clone()).json(&call);
        self.driver.run(ask(request)).await.unwrap_or(Err(Failure::Lost))
    }
}

/// Names are resolved by the machine, so only the one that every machine has is taken.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It did not reach the network, or the network refused to read it.
    NotTaken,
    /// It may have been carried out.
    Lost,
}

async fn ask<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let response = request.send().await.map_err(|error| match error.is_connect() || error.is_builder() {
        true => Failure::NotTaken,
        false => Failure::Lost,
    })?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_client_error() => {
            tracing::error!(%status, "the sandbox network does not understand a call");
            return Err(Failure::NotTaken);
        }
        _ => return Err(Failure::Lost),
    }
    let answer = body(response).await.ok_or(Failure::Lost)?;
    serde_json::from_slice(&answer).map_err(|_| Failure::Lost)
}

/// A whole body; `None` when it breaks off or has no end.
async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut whole = vec![];
    while let Some(chunk) = response.chunk().await.ok()? {
        if whole.len() + chunk.len() > MAX_ANSWER {
            return None;
        }
        whole.extend_from_slice(&chunk);
    }
    Some(whole)
}

/// Passes on a link's events until its end; why it ended, if no `Closed` said so.
async fn pump(request: RequestBuilder, events: mpsc::Sender<WireEvent>) {
    let reason = read_link(request, &events).await.unwrap_or(CloseReason::TransportLost);
    let _ = events.send(WireEvent::Closed(reason)).await;
}

/// `None`: the connection was lost, or the listener is gone.
async fn read_link(request: RequestBuilder, events: &mpsc::Sender<WireEvent>) -> Option<CloseReason> {
    let mut response = timeout(SILENCE, request.send()).await.ok()?.ok()?;
    if response.status() != StatusCode::OK {
        tracing::error!(status = %response.status(), "the sandbox network refuses to open a link");
        return Some(CloseReason::Malformed);
    }
    let mut lines = Lines::default();
    loop {
        let chunk = timeout(SILENCE, response.chunk()).await.ok()?.ok()??;
        let Some(whole) = lines.push(&chunk) else { return Some(CloseReason::Malformed) };
        for line in whole {
            match serde_json::from_slice(&line) {
                Ok(WireEvent::Closed(reason)) => return Some(reason),
                Ok(event) => events.send(event).await.ok()?,
                Err(_) => return Some(CloseReason::Malformed),
            }
        }
    }
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are whole now, without empty ones; `None` when one is longer than [`MAX_BODY`].
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut whole = vec![];
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.len() > MAX_BODY {
                return None;
            }
            if self.rest.pop_if(|byte| *byte == b'\n').is_some() {
                whole.push(std::mem::take(&mut self.rest));
            }
        }
        whole.retain(|line| !line.is_empty());
        Some(whole)
    }
}

/// The thread that holds the connections. Ends with its owner, and everything on it.
struct Driver {
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Driver {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let turn = move || {
            let _ = runtime.block_on(stopped);
        };
        std::thread::Builder::new().name("sandbox-remote".to_owned()).spawn(turn)?;
        Ok(Self { runtime: handle, _stop: stop })
    }

    /// Runs `work` there; dropping the future ends it. `None` when it panicked.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut task = Task(self.runtime.spawn(work));
        (&mut task.0).await.ok()
    }
}

/// A task that ends with its owner.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl From<Failure> for TransportError {
    fn from(_: Failure) -> Self {
        Self::NoLink
    }
}

impl From<Failure> for SandboxError {
    fn from(_: Failure) -> Self {
        Self::Unreachable
    }
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotTaken => Self::NoLink,
            Failure::Lost => Self::NoAck,
        }
    }
}

#[async_trait]
impl Wire for RemoteNetwork {
    fn open(self: Arc<Self>, hello: Hello) -> BoxStream<'static, WireEvent> {
        let connect = async move {
            let (sender, events) = mpsc::channel(AHEAD);
            let request = self.http.post(self.links.clone()).json(&hello);
            let pump = Task(self.driver.runtime.spawn(pump(request, sender)));
            stream::unfold((events, pump, self), |(mut events, pump, network)| async move {
                let event = events.recv().await?;
                Some((event, (events, pump, network)))
            })
        };
        stream::once(connect).flatten().boxed()
    }

    async fn send(&self, frame: Outgoing) -> Result<(), SendError> {
        self.call::<Result<_, _>>(Call::Send(frame)).await?
    }

    async fn ping(&self, caller: Caller) -> Result<(), TransportError> {
        self.call::<Result<_, _>>(Call::Ping { caller }).await?
    }

    async fn confirm(&self, caller: Caller, delivery: String) -> Result<(), TransportError> {
        self.call::<Result<_, _>>(Call::Confirm { caller, delivery }).await?
    }

    async fn pairing_code(&self, caller: Caller) -> Result<PairingCode, TransportError> {
        self.call::<Result<_, _>>(Call::PairingCode { caller }).await?
    }

    async fn log_out(&self, caller: Caller) -> Result<(), TransportError> {
        self.call::<Result<_, _>>(Call::LogOut { caller }).await?
    }

    async fn find_code(&self, code: String) -> Result<Option<SessionId>, SandboxError> {
        self.call::<Result<_, _>>(Call::FindCode { code }).await?
    }

    async fn scan(&self, code: String) -> Result<SessionId, SandboxError> {
        self.call::<Result<_, _>>(Call::Scan { code }).await?
    }

    async fn write(&self, session: SessionId, letter: Letter) -> Result<WaId, SandboxError> {
        self.call::<Result<_, _>>(Call::Write { session, letter: Box::new(letter) }).await?
    }

    async fn fault(&self, session: SessionId, fault: SandboxFault) -> Result<(), SandboxError> {
        self.call::<Result<_, _>>(Call::Fault { session, fault }).await?
    }

    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError> {
        self.call::<Result<_, _>>(Call::Frames { session, after, limit }).await?
    }
}
