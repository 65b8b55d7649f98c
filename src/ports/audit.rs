//! What operators did. What changes rows is recorded by [`Directory`](super::directory::Directory) within the change;
//! here the list is read, and what changed nothing is added.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::audit::{Act, Actor, Entry, Head};
use crate::domain::id::TenantId;
use crate::domain::page::{Order, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::WallTime;

/// Which entries; what is `None` does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this operator: an id, or a name.
    pub actor: Option<String>,
    /// With this word.
    pub action: Option<String>,
    /// On the subject with this id.
    pub subject: Option<String>,
    /// That are this tenant's business.
    pub tenant: Option<TenantId>,
    /// Not before.
    pub from: Option<WallTime>,
    /// Before.
    pub to: Option<WallTime>,
}

/// One part of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPage {
    /// Entries wanted, 1 to 200.
    pub limit: u32,
    /// Which way.
    pub order: Order,
    /// Only entries beyond this one, in the list's order.
    pub beyond: Option<u64>,
}

/// The list. It is never shortened: retention leaves it alone.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Entries as they stand, whether they fit the chain or not.
    async fn entries(
        &self,
        scope: SystemScope,
        filter: AuditFilter,
        page: AuditPage,
    ) -> Result<Slice<Entry>, StoreError>;

    /// Entries that are a tenant's business: what operators did to it or on its behalf. Newest first.
    async fn of_tenant(
        &self,
        scope: TenantScope,
        limit: u32,
        beyond: Option<u64>,
    ) -> Result<Slice<Entry>, StoreError>;

    /// The end of the list, kept apart from it, so that an end that was cut off is missed.
    async fn head(&self, scope: SystemScope) -> Result<Head, StoreError>;

    /// Adds an entry for something that changed no row.
    async fn record(&self, by: Actor, act: Act) -> Result<(), StoreError>;
}
