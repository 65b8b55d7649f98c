//! What is particular to PostgreSQL: who may see and do what, and steps of the schema back and forth.

use std::sync::Arc;

use chrono_tz::Tz;
use columba::billing::{period::month_of, rules};
use columba::domain::page::Page;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::Lease;
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::messages::MessageFilter;
use columba::ports::store::{StoreError, WriteError};
use columba::storage::sql::{Place, open, steps};
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::{Desk, Recorder, TestClock};
use crate::support::postgres::{as_superuser, database};
use crate::support::webhooks::webhook;

async fn names(db: &DatabaseConnection, text: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn count(db: &DatabaseConnection, text: &str) -> Result<i64, String> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, text)).await;
    row.map(|row| row.unwrap().try_get_by_index(0).unwrap()).map_err(|error| error.to_string())
}

async fn say(db: &DatabaseConnection, text: &str) -> Result<(), String> {
    db.execute_unprepared(text).await.map(drop).map_err(|error| error.to_string())
}

/// One connection, so that what it is told holds for all that is asked of it.
async fn alone(url: &str) -> DatabaseConnection {
    Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await.unwrap()
}

/// The same, in one of our roles.
async fn in_role(url: &str, role: &str) -> DatabaseConnection {
    let db = alone(url).await;
    say(&db, &format!("SET ROLE {role}")).await.unwrap();
    db
}

/// Tables whose rows belong to somebody, by the names such columns have.
const OWNED: &str = "
    SELECT DISTINCT c.relname::text FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        AND (a.attname IN ('tenant_id', 'owner') OR c.relname = 'tenant')
    ORDER BY 1";

#[tokio::test]
async fn every_table_with_a_tenant_is_fenced_for_its_owner_too() {
    let db = Database::connect(as_superuser(&database().await)).await.unwrap();
    let owned = names(&db, OWNED).await;
    assert!(owned.len() >= 15, "{owned:?}");
    let fenced = "
        SELECT c.relname::text FROM pg_class AS c
        WHERE c.relrowsecurity AND c.relforcerowsecurity
            AND 3 = (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polpermissive)
            AND EXISTS (
                SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid
                    AND p.polroles = ARRAY['columba_tenant'::regrole::oid] AND p.polcmd = 'r'
                    AND pg_get_expr(p.polqual, c.oid) LIKE '%columba.tenant%')
        ORDER BY 1";
    assert_eq!(names(&db, fenced).await, owned);
    let granted = "
        SELECT DISTINCT table_name::text FROM information_schema.role_table_grants
        WHERE grantee = 'columba_tenant' ORDER BY 1";
    assert_eq!(names(&db, granted).await, owned, "and nothing else is read in the name of a tenant");
    let owning = "
        SELECT relname::text FROM pg_class
        WHERE relowner IN ('columba_writer'::regrole, 'columba_reader'::regrole, 'columba_tenant'::regrole)";
    assert_eq!(names(&db, owning).await, Vec::<String>::new(), "no role that works with tables owns one");
}

/// Two tenants with a session and a message each.
async fn two_tenants(url: &str) -> (Desk, [Lease; 2]) {
    let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
    let sql = open(Place::Server(url.to_owned()), clock.clone(), rules(Tz::UTC), sink.clone()).await.unwrap();
    let desk = Desk { sql, clock, sink, dir: Arc::new(tempfile::tempdir().unwrap()) };
    let mut leases = vec![];
    for _ in 0..2 {
        let lease = desk.session(desk.tenant(1_000).await).await;
        let message = desk.accepted(lease, 1).await;
        desk.claimed(lease, message.id).await;
        leases.push(lease);
    }
    (desk, leases.try_into().unwrap())
}

/// The tables that [`two_tenants`] fills, each with the column that says whose a row is.
const FILLED: [(&str, &str); 9] = [
    ("tenant", "id"),
    ("session", "tenant_id"),
    ("session_tally", "tenant_id"),
    ("message", "tenant_id"),
    ("send_attempt", "tenant_id"),
    ("usage", "tenant_id"),
    ("feed_head", "tenant_id"),
    ("event", "tenant_id"),
    ("audit", "tenant_id"),
];

