//! Deleting what is no longer needed. The oldest rows come first, so none of these tables needs an index over time.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::idempotency;
use crate::domain::time::{Reading, WallTime};
use crate::ports::store::StoreError;
use crate::storage::sql::attempts::WINDOW;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::writer::Errand;

const ATTEMPTS_KEPT: Duration = Duration::from_secs(3600);
const EVENTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const SPELLS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

pub const IDEMPOTENCY: &str = "
    DELETE FROM idempotency WHERE ord IN (
        SELECT ord FROM (SELECT ord, created_at FROM idempotency ORDER BY ord LIMIT $1) AS oldest
        WHERE created_at < $2)";

/// An attempt that this boot's clock still sees in the window stays, whatever the wall clock says.
pub const ATTEMPTS: &str = "
    DELETE FROM send_attempt WHERE ord IN (
        SELECT ord FROM (SELECT ord, wall, boot_id, moment FROM send_attempt ORDER BY ord LIMIT $1) AS oldest
        WHERE wall < $2 AND NOT (boot_id = $3 AND moment >= $4))";

pub const EVENTS: &str = "
    DELETE FROM event WHERE ord IN (
        SELECT ord FROM (SELECT ord, at FROM event ORDER BY ord LIMIT $1) AS oldest WHERE at < $2)";

pub const SPELLS: &str = "
    DELETE FROM session_past WHERE ord IN (
        SELECT ord FROM (SELECT ord, at FROM session_past ORDER BY ord LIMIT $1) AS oldest WHERE at < $2)";

/// Deletes at most `limit` rows that are old at `at`; how many.
pub struct Forget {
    pub at: WallTime,
    pub limit: u32,
    /// What the clock says, for the rows it may still compare.
    pub now: Reading,
}

#[async_trait]
impl Errand for Forget {
    type Answer = u64;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, StoreError>, Fault> {
        let limit = i64::from(self.limit);
        let older = |kept: Duration| (self.at - kept).0;
        let (now, mut gone) = (self.now, 0);
        let values = [limit.into(), older(idempotency::REMEMBERED).into()];
        gone += dialect::execute(desk.txn, IDEMPOTENCY, values).await? as i64;
        let seen = now.now.0.saturating_sub(WINDOW.as_millis() as u64) as i64;
        let boot = Uuid::from_u128(now.boot.0);
        let values = [(limit - gone).into(), older(ATTEMPTS_KEPT).into(), boot.into(), seen.into()];
        gone += dialect::execute(desk.txn, ATTEMPTS, values).await? as i64;
        let values = [(limit - gone).into(), older(EVENTS_KEPT).into()];
        gone += dialect::execute(desk.txn, EVENTS, values).await? as i64;
        let values = [(limit - gone).into(), older(SPELLS_KEPT).into()];
        gone += dialect::execute(desk.txn, SPELLS, values).await? as i64;
        Ok(Ok(gone.unsigned_abs()))
    }
}
