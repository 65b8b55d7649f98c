//! The testbed as others start it: in process, or as a binary.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::world::World;
use crate::{admin, socket, store};

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the admin API, the page and the media host listen.
    pub admin: SocketAddr,
    /// How long each QR reference may be scanned, in seconds, one after the other: as many references as numbers.
    pub qr_seconds: Vec<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen: loopback, admin: loopback, qr_seconds: vec![60, 20, 20, 20, 20, 20] }
    }
}

/// A running testbed. Dropping it ends it as abruptly as a kill would.
pub struct Testbed {
    socket: SocketAddr,
    admin: SocketAddr,
    accepting: JoinHandle<()>,
    serving: ServerHandle,
}

impl Testbed {
    /// Starts on free ports of loopback, with what `directory` holds.
    ///
    /// # Errors
    /// If the directory cannot be used, another testbed uses it, or a port is taken.
    pub async fn start(directory: &Path) -> Result<Self> {
        Self::start_with(directory, Settings::default()).await
    }

    /// Starts with settings of one's own.
    ///
    /// # Errors
    /// If the directory cannot be used, another testbed uses it, or a port is taken.
    pub async fn start_with(directory: &Path, settings: Settings) -> Result<Self> {
        let clients = tokio::net::TcpListener::bind(settings.listen).await?;
        let requests = TcpListener::bind(settings.admin)?;
        let (socket, admin) = (clients.local_addr()?, requests.local_addr()?);
        let lock = take(directory).await?;
        let world = Arc::new(World::open(directory, lock, settings)?);
        world.media_host.set(admin.to_string()).expect("set once, here");
        world.url.set(chat_url(socket)).expect("set once, here");

        let data = web::Data::new(Arc::clone(&world));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(admin::routes))
            .workers(1)
            .client_request_timeout(Duration::from_secs(60))
            .keep_alive(Duration::from_secs(75))
            .disable_signals()
            .shutdown_timeout(1)
            .listen(requests)?
            .run();
        let serving = server.handle();
        tokio::spawn(server);
        let accepting = tokio::spawn(accept(world, clients));
        Ok(Self { socket, admin, accepting, serving })
    }

    /// Where clients connect: `ws://…/ws/chat`.
    #[must_use]
    pub fn url(&self) -> String {
        chat_url(self.socket)
    }

    /// The address clients connect to.
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        self.socket
    }

    /// Where the admin API, the page and the media host are: `http://…`.
    #[must_use]
    pub fn admin(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Ends it: sockets end without a word, as if the process had died. Returns once the directory may be used again.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _ended = (&mut self.accepting).await;
        self.serving.stop(false).await;
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        self.accepting.abort();
        // The future sends the command as soon as it is made.
        drop(self.serving.stop(false));
    }
}

/// Takes the directory for this testbed alone. A predecessor that is just ending is waited for.
async fn take(directory: &Path) -> Result<File> {
    for _ in 0..40 {
        if let Some(lock) = store::take(directory)? {
            return Ok(lock);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Error::Refused("another testbed uses this directory: stop it, or name another by --data".into()))
}

fn chat_url(address: SocketAddr) -> String {
    format!("ws://{address}/ws/chat")
}

/// Accepts clients until it is aborted; then their sockets end with it.
async fn accept(world: Arc<World>, listener: tokio::net::TcpListener) {
    let mut sockets = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    sockets.spawn(socket::serve(Arc::clone(&world), tcp));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = sockets.join_next() => {}
        }
    }
}
