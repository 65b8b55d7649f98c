//! Stop 9: what became of an attempt is written, whatever becomes of the actor that wanted it.
//!
//! From: [`attempt`](super::attempt). To: the hub, by way of the event the same transaction writes.

use std::time::Duration;

use crate::ports::outbox::{Outbox, Settlement};
use crate::ports::store::StoreError;

/// Pause between two tries while the store is away.
const PAUSE: Duration = Duration::from_millis(500);
/// After so many the row is left `sending`, for its next owner to deal with.
const TRIES: u32 = 120;

/// Writes a settlement, and tries again while the store is away, for up to a minute. Idempotent by attempt.
///
/// An answer is what the sender has in its hand and nobody else: giving up early would make a sent message `unknown`.
pub async fn settle(outbox: &dyn Outbox, settlement: Settlement) -> Result<bool, StoreError> {
    for _ in 1..TRIES {
        match outbox.settle(settlement).await {
            Err(StoreError::Unavailable(reason)) => {
                tracing::warn!(message = %settlement.message, reason, "settlement not written, trying again");
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
    outbox.settle(settlement).await
}
