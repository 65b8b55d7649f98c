//! What a process that only hands out the feed leaves to the one that does the rest. None of its routes leads here.

use std::fs::File;
use std::path::Path;

use async_trait::async_trait;

use crate::domain::id::{MediaId, SessionId, TenantId};
use crate::domain::media::Handle;
use crate::domain::message::{Draft, Letter, WaId};
use crate::domain::phone::Phone;
use crate::domain::session::Session;
use crate::domain::time::WallTime;
use crate::ports::abilities::Abilities;
use crate::ports::egress::{Egress, EgressError, Post, Reply};
use crate::ports::installation::{BackupError, BackupView, EngineView, Installation, SettingView, StoreView};
use crate::ports::media::{FilesError, Incoming, MediaFiles};
use crate::ports::questions::{Answer, Question};
use crate::ports::sandbox::{Frame, Sandbox, SandboxError, SandboxFault};
use crate::ports::sealer::Sealer;
use crate::ports::signals::Signals;
use crate::ports::supervisor::{PairingView, Supervisor, SupervisorError, Trouble};
use crate::ports::transport::PairingCode;
use crate::ports::vault::{Secret, VaultError};

const WHERE: &str = "this process hands out the feed only; another one does this";

/// Another process.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere;

#[async_trait]
impl Supervisor for Elsewhere {
    async fn heed(&self, _: &Session) -> Result<(), SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn restart(&self, _: &Session) -> Result<(), SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn remove(&self, _: &Session) -> Result<(), SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn forget_tenant(&self, _: TenantId) -> Result<(), SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn pairing(&self, _: SessionId) -> Result<Option<PairingView>, SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn pairing_code(&self, _: &Session, _: Phone) -> Result<PairingCode, SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn ask(&self, _: SessionId, _: Question) -> Result<Answer, SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn fetch_media(&self, _: &Session, _: Handle, _: u64) -> Result<File, SupervisorError> {
        Err(SupervisorError::Gone)
    }

    async fn play(&self, _: SessionId, _: Trouble) -> Result<(), SupervisorError> {
        Err(SupervisorError::Gone)
    }
}

/// The rows are what counts: the other process looks for what waits.
impl Signals for Elsewhere {
    fn wake(&self, _: SessionId) {}

    fn wake_tenant(&self, _: TenantId) {}
}

#[async_trait]
impl Sandbox for Elsewhere {
    async fn find_code(&self, _: &str) -> Result<Option<SessionId>, SandboxError> {
        Err(SandboxError::Unreachable)
    }

    async fn scan(&self, _: &str) -> Result<SessionId, SandboxError> {
        Err(SandboxError::Unreachable)
    }

    async fn write(&self, _: SessionId, _: Letter) -> Result<WaId, SandboxError> {
        Err(SandboxError::Unreachable)
    }

    async fn fault(&self, _: SessionId, _: SandboxFault) -> Result<(), SandboxError> {
        Err(SandboxError::Unreachable)
    }

    async fn frames(&self, _: SessionId, _: u64, _: u32) -> Result<Vec<Frame>, SandboxError> {
        Err(SandboxError::Unreachable)
    }
}

#[async_trait]
impl Egress for Elsewhere {
    fn vet(&self, _: &str) -> Result<(), String> {
        Err(WHERE.to_owned())
    }

    async fn post(&self, _: Post) -> Result<Reply, EgressError> {
        Err(EgressError::ConnectionRefused)
    }
}

#[async_trait]
impl MediaFiles for Elsewhere {
    async fn begin(&self, _: TenantId) -> Result<Box<dyn Incoming>, FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn open(&self, _: TenantId, _: MediaId) -> Result<File, FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn lend(&self, _: TenantId, _: MediaId, _: &Path) -> Result<(), FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn remove(&self, _: TenantId, _: MediaId) -> Result<(), FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn has(&self, _: TenantId, _: MediaId) -> Result<bool, FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }

    async fn of(&self, _: TenantId) -> Result<Vec<MediaId>, FilesError> {
        Err(FilesError::Broken(WHERE.to_owned()))
    }
}

impl Abilities for Elsewhere {
    fn sends(&self, _: SessionId, _: &Draft) -> Option<bool> {
        None
    }
}

#[async_trait]
impl Sealer for Elsewhere {
    async fn seal(&self, _: TenantId, _: &str, _: &[u8]) -> Result<Vec<u8>, VaultError> {
        Err(VaultError::Unavailable(WHERE.to_owned()))
    }

    async fn open(&self, _: TenantId, _: &str, _: &[u8]) -> Result<Secret, VaultError> {
        Err(VaultError::Unavailable(WHERE.to_owned()))
    }
}

#[async_trait]
impl Installation for Elsewhere {
    fn started_at(&self) -> WallTime {
        WallTime::default()
    }

    fn settings(&self) -> Vec<SettingView> {
        vec![]
    }

    fn engines(&self) -> Vec<EngineView> {
        vec![]
    }

    async fn store(&self) -> Result<StoreView, String> {
        Err(WHERE.to_owned())
    }

    async fn back_up(&self) -> Result<BackupView, BackupError> {
        Err(BackupError::Failed(WHERE.to_owned()))
    }

    async fn backups(&self) -> Result<Vec<BackupView>, BackupError> {
        Err(BackupError::Failed(WHERE.to_owned()))
    }
}
