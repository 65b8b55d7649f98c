//! Connections to PostgreSQL: what each is told, who holds the writer's lock, and what a complaint means.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgDatabaseError};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, sqlx};

use crate::ports::store::StoreError;
use crate::storage::sql::dialect::{self, Fault, Place};

/// Connections that only read.
const READERS: u32 = 8;

/// How long the server is waited for when it is called for the first time.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection of a pool is waited for. sqlx goes on calling a server that refuses for as long.
const ACQUIRE: Duration = Duration::from_secs(2);

/// A batch takes milliseconds.
pub(in crate::storage::sql) const BATCH_PATIENCE: Duration = Duration::from_secs(10);

/// Longer than the time-out of a statement.
pub(in crate::storage::sql) const ERRANDS_PATIENCE: Duration = Duration::from_secs(60);

/// A connection that lay idle for longer is asked whether it still works before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// Takes the lock that the one writer holds, for as long as its connection lives; again for who has it already. The
/// number is "columba" in bytes.
pub(in crate::storage::sql) const WRITER_LOCK: &str = "SELECT pg_advisory_lock(27988534311608929)";

/// A commit that is answered is on disk, whatever the server does for others. More than that, as for replicas, is left as it is.
const ON_DISK: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// The writer's lock, without waiting; whether it was given.
const TRY_WRITER_LOCK: &str = "SELECT pg_try_advisory_lock(27988534311608929)";

/// What every connection is told. Statements by their keys, whatever the planner's figures say of tables that grow by a
/// thousand rows a second: a batch that walked through a table would hold up everybody.
const WRITER: &[(&str, &str)] = &[
    ("role", "columba_writer"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    // A server that was cut off from its writer lets go of the lock, so that the next one gets it.
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("client_connection_check_interval", "5s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    NO_COMPILER,
];

/// A discouraged way is only made dear, which costs nothing until PostgreSQL compiles what looks dear: seconds for a batch.
const NO_COMPILER: (&str, &str) = ("jit", "off");

const OWNER: &[(&str, &str)] = &[("lock_timeout", "5s")];

const READER: &[(&str, &str)] = &[
    ("role", "columba_reader"),
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    NO_COMPILER,
];

/// Without a role: what it looks at may have no schema yet.
const WITNESS: &[(&str, &str)] =
    &[("default_transaction_read_only", "on"), ("default_transaction_isolation", "repeatable read")];

/// What a complaint means: whether it speaks of the server or of what it was given. It may quote what it was given, so
/// of complaints about values only the code and the place are told.
pub(in crate::storage::sql) fn fault(complaint: &PgDatabaseError) -> Fault {
    let code = complaint.code();
    let place = [complaint.table(), complaint.column(), complaint.constraint()];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    match code.get(..2).unwrap_or_default() {
        "22" | "23" => Fault::Row(format!("PostgreSQL refused a value ({code}) {place}")),
        "21" | "42" | "44" | "P0" if code != INSUFFICIENT_PRIVILEGE => {
            Fault::Row(format!("PostgreSQL: {} ({code})", complaint.message()))
        }
        _ => Fault::Down(format!("PostgreSQL: {} ({code})", complaint.message())),
    }
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// What is said when somebody else has the lock.
pub(in crate::storage::sql) const TAKEN: &str = "another server writes to this database; end it first";

/// The one connection that writes. Waits for its lock: a writer before it may not have ended yet.
pub(in crate::storage::sql) async fn open_writer(url: &str) -> Result<DatabaseConnection, StoreError> {
    call(url).await?;
    let db = connect(url, 1, WRITER).await?;
    match db.execute_unprepared(WRITER_LOCK).await {
        Ok(_) => {
            db.execute_unprepared(ON_DISK).await.map_err(Fault::from)?;
            Ok(db)
        }
        Err(error) => {
            // It is of no use; how it ends does not matter.
            db.close().await.unwrap_or(());
            let text = match Fault::from(error) {
                Fault::Down(text) if text.contains("55P03") => TAKEN.to_owned(),
                Fault::Down(text) | Fault::Row(text) => text,
            };
            Err(StoreError::Unavailable(text))
        }
    }
}

/// A connection in the role that owns the tables, with the lock of the one writer, for which it does not wait.
pub(in crate::storage::sql) async fn open_alone(url: &str) -> Result<DatabaseConnection, StoreError> {
    let db = connect(url, 1, OWNER).await?;
    let rows = dialect::query(&db, TRY_WRITER_LOCK, []).await?;
    let has_it: Option<bool> = rows.first().and_then(|row| row.try_get_by_index(0).ok());
    if has_it == Some(true) {
        return Ok(db);
    }
    // It is of no use; how it ends does not matter.
    db.close().await.unwrap_or(());
    Err(StoreError::Unavailable(TAKEN.to_owned()))
}

/// A connection in the role that owns the tables.
pub(in crate::storage::sql) async fn open_owner(url: &str) -> Result<DatabaseConnection, StoreError> {
    call(url).await?;
    connect(url, 1, OWNER).await
}

/// The connections that read.
pub(in crate::storage::sql) async fn open_readers(url: &str) -> Result<DatabaseConnection, StoreError> {
    connect(url, READERS, READER).await
}

/// A connection that could not write if it wanted to.
pub(in crate::storage::sql) async fn open_witness(url: &str) -> Result<DatabaseConnection, StoreError> {
    call(url).await?;
    connect(url, 1, WITNESS).await
}

/// Calls the server once, and says at once what is wrong: a pool would go on calling, and say that it took too long.
async fn call(url: &str) -> Result<(), StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|error| refused(url, &error))?;
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let silent = || StoreError::Unavailable(format!("nothing answers at {host}:{port} within {CONNECT:?}"));
    let call = <sqlx::PgConnection as sqlx::Connection>::connect_with(&options);
    let connection = tokio::time::timeout(CONNECT, call).await.map_err(|_| silent())?;
    let connection = connection.map_err(|error| refused(url, &error))?;
    sqlx::Connection::close(connection).await.map_err(|error| refused(url, &error))
}

/// Why nobody answers at `url`, without what is secret in it.
fn refused(url: &str, error: &sqlx::Error) -> StoreError {
    let place = Place::Server(url.to_owned());
    StoreError::Unavailable(match error {
        sqlx::Error::Io(error) => format!("{place} cannot be reached: {error}"),
        sqlx::Error::Tls(error) => format!("TLS with {place} failed: {error}"),
        sqlx::Error::Configuration(_) => "the address cannot be read".to_owned(),
        sqlx::Error::Database(complaint) => complaint.message().to_owned(),
        error => error.to_string(),
    })
}

async fn connect(
    url: &str,
    size: u32,
    settings: &'static [(&'static str, &'static str)],
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(1)
        .max_connections(size)
        .connect_timeout(ACQUIRE)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_postgres_opts(move |options: PgConnectOptions| {
            options.application_name("columba").options(settings.iter().copied())
        })
        .map_sqlx_postgres_before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > FRESH {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        });
    Database::connect(options).await.map_err(|error| Fault::from(error).into())
}
