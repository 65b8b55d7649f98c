//! Connections: resolved, judged, made.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::guard::Guard;
use crate::ports::egress::EgressError;

/// To one address.
const CONNECT: Duration = Duration::from_secs(5);

/// What names resolve to.
#[async_trait]
pub trait Names: Send + Sync {
    /// Every address of a name, in the order they should be tried.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// Makes connections for a client. There is no other way to one.
#[derive(Clone)]
pub(super) struct Road {
    pub(super) guard: Arc<Guard>,
    pub(super) names: Arc<dyn Names>,
}

impl Road {
    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, EgressError> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let found = match literal.parse() {
            Ok(address) => vec![address],
            Err(_) => self.names.resolve(host).await.map_err(|_| EgressError::NameNotResolved)?,
        };
        if found.is_empty() {
            return Err(EgressError::NameNotResolved);
        }
        let mut failure = EgressError::AddressNotAllowed;
        for address in found.into_iter().filter(|&address| self.guard.permits(literal, address)) {
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            match tokio::time::timeout(CONNECT, connecting).await {
                Ok(Ok(stream)) => {
                    // A delivery is one small write; it should not wait for another.
                    let _ = stream.set_nodelay(true);
                    return Ok(TokioIo::new(stream));
                }
                Ok(Err(_)) => failure = EgressError::ConnectionRefused,
                Err(_) => failure = EgressError::Timeout,
            }
        }
        Err(failure)
    }
}

impl Service<Uri> for Road {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, EgressError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), EgressError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
