//! What a link delivers is on disk before the network may forget it.
//!
//! From: the link of a session's incarnation. To: the hub, by way of the event the same transaction writes.

use super::settle::until_written;
use crate::domain::session::Lease;
use crate::failpoint::{self, Point};
use crate::ports::outbox::{Inbound, Outbox, Receipt, Stored};
use crate::ports::store::StoreError;

/// Writes what became of a message, and tries again while the store is away, for up to a minute. Idempotent.
///
/// Until it is written nothing more of the link is heard: what is not written waits with the network, which keeps it, and
/// comes again with the next link.
pub async fn receipt(outbox: &dyn Outbox, lease: Lease, receipt: Receipt) -> Result<(), StoreError> {
    until_written(async || {
        failpoint::hit(Point::ReceiptBefore).await?;
        outbox.receipt(lease, receipt.clone()).await?;
        Ok(failpoint::hit(Point::ReceiptAfter).await?)
    })
    .await
}

/// Writes a message that came in, likewise; what it led to.
pub async fn inbound(outbox: &dyn Outbox, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError> {
    until_written(async || {
        failpoint::hit(Point::InboundBefore).await?;
        let stored = outbox.inbound(lease, inbound.clone()).await?;
        failpoint::hit(Point::InboundAfter).await?;
        Ok(stored)
    })
    .await
}
