//! Errors that take the transaction or the connection with them, and what the writer makes of them.

use std::sync::Arc;

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::ConnectionTrait as _;

use super::Place;
use super::days::Calendar;
use super::dialect::sqlite;
use super::errands::CreatePlan;
use super::writer::{Writer, WriterHandle};
use crate::domain::audit::Actor;
use crate::domain::event::StatusEvent;
use crate::domain::plan::{Interval, Pacing, Plan, Quota, SuspendedInbound};
use crate::domain::time::{Period, WallTime};
use crate::ports::clock::Still;
use crate::ports::feed::FeedSink;
use crate::ports::store::{StoreError, WriteError};

struct Deaf;

impl FeedSink for Deaf {
    fn publish(&self, _: Vec<StatusEvent>) {}
}

/// A plan whose row takes about 100 pages.
fn large(number: u32) -> CreatePlan {
    let plan = Plan {
        code: format!("plan-{number}"),
        name: "x".repeat(400_000),
        price_minor: 0,
        currency: "EUR".into(),
        interval: Interval::Month,
        messages_per_minute: std::num::NonZeroU32::MIN,
        messages_per_minute_tenant: None,
        messages_per_month: 1,
        quota: Quota::Hard,
        queue_max: 1,
        sessions_max: 1,
        webhooks_max: 8,
        seats_max: None,
        pacing: Pacing::Human,
        first_contacts_per_day: None,
        media_bytes_max: 1024 * 1024,
        media_bytes_total: 4 * 1024 * 1024,
        overage_minor: None,
        overage_tiers: vec![],
        trial_days: 0,
        suspended_inbound: SuspendedInbound::Park,
        retention_days: 1,
        plugins: vec![],
    };
    CreatePlan { plan, idempotency: None, at: WallTime(0), by: Actor::system() }
}

/// Every day is the same.
fn days() -> Calendar {
    Calendar::new(Arc::new(|_| Period { start: WallTime(0), end: WallTime(i64::MAX) }))
}

/// A writer whose first connection was prepared with `text`.
async fn writer(dir: &tempfile::TempDir, text: &str) -> WriterHandle {
    let path = dir.path().join("outage.db");
    let db = sqlite::open_writer(&path).await.expect("a database");
    Migrator::up(&db, None).await.expect("a schema");
    db.execute_unprepared(text).await.expect("prepared");
    let (task, writer) = Writer::new(Place::File(path), db, Arc::new(Still), days(), Arc::new(Deaf));
    tokio::spawn(task.run());
    writer
}

#[tokio::test]
async fn after_a_full_disk_writing_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    // The disk is full for this connection; the next one finds room again.
    let writer = writer(&dir, "PRAGMA max_page_count = 400").await;
    let mut number = 0;
    let refused = loop {
        number += 1;
        assert!(number < 10, "the disk never filled up");
        if let Err(error) = writer.errand(large(number)).await {
            break error;
        }
    };
    assert!(matches!(refused, WriteError::Store(StoreError::Unavailable(_))), "{refused:?}");
    assert!(number > 1, "something fitted");
    writer.errand(large(number)).await.expect("the same again, now that there is room");
}

#[tokio::test]
async fn after_sqlite_has_ended_a_transaction_by_itself_writing_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let trigger = "CREATE TRIGGER ends BEFORE INSERT ON plan WHEN NEW.code = 'plan-1'
        BEGIN SELECT raise(ROLLBACK, 'ended'); END";
    let writer = writer(&dir, trigger).await;
    let refused = writer.errand(large(1)).await;
    assert!(matches!(refused, Err(WriteError::Store(StoreError::Poisoned(_)))), "{refused:?}");
    writer.errand(large(2)).await.expect("another one");
}
