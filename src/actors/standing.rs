//! What the clock does to tenants' books, and what that means for their sessions. Part of the housekeeper's round: all of it
//! stands in rows, so whatever ends in between is taken up again by the next.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::housekeeper::Ports;
use crate::domain::id::TenantId;
use crate::domain::scope::SystemScope;
use crate::domain::tenant::TenantStanding;
use crate::domain::time::WallTime;
use crate::ports::directory::Snapshot;
use crate::ports::ledger::{ByTheClock, Ledger, Matter};
use crate::ports::sessions::{FleetFilter, FleetPage};
use crate::ports::store::{StoreError, WriteError};

/// Tenants decided on at once: they share a commit.
const TOGETHER: u32 = 32;
/// Decisions in one round: a month's end of many tenants takes many rounds, and what else is to be done is done in between.
const ROUND: usize = 512;

/// Decides whatever is due on tenants' books by `now`, until nothing is or the round is full; how many decisions that took.
/// A tenant on whose books nothing can be decided is passed over, and said.
pub async fn keep_books(ledger: &dyn Ledger, next: &ByTheClock, now: WallTime) -> Result<usize, StoreError> {
    let mut stuck = HashSet::new();
    let mut done = 0;
    while done < ROUND {
        let room = TOGETHER + stuck.len() as u32;
        let mut due = ledger.due(now, room).await?;
        due.retain(|tenant| !stuck.contains(tenant));
        if due.is_empty() {
            break;
        }
        done += due.len();
        let decided = join_all(due.iter().map(|&tenant| decide(ledger, next, tenant, now))).await;
        for (tenant, decided) in due.into_iter().zip(decided) {
            match decided {
                Ok(()) => {}
                Err(WriteError::Store(error @ (StoreError::Unavailable(_) | StoreError::Fenced))) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::error!(%tenant, %error, "nothing can be decided on the books of a tenant");
                    stuck.insert(tenant);
                }
            }
        }
    }
    Ok(done)
}

async fn decide(
    ledger: &dyn Ledger,
    next: &ByTheClock,
    tenant: TenantId,
    now: WallTime,
) -> Result<(), WriteError> {
    let next = Arc::clone(next);
    let decide = Arc::new(move |books: &_| next(tenant, books, now));
    ledger.decide(tenant, Matter::default(), decide, now).await.map(drop)
}

/// Tenants that may send nothing until they have paid.
pub fn stopped(snapshot: &Snapshot) -> HashSet<TenantId> {
    let stopped = snapshot.tenants.values().filter(|tenant| tenant.standing == TenantStanding::Stopped);
    stopped.map(|tenant| tenant.id).collect()
}

/// Lets the sessions of every tenant hear that differs between `before` and `after`.
pub async fn tell(
    ports: &Ports,
    before: &HashSet<TenantId>,
    after: &HashSet<TenantId>,
) -> Result<(), StoreError> {
    for &tenant in before.symmetric_difference(after) {
        let filter = FleetFilter { tenant: Some(tenant), ..FleetFilter::default() };
        let mut page = FleetPage::newest(200);
        loop {
            let slice = ports.sessions.fleet(SystemScope, filter.clone(), page.clone()).await?;
            for session in &slice.rows {
                if let Err(error) = ports.supervisor.heed(session).await {
                    tracing::warn!(%error, session = %session.id, "session did not hear of its tenant's standing");
                }
            }
            match slice.rows.last().filter(|_| slice.has_more) {
                Some(last) => page = page.after(last),
                None => break,
            }
        }
        // Those that stayed connected look at what waits.
        ports.signals.wake_tenant(tenant);
    }
    Ok(())
}
