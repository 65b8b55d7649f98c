//! The vault's own small schema. It lives beside the control database, in a file with another life: it is in no backup
//! and is never migrated together with it, so `user_version` is all the bookkeeping it needs.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr};

const VERSION: i32 = 1;

/// `record` is clustered by its address: a session's records lie together, and a commit touches few pages.
/// The header outlives a wipe: it is what fences.
const TABLES: &str = "
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS session_header (
  session BLOB PRIMARY KEY CHECK (length(session) = 16),
  tenant BLOB NOT NULL CHECK (length(tenant) = 16),
  epoch INTEGER NOT NULL,
  writer TEXT,
  clean INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_header_tenant ON session_header (tenant);
CREATE TABLE IF NOT EXISTS record (
  session BLOB NOT NULL CHECK (length(session) = 16),
  kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),
  key BLOB NOT NULL CHECK (length(key) <= 512),
  sealed BLOB NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (session, kind, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_expiry ON record (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS archive (
  session BLOB NOT NULL,
  archived_at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key BLOB NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (session, archived_at, kind, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS archive_age ON archive (archived_at);
PRAGMA user_version = 1;
COMMIT;";

/// The one connection that writes. Makes the tables if they are not there.
pub async fn writer(file: &Path) -> Result<DatabaseConnection, DbErr> {
    let db = connect(file, 1, false).await?;
    let found = user_version(&db).await?;
    if found > VERSION {
        return Err(DbErr::Custom(format!(
            "{} has version {found}, this program knows {VERSION}",
            file.display()
        )));
    }
    if found < VERSION {
        db.execute_unprepared(TABLES).await?;
    }
    Ok(db)
}

/// A few connections that only read.
pub async fn readers(file: &Path) -> Result<DatabaseConnection, DbErr> {
    connect(file, 4, true).await
}

async fn connect(file: &Path, connections: u32, query_only: bool) -> Result<DatabaseConnection, DbErr> {
    let file = file.to_owned();
    let mut options = ConnectOptions::new("sqlite:vault.db");
    options
        .max_connections(connections)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&file)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                // A used prekey has to be gone from the file too, not only from its index.
                .pragma("secure_delete", "ON")
                .pragma("query_only", if query_only { "ON" } else { "OFF" })
        });
    Database::connect(options).await
}

async fn user_version(db: &DatabaseConnection) -> Result<i32, DbErr> {
    let row = db
        .query_one_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "PRAGMA user_version"))
        .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

#[cfg(test)]
mod tests {
    use sea_orm::{DbBackend, Statement};

    use super::super::session::GET;
    use super::*;

    #[tokio::test]
    async fn each_record_that_is_read_is_looked_up_by_its_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("vault.db");
        super::super::files::private_file(&file).expect("a file");
        let db = writer(&file).await.expect("a schema");
        let explain = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {GET}"));
        let rows = db.query_all_raw(explain).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").expect("a line")).collect();
        let by_key = |line: &String| line.starts_with("SEARCH record") && line.contains("kind=? AND key=?");
        assert!(plan.iter().any(by_key), "{plan:#?}");
    }

    async fn pragma<T: sea_orm::TryGetable>(db: &DatabaseConnection, text: &'static str) -> T {
        let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await.expect("an answer");
        row.expect("a row").try_get_by_index(0).expect("a value")
    }

    #[tokio::test]
    async fn a_commit_reaches_the_disk_and_what_is_deleted_leaves_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("vault.db");
        super::super::files::private_file(&file).expect("a file");
        let db = writer(&file).await.expect("a schema");
        assert_eq!(pragma::<String>(&db, "PRAGMA journal_mode").await, "wal");
        assert_eq!(pragma::<i64>(&db, "PRAGMA synchronous").await, 2, "FULL");
        assert_eq!(pragma::<i64>(&db, "PRAGMA secure_delete").await, 1);
        let reads = readers(&file).await.expect("readers");
        assert!(reads.execute_unprepared("DELETE FROM record").await.is_err(), "readers only read");
        writer(&file).await.expect("a second start finds its tables");
        db.execute_unprepared("PRAGMA user_version = 99").await.expect("a newer program's file");
        assert!(writer(&file).await.is_err(), "it is left alone");
    }
}
