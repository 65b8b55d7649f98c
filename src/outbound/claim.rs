//! Stop 7: one message is taken, once its slot is due, and its attempt enters the log in the same transaction.
//!
//! From: the session's agenda. To: [`attempt`](super::attempt).

use std::num::NonZeroU32;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::attempt::DEADLINE;
use crate::domain::phone::Phone;
use crate::domain::session::Lease;
use crate::domain::time::{Moment, WallTime};
use crate::failpoint::{self, Point};
use crate::ports::clock::Clock;
use crate::ports::contacts::Contacts;
use crate::ports::limits::TenantWindows;
use crate::ports::outbox::{Claim, Claimed, Outbox};
use crate::ports::store::StoreError;
use crate::ports::transport::Transport;

/// A claim as old as that is not sent: its slot in the durable log would end before its slot on the wire.
pub const KEEPS: Duration = Duration::from_secs(1);

/// When a number is asked for again after the network did not answer.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// Why nothing was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// The tenant's sessions together have used their slots; there is one then.
    #[error("the tenant's cap is used up")]
    TenantCap(Moment),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes a slot of the tenant's window, where its plan has one, then the message. A number that is
/// [unchecked](Claimed::Unchecked) is for the caller to [ask for](ask_for).
///
/// A slot taken for a message that turns out to be gone stays taken: the sum errs to the safe side.
pub async fn claim(
    outbox: &dyn Outbox,
    windows: &dyn TenantWindows,
    tenant_cap: Option<NonZeroU32>,
    claim: Claim,
) -> Result<Claimed, ClaimError> {
    if let Some(cap) = tenant_cap {
        windows.take(claim.lease, cap, claim.at).await?.map_err(ClaimError::TenantCap)?;
    }
    let (before, after) = points(&claim);
    failpoint::hit(before).await.map_err(StoreError::from)?;
    let claimed = outbox.claim(claim).await?;
    failpoint::hit(after).await.map_err(StoreError::from)?;
    Ok(claimed)
}

/// Asks the network for a number and notes what it says; when to claim its message once more. The slot of a message is
/// dated by its claim, and asking may take longer than a claim keeps.
pub async fn ask_for(
    contacts: &dyn Contacts,
    transport: &dyn Transport,
    clock: &dyn Clock,
    lease: Lease,
    number: Phone,
) -> Result<WallTime, StoreError> {
    let asked = timeout(DEADLINE, transport.has_account(lease, &number)).await;
    let now = clock.wall();
    match asked {
        Ok(Ok(has_account)) => {
            contacts.note_account(lease.tenant, number, has_account, now).await?;
            Ok(now)
        }
        // Who cannot ask does not send.
        Ok(Err(_)) | Err(_) => Ok(now + ASKED_AGAIN),
    }
}

/// Under a lock of the account a claim is T1, and T2 otherwise.
fn points(claim: &Claim) -> (Point, Point) {
    match claim.lock {
        Some(_) => (Point::HoldBefore, Point::HoldAfter),
        None => (Point::ClaimBefore, Point::ClaimAfter),
    }
}
