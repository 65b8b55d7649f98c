//! Records of files.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::dialect::{self, Fault};
use super::entities::{count, media};
use super::errands::{
    DeleteMedia, ExpireMedia, FetchedMedia, ForgetMedia, HoldMedia, KeepMedia, LostMedia, NoteMedia,
};
use super::idempotency::json;
use super::sweep::plans;
use super::writer::WriterHandle;
use crate::domain::id::{MediaId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::media::{Found, MediaFile, MediaState};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::Lease;
use crate::domain::time::WallTime;
use crate::ports::media::{Media, MediaName};
use crate::ports::store::{Created, StoreError, WriteError};

/// What was taken away lies on the disk until it is forgotten, so it counts.
pub(super) const BYTES: &str = "
    SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM media WHERE tenant_id = $1 AND state = 'stored'";

/// Bytes that are kept of a tenant.
pub(super) async fn bytes_of(db: &impl ConnectionTrait, tenant: TenantId) -> Result<u64, Fault> {
    let rows = dialect::query(db, BYTES, [tenant.uuid().into()]).await?;
    let bytes: Option<i64> = rows.first().map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(count(bytes.unwrap_or_default()))
}

/// What a tenant's plan keeps no longer.
#[derive(Serialize)]
struct Kept {
    tenant: Simple,
    before: i64,
}

/// [`Media`] over SQL.
pub(super) struct SqlMedia {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

impl SqlMedia {
    async fn read(&self, tenant: TenantId, id: MediaId) -> Result<Option<MediaFile>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let row = media::Entity::find_by_id(id.uuid())
            .filter(media::Column::TenantId.eq(tenant.uuid()))
            .filter(media::Column::DeletedAt.is_null())
            .one(db)
            .await?;
        row.map(media::Model::into_domain).transpose()
    }

    async fn bytes(&self, tenant: TenantId) -> Result<u64, Fault> {
        bytes_of(&dialect::scoped(&self.readers, tenant).await?, tenant).await
    }

    async fn find_expired(&self, at: WallTime, limit: u32) -> Result<Vec<(MediaId, WallTime)>, Fault> {
        let kept: Vec<_> = plans(&self.readers)
            .await?
            .into_iter()
            .map(|(tenant, plan)| Kept { tenant: tenant.simple(), before: (at - plan.retention()).0 })
            .collect();
        let values = [json(&kept)?.into(), i64::from(limit).into()];
        let rows = dialect::query(&self.readers, dialect::EXPIRED_MEDIA, values).await?;
        let read = |row: &sea_orm::QueryResult| {
            Ok((row.try_get_by_index::<Uuid>(0)?.into(), WallTime(row.try_get_by_index(1)?)))
        };
        rows.iter().map(read).collect()
    }

    async fn names(&self, query: sea_orm::Select<media::Entity>) -> Result<Vec<MediaName>, Fault> {
        let query = query.select_only().columns([media::Column::TenantId, media::Column::Id]);
        let rows: Vec<(Uuid, Uuid)> = query.into_tuple().all(&self.readers).await?;
        Ok(rows.into_iter().map(|(tenant, id)| (tenant.into(), id.into())).collect())
    }
}

#[async_trait]
impl Media for SqlMedia {
    async fn keep(
        &self,
        _: TenantScope,
        file: MediaFile,
        total: u64,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<MediaFile>, WriteError> {
        self.writer.errand(KeepMedia { file, total, idempotency }).await
    }

    async fn note(&self, _: Lease, file: MediaFile) -> Result<(), StoreError> {
        self.writer.errand(NoteMedia { file }).await
    }

    async fn get(&self, scope: TenantScope, id: MediaId) -> Result<Option<MediaFile>, StoreError> {
        Ok(self.read(scope.tenant(), id).await?)
    }

    async fn usage(&self, scope: TenantScope) -> Result<u64, StoreError> {
        Ok(self.bytes(scope.tenant()).await?)
    }

    async fn hold(
        &self,
        scope: TenantScope,
        id: MediaId,
        from: WallTime,
    ) -> Result<Option<MediaFile>, StoreError> {
        self.writer.errand(HoldMedia { tenant: scope.tenant(), id, from }).await
    }

    async fn fetched(
        &self,
        scope: TenantScope,
        id: MediaId,
        found: Found,
        total: u64,
    ) -> Result<MediaFile, WriteError> {
        self.writer.errand(FetchedMedia { tenant: scope.tenant(), id, found, total }).await
    }

    async fn delete(&self, scope: TenantScope, id: MediaId, at: WallTime) -> Result<bool, StoreError> {
        self.writer.errand(DeleteMedia { tenant: scope.tenant(), id, at }).await
    }

    async fn expire(&self, _: SystemScope, at: WallTime, limit: u32) -> Result<u64, StoreError> {
        let files = self.find_expired(at, limit).await?;
        if files.is_empty() {
            return Ok(0);
        }
        self.writer.errand(ExpireMedia { files, at }).await
    }

    async fn gone(&self, _: SystemScope, limit: u32) -> Result<Vec<MediaName>, StoreError> {
        let gone =
            media::Entity::find().filter(media::Column::DeletedAt.is_not_null()).limit(u64::from(limit));
        Ok(self.names(gone).await?)
    }

    async fn forget(&self, _: SystemScope, ids: Vec<MediaId>) -> Result<(), StoreError> {
        self.writer.errand(ForgetMedia { ids }).await
    }

    async fn stored(
        &self,
        _: SystemScope,
        after: Option<MediaId>,
        limit: u32,
    ) -> Result<Vec<MediaName>, StoreError> {
        let stored = media::Entity::find()
            .filter(media::Column::Id.gt(after.map_or(Uuid::nil(), MediaId::uuid)))
            .filter(media::Column::State.eq(MediaState::Stored.to_string()))
            .filter(media::Column::DeletedAt.is_null())
            .order_by_asc(media::Column::Id)
            .limit(u64::from(limit));
        Ok(self.names(stored).await?)
    }

    async fn known(&self, _: SystemScope, ids: Vec<MediaId>) -> Result<Vec<MediaId>, StoreError> {
        let these = media::Entity::find().filter(media::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        Ok(self.names(these).await?.into_iter().map(|(_, id)| id).collect())
    }

    async fn lost(&self, _: SystemScope, ids: Vec<MediaId>, at: WallTime) -> Result<(), StoreError> {
        self.writer.errand(LostMedia { ids, at }).await
    }
}
