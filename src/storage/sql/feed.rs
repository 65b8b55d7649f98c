//! The committed events. The hub keeps the newest in memory, so the table is read from its end only.

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseConnection, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select,
};
use uuid::Uuid;

use super::dialect::{self, Fault};
use super::entities::store_meta::FEED_EPOCH;
use super::entities::{count, event, store_meta};
use crate::domain::event::StatusEvent;
use crate::domain::id::TenantId;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::ports::feed::FeedLog;
use crate::ports::store::StoreError;

/// Rows that are looked through at once.
const STRIDE: i64 = 50_000;

/// Rows beyond which a hole is given up: it is older than what a subscriber may resume from.
const REACH: i64 = 2_000_000;

/// [`FeedLog`] over SQL.
pub(super) struct SqlFeedLog {
    readers: DatabaseConnection,
    epoch: String,
}

impl SqlFeedLog {
    pub(super) async fn load(readers: DatabaseConnection) -> Result<Self, StoreError> {
        let row = store_meta::Entity::find_by_id(FEED_EPOCH).one(&readers).await.map_err(Fault::from)?;
        let epoch = row.ok_or_else(|| Fault::unreadable("feed epoch"))?.value;
        Ok(Self { readers, epoch })
    }

    async fn read_heads(&self) -> Result<Vec<(TenantId, u64)>, Fault> {
        let rows = dialect::query(&self.readers, "SELECT tenant_id, seq FROM feed_head", []).await?;
        rows.iter()
            .map(|row| Ok((row.try_get_by_index::<Uuid>(0)?.into(), count(row.try_get_by_index(1)?))))
            .collect()
    }

    /// By the index of a tenant's events where there is one.
    async fn read_range(&self, tenant: TenantId, first: u64, last: u64) -> Result<Vec<StatusEvent>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let bound = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let wanted = event::Entity::find()
            .filter(event::Column::TenantId.eq(tenant.uuid()))
            .filter(event::Column::Seq.between(bound(first), bound(last)));
        if dialect::finds_events_by_tenant(db) {
            let rows = wanted.order_by_asc(event::Column::Seq).all(db).await?;
            return rows.into_iter().map(event::Model::into_domain).collect();
        }
        let mut events = backwards(db, wanted, first).await?;
        events.reverse();
        Ok(events)
    }
}

/// Those of `wanted`, newest first: from the end of the table, stride by stride, until the first of them was seen.
async fn backwards(
    db: &impl ConnectionTrait,
    wanted: Select<event::Entity>,
    first: u64,
) -> Result<Vec<StatusEvent>, Fault> {
    let newest = event::Entity::find().order_by_desc(event::Column::Ord).one(db).await?;
    let Some(newest) = newest else { return Ok(vec![]) };
    let (mut top, floor) = (newest.ord, (newest.ord - REACH).max(0));
    let mut events = vec![];
    while top > floor {
        let stride =
            wanted.clone().filter(event::Column::Ord.lte(top)).filter(event::Column::Ord.gt(top - STRIDE));
        for row in stride.order_by_desc(event::Column::Ord).all(db).await? {
            events.push(row.into_domain()?);
        }
        if events.last().is_some_and(|oldest: &StatusEvent| oldest.seq <= first) {
            break;
        }
        top -= STRIDE;
    }
    Ok(events)
}

#[async_trait]
impl FeedLog for SqlFeedLog {
    fn epoch(&self) -> &str {
        &self.epoch
    }

    async fn tail(&self, _: SystemScope, limit: u32) -> Result<Vec<StatusEvent>, StoreError> {
        let rows = event::Entity::find().order_by_desc(event::Column::Ord).limit(u64::from(limit));
        let rows = rows.all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.into_iter().rev().map(event::Model::into_domain).collect::<Result<_, _>>()?)
    }

    async fn heads(&self, _: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError> {
        Ok(self.read_heads().await?)
    }

    async fn range(&self, scope: TenantScope, first: u64, last: u64) -> Result<Vec<StatusEvent>, StoreError> {
        Ok(self.read_range(scope.tenant(), first, last).await?)
    }
}
