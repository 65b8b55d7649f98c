//! The file: who may read it, what it keeps, how its schema comes and goes.

use std::os::unix::fs::PermissionsExt as _;

use columba::domain::scope::{SystemScope, TenantScope};
use columba::ports::outbox::Position;
use columba::ports::store::{StoreError, WriteError};
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};

use super::Desk;

#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    let desk = Desk::new().await;
    desk.tenant(10).await;
    for entry in std::fs::read_dir(desk.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.file_name().display());
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(10).await).await;
    let mut acceptance = desk.acceptance(lease, 1, 10);
    acceptance.idempotency = super::key("again", 1);
    let message = desk.accept(acceptance.clone()).await.unwrap().into_inner();
    let waiting = desk.stores().outbox.pending(lease, Position::default(), 10).await.unwrap();
    let epoch = desk.stores().feed_log.epoch().to_owned();
    let heads = desk.stores().feed_log.heads(SystemScope).await.unwrap();
    let before = desk.stores().directory.snapshot();

    let desk = desk.reopen().await;
    assert!((8..=32).contains(&epoch.len()));
    assert_eq!(desk.stores().feed_log.epoch(), epoch);
    assert_eq!(desk.stores().feed_log.heads(SystemScope).await.unwrap(), heads);
    let after = desk.stores().directory.snapshot();
    assert_eq!((&after.tenants, &after.plans), (&before.tenants, &before.plans));
    assert_eq!(desk.stores().outbox.pending(lease, Position::default(), 10).await.unwrap(), waiting);
    assert_eq!(desk.message(&message).await, message);
    let replayed = desk.accept(acceptance).await.unwrap();
    assert!(replayed.is_replayed());
    assert_eq!(replayed.into_inner(), message);

    let later = desk.accepted(lease, 2).await;
    let waiting_now = desk.stores().outbox.pending(lease, waiting[0].position, 10).await.unwrap();
    assert_eq!(waiting_now.len(), 1);
    assert_eq!(waiting_now[0].message, later.id, "positions go on where they stood");
    assert!(desk.recall(lease.session).await.epoch > lease.epoch);
}

#[tokio::test]
async fn two_stores_do_not_share_an_epoch() {
    let (one, other) = (Desk::new().await, Desk::new().await);
    assert_ne!(one.stores().feed_log.epoch(), other.stores().feed_log.epoch());
}

#[tokio::test]
async fn a_closed_store_refuses_and_leaves_no_log_behind() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(10).await).await;
    let (stores, acceptance, path) = (desk.stores().clone(), desk.acceptance(lease, 1, 10), desk.path());
    desk.sql.close().await;
    let answer = stores.outbox.accept(acceptance).await;
    assert!(matches!(answer, Err(WriteError::Store(StoreError::Unavailable(_)))), "{answer:?}");
    let scope = TenantScope::authenticated(lease.tenant);
    assert!(matches!(stores.sessions.count(scope).await, Err(StoreError::Unavailable(_))));
    let log = path.with_extension("db-wal");
    assert!(!log.exists() || log.metadata().unwrap().len() == 0, "the log was copied back");
}

#[tokio::test]
async fn what_has_queued_when_the_store_closes_is_written() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(10).await).await;
    let (stores, acceptance) = (desk.stores().clone(), desk.acceptance(lease, 1, 10));
    let (dir, clock) = (desk.dir.clone(), desk.clock.clone());
    let (answer, ()) = futures_util::join!(stores.outbox.accept(acceptance), desk.sql.close());
    let message = answer.unwrap().into_inner();
    let desk = Desk::open(dir, clock).await;
    assert_eq!(desk.message(&message).await, message);
}

#[tokio::test]
async fn migrations_go_up_and_down_and_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::connect(format!("sqlite://{}/m.db?mode=rwc", dir.path().display())).await.unwrap();
    let tables = async || {
        let text = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
            AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'";
        let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap()
    };
    Migrator::up(&db, None).await.unwrap();
    let all = tables().await;
    assert!(all > 10);
    Migrator::down(&db, None).await.unwrap();
    assert_eq!(tables().await, 0);
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(tables().await, all);
    Migrator::up(&db, None).await.unwrap();
}
