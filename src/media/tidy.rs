//! What is kept no longer goes; and after a start, bytes and records are brought together again.

use super::Ports;
use crate::domain::id::MediaId;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::WallTime;
use crate::ports::store::StoreError;

/// Names looked up at once.
const PAGE: u32 = 500;

impl Ports {
    /// Takes one away, and its bytes at once. Whether there was one.
    pub async fn delete(&self, scope: TenantScope, id: MediaId) -> Result<bool, StoreError> {
        let was_there = self.records.delete(scope, id, self.clock.wall()).await?;
        if was_there {
            // What cannot be removed now is removed by the next sweep.
            self.files.remove(scope.tenant(), id).await?;
            self.records.forget(SystemScope, vec![id]).await?;
        }
        Ok(was_there)
    }

    /// Removes the bytes of what was taken away, at most `limit`; how many.
    pub async fn remove_gone(&self, limit: u32) -> Result<u64, StoreError> {
        let gone = self.records.gone(SystemScope, limit).await?;
        let mut removed = vec![];
        for (tenant, id) in gone {
            self.files.remove(tenant, id).await?;
            removed.push(id);
        }
        let count = removed.len() as u64;
        if count > 0 {
            self.records.forget(SystemScope, removed).await?;
        }
        Ok(count)
    }

    /// Brings bytes and records together: bytes without a record are removed, a record without its bytes is taken away, or is
    /// with the network again if it came from there. What was made since `begun` is somebody's work under way.
    pub async fn reconcile(&self, begun: WallTime) -> Result<(), StoreError> {
        let lost = self.find_lost(begun).await?;
        let orphans = self.remove_orphans(begun).await?;
        if lost + orphans > 0 {
            tracing::warn!(lost, orphans, "media: files without bytes, and bytes without a file, are gone");
        }
        Ok(())
    }

    async fn find_lost(&self, begun: WallTime) -> Result<usize, StoreError> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.records.stored(SystemScope, after, PAGE).await?;
            let Some(&(_, last)) = page.last() else { return Ok(count) };
            after = Some(last);
            let mut lost = vec![];
            for (tenant, id) in page {
                if id.minted_at() < begun && !self.files.has(tenant, id).await? {
                    lost.push(id);
                }
            }
            count += lost.len();
            if !lost.is_empty() {
                self.records.lost(SystemScope, lost, self.clock.wall()).await?;
            }
        }
    }

    async fn remove_orphans(&self, begun: WallTime) -> Result<usize, StoreError> {
        let mut count = 0;
        for tenant in self.files.tenants().await? {
            let old: Vec<_> =
                self.files.of(tenant).await?.into_iter().filter(|id| id.minted_at() < begun).collect();
            for ids in old.chunks(PAGE as usize) {
                let known = self.records.known(SystemScope, ids.to_vec()).await?;
                for id in ids.iter().filter(|id| !known.contains(id)) {
                    self.files.remove(tenant, *id).await?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}
