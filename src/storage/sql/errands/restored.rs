//! What is done once to a store that comes out of a backup, before anybody is served.
//!
//! Between the backup and now its first life went on, and nothing of that is here. What waited may have been sent since:
//! it becomes `unknown`, unless the operator knows better. The feed gave positions that will be given again: it gets
//! another epoch, so whoever resumes is told to read anew. Attempts were made that are in no log: every window counts as
//! full. Owners had epochs that a vault may know: ours go on far beyond. And whether an account still holds is known once it
//! connects.

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::MessageId;
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::time::WallTime;
use crate::ports::store::StoreError;
use crate::storage::sql::audit;
use crate::storage::sql::backup::Mark;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::store_meta::{self, FEED_EPOCH};
use crate::storage::sql::load::Needs;
use crate::storage::sql::outbox::message_ids;
use crate::storage::sql::writer::Errand;

/// Messages dealt with in one transaction.
const BATCH: i64 = 500;

/// More owners than a session had since any backup.
const EPOCHS: i64 = 1_000_000_000;

const LIVE: &str =
    "SELECT id FROM message WHERE status IN ('queued', 'held', 'sending') ORDER BY session_id, ord LIMIT $1";

/// Who is to log out keeps what it takes to do so.
const SESSIONS: &str = "
    UPDATE session SET epoch = epoch + $1, starting_at = NULL,
        paired = CASE WHEN desired = 'logged_out' THEN paired ELSE $2 END
    WHERE deleted_at IS NULL";

/// One attempt of a boot that is none, now: as long as the window sees it, it knows that it does not know.
const ATTEMPTS: &str = "
    INSERT INTO send_attempt (message_id, number, session_id, tenant_id, epoch, boot_id, moment, wall)
    SELECT $1, 0, id, tenant_id, epoch, $1, 0, $2 FROM session WHERE deleted_at IS NULL";

/// Takes the next step; whether there is another.
pub struct Restored {
    pub at: WallTime,
}

#[async_trait]
impl Errand for Restored {
    type Answer = bool;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<bool, StoreError>, Fault> {
        let Some(mark) = Mark::read(desk.txn).await? else { return Ok(Ok(false)) };
        if !mark.resume_queue {
            let waiting = message_ids(desk.txn, LIVE, [BATCH.into()]).await?;
            if !waiting.is_empty() {
                self.doubt(desk, waiting).await?;
                return Ok(Ok(true));
            }
        }
        self.begin_anew(desk, mark).await?;
        Ok(Ok(false))
    }
}

impl Restored {
    async fn doubt(&self, desk: &mut Desk<'_>, waiting: Vec<MessageId>) -> Result<(), Fault> {
        let mut needs = Needs::default();
        needs.messages(waiting.iter().copied());
        let mut book = desk.open(needs).await?;
        for id in waiting {
            book.pass(id, MessageStatus::Unknown, Some(MessageReason::Restored), self.at);
        }
        desk.close(book).await
    }

    async fn begin_anew(&self, desk: &mut Desk<'_>, mark: Mark) -> Result<(), Fault> {
        let epoch = Uuid::new_v4().simple().to_string()[..16].to_owned();
        store_meta::change(desk.txn, FEED_EPOCH, epoch).await?;
        dialect::execute(desk.txn, SESSIONS, [EPOCHS.into(), false.into()]).await?;
        dialect::execute(desk.txn, ATTEMPTS, [Uuid::nil().into(), self.at.0.into()]).await?;
        // Who signed out since is not signed in again.
        dialect::execute(desk.txn, "DELETE FROM sign_in", []).await?;
        let act = Act::new(Action::StoreRestore, "store", mark.taken_at)
            .after(&json!({"taken_at": mark.taken_at, "resume_queue": mark.resume_queue}));
        audit::record(desk, &Actor::system(), act).await?;
        tracing::warn!(
            taken_at = mark.taken_at,
            resume_queue = mark.resume_queue,
            "begins anew from a backup"
        );
        Mark::settle(desk.txn).await
    }
}
