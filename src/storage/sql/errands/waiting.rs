//! Taking back everything that waits on a session.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::id::SessionId;
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::store::WriteError;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Errand;

/// Messages that are in memory at once.
const SHARE: i64 = 1000;

pub const WAITING: &str = "
    SELECT id FROM message
    WHERE session_id = $1 AND status IN ('queued', 'held', 'sending') AND status <> 'sending'
    ORDER BY ord LIMIT $2";

/// Cancels what is queued or held on a session; how many.
pub(super) async fn cancel_waiting(
    desk: &mut Desk<'_>,
    session: SessionId,
    reason: MessageReason,
    at: WallTime,
) -> Result<u64, Fault> {
    let mut canceled = 0;
    loop {
        let rows = dialect::query(desk.txn, WAITING, [session.uuid().into(), SHARE.into()]).await?;
        if rows.is_empty() {
            return Ok(canceled);
        }
        let mut ids = Vec::with_capacity(rows.len());
        for row in rows {
            ids.push(row.try_get_by_index::<Uuid>(0)?.into());
        }
        let mut needs = Needs::default();
        needs.messages(ids.iter().copied());
        let mut book = desk.open(needs).await?;
        for &id in &ids {
            book.pass(id, MessageStatus::Canceled, Some(reason), at);
            canceled += 1;
        }
        desk.close(book).await?;
    }
}

/// Takes back everything that waits on a session, as its tenant asked.
pub struct CancelAll {
    pub scope: TenantScope,
    pub session: SessionId,
    pub at: WallTime,
}

#[async_trait]
impl Errand for CancelAll {
    type Answer = u64;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, WriteError>, Fault> {
        let mut needs = Needs::default();
        needs.session(self.session);
        let book = desk.open(needs).await?;
        if book.session(self.session).is_none_or(|row| row.tenant != self.scope.tenant()) {
            return Ok(Err(Refusal::not_found().into()));
        }
        cancel_waiting(desk, self.session, MessageReason::Requested, self.at).await.map(Ok)
    }
}
