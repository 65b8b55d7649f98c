//! What operators did.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::audit::{Act, Actor, Entry, Head};
use crate::domain::page::{Order, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::ports::audit::{Audit, AuditFilter, AuditPage};
use crate::ports::store::StoreError;

fn admits(filter: &AuditFilter, entry: &Entry) -> bool {
    let is = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
    let by = |name: &String| entry.actor.id.as_ref() == Some(name) || entry.actor.name == *name;
    filter.actor.as_ref().is_none_or(by)
        && is(&filter.action, &entry.action)
        && is(&filter.subject, &entry.subject.id)
        && filter.tenant.is_none_or(|tenant| entry.tenant == Some(tenant.to_string()))
        && filter.from.is_none_or(|from| entry.at >= from)
        && filter.to.is_none_or(|to| entry.at < to)
}

#[async_trait]
impl Audit for MemoryStore {
    async fn entries(
        &self,
        _: SystemScope,
        filter: AuditFilter,
        page: AuditPage,
    ) -> Result<Slice<Entry>, StoreError> {
        let state = self.read();
        let is_beyond = |entry: &&Entry| match (page.order, page.beyond) {
            (_, None) => true,
            (Order::Descending, Some(last)) => entry.seq < last,
            (Order::Ascending, Some(last)) => entry.seq > last,
        };
        let mut found: Vec<&Entry> = state.audit.iter().filter(is_beyond).collect();
        if page.order == Order::Descending {
            found.reverse();
        }
        let admitted = found.into_iter().filter(|entry| admits(&filter, entry)).cloned();
        Ok(Slice::within(admitted.collect(), page.limit))
    }

    async fn of_tenant(
        &self,
        scope: TenantScope,
        limit: u32,
        beyond: Option<u64>,
    ) -> Result<Slice<Entry>, StoreError> {
        let filter = AuditFilter { tenant: Some(scope.tenant()), ..AuditFilter::default() };
        self.entries(SystemScope, filter, AuditPage { limit, order: Order::Descending, beyond }).await
    }

    async fn head(&self, _: SystemScope) -> Result<Head, StoreError> {
        Ok(self.read().audit_head())
    }

    async fn record(&self, by: Actor, act: Act) -> Result<(), StoreError> {
        self.write(|state| state.record(&by, act));
        Ok(())
    }
}
