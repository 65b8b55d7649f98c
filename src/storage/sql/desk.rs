//! One transaction of the writer, and what becomes of it: rows, and events in the order they happened.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DatabaseTransaction;
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::book::{Book, Told};
use super::dialect::{self, Fault};
use super::flush::flush;
use super::idempotency::json;
use super::load::{Needs, load};
use crate::domain::event::StatusEvent;
use crate::domain::id::TenantId;
use crate::domain::time::WallTime;

/// One transaction.
pub(super) struct Desk<'a> {
    pub(super) txn: &'a DatabaseTransaction,
    told: Vec<Told>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(txn: &'a DatabaseTransaction) -> Self {
        Self { txn, told: vec![] }
    }

    /// Reads rows to work on. What was written before is in them; two books must not be open at once.
    pub(super) async fn open(&self, needs: Needs) -> Result<Book, Fault> {
        load(self.txn, needs).await
    }

    /// Writes what was changed in a book, and keeps what is to be told.
    pub(super) async fn close(&mut self, book: Book) -> Result<(), Fault> {
        self.told.extend(flush(self.txn, book).await?);
        Ok(())
    }

    /// Gives every event its place in its tenant's feed and writes it. The last act before the commit.
    pub(super) async fn number(self, at: WallTime) -> Result<Vec<StatusEvent>, Fault> {
        if self.told.is_empty() {
            return Ok(vec![]);
        }
        let mut next = self.advance_heads().await?;
        let mut events = Vec::with_capacity(self.told.len());
        for told in &self.told {
            let seq = next.get_mut(&told.tenant).ok_or_else(|| Fault::unreadable("feed head"))?;
            events.push(StatusEvent {
                tenant: told.tenant,
                seq: *seq,
                session: told.session,
                change: told.change,
                at,
            });
            *seq += 1;
        }
        let rows: Vec<_> = events.iter().map(EventOut::of).collect();
        dialect::execute(self.txn, dialect::INSERT_EVENTS, [json(&rows)?.into()]).await?;
        Ok(events)
    }

    /// Takes as many places as there are events; the first of each tenant's.
    async fn advance_heads(&self) -> Result<HashMap<TenantId, u64>, Fault> {
        let mut events = BTreeMap::<TenantId, u64>::new();
        for told in &self.told {
            *events.entry(told.tenant).or_default() += 1;
        }
        let wanted: Vec<_> = events
            .iter()
            .map(|(tenant, &events)| HeadOut { tenant: tenant.uuid().simple(), events })
            .collect();
        let heads = dialect::query(self.txn, dialect::ADVANCE_HEADS, [json(&wanted)?.into()]).await?;
        heads
            .into_iter()
            .map(|row| {
                let tenant = TenantId::from(row.try_get_by_index::<Uuid>(0)?);
                let head = super::entities::count(row.try_get_by_index(1)?);
                let taken = events.get(&tenant).copied().unwrap_or_default();
                Ok((tenant, head.saturating_sub(taken) + 1))
            })
            .collect()
    }
}

#[derive(Serialize)]
struct HeadOut {
    tenant: Simple,
    events: u64,
}

#[derive(Serialize)]
struct EventOut {
    tenant: Simple,
    seq: u64,
    at: i64,
    session: Option<Simple>,
    kind: &'static str,
    message: Option<Simple>,
    code: std::borrow::Cow<'static, str>,
}

impl EventOut {
    fn of(event: &StatusEvent) -> Self {
        Self {
            tenant: event.tenant.uuid().simple(),
            seq: event.seq,
            at: event.at.0,
            session: event.session.map(|id| id.uuid().simple()),
            kind: event.change.kind().into(),
            message: event.change.message().map(|id| id.uuid().simple()),
            code: event.change.code(),
        }
    }
}
