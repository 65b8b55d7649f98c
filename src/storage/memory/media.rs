//! Records of files.

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Made, Owner, State};
use crate::domain::id::{MediaId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::media::{Found, MediaFile, MediaState};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::Lease;
use crate::domain::time::WallTime;
use crate::ports::media::{Media, MediaName};
use crate::ports::store::{Created, StoreError, WriteError};

/// A file.
pub struct MediaRow {
    pub file: MediaFile,
    /// Taken away, and not forgotten.
    pub gone: bool,
}

impl State {
    /// A file of the tenant's that was not taken away.
    fn media_of(&mut self, tenant: TenantId, id: MediaId) -> Option<&mut MediaRow> {
        self.media.get_mut(&id).filter(|row| row.file.tenant == tenant && !row.gone)
    }

    fn media_bytes(&self, tenant: TenantId) -> u64 {
        let own = self.media.values().map(|row| &row.file);
        own.filter(|file| file.tenant == tenant && file.state == MediaState::Stored)
            .map(|file| file.size)
            .sum()
    }

    fn has_room(&self, tenant: TenantId, size: u64, total: u64) -> Result<(), Refusal> {
        let fits = self.media_bytes(tenant).saturating_add(size) <= total;
        if fits { Ok(()) } else { Err(Refusal::no_room_for_media(total)) }
    }

    /// Takes away all that `wanted` finds, at most `limit`; how many.
    pub fn take_media_away(&mut self, limit: usize, wanted: impl Fn(&MediaFile) -> bool) -> u64 {
        let rows = self.media.values_mut().filter(|row| !row.gone && wanted(&row.file)).take(limit);
        let mut taken = 0;
        for row in rows {
            row.gone = true;
            taken += 1;
        }
        taken
    }
}

fn name(file: &MediaFile) -> MediaName {
    (file.tenant, file.id)
}

#[async_trait]
impl Media for MemoryStore {
    async fn keep(
        &self,
        scope: TenantScope,
        file: MediaFile,
        total: u64,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<MediaFile>, WriteError> {
        self.write(|state| {
            let (owner, at) = (Owner::Tenant(scope.tenant()), file.created_at);
            match state.replay(owner, idempotency.as_ref(), at)? {
                Some(Made::Media(first)) => {
                    let first = *first;
                    let row = state.media_of(scope.tenant(), first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(row.file.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            state.has_room(file.tenant, file.size, total)?;
            state.remember(owner, idempotency, Made::Media(file.id), at);
            state.media.insert(file.id, MediaRow { file: file.clone(), gone: false });
            Ok(Created::New(file))
        })
    }

    async fn note(&self, _: Lease, file: MediaFile) -> Result<(), StoreError> {
        self.write(|state| {
            state.media.entry(file.id).or_insert(MediaRow { file, gone: false });
        });
        Ok(())
    }

    async fn get(&self, scope: TenantScope, id: MediaId) -> Result<Option<MediaFile>, StoreError> {
        Ok(self.read().media_of(scope.tenant(), id).map(|row| row.file.clone()))
    }

    async fn usage(&self, scope: TenantScope) -> Result<u64, StoreError> {
        Ok(self.read().media_bytes(scope.tenant()))
    }

    async fn hold(
        &self,
        scope: TenantScope,
        id: MediaId,
        from: WallTime,
    ) -> Result<Option<MediaFile>, StoreError> {
        Ok(self.write(|state| {
            let row = state.media_of(scope.tenant(), id)?;
            row.file.kept_from = row.file.kept_from.max(from);
            Some(row.file.clone())
        }))
    }

    async fn fetched(
        &self,
        scope: TenantScope,
        id: MediaId,
        found: Found,
        total: u64,
    ) -> Result<MediaFile, WriteError> {
        self.write(|state| {
            let file = state.media_of(scope.tenant(), id).ok_or_else(Refusal::not_found)?.file.clone();
            if file.state == MediaState::Stored {
                return Ok(file);
            }
            state.has_room(scope.tenant(), found.size, total)?;
            let Found { mime, size, sha256 } = found;
            let file = MediaFile { mime, size, sha256: Some(sha256), state: MediaState::Stored, ..file };
            state.media.insert(id, MediaRow { file: file.clone(), gone: false });
            Ok(file)
        })
    }

    async fn delete(&self, scope: TenantScope, id: MediaId, _: WallTime) -> Result<bool, StoreError> {
        let own = |file: &MediaFile| file.id == id && file.tenant == scope.tenant();
        Ok(self.write(|state| state.take_media_away(1, own)) > 0)
    }

    async fn expire(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        Ok(self.write(|state| {
            let plans: Vec<_> = state
                .tenants
                .iter()
                .filter_map(|(id, row)| Some((*id, state.plan(&row.tenant.plan)?.retention())))
                .collect();
            let is_old = |file: &MediaFile| {
                plans.iter().any(|(tenant, kept)| *tenant == file.tenant && file.kept_from < at - *kept)
            };
            state.take_media_away(limit as usize, is_old)
        }))
    }

    async fn gone(&self, _: SystemScope, limit: u32) -> Result<Vec<MediaName>, StoreError> {
        let state = self.read();
        let gone = state.media.values().filter(|row| row.gone);
        Ok(gone.map(|row| name(&row.file)).take(limit as usize).collect())
    }

    async fn forget(&self, _: SystemScope, ids: Vec<MediaId>) -> Result<(), StoreError> {
        self.write(|state| state.media.retain(|id, row| !(row.gone && ids.contains(id))));
        Ok(())
    }

    async fn stored(
        &self,
        _: SystemScope,
        after: Option<MediaId>,
        limit: u32,
    ) -> Result<Vec<MediaName>, StoreError> {
        let state = self.read();
        let rows = state.media.values().filter(|row| !row.gone && row.file.state == MediaState::Stored);
        let behind = rows.filter(|row| after.is_none_or(|after| row.file.id > after));
        Ok(behind.map(|row| name(&row.file)).take(limit as usize).collect())
    }

    async fn known(&self, _: SystemScope, ids: Vec<MediaId>) -> Result<Vec<MediaId>, StoreError> {
        let state = self.read();
        Ok(ids.into_iter().filter(|id| state.media.contains_key(id)).collect())
    }

    async fn lost(&self, _: SystemScope, ids: Vec<MediaId>, _: WallTime) -> Result<(), StoreError> {
        self.write(|state| {
            for row in state.media.values_mut().filter(|row| ids.contains(&row.file.id)) {
                if row.file.handle.is_some() {
                    row.file.state = MediaState::Remote;
                    row.file.sha256 = None;
                } else {
                    row.gone = true;
                }
            }
        });
        Ok(())
    }
}
