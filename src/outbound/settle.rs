//! Stop 9: what became of an attempt is written, whatever becomes of the actor that wanted it.
//!
//! From: [`attempt`](super::attempt). To: the hub, by way of the event the same transaction writes.

use std::time::Duration;

use crate::domain::id::MessageId;
use crate::domain::session::Lease;
use crate::failpoint::{self, Point};
use crate::ports::outbox::{Outbox, Outcome, Settlement};
use crate::ports::store::StoreError;

/// Pause between two tries while the store is away.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many the row is left `sending`, for its next owner to deal with.
const TRIES: u32 = 120;

/// Writes a settlement, and tries again while the store is away, for up to a minute. Idempotent by attempt.
///
/// An answer is what the sender has in its hand and nobody else: giving up early would make a sent message `unknown`.
pub async fn settle(outbox: &dyn Outbox, settlement: Settlement) -> Result<bool, StoreError> {
    let (before, after) = points(settlement.outcome);
    let write = async || {
        failpoint::hit(before).await?;
        let changed = outbox.settle(settlement).await?;
        failpoint::hit(after).await?;
        Ok(changed)
    };
    until_written(write).await
}

/// T4, T5, T9, or the end of waiting for an ack.
fn points(outcome: Outcome) -> (Point, Point) {
    match outcome {
        Outcome::Sent => (Point::SentBefore, Point::SentAfter),
        Outcome::Failed(_) | Outcome::Retry { .. } | Outcome::Held { .. } => {
            (Point::RefusedBefore, Point::RefusedAfter)
        }
        Outcome::Dead => (Point::DeadBefore, Point::DeadAfter),
        Outcome::Unknown(_) => (Point::UnknownBefore, Point::UnknownAfter),
    }
}

/// Undoes a claim that sent nothing, and tries again likewise: a row left `sending` would become `unknown` unsent.
pub async fn give_back(
    outbox: &dyn Outbox,
    lease: Lease,
    message: MessageId,
    number: u32,
) -> Result<(), StoreError> {
    until_written(|| outbox.give_back(lease, message, number)).await
}

/// Writes, and tries again while the store is away, for up to a minute. The store's keeper says that it is away.
pub(super) async fn until_written<T, F>(mut write: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 1..TRIES {
        match write().await {
            Err(StoreError::Unavailable(reason)) => {
                tracing::debug!(reason, "not written, trying again");
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
    write().await
}
