//! What the rest of the program holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::{Addr, Recipient};

use super::HubActor;
use super::lane::Lanes;
use super::messages::{Filter, GoAway, Resume, Subscribe, Subscribed, SubscriberId, Unsubscribe};
use crate::actors::signal;
use crate::actors::subscriber::outlet::Outlet;
use crate::domain::id::TenantId;

/// Fans committed events to those who listen.
#[derive(Clone)]
pub struct HubHandle {
    addr: Addr<HubActor>,
    goodbyes: Recipient<Unsubscribe>,
    lanes: Lanes,
    next: Arc<AtomicU64>,
}

impl HubHandle {
    pub(super) fn new(addr: Addr<HubActor>, lanes: Lanes) -> Self {
        let goodbyes = addr.clone().recipient();
        Self { addr, goodbyes, lanes, next: Arc::default() }
    }

    /// A name for a new subscriber.
    pub fn name(&self) -> SubscriberId {
        SubscriberId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands a tenant's events to `outlet` from now on, on the current thread; `None` when the hub has ended, and the
    /// process with it.
    pub async fn subscribe(
        &self,
        subscriber: SubscriberId,
        tenant: TenantId,
        filter: Filter,
        resume: Option<Resume>,
        outlet: Outlet,
    ) -> Option<Subscribed> {
        let lane = self.lanes.here();
        self.addr.send(Subscribe { subscriber, tenant, filter, resume, outlet, lane }).await.ok()
    }

    /// Ends a subscription. Returns at once; bounded by one per subscriber.
    pub fn unsubscribe(&self, subscriber: SubscriberId, tenant: TenantId) {
        signal(&self.goodbyes, Unsubscribe { subscriber, tenant });
    }

    /// Tells every subscriber that this process goes away.
    pub async fn go_away(&self) {
        if self.addr.send(GoAway).await.is_err() {
            tracing::debug!("the hub was gone before its subscribers were told");
        }
    }
}
