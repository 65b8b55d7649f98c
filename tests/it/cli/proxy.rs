//! A way to the server that can be cut.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on to a server until it is told to cut them; new ones are then refused until it heals.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    open: watch::Sender<bool>,
}

impl Proxy {
    /// In front of the server at `url`.
    pub async fn before(url: &str) -> Self {
        let target = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, mut state) = (target.clone(), state.clone());
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(&target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { url: here, open }
    }

    /// Ends every connection, and lets no new one through.
    pub fn cut(&self) {
        self.open.send(false).unwrap();
    }

    /// Lets new connections through.
    pub fn heal(&self) {
        self.open.send(true).unwrap();
    }
}
