//! What a link delivers is on disk before the network may forget it.
//!
//! From: the link of a session's incarnation. To: the hub, by way of the event the same transaction writes.

use super::settle::until_written;
use crate::domain::media::{Handle, MediaFile};
use crate::domain::session::Lease;
use crate::failpoint::{self, Point};
use crate::ports::media::Media;
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

/// Writes a message that came in, likewise; what it led to. `handle` brings its file here, if it has one: the record of that is
/// written first, so that no message names a file that nobody knows.
pub async fn inbound(
    outbox: &dyn Outbox,
    media: &dyn Media,
    lease: Lease,
    inbound: Inbound,
    handle: Option<Handle>,
) -> Result<Stored, StoreError> {
    let named = inbound.letter.content.media().zip(handle);
    let file = named
        .map(|(file, handle)| MediaFile::announced(lease.tenant, lease.session, file, handle, inbound.at));
    until_written(async || {
        failpoint::hit(Point::InboundBefore).await?;
        if let Some(file) = &file {
            // If the message was stored before, nothing names this one; it goes when its time is over.
            media.note(lease, file.clone()).await?;
        }
        let stored = outbox.inbound(lease, inbound.clone()).await?;
        failpoint::hit(Point::InboundAfter).await?;
        Ok(stored)
    })
    .await
}
