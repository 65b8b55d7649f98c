//! What is particular to PostgreSQL: who may see and do what, and steps of the schema back and forth.

use std::sync::Arc;

use columba::billing::quota;
use columba::storage::sql::{Place, open, steps};
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::{Desk, Recorder, TestClock};
use crate::support::postgres::{as_superuser, database};

async fn names(db: &DatabaseConnection, text: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn count(db: &DatabaseConnection, text: &str) -> Result<i64, String> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, text)).await;
    row.map(|row| row.unwrap().try_get_by_index(0).unwrap()).map_err(|error| error.to_string())
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
            AND 3 = (SELECT count(*) FROM pg_policy AS p WHERE p.polrelid = c.oid)
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

#[tokio::test]
async fn in_the_name_of_a_tenant_only_its_own_rows_are_there() {
    let url = database().await;
    let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
    let sql = open(Place::Server(url.clone()), clock.clone(), quota::decide, sink.clone()).await.unwrap();
    let desk = Desk { sql, clock, sink, dir: Arc::new(tempfile::tempdir().unwrap()) };
    let mut tenants = vec![];
    for _ in 0..2 {
        let tenant = desk.tenant(1_000).await;
        let lease = desk.session(tenant).await;
        desk.accepted(lease, 1).await;
        tenants.push(tenant.uuid());
    }
    let db = Database::connect(&url).await.unwrap();
    db.execute_unprepared("SET ROLE columba_tenant").await.unwrap();
    let owned = ["api_key", "session", "session_tally", "message", "usage", "feed_head", "event"];
    for table in owned {
        let text = format!("SELECT count(*) FROM {table}");
        assert_eq!(count(&db, &text).await, Ok(0), "{table}, in nobody's name");
    }
    for (own, other) in [(tenants[0], tenants[1]), (tenants[1], tenants[0])] {
        db.execute_unprepared(&format!("SET columba.tenant = '{own}'")).await.unwrap();
        for table in ["session", "session_tally", "message", "usage", "feed_head", "event"] {
            let all = count(&db, &format!("SELECT count(*) FROM {table}")).await.unwrap();
            let foreign = format!("SELECT count(*) FROM {table} WHERE tenant_id <> '{own}'");
            assert!(all > 0, "{table}");
            assert_eq!(count(&db, &foreign).await, Ok(0), "{table}");
        }
        assert_eq!(count(&db, &format!("SELECT count(*) FROM tenant WHERE id = '{other}'")).await, Ok(0));
    }
    for denied in ["SELECT count(*) FROM audit", "SELECT count(*) FROM operator", "SELECT count(*) FROM plan"]
    {
        assert!(count(&db, denied).await.unwrap_err().contains("permission denied"), "{denied}");
    }
    let written = db.execute_unprepared("UPDATE message SET chat = 'x'").await.unwrap_err().to_string();
    assert!(written.contains("permission denied"), "{written}");
    desk.sql.close().await;
}

#[tokio::test]
async fn the_writer_can_neither_change_the_audit_log_nor_the_schema() {
    let db = Database::connect(database().await).await.unwrap();
    db.execute_unprepared("SET ROLE columba_writer").await.unwrap();
    for denied in [
        "UPDATE audit SET actor_name = 'x'",
        "DELETE FROM audit",
        "DELETE FROM message",
        "TRUNCATE message",
        "DROP TABLE event",
        "ALTER TABLE message DISABLE ROW LEVEL SECURITY",
    ] {
        let error = db.execute_unprepared(denied).await.unwrap_err().to_string();
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{denied}: {error}");
    }
    db.execute_unprepared("RESET ROLE").await.unwrap();
    let error = db.execute_unprepared("DELETE FROM audit").await.unwrap_err().to_string();
    assert!(error.contains("append only"), "the owner is held back by a trigger: {error}");
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
        open(place.clone(), clock, quota::decide, sink)
    };
    let first = open().await.unwrap();
    let refused = open().await.err().expect("one writes already").to_string();
    assert!(refused.contains("another server"), "{refused}");
    first.close().await;
    open().await.unwrap().close().await;
}
