//! The durable truth: the real memory store, which may be away, and which an observer listens to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::idempotency::Idempotency;
use columba::domain::message::Message;
use columba::domain::session::Lease;
use columba::domain::time::{Moment, Reading, WallTime};
use columba::ports::outbox::{
    Acceptance, Claim, Claimed, Inbound, Memory, Outbox, Pending, Position, Receipt, Recovered, Referred,
    Settlement, Stored,
};
use columba::ports::store::{Created, StoreError, WriteError};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    #[default]
    Well,
    /// It does nothing and says so.
    Away,
    /// It does its work, and the answer is lost.
    Mute,
}

/// One attempt as the durable log holds it.
#[derive(Debug, Clone, Copy)]
pub struct Logged {
    pub lease: Lease,
    pub message: MessageId,
    pub number: u32,
    pub at: Reading,
    /// Whether its owner heard of it.
    pub heard: bool,
}

/// The memory store's outbox, with moods.
pub struct MoodyOutbox {
    inner: Arc<dyn Outbox>,
    mood: Mutex<Mood>,
    pub log: Mutex<Vec<Logged>>,
}

pub fn away() -> StoreError {
    StoreError::Unavailable("away".to_owned())
}

impl MoodyOutbox {
    pub fn new(inner: Arc<dyn Outbox>) -> Self {
        Self { inner, mood: Mutex::default(), log: Mutex::default() }
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    async fn moody<T, E: From<StoreError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match self.mood() {
            Mood::Well => work.await,
            Mood::Away => Err(away().into()),
            Mood::Mute => work.await.and(Err(away().into())),
        }
    }
}

#[async_trait]
impl Outbox for MoodyOutbox {
    async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError> {
        self.moody(self.inner.accept(acceptance)).await
    }

    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, WriteError> {
        self.moody(self.inner.foresee(tenant, session, idempotency, at)).await
    }

    async fn recall(&self, session: SessionId, at: Reading) -> Result<Memory, StoreError> {
        self.moody(self.inner.recall(session, at)).await
    }

    async fn pending(&self, lease: Lease, after: Position, limit: u32) -> Result<Vec<Pending>, StoreError> {
        self.moody(self.inner.pending(lease, after, limit)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let claimed = async {
            let claimed = self.inner.claim(claim).await?;
            if let Claimed::Work(work) = &claimed {
                let Claim { lease, message, at, .. } = claim;
                self.log.lock().unwrap().push(Logged {
                    lease,
                    message,
                    number: work.number,
                    at,
                    heard: self.mood() == Mood::Well,
                });
            }
            Ok(claimed)
        };
        self.moody(claimed).await
    }

    async fn give_back(&self, lease: Lease, message: MessageId, number: u32) -> Result<(), StoreError> {
        self.moody(self.inner.give_back(lease, message, number)).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.moody(self.inner.settle(settlement)).await
    }

    async fn receipt(&self, lease: Lease, receipt: Receipt) -> Result<bool, StoreError> {
        self.moody(self.inner.receipt(lease, receipt)).await
    }

    async fn recover(&self, lease: Lease, at: WallTime) -> Result<Recovered, StoreError> {
        self.moody(self.inner.recover(lease, at)).await
    }

    async fn inbound(&self, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError> {
        self.moody(self.inner.inbound(lease, inbound)).await
    }

    async fn referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, StoreError> {
        self.moody(self.inner.referred(lease, message)).await
    }

    async fn tenant_attempts(
        &self,
        tenant: TenantId,
        at: Reading,
    ) -> Result<Option<Vec<Moment>>, StoreError> {
        self.moody(self.inner.tenant_attempts(tenant, at)).await
    }
}
