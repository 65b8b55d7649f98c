//! The socket. Nothing is read while the session's window is full, nothing is written once its vault is lost, and it ends
//! with the session.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, anyhow, bail};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpStream;
use tokio_websockets::ClientBuilder;
use wacore::net::{Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN, WHATSAPP_WEB_WS_URL};
use whatsapp_rust_tokio_transport::from_websocket;

use super::tunnel;
use crate::outbox::Outbox;
use crate::vault::Vault;

/// What went over a session's socket.
#[derive(Default)]
pub struct Traffic {
    /// Frames out.
    pub sent: AtomicU64,
    /// Frames in.
    pub received: AtomicU64,
    /// Bytes out.
    pub bytes_sent: AtomicU64,
    /// Bytes in.
    pub bytes_received: AtomicU64,
    /// Whether the library itself closed the socket, before the server did.
    hung_up: AtomicBool,
    /// Whether the proxy has led to the server once, where there is one.
    let_through: AtomicBool,
}

impl Traffic {
    /// Whether the session's proxy has led to the server.
    pub fn was_let_through(&self) -> bool {
        self.let_through.load(Ordering::Relaxed)
    }

    /// Whether the library said one thing, heard the answer, and hung up: the handshake told it that this is not WhatsApp.
    /// It tells nobody why a connect failed, so this is what there is to go by.
    pub fn was_refused(&self) -> bool {
        let (sent, received) = (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed));
        sent == 1 && received >= 1 && self.hung_up.load(Ordering::Relaxed)
    }
}

/// A session's socket, held so that it can be ended without the library, whose own end of it may wait for what never comes.
/// One that stayed open would be a second socket of the account as soon as the session is opened again.
#[derive(Debug, Default)]
pub struct Cord(Mutex<Option<OwnedFd>>);

impl Cord {
    fn held(&self) -> MutexGuard<'_, Option<OwnedFd>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, stream: &TcpStream) -> io::Result<()> {
        *self.held() = Some(stream.as_fd().try_clone_to_owned()?);
        Ok(())
    }

    /// Ends the socket both ways, if there is one that has not ended.
    pub fn cut(&self) {
        if let Some(socket) = self.held().take() {
            let _ = shutdown(socket, Shutdown::Both);
        }
    }
}

/// Connects one session's sockets.
pub struct Dialer {
    /// Instead of WhatsApp's address.
    pub endpoint: Option<String>,
    /// What everything goes through.
    pub proxy: Option<url::Url>,
    /// Whose window holds reading back.
    pub outbox: Arc<Outbox>,
    /// Whose loss closes the way out.
    pub vault: Arc<Vault>,
    /// What went by.
    pub traffic: Arc<Traffic>,
    /// Holds the newest socket.
    pub cord: Arc<Cord>,
}

#[async_trait]
impl TransportFactory for Dialer {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        let address = self.endpoint.as_deref().unwrap_or(WHATSAPP_WEB_WS_URL);
        let uri: ::http::Uri = address.parse().context("the server's address")?;
        let host = uri.host().ok_or_else(|| anyhow!("an address without a host"))?.to_owned();
        let is_tls = match uri.scheme_str() {
            Some("wss") => true,
            // In the clear only where nothing leaves the machine.
            Some("ws") if is_loopback(&host) => false,
            _ => bail!("not an address of a server"),
        };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = tunnel::connect(self.proxy.as_ref(), &host, port).await?;
        self.traffic.let_through.store(true, Ordering::Relaxed);
        self.cord.hold(&stream)?;
        let builder = ClientBuilder::from_uri(uri)
            .add_header(::http::header::ORIGIN, ::http::HeaderValue::from_static(WHATSAPP_WEB_ORIGIN))?;
        let (transport, events) = if is_tls {
            let stream = tunnel::secure(stream, &host).await?;
            from_websocket(builder.connect_on(stream).await?.0)
        } else {
            from_websocket(builder.connect_on(stream).await?.0)
        };
        let (pass, passed) = async_channel::bounded(16);
        tokio::spawn(read(events, pass, Arc::clone(&self.outbox), Arc::clone(&self.traffic)));
        let (vault, traffic) = (Arc::clone(&self.vault), Arc::clone(&self.traffic));
        Ok((Arc::new(Guarded { inner: transport, vault, traffic }), passed))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn read(
    events: async_channel::Receiver<TransportEvent>,
    pass: async_channel::Sender<TransportEvent>,
    outbox: Arc<Outbox>,
    traffic: Arc<Traffic>,
) {
    while let Ok(event) = events.recv().await {
        if let TransportEvent::DataReceived(data) = &event {
            traffic.received.fetch_add(1, Ordering::Relaxed);
            traffic.bytes_received.fetch_add(data.len() as u64, Ordering::Relaxed);
            outbox.has_room().await;
        }
        if pass.send(event).await.is_err() {
            return;
        }
    }
}

struct Guarded {
    inner: Arc<dyn Transport>,
    vault: Arc<Vault>,
    traffic: Arc<Traffic>,
}

#[async_trait]
impl Transport for Guarded {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        if self.vault.doom().is_some() {
            bail!("the session's vault is lost");
        }
        self.traffic.sent.fetch_add(1, Ordering::Relaxed);
        self.traffic.bytes_sent.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.inner.send(data).await
    }

    async fn disconnect(&self) {
        self.traffic.hung_up.store(true, Ordering::Relaxed);
        self.inner.disconnect().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_cut_though_somebody_holds_it_still() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut held = TcpStream::connect(address).await.expect("a socket");
        let (mut peer, _) = listener.accept().await.expect("its other end");
        let cord = Cord::default();
        cord.hold(&held).expect("one more descriptor");
        cord.cut();
        cord.cut();
        assert_eq!(peer.read(&mut [0]).await.expect("an end"), 0, "the peer sees its end");
        assert_eq!(held.read(&mut [0]).await.expect("an end"), 0, "so does whoever waits for it here");
    }
}
