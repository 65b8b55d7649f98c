//! A file on its way from a tenant to the disk.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Ports, sniff};
use crate::domain::id::MediaId;
use crate::domain::idempotency::Idempotency;
use crate::domain::media::{MediaFile, MediaState};
use crate::domain::message::Direction;
use crate::domain::plan::Plan;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scope::TenantScope;
use crate::ports::media::Incoming;
use crate::ports::store::{Created, StoreError, WriteError};

/// Files that come in at once, over all tenants: each may take a plan's `media_bytes_max` of the disk before it is known
/// whether it is kept.
const AT_ONCE: usize = 64;

/// Takes files from tenants.
#[derive(Clone)]
pub struct Uploads {
    ports: Ports,
    places: Arc<Semaphore>,
}

/// What its owner says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declared {
    /// Its media type, if they say one.
    pub mime: Option<String>,
    /// What it is called.
    pub file_name: Option<String>,
}

/// One file on its way. Dropped, it leaves nothing.
pub struct Upload {
    ports: Ports,
    scope: TenantScope,
    plan: Plan,
    incoming: Box<dyn Incoming>,
    size: u64,
    _place: OwnedSemaphorePermit,
}

impl Uploads {
    /// Over these ports.
    pub fn new(ports: Ports) -> Self {
        Self { ports, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Begins a file of which `announced` bytes will come, if that is known. 413 when the plan takes no such file, 409 when it
    /// has no room for it, 503 while too many come in at once.
    pub async fn begin(&self, scope: TenantScope, announced: Option<u64>) -> Result<Upload, WriteError> {
        let plan = self.ports.plan(scope.tenant())?;
        let announced = announced.unwrap_or_default();
        if announced > plan.media_bytes_max {
            return Err(too_large(&plan).into());
        }
        let kept = self.ports.records.usage(scope).await?;
        if kept.saturating_add(announced.max(1)) > plan.media_bytes_total {
            return Err(Refusal::no_room_for_media(plan.media_bytes_total).into());
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let _place = place.map_err(|_| Refusal::unavailable("too many files come in at once; try again"))?;
        let incoming = self.ports.files.begin(scope.tenant()).await.map_err(StoreError::from)?;
        Ok(Upload { ports: self.ports.clone(), scope, plan, incoming, size: 0, _place })
    }
}

fn too_large(plan: &Plan) -> Refusal {
    Refusal::payload_too_large(usize::try_from(plan.media_bytes_max).unwrap_or(usize::MAX))
}

impl Upload {
    /// Appends. 413 once it is beyond what the plan takes.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), WriteError> {
        self.size += chunk.len() as u64;
        if self.size > self.plan.media_bytes_max {
            return Err(too_large(&self.plan).into());
        }
        Ok(self.incoming.write(chunk).await.map_err(StoreError::from)?)
    }

    /// It has come whole: keeps it, and answers its record, or that of an earlier request with the same key and the same file.
    /// 422 when it is empty or its bytes are not of the type it is said to be.
    pub async fn finish(
        mut self,
        declared: Declared,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<MediaFile>, WriteError> {
        let whole = self.incoming.whole().await.map_err(StoreError::from)?;
        let wrong =
            |pointer, detail: &str| Refusal::invalid(vec![Fault::new(pointer, "not_allowed", detail)]);
        if whole.size == 0 {
            return Err(wrong("", "the body is the file, and it is empty").into());
        }
        let mime = sniff::mime_of(&whole.head, declared.mime.as_deref());
        let mime = mime.map_err(|sniff::NotAsDeclared| {
            wrong(
                "Content-Type",
                "the bytes are not of this type; name the right one, or application/octet-stream",
            )
        })?;
        let at = self.ports.clock.wall();
        let file = MediaFile {
            id: MediaId::mint(at),
            tenant: self.scope.tenant(),
            session: None,
            direction: Direction::Out,
            mime,
            size: whole.size,
            sha256: Some(whole.sha256),
            file_name: declared.file_name,
            state: MediaState::Stored,
            handle: None,
            created_at: at,
            kept_from: at,
        };
        let idempotency = idempotency.map(|asked| same_file(asked, &file));
        let (id, tenant) = (file.id, file.tenant);
        self.incoming.keep(id).await.map_err(StoreError::from)?;
        let total = self.plan.media_bytes_total;
        let kept = self.ports.records.keep(self.scope, file, total, idempotency).await;
        // Unless the record is known not to be there the bytes stay: without one the next start removes them.
        let nothing_new = matches!(kept, Ok(Created::Replayed(_)) | Err(WriteError::Refused(_)));
        if nothing_new && let Err(error) = self.ports.files.remove(tenant, id).await {
            tracing::warn!(%error, "bytes that nobody needs are not removed; the next start does it");
        }
        kept
    }
}

/// Requests with one key are the same if their files are.
fn same_file(asked: Idempotency, file: &MediaFile) -> Idempotency {
    let mut hash = Sha256::new();
    hash.update(asked.fingerprint);
    hash.update(file.sha256.unwrap_or_default());
    for part in [&file.mime, file.file_name.as_deref().unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Idempotency { fingerprint: hash.finalize().into(), ..asked }
}
