//! How SQLite goes about each constant statement: by an index, never through a whole table.

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, QueryTrait as _, Statement};
use strum::IntoEnumIterator as _;

use super::dialect::sqlite;
use super::entities::session_tally;
use super::errands::{forget, waiting};
use super::{attempts, audit, fleet, ledger, log, media, messages, outbox, spells, sweep, webhooks};
use crate::domain::id::SessionId;
use crate::domain::page::Order;
use crate::ports::sessions::{FleetFilter, FleetKey, FleetPage, FleetSort};

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
        messages::QUEUE,
        messages::QUEUE_HEAD,
        messages::ATTEMPTS_OF,
        spells::OF_SESSION,
        log::BY_ID,
        log::BY_WA,
        log::BY_WA_IN_SESSION,
        log::SESSIONS_OF,
        sqlite::LOG_OF_SESSIONS_END,
        sqlite::LOG_OF_LIVE,
        sqlite::ACTIVITY,
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
        // What the search along the index has found.
        (sqlite::LOG_OF_SESSIONS, "SCAN e"),
        (forget::IDEMPOTENCY, "SCAN idempotency"),
        (forget::ATTEMPTS, "SCAN send_attempt"),
        (forget::EVENTS, "SCAN event"),
        (forget::SPELLS, "SCAN session_past"),
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
        (messages::QUEUE, "message_live"),
        (messages::QUEUE_HEAD, "message_live"),
        (messages::ATTEMPTS_OF, "send_attempt_session"),
        (spells::OF_SESSION, "session_past_session"),
        (log::NEWEST, "message_id (id>? AND id<?)"),
        (log::NEWEST_END, "COVERING INDEX message_id"),
        (log::HELD, "message_held"),
        (log::HELD_END, "COVERING INDEX message_held"),
        (log::TROUBLE, "message_trouble (status=? AND id>? AND id<?)"),
        (log::TROUBLE_END, "COVERING INDEX message_trouble"),
        (log::BY_WA, "message_wa"),
        (sqlite::LOG_OF_SESSIONS, "message_session (session_id=? AND id>? AND id<?)"),
        (sqlite::LOG_OF_SESSIONS_END, "COVERING INDEX message_session"),
        (sqlite::LOG_OF_LIVE, "message_live"),
        (sqlite::ACTIVITY, "COVERING INDEX message_session"),
    ] {
        let plan = plan_of(&db, text).await;
        assert!(plan.iter().any(|line| line.contains(index)), "{index}: {plan:#?}");
    }
}

/// Every list of the fleet runs along an index, forwards or back; only what waits is walked through, a tally a session.
#[tokio::test]
async fn the_fleet_is_read_along_the_index_of_its_sort() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = sqlite::open_writer(&dir.path().join("plans.db")).await.expect("a database");
    Migrator::up(&db, None).await.expect("a schema");
    for sort in FleetSort::iter() {
        for order in [Order::Ascending, Order::Descending] {
            for beyond in [None, Some(last(sort))] {
                let page = FleetPage { limit: 50, sort, order, beyond };
                let rows = fleet::wanted(DbBackend::Sqlite, FleetFilter::default(), &page);
                let text = rows.find_also_related(session_tally::Entity).build(DbBackend::Sqlite).to_string();
                let plan = plan_of(&db, &text).await;
                let index = match sort {
                    FleetSort::Created => "sqlite_autoindex_session_1",
                    FleetSort::Since => "session_since",
                    FleetSort::Label => "session_label",
                    FleetSort::Tenant => "session_tenant",
                    FleetSort::Queued => continue,
                    FleetSort::Status => "session_status",
                };
                assert!(plan[0].contains(index), "{sort} {order:?}: {plan:#?}");
                assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{sort} {order:?}: {plan:#?}");
            }
        }
    }
}

fn last(sort: FleetSort) -> (FleetKey, SessionId) {
    let key = match sort {
        FleetSort::Since | FleetSort::Queued => FleetKey::Number(1),
        FleetSort::Label | FleetSort::Status => FleetKey::Text("parked".to_owned()),
        FleetSort::Created | FleetSort::Tenant => FleetKey::Id(uuid::Uuid::max()),
    };
    (key, uuid::Uuid::max().into())
}
