//! The committed events.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::event::StatusEvent;
use crate::domain::id::TenantId;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::ports::feed::FeedLog;
use crate::ports::store::StoreError;

#[async_trait]
impl FeedLog for MemoryStore {
    fn epoch(&self) -> &str {
        &self.epoch
    }

    async fn tail(&self, _: SystemScope, limit: u32) -> Result<Vec<StatusEvent>, StoreError> {
        let events = &self.read().events;
        let skipped = events.len().saturating_sub(limit as usize);
        Ok(events[skipped..].to_vec())
    }

    async fn heads(&self, _: SystemScope) -> Result<Vec<(TenantId, u64)>, StoreError> {
        Ok(self.read().heads.iter().map(|(&tenant, &seq)| (tenant, seq)).collect())
    }

    async fn range(&self, scope: TenantScope, first: u64, last: u64) -> Result<Vec<StatusEvent>, StoreError> {
        let wanted =
            |event: &&StatusEvent| event.tenant == scope.tenant() && (first..=last).contains(&event.seq);
        Ok(self.read().events.iter().filter(wanted).copied().collect())
    }
}