/// The fence holds back statements of ours that forgot to ask for the tenant. It does not hold back whoever can choose
/// both the statement and the setting: `columba.tenant` is its only key, and the user of the address may take any of
/// the three roles.
#[tokio::test]
async fn in_the_name_of_a_tenant_nothing_of_another_is_read_or_written() {
    let url = database().await;
    let (desk, leases) = two_tenants(&url).await;
    let db = in_role(&url, "columba_tenant").await;
    for (table, _) in FILLED {
        let all = format!("SELECT count(*) FROM {table}");
        assert_eq!(count(&db, &all).await, Ok(0), "{table}, in nobody's name");
    }
    let mut successes = 0;
    for [own, other] in [[leases[0], leases[1]], [leases[1], leases[0]]] {
        let [own, other] = [own.tenant.uuid(), other.tenant.uuid()];
        say(&db, &format!("SET columba.tenant = '{own}'")).await.unwrap();
        for (table, tenant) in FILLED {
            let one = count(&db, &format!("SELECT count(*) FROM {table}")).await;
            assert!(one.clone().is_ok_and(|rows| rows > 0), "{table}: {one:?}");
            let foreign = format!("SELECT count(*) FROM {table} WHERE {tenant} = '{other}'");
            successes += count(&db, &foreign).await.unwrap();
            let joined =
                format!("SELECT count(*) FROM {table} AS a JOIN {table} AS b ON a.{tenant} <> b.{tenant}");
            successes += count(&db, &joined).await.unwrap();
            for written in [
                format!("UPDATE {table} SET {tenant} = '{own}' WHERE {tenant} = '{other}'"),
                format!("DELETE FROM {table} WHERE {tenant} = '{other}'"),
                format!("INSERT INTO {table} ({tenant}) VALUES ('{other}')"),
                format!("TRUNCATE {table}"),
                format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"),
                format!("CREATE POLICY more ON {table} USING (true)"),
            ] {
                let refused = say(&db, &written).await.unwrap_err();
                assert!(
                    refused.contains("permission denied") || refused.contains("must be owner"),
                    "{written}: {refused}"
                );
            }
        }
    }
    assert_eq!(successes, 0, "rows of another tenant");
    for denied in [
        "SELECT count(*) FROM operator",
        "SELECT count(*) FROM person",
        "SELECT count(*) FROM sign_in",
        "SELECT count(*) FROM plan",
        "SELECT count(*) FROM store_meta",
        "SELECT count(*) FROM message_place",
    ] {
        assert!(count(&db, denied).await.unwrap_err().contains("permission denied"), "{denied}");
    }
    say(&db, "SET columba.tenant = 'nobody'").await.unwrap();
    let refused = count(&db, "SELECT count(*) FROM message").await.unwrap_err();
    assert!(refused.contains("invalid input syntax"), "what is no id is nobody: {refused}");
    desk.sql.close().await;
}

/// Reads of the whole server are taken away, then those in the name of a tenant.
#[tokio::test]
async fn what_the_store_reads_for_a_tenant_it_reads_in_the_tenants_role() {
    let url = database().await;
    let (desk, [lease, other]) = two_tenants(&url).await;
    let superuser = alone(&as_superuser(&url)).await;
    let (stores, scope) = (desk.stores(), TenantScope::authenticated(lease.tenant));
    let page = Page { before: None, limit: 10 };
    let asked = webhook(lease.tenant, "https://example.com/hook", desk.clock.wall());
    let endpoint = stores.webhooks.create(scope, asked, 8, None).await.unwrap().into_inner().id;
    let tested = stores.webhooks.test(scope, endpoint, desk.clock.wall(), None).await.unwrap().into_inner();
    let first = stores.messages.list(scope, MessageFilter::default(), page).await.unwrap().rows[0].clone();
    // Each read answers whether it found something, in the order they stand here.
    let reads = async || -> Vec<Result<bool, StoreError>> {
        let month = month_of(desk.clock.wall(), Tz::UTC);
        vec![
            stores.messages.get(scope, first.id).await.map(|found| found.is_some()),
            stores
                .messages
                .list(scope, MessageFilter::default(), page)
                .await
                .map(|page| !page.rows.is_empty()),
            stores.messages.usage(scope, month).await.map(|usage| usage.is_some()),
            stores.messages.attempts_since(scope, WallTime(0)).await.map(|attempts| !attempts.is_empty()),
            stores.outbox.foresee(lease.tenant, lease.session, None, desk.clock.wall()).await.map_or_else(
                |error| match error {
                    WriteError::Store(error) => Err(error),
                    WriteError::Refused(_) => Ok(false),
                },
                |_| Ok(true),
            ),
            stores.sessions.get(scope, lease.session).await.map(|found| found.is_some()),
            stores.sessions.list(scope, page).await.map(|page| !page.rows.is_empty()),
            stores.sessions.count(scope).await.map(|count| count > 0),
            stores.feed_log.range(scope, 1, 100).await.map(|events| !events.is_empty()),
            stores.webhooks.get(scope, endpoint).await.map(|found| found.is_some()),
            stores.webhooks.list(scope, page).await.map(|page| !page.rows.is_empty()),
            stores.webhooks.deliveries(scope, endpoint, None, page).await.map(|page| page.is_some()),
            stores.webhooks.delivery(scope, tested.id).await.map(|found| found.is_some()),
            stores.audit.of_tenant(scope, 10, None).await.map(|page| !page.rows.is_empty()),
        ]
    };
    let all = |found: bool| vec![Ok(found); 14];
    assert_eq!(reads().await, all(true));
    assert!(stores.sessions.find(SystemScope, other.session).await.unwrap().is_some());

    say(&superuser, "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM columba_reader").await.unwrap();
    assert_eq!(reads().await, all(true), "none of them reads in the role that sees everybody");
    assert!(stores.sessions.find(SystemScope, other.session).await.is_err());

    let policies = "SELECT tablename::text FROM pg_policies WHERE policyname = 'own' ORDER BY 1";
    for table in names(&superuser, policies).await {
        say(&superuser, &format!("DROP POLICY own ON {table}")).await.unwrap();
    }
    let nothing = reads().await;
    assert!(nothing.iter().all(|read| *read == Ok(false)), "each goes by the policies: {nothing:?}");
    desk.sql.close().await;
}

