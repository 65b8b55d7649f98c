//! How a session's link is opened: directly, or through the proxy that its operator has set. Which of the two is read anew for
//! every link, and nothing connects before it is known.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::time::timeout;

use super::Ports;
use crate::domain::proxy::{self, Proxy};
use crate::domain::session::{CloseReason, Engine, Lease};
use crate::ports::transport::LinkEvent;
use crate::ports::vault::Vault;

/// Together with what a link may take to say its first word this is less than the machine waits for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// A link of the session, as [`Transport::open`](crate::ports::transport::Transport::open) has it.
pub fn open(
    ports: Arc<Ports>,
    engine: Engine,
    lease: Lease,
    vault: Arc<dyn Vault>,
) -> BoxStream<'static, LinkEvent> {
    if proxy::schemes(engine).is_empty() {
        return ports.transport.open(lease, vault, None);
    }
    let link = async move {
        match through(&ports, lease).await {
            Ok(proxy) => ports.transport.open(lease, vault, proxy),
            Err(reason) => stream::once(ready(LinkEvent::Closed(reason))).boxed(),
        }
    };
    stream::once(link).flatten().boxed()
}

/// What the session connects through now. As long as that is not known it does not connect.
async fn through(ports: &Ports, lease: Lease) -> Result<Option<Proxy>, CloseReason> {
    let read = timeout(PATIENCE, ports.sessions.proxy(lease)).await;
    let sealed = match read {
        Ok(Ok(None)) => return Ok(None),
        Ok(Ok(Some(sealed))) => sealed,
        Ok(Err(error)) => {
            tracing::warn!(%error, "whether the session has a proxy cannot be read; it does not connect");
            return Err(CloseReason::TransportLost);
        }
        Err(_) => {
            tracing::warn!("whether the session has a proxy was not answered in time; it does not connect");
            return Err(CloseReason::TransportLost);
        }
    };
    let opened = ports.sealer.open(lease.tenant, &proxy::place(lease.session), &sealed).await;
    match opened.map(|bytes| Proxy::stored(&bytes)) {
        Ok(Some(proxy)) => Ok(Some(proxy)),
        Ok(None) => {
            tracing::error!("the address of the session's proxy is none; set it again");
            Err(CloseReason::ProxyFailed)
        }
        Err(error) => {
            tracing::error!(%error, "the address of the session's proxy cannot be opened; the session does not connect");
            Err(CloseReason::ProxyFailed)
        }
    }
}
