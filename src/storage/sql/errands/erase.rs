//! Erasing messages that a plan keeps no longer, with what webhooks were told of them.

use async_trait::async_trait;
use uuid::Uuid;

use super::webhooks::forget_events;
use crate::domain::id::MessageId;
use crate::ports::store::StoreError;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::load::ids;
use crate::storage::sql::writer::Errand;

/// Deletes messages, unless they wait, are under way or hold a place; how many.
pub struct Erase {
    pub messages: Vec<MessageId>,
}

#[async_trait]
impl Errand for Erase {
    type Answer = u64;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<u64, StoreError>, Fault> {
        let list = ids(self.messages.iter().map(|id| id.uuid()))?;
        let rows = dialect::query(desk.txn, dialect::WEBHOOK_EVENTS_ABOUT, [list.clone().into()]).await?;
        let told = rows.iter().map(|row| Ok(row.try_get_by_index::<Uuid>(0)?));
        forget_events(desk, told.collect::<Result<_, Fault>>()?).await?;
        dialect::execute(desk.txn, dialect::ERASE, [list.into()]).await.map(Ok)
    }
}