#[tokio::test]
async fn the_writer_can_neither_change_the_audit_log_nor_the_schema() {
    let db = in_role(&database().await, "columba_writer").await;
    for denied in [
        "UPDATE audit SET actor_name = 'x'",
        "DELETE FROM audit",
        "TRUNCATE message",
        "DROP TABLE event",
        "ALTER TABLE message DISABLE ROW LEVEL SECURITY",
    ] {
        let error = say(&db, denied).await.unwrap_err();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{denied}: {error}");
    }
    say(&db, "RESET ROLE").await.unwrap();
    let error = say(&db, "DELETE FROM audit").await.unwrap_err();
    assert!(error.contains("append only"), "the owner is held back by a trigger: {error}");
}

/// Retention deletes; what it must not touch is in no statement's power.
#[tokio::test]
async fn the_writer_deletes_no_message_that_waits_is_under_way_or_holds_its_place() {
    let url = database().await;
    let (desk, leases) = two_tenants(&url).await;
    desk.accepted(leases[0], 2).await;
    desk.sql.close().await;
    let superuser = alone(&as_superuser(&url)).await;
    let db = in_role(&url, "columba_writer").await;
    let left = async || {
        say(&db, "DELETE FROM message").await.unwrap();
        count(&superuser, "SELECT count(*) FROM message").await.unwrap()
    };
    assert_eq!(left().await, 3, "one is queued, two are under way");
    for (change, expected) in [
        ("status = 'held' WHERE status = 'queued'", 3),
        ("status = 'unknown'", 3),
        ("charge = 'released' WHERE chat LIKE '%2'", 2),
        ("status = 'sent', charge = 'charged'", 0),
    ] {
        say(&superuser, &format!("UPDATE message SET {change}")).await.unwrap();
        assert_eq!(left().await, expected, "{change}");
    }
}

#[tokio::test]
async fn the_schema_goes_back_to_nothing_and_forth_again() {
    let url = database().await;
    let db = Database::connect(&url).await.unwrap();
    Migrator::down(&db, None).await.unwrap();
    let left = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    assert_eq!(names(&db, left).await, ["seaql_migrations"]);
    let place = Place::Server(url);
    let mut took = vec![];
    steps::take(&place, |step| took.push(step.to_owned())).await.unwrap();
    assert_eq!(took, steps::all());
    assert!(steps::look(&place).await.unwrap().steps.iter().all(|step| step.taken && step.known));
}

#[tokio::test]
async fn a_second_writer_is_turned_away_until_the_first_has_left() {
    let place = Place::Server(database().await);
    let open = || {
        let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
        open(place.clone(), clock, rules(Tz::UTC), sink)
    };
    let first = open().await.unwrap();
    let refused = open().await.err().expect("one writes already").to_string();
    assert!(refused.contains("another server"), "{refused}");
    first.close().await;
    open().await.unwrap().close().await;
}
