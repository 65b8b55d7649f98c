//! A queue whose single calls can be away or slow, and are counted.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// A call of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Recall,
    Pending,
    Claim,
    GiveBack,
    Settle,
    Receipt,
    Recover,
    Inbound,
}

#[derive(Default)]
struct Mood {
    away: bool,
    loses: bool,
    panics: bool,
    slow: Duration,
    count: usize,
}

/// Passes every call on, unless it was told otherwise.
pub struct Flaky {
    inner: Arc<dyn Outbox>,
    moods: Mutex<HashMap<Call, Mood>>,
}

impl Flaky {
    pub fn new(inner: Arc<dyn Outbox>) -> Self {
        Self { inner, moods: Mutex::default() }
    }

    fn mood<T>(&self, call: Call, change: impl FnOnce(&mut Mood) -> T) -> T {
        change(self.moods.lock().unwrap().entry(call).or_default())
    }

    /// From now on the call answers that the store is away.
    pub fn leave(&self, call: Call) {
        self.mood(call, |mood| mood.away = true);
    }

    /// The call works again.
    pub fn come_back(&self, call: Call) {
        self.mood(call, |mood| mood.away = false);
    }

    /// The next call is made, and its answer lost.
    pub fn lose_answer(&self, call: Call) {
        self.mood(call, |mood| mood.loses = true);
    }

    /// The next call is made, and panics before it answers.
    pub fn panic_after(&self, call: Call) {
        self.mood(call, |mood| mood.panics = true);
    }

    /// Answers of the call take so long from now on, after the work was done.
    pub fn slow_down(&self, call: Call, wait: Duration) {
        self.mood(call, |mood| mood.slow = wait);
    }

    /// How often the call was made.
    pub fn count(&self, call: Call) -> usize {
        self.mood(call, |mood| mood.count)
    }

    async fn through<T>(
        &self,
        call: Call,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (away, slow, loses, panics) = self.mood(call, |mood| {
            mood.count += 1;
            (mood.away, mood.slow, mem::take(&mut mood.loses), mem::take(&mut mood.panics))
        });
        if away {
            return Err(StoreError::Unavailable("the test says so".to_owned()));
        }
        let answer = work.await;
        if slow > Duration::ZERO {
            tokio::time::sleep(slow).await;
        }
        assert!(!panics, "the test says so");
        if loses {
            return Err(StoreError::Unavailable("the answer is lost".to_owned()));
        }
        answer
    }
}

#[async_trait]
impl Outbox for Flaky {
    async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError> {
        self.inner.accept(acceptance).await
    }

    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, WriteError> {
        self.inner.foresee(tenant, session, idempotency, at).await
    }

    async fn recall(&self, session: SessionId, at: Reading) -> Result<Memory, StoreError> {
        self.through(Call::Recall, self.inner.recall(session, at)).await
    }

    async fn pending(&self, lease: Lease, after: Position, limit: u32) -> Result<Vec<Pending>, StoreError> {
        self.through(Call::Pending, self.inner.pending(lease, after, limit)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.through(Call::Claim, self.inner.claim(claim)).await
    }

    async fn give_back(&self, lease: Lease, message: MessageId, number: u32) -> Result<(), StoreError> {
        self.through(Call::GiveBack, self.inner.give_back(lease, message, number)).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.through(Call::Settle, self.inner.settle(settlement)).await
    }

    async fn receipt(&self, lease: Lease, receipt: Receipt) -> Result<bool, StoreError> {
        self.through(Call::Receipt, self.inner.receipt(lease, receipt)).await
    }

    async fn recover(&self, lease: Lease, at: WallTime) -> Result<Recovered, StoreError> {
        self.through(Call::Recover, self.inner.recover(lease, at)).await
    }

    async fn inbound(&self, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError> {
        self.through(Call::Inbound, self.inner.inbound(lease, inbound)).await
    }

    async fn referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, StoreError> {
        self.inner.referred(lease, message).await
    }

    async fn tenant_attempts(
        &self,
        tenant: TenantId,
        at: Reading,
    ) -> Result<Option<Vec<Moment>>, StoreError> {
        self.inner.tenant_attempts(tenant, at).await
    }
}
