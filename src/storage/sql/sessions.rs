//! The rows of sessions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use super::commands::{Announce, CountReconnect, Pronounce, Remember, Want};
use super::dialect::{self, Fault};
use super::entities::{count, session, session_tally, word};
use super::errands::{CreateSession, DeleteSession, Restore, SetPaired, SetProxy};
use super::writer::WriterHandle;
use super::{fleet, spells};
use crate::domain::audit::Actor;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::page::{Page, Slice};
use crate::domain::plan::Caps;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::{Desired, Lease, Session, Spell, Standing};
use crate::domain::time::WallTime;
use crate::ports::sessions::{Census, FleetFilter, FleetPage, Sessions, StatusChange};
use crate::ports::store::{Created, StoreError, WriteError};

pub(super) const CENSUS: &str = "
    SELECT s.status, count(*), CAST(sum(t.live) AS BIGINT) FROM session AS s
    JOIN session_tally AS t ON t.session_id = s.id
    WHERE s.deleted_at IS NULL GROUP BY s.status";

/// [`Sessions`] over SQL.
pub(super) struct SqlSessions {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

/// One session that is not deleted, of one tenant or of any.
pub(super) async fn read_one(
    db: &impl ConnectionTrait,
    id: SessionId,
    of: Option<TenantId>,
) -> Result<Option<Session>, Fault> {
    let rows = session::Entity::find_by_id(id.uuid());
    Ok(read(db, narrowed(rows, of)).await?.pop())
}

fn narrowed(rows: Select<session::Entity>, of: Option<TenantId>) -> Select<session::Entity> {
    let rows = rows.filter(session::Column::DeletedAt.is_null());
    match of {
        Some(tenant) => rows.filter(session::Column::TenantId.eq(tenant.uuid())),
        None => rows,
    }
}

async fn read(db: &impl ConnectionTrait, rows: Select<session::Entity>) -> Result<Vec<Session>, Fault> {
    let rows = rows.find_also_related(session_tally::Entity).all(db).await?;
    rows.into_iter()
        .map(|(row, tally)| row.into_domain(tally.map(session_tally::Model::into_domain).unwrap_or_default()))
        .collect()
}

/// All sessions, counted.
pub(super) async fn census(db: &impl ConnectionTrait) -> Result<Census, Fault> {
    let mut census = Census::default();
    for row in dialect::query(db, CENSUS, []).await? {
        let text: String = row.try_get_by_index(0)?;
        census.sessions.insert(word(&text, "session status")?, count(row.try_get_by_index(1)?));
        census.waiting += count(row.try_get_by_index(2)?);
    }
    Ok(census)
}

async fn paged(
    db: &impl ConnectionTrait,
    rows: Select<session::Entity>,
    page: Page,
) -> Result<Slice<Session>, StoreError> {
    let rows = match page.before {
        Some(id) => rows.filter(session::Column::Id.lt(id)),
        None => rows,
    };
    let rows = rows.order_by_desc(session::Column::Id).limit(u64::from(page.limit) + 1);
    Ok(Slice::of(read(db, rows).await?, page))
}

#[async_trait]
impl Sessions for SqlSessions {
    async fn create(
        &self,
        scope: TenantScope,
        session: Session,
        caps: Caps,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Session>, WriteError> {
        self.writer.errand(CreateSession { scope, session, caps, idempotency }).await
    }

    async fn get(&self, scope: TenantScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        Ok(read_one(db, id, Some(scope.tenant())).await?)
    }

    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Session>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        paged(db, narrowed(session::Entity::find(), Some(scope.tenant())), page).await
    }

    async fn spells(
        &self,
        scope: TenantScope,
        id: SessionId,
        beyond: Option<u64>,
        limit: u32,
    ) -> Result<Option<Slice<Spell>>, StoreError> {
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        let Some(session) = read_one(db, id, Some(scope.tenant())).await? else { return Ok(None) };
        let mut spells = spells::of_session(db, scope.tenant(), id, beyond, limit).await?;
        if spells.is_empty() && beyond.is_none() {
            spells.push(session.present());
        }
        Ok(Some(Slice::within(spells, limit)))
    }

