//! What the rest of the program holds. Every verb is legal and idempotent in every phase.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, MailboxError};
use async_trait::async_trait;

use super::RegistryActor;
use super::messages::{Boot, Drain, Find, Heed, Remove, Restart};
use super::routes::Routes;
use super::table::Phase;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::media::Handle;
use crate::domain::phone::Phone;
use crate::domain::scope::SystemScope;
use crate::domain::session::{Generation, Session};
use crate::ports::questions::{Answer, Question};
use crate::ports::supervisor::{PairingView, Supervisor, SupervisorError, Trouble};
use crate::ports::transport::{FetchError, PairingCode};
use crate::ports::vault::Vaults;

/// How long a removal waits for the actor before the credentials are destroyed under it.
const REMOVE_GRACE: Duration = Duration::from_secs(8);

/// The supervisor of this node's sessions.
#[derive(Clone)]
pub struct RegistryHandle {
    addr: Addr<RegistryActor>,
    routes: Routes,
    vaults: Arc<dyn Vaults>,
}

fn gone(_: MailboxError) -> SupervisorError {
    SupervisorError::Gone
}

impl RegistryHandle {
    pub(super) fn new(addr: Addr<RegistryActor>, routes: Routes, vaults: Arc<dyn Vaults>) -> Self {
        Self { addr, routes, vaults }
    }

    /// Starts `sessions` in order, paced. Returns once they are scheduled.
    pub async fn boot(&self, sessions: Vec<Session>) -> Result<(), SupervisorError> {
        self.addr.send(Boot(sessions)).await.map_err(gone)
    }

    /// Stops every session and starts none again; how many there were. Returns when the last has ended.
    pub async fn drain(&self) -> Result<usize, SupervisorError> {
        self.addr.send(Drain).await.map_err(gone)
    }

    /// Where a session stands; `None` if it was never started here.
    pub async fn find(&self, session: SessionId) -> Result<Option<(Generation, Phase)>, SupervisorError> {
        self.addr.send(Find(session)).await.map_err(gone)
    }
}

#[async_trait]
impl Supervisor for RegistryHandle {
    async fn heed(&self, session: &Session) -> Result<(), SupervisorError> {
        self.addr.send(Heed(session.clone())).await.map_err(gone)
    }

    async fn restart(&self, session: &Session) -> Result<(), SupervisorError> {
        self.addr.send(Restart { session: session.id, origin: session.origin() }).await.map_err(gone)
    }

    async fn remove(&self, session: &Session) -> Result<(), SupervisorError> {
        let ended = self.addr.send(Remove(session.id));
        if tokio::time::timeout(REMOVE_GRACE, ended).await.is_err() {
            tracing::warn!(session = %session.id, "session did not end in time, destroying its credentials all the same");
        }
        self.vaults.destroy(SystemScope, session.tenant, session.id).await.map_err(|error| {
            tracing::error!(session = %session.id, %error, "credentials not destroyed");
            SupervisorError::Gone
        })
    }

    async fn forget_tenant(&self, tenant: TenantId) -> Result<(), SupervisorError> {
        self.vaults.destroy_tenant(SystemScope, tenant).await.map_err(|error| {
            tracing::error!(%tenant, %error, "tenant's key not destroyed");
            SupervisorError::Gone
        })
    }

    async fn pairing(&self, session: SessionId) -> Result<Option<PairingView>, SupervisorError> {
        match self.routes.get(session) {
            Some(handle) => Ok(handle.describe().await?.pairing),
            None => Ok(None),
        }
    }

    async fn pairing_code(&self, session: &Session, phone: Phone) -> Result<PairingCode, SupervisorError> {
        let handle = self.routes.get(session.id).ok_or(SupervisorError::NotPairing)?;
        handle.pairing_code(phone).await
    }

    async fn fetch_media(
        &self,
        session: &Session,
        handle: Handle,
        most: u64,
    ) -> Result<File, SupervisorError> {
        let actor = self.routes.get(session.id).ok_or(FetchError::NoLink)?;
        actor.fetch_media(handle, most).await
    }

    async fn ask(&self, session: SessionId, question: Question) -> Result<Answer, SupervisorError> {
        self.routes.get(session).ok_or(SupervisorError::NotConnected)?.ask(question).await
    }

    async fn play(&self, session: SessionId, trouble: Trouble) -> Result<(), SupervisorError> {
        self.routes.get(session).ok_or(SupervisorError::Gone)?.play(trouble).await
    }
}
