//! How SQLite goes about each constant statement: by an index, never through a whole table.

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};

use super::dialect::sqlite;
use super::errands::{forget, waiting};
use super::{attempts, audit, ledger, media, messages, outbox, sweep, webhooks};

async fn plan_of(db: &DatabaseConnection, text: &str) -> Vec<String> {
    let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {text}"));
    let rows = db.query_all_raw(explain).await.expect("a plan");
    rows.iter().map(|row| row.try_get::<String>("", "detail").expect("a line")).collect()
}

/// Lines that walk through a table from end to end.
fn walks(plan: &[String]) -> Vec<&String> {
    let is_walk = |line: &&String| line.starts_with("SCAN") && !line.contains("VIRTUAL TABLE");
    plan.iter().filter(is_walk).collect()
}

#[tokio::test]
async fn no_hot_statement_walks_through_a_table() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = sqlite::open_writer(&dir.path().join("plans.db")).await.expect("a database");
    Migrator::up(&db, None).await.expect("a schema");
    for text in [
        sqlite::REMEMBERED,
        sqlite::MESSAGES,
        sqlite::MESSAGES_BY_WA,
        sqlite::HEARD,
        sqlite::REFERRED,
        sqlite::HELD_IN,
        messages::KNOWS_CHAT,
        outbox::ONE_OF_SESSION,
        sqlite::NEIGHBOURS,
        sqlite::MET,
        sqlite::SESSIONS,
        sqlite::USAGE,
        sqlite::HEADS,
        sqlite::UPDATE_MESSAGES,
        sqlite::UPDATE_SESSIONS,
        sqlite::UPDATE_TALLIES,
        sqlite::LIST_MESSAGES,
        audit::NEWEST,
        audit::OLDEST,
        audit::OF_TENANT,
        attempts::OF_SESSION,
        sqlite::ATTEMPTS_OF_TENANT,
        messages::SESSIONS_OF,
        messages::USAGE,
        sqlite::LIVE_OF,
        sqlite::ATTEMPTS_SINCE,
        outbox::PENDING,
        outbox::LEFT_SENDING,
        sweep::EXPIRED,
        sweep::DOUBTFUL,
        waiting::WAITING,
        sqlite::SUBSCRIPTIONS,
        sqlite::DUE_DELIVERIES,
        webhooks::NEXT_DUE,
        webhooks::EVENT,
        webhooks::LOG,
        sqlite::RANGE_OF_DELIVERIES,
        sqlite::WEBHOOK_EVENTS_ABOUT,
        sqlite::ERASABLE,
        sqlite::ERASE,
        sqlite::EXPIRED_MEDIA,
        media::BYTES,
    ]
    .into_iter()
    .chain(sqlite::WEBHOOK_STATEMENTS)
    {
        let plan = plan_of(&db, text).await;
        assert_eq!(walks(&plan), Vec::<&String>::new(), "{text}\n{plan:#?}");
    }
    // A tally per session, and the few messages that are under way: nothing else is walked through.
    for (text, walked) in [
        (sweep::DUE, "SCAN t"),
        (sweep::ABANDONED, "SCAN message USING INDEX message_sending"),
        (forget::IDEMPOTENCY, "SCAN idempotency"),
        (forget::ATTEMPTS, "SCAN send_attempt"),
        (forget::EVENTS, "SCAN event"),
    ] {
        let plan = plan_of(&db, text).await;
        assert!(
            walks(&plan).iter().all(|line| line.as_str() == walked || line.contains("oldest")),
            "{plan:#?}"
        );
    }
}

#[tokio::test]
async fn what_waits_is_found_by_the_index_of_what_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = sqlite::open_writer(&dir.path().join("plans.db")).await.expect("a database");
    Migrator::up(&db, None).await.expect("a schema");
    for (text, index) in [
        (sqlite::NEIGHBOURS, "message_live"),
        (outbox::PENDING, "message_live"),
        (waiting::WAITING, "message_live"),
        (sweep::DUE, "message_live"),
        (sweep::EXPIRED, "message_expiring"),
        (sweep::ABANDONED, "message_sending"),
        (sweep::DOUBTFUL, "message_doubtful"),
        (outbox::LEFT_SENDING, "message_sending"),
        (sqlite::MESSAGES_BY_WA, "message_wa"),
        (sqlite::HEARD, "message_heard"),
        (sqlite::LIST_MESSAGES, "message_session"),
        (sqlite::ATTEMPTS_SINCE, "send_attempt_session"),
        (sqlite::SUBSCRIPTIONS, "webhook_tenant"),
        (sqlite::DUE_DELIVERIES, "webhook_delivery_due"),
        (webhooks::NEXT_DUE, "webhook_delivery_due"),
        (sqlite::RANGE_OF_DELIVERIES, "webhook_delivery_list"),
        (sqlite::EXPIRED_MEDIA, "media_kept"),
        (media::BYTES, "COVERING INDEX media_size"),
        (ledger::DUE, "subscription_wakes"),
        (ledger::OPEN_INVOICES, "invoice_open"),
        (ledger::INVOICES_WITH_STATUS, "invoice_status"),
        (ledger::INVOICES_OF_TENANT, "invoice_tenant"),
        (ledger::ENTRIES, "ledger_entry_tenant"),
        (ledger::BALANCES, "ledger_entry_tenant"),
        (messages::DAYS, "usage_day_tenant"),
        (audit::OF_TENANT, "audit_tenant"),
    ] {
        let plan = plan_of(&db, text).await;
        assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:#?}");
    }
}
