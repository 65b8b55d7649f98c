//! An engine that this server does not have: the settings that named it are gone, its sessions are not. They park, with
//! their credentials, until it is back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::domain::phone::Phone;
use crate::domain::proxy::Proxy;
use crate::domain::session::{CloseReason, Lease};
use crate::ports::outbox::Work;
use crate::ports::transport::{
    DeliveryId, LinkEvent, PairingCode, Probe, SendError, Transport, TransportError,
};
use crate::ports::vault::Vault;

/// Every link of it closes at once, for good.
#[derive(Debug, Clone, Copy, Default)]
pub struct Absent;

#[async_trait]
impl Probe for Absent {
    async fn ping(&self, _: Lease) -> Result<Duration, TransportError> {
        Err(TransportError::NoLink)
    }
}

#[async_trait]
impl Transport for Absent {
    fn open(&self, lease: Lease, _: Arc<dyn Vault>, _: Option<Proxy>) -> BoxStream<'static, LinkEvent> {
        tracing::warn!(session = %lease.session, "this server does not have the session's engine; it parks");
        stream::once(async { LinkEvent::Closed(CloseReason::Unknown { code: 0 }) }).boxed()
    }

    async fn send(&self, _: &Work) -> Result<(), SendError> {
        Err(SendError::NoLink)
    }

    async fn confirm(&self, _: Lease, _: &DeliveryId) -> Result<(), TransportError> {
        Err(TransportError::NoLink)
    }

    async fn has_account(&self, _: Lease, _: &Phone) -> Result<bool, TransportError> {
        Err(TransportError::NoLink)
    }

    async fn pairing_code(&self, _: Lease, _: &Phone) -> Result<PairingCode, TransportError> {
        Err(TransportError::NoLink)
    }

    async fn log_out(&self, _: Lease) -> Result<(), TransportError> {
        Err(TransportError::NoLink)
    }
}