    async fn fleet(
        &self,
        _: SystemScope,
        filter: FleetFilter,
        page: FleetPage,
    ) -> Result<Slice<Session>, StoreError> {
        let backend = self.readers.get_database_backend();
        let rows = fleet::wanted(backend, filter, &page);
        Ok(Slice::within(read(&self.readers, rows).await?, page.limit))
    }

    async fn activity(
        &self,
        _: SystemScope,
        sessions: &[SessionId],
    ) -> Result<BTreeMap<SessionId, WallTime>, StoreError> {
        Ok(fleet::activity(&self.readers, sessions).await?)
    }

    async fn census(&self, _: SystemScope) -> Result<Census, StoreError> {
        Ok(census(&self.readers).await?)
    }

    async fn count(&self, scope: TenantScope) -> Result<u64, StoreError> {
        let rows = narrowed(session::Entity::find(), Some(scope.tenant()));
        let db = &dialect::scoped(&self.readers, scope.tenant()).await?;
        Ok(rows.count(db).await.map_err(Fault::from)?)
    }

    async fn set_desired(
        &self,
        scope: TenantScope,
        id: SessionId,
        desired: Desired,
    ) -> Result<Option<Session>, StoreError> {
        match self.writer.command(Want { scope, session: id, desired }).await? {
            true => self.get(scope, id).await,
            false => Ok(None),
        }
    }

    async fn delete(&self, scope: TenantScope, id: SessionId, at: WallTime) -> Result<bool, StoreError> {
        self.writer.errand(DeleteSession { scope, session: id, at }).await
    }

    async fn find(&self, _: SystemScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(read_one(&self.readers, id, None).await?)
    }

    async fn restore(&self, _: SystemScope, at: WallTime) -> Result<Vec<Session>, StoreError> {
        self.writer.errand(Restore { at }).await
    }

    async fn announce(&self, lease: Lease, change: StatusChange) -> Result<(), StoreError> {
        self.writer.command(Announce { lease, change }).await
    }

    async fn pronounce(&self, _: SystemScope, id: SessionId, change: StatusChange) -> Result<(), StoreError> {
        self.writer.command(Pronounce { session: id, change, probes: None }).await
    }

    async fn quarantine(
        &self,
        _: SystemScope,
        id: SessionId,
        change: StatusChange,
        probes: u32,
    ) -> Result<(), StoreError> {
        self.writer.command(Pronounce { session: id, change, probes: Some(probes) }).await
    }

    async fn set_paired(&self, lease: Lease, paired: bool, at: WallTime) -> Result<(), StoreError> {
        self.writer.errand(SetPaired { lease, paired, at }).await
    }

    async fn remember(&self, lease: Lease, standing: Standing) -> Result<(), StoreError> {
        self.writer.command(Remember { lease, standing }).await
    }

    async fn set_proxy(
        &self,
        _: SystemScope,
        id: SessionId,
        sealed: Option<Vec<u8>>,
        by: Actor,
    ) -> Result<Option<Session>, StoreError> {
        self.writer.errand(SetProxy { session: id, sealed, by }).await
    }

    async fn proxy(&self, lease: Lease) -> Result<Option<Vec<u8>>, StoreError> {
        let rows = narrowed(session::Entity::find_by_id(lease.session.uuid()), Some(lease.tenant));
        let row = rows.one(&self.readers).await.map_err(Fault::from)?;
        let row = row.filter(|row| row.epoch == lease.epoch.0).ok_or(StoreError::Fenced)?;
        Ok(row.proxy)
    }

    async fn count_reconnect(&self, lease: Lease) -> Result<(), StoreError> {
        self.writer.command(CountReconnect(lease)).await
    }
}
