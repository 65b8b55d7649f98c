//! Writes to records of files. Rare beside messages, so none of them is in the batches.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _,
};
use uuid::Uuid;

use super::{earlier, remember};
use crate::domain::id::{MediaId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::media::{Found, MediaFile, MediaState};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;
use crate::ports::store::{Created, StoreError, WriteError};
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::media::{self, size};
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::subject;
use crate::storage::sql::media::bytes_of;
use crate::storage::sql::writer::Errand;

/// A record that was not taken away.
async fn find(desk: &Desk<'_>, tenant: TenantId, id: MediaId) -> Result<Option<media::Model>, Fault> {
    let row = media::Entity::find_by_id(id.uuid()).one(desk.txn).await?;
    Ok(row.filter(|row| row.tenant_id == tenant.uuid() && row.deleted_at.is_none()))
}

/// Whether a file of `size` bytes fits below `total`.
async fn fits(desk: &Desk<'_>, tenant: TenantId, size: u64, total: u64) -> Result<bool, Fault> {
    Ok(bytes_of(desk.txn, tenant).await?.saturating_add(size) <= total)
}

fn uuids(ids: &[MediaId]) -> impl Iterator<Item = Uuid> {
    ids.iter().map(|id| id.uuid())
}

/// Adds the record of a file that is kept.
pub struct KeepMedia {
    pub file: MediaFile,
    pub total: u64,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for KeepMedia {
    type Answer = Created<MediaFile>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<MediaFile>, WriteError>, Fault> {
        let Self { file, total, idempotency } = self;
        let (owner, asked, at) = (Owner::Tenant(file.tenant), idempotency.as_ref(), file.created_at);
        match earlier(desk, owner, asked, Kind::Media, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                return Ok(match find(desk, file.tenant, subject(&id)?.into()).await? {
                    Some(row) => Ok(Created::Replayed(row.into_domain()?)),
                    None => Err(Refusal::not_found().into()),
                });
            }
            Ok(None) => {}
        }
        if !fits(desk, file.tenant, file.size, *total).await? {
            return Ok(Err(Refusal::no_room_for_media(*total).into()));
        }
        media::row(file).insert(desk.txn).await?;
        let id = file.id.uuid().simple().to_string();
        remember(desk, owner, asked, Kind::Media, id, at).await?;
        Ok(Ok(Created::New(file.clone())))
    }
}

/// Adds the record of a file that lies with the network.
pub struct NoteMedia {
    pub file: MediaFile,
}

#[async_trait]
impl Errand for NoteMedia {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        // It may be told again after a write whose answer was lost.
        let same = OnConflict::column(media::Column::Id).do_nothing().to_owned();
        media::Entity::insert(media::row(&self.file))
            .on_conflict(same)
            .exec_without_returning(desk.txn)
            .await?;
        Ok(Ok(()))
    }
}

/// Lets the retention of a file count from a later time.
pub struct HoldMedia {
    pub tenant: TenantId,
    pub id: MediaId,
    pub from: WallTime,
}

#[async_trait]
impl Errand for HoldMedia {
    type Answer = Option<MediaFile>;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Option<MediaFile>, StoreError>, Fault> {
        let Some(row) = find(desk, self.tenant, self.id).await? else { return Ok(Ok(None)) };
        let row = if row.kept_from < self.from.0 {
            let mut later = row.into_active_model();
            later.kept_from = Set(self.from.0);
            later.update(desk.txn).await?
        } else {
            row
        };
        Ok(Ok(Some(row.into_domain()?)))
    }
}

/// Writes that the bytes of a file are here.
pub struct FetchedMedia {
    pub tenant: TenantId,
    pub id: MediaId,
    pub found: Found,
    pub total: u64,
}

#[async_trait]
impl Errand for FetchedMedia {
    type Answer = MediaFile;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<MediaFile, WriteError>, Fault> {
        let Some(row) = find(desk, self.tenant, self.id).await? else {
            return Ok(Err(Refusal::not_found().into()));
        };
        if row.state == <&str>::from(MediaState::Stored) {
            return Ok(Ok(row.into_domain()?));
        }
        if !fits(desk, self.tenant, self.found.size, self.total).await? {
            return Ok(Err(Refusal::no_room_for_media(self.total).into()));
        }
        let mut row = row.into_active_model();
        row.state = Set(MediaState::Stored.to_string());
        row.mime = Set(self.found.mime.clone());
        row.size = Set(size(self.found.size));
        row.sha256 = Set(Some(self.found.sha256.to_vec()));
        Ok(Ok(row.update(desk.txn).await?.into_domain()?))
    }
}

/// Takes a file away; whether there was one.
pub struct DeleteMedia {
    pub tenant: TenantId,
    pub id: MediaId,
    pub at: WallTime,
}

#[async_trait]
impl Errand for DeleteMedia {
    type Answer = bool;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<bool, StoreError>, Fault> {
        let filter = Condition::all()
            .add(media::Column::Id.eq(self.id.uuid()))
            .add(media::Column::TenantId.eq(self.tenant.uuid()));
        Ok(Ok(take_away(desk, filter, self.at).await? > 0))
    }
}

/// Takes away all that `filter` finds; how many.
pub(super) async fn take_away(
    desk: &Desk<'_>,
    filter: impl sea_orm::sea_query::IntoCondition,
    at: WallTime,
) -> Result<u64, Fault> {
    let done = media::Entity::update_many()
        .col_expr(media::Column::DeletedAt, Expr::value(at.0))
        .filter(filter)
        .filter(media::Column::DeletedAt.is_null())
        .exec(desk.txn)
        .await?;
    Ok(done.rows_affected)
}

/// Takes away files whose time was over when they were looked up, unless a message has come to use them since.
pub struct ExpireMedia {
    /// Each with the time from which it was kept.
    pub files: Vec<(MediaId, WallTime)>,
    pub at: WallTime,
}

#[async_trait]
impl Errand for ExpireMedia {
    type Answer = u64;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, StoreError>, Fault> {
        let mut taken = 0;
        for (id, kept_from) in &self.files {
            let same = Condition::all()
                .add(media::Column::Id.eq(id.uuid()))
                .add(media::Column::KeptFrom.eq(kept_from.0));
            taken += take_away(desk, same, self.at).await?;
        }
        Ok(Ok(taken))
    }
}

/// Forgets what was taken away.
pub struct ForgetMedia {
    pub ids: Vec<MediaId>,
}

#[async_trait]
impl Errand for ForgetMedia {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        media::Entity::delete_many()
            .filter(media::Column::Id.is_in(uuids(&self.ids)))
            .filter(media::Column::DeletedAt.is_not_null())
            .exec(desk.txn)
            .await?;
        Ok(Ok(()))
    }
}

/// Writes that the bytes of these are not here.
pub struct LostMedia {
    pub ids: Vec<MediaId>,
    pub at: WallTime,
}

#[async_trait]
impl Errand for LostMedia {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        let these = || media::Column::Id.is_in(uuids(&self.ids));
        media::Entity::update_many()
            .col_expr(media::Column::State, Expr::value(MediaState::Remote.to_string()))
            .col_expr(media::Column::Sha256, Expr::value(None::<Vec<u8>>))
            .filter(these())
            .filter(media::Column::Handle.is_not_null())
            .exec(desk.txn)
            .await?;
        let uploaded = Condition::all().add(these()).add(media::Column::Handle.is_null());
        take_away(desk, uploaded, self.at).await?;
        Ok(Ok(()))
    }
}
