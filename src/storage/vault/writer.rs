//! The one task that writes. It takes whatever queued while the last commit ran, writes it in one transaction and
//! answers after the fsync: an fsync is paid per group, not per session.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sqlx;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, Value};
use serde_json::json;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use uuid::Uuid;

use super::group::{self, Head, Sealed, Shared, Verdict, hex_id};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::{Epoch, Lease};
use crate::domain::time::WallTime;
use crate::ports::vault::VaultError;

/// Calls that may wait for the writer; the next ones wait to be queued.
const QUEUE: usize = 1_024;
/// Calls of one transaction.
const GROUP_CALLS: usize = 256;
/// Sealed bytes after which a group takes no further call. The largest batch is as large.
const GROUP_BYTES: usize = 16 << 20;

/// The whole transaction is one text: one hop to the thread that runs SQLite. `?1` holds the rows, `?2` the values.
const WRITE: &str = "
BEGIN IMMEDIATE;
DELETE FROM record WHERE (session, kind, key) IN (
  SELECT unhex(value->>0), value->>1, unhex(value->>2) FROM jsonb_each(?1, '$.delete'));
INSERT INTO record (session, kind, key, sealed, expires_at)
  SELECT unhex(value->>0), value->>1, unhex(value->>2), substr(?2, value->>3, value->>4), value->>5
  FROM jsonb_each(?1, '$.put') WHERE true
  ON CONFLICT (session, kind, key) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at;
INSERT INTO session_header (session, tenant, epoch, writer, clean)
  SELECT unhex(value->>0), unhex(value->>1), value->>2, value->>3, value->>4
  FROM jsonb_each(?1, '$.heads') WHERE true
  ON CONFLICT (session) DO UPDATE SET epoch = excluded.epoch, writer = excluded.writer, clean = excluded.clean;
COMMIT;";

const HEADS: &str = "
SELECT session, tenant, epoch, writer, clean FROM session_header
WHERE session IN (SELECT unhex(value) FROM jsonb_each(?1))";

const WIPE: &str = "
BEGIN IMMEDIATE;
DELETE FROM record WHERE session = ?1;
UPDATE session_header SET writer = NULL, clean = 1 WHERE session = ?1;
COMMIT;";

/// `?2` is the epoch that archives, `?3` when. `?2 = ?2` because sqlx binds by position where a part skips a number.
const ARCHIVE: &str = "
BEGIN IMMEDIATE;
UPDATE session_header SET epoch = ?2, writer = NULL, clean = 1 WHERE session = ?1;
INSERT OR REPLACE INTO archive (session, archived_at, kind, key, sealed)
  SELECT session, ?3, kind, key, sealed FROM record
  WHERE session = ?1 AND ?2 = ?2 AND (expires_at IS NULL OR expires_at > ?3);
DELETE FROM record WHERE session = ?1;
COMMIT;";

const DESTROY: &str = "
BEGIN IMMEDIATE;
DELETE FROM record WHERE session = ?1;
DELETE FROM archive WHERE session = ?1;
DELETE FROM session_header WHERE session = ?1;
COMMIT;";

const DESTROY_TENANT: &str = "
BEGIN IMMEDIATE;
DELETE FROM record WHERE session IN (SELECT session FROM session_header WHERE tenant = ?1);
DELETE FROM archive WHERE session IN (SELECT session FROM session_header WHERE tenant = ?1);
DELETE FROM session_header WHERE tenant = ?1;
COMMIT;";

const SWEEP_RECORDS: &str = "
DELETE FROM record WHERE (session, kind, key) IN (
  SELECT session, kind, key FROM record WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

const SWEEP_ARCHIVE: &str = "
DELETE FROM archive WHERE (session, archived_at, kind, key) IN (
  SELECT session, archived_at, kind, key FROM archive WHERE archived_at < ?1 ORDER BY archived_at LIMIT ?2)";

/// One call that has a transaction of its own. Each is rare.
pub enum Alone {
    /// Removes every record.
    Wipe(Lease),
    /// Puts every record away.
    Archive(Lease, WallTime),
    /// Removes every trace of a session.
    Destroy(SessionId),
    /// Removes every trace of a tenant.
    DestroyTenant(TenantId),
    /// Removes what expired by `now` and archives made before `archived_before`, at most `limit` of each.
    Sweep {
        /// When.
        now: WallTime,
        /// Which archives are too old.
        archived_before: WallTime,
        /// At most so many rows.
        limit: u32,
    },
}

/// What is asked, and whom to answer.
enum Job {
    Shared(Shared, oneshot::Sender<Verdict>, Option<Turn>),
    Alone(Alone, oneshot::Sender<Result<u64, VaultError>>, Option<Turn>),
}

/// A session's turn. It travels with the call, so that a caller who left does not let the next one overtake.
pub type Turn = OwnedMutexGuard<()>;

/// The way to the writer. It ends, and closes its file, once nobody holds one any more.
#[derive(Clone)]
pub struct WriterHandle {
    inbox: mpsc::Sender<Job>,
    transactions: Arc<AtomicU64>,
}

impl WriterHandle {
    /// Starts the writer on the current tokio runtime.
    pub fn spawn(db: DatabaseConnection) -> Self {
        let (inbox, jobs) = mpsc::channel(QUEUE);
        let transactions = Arc::new(AtomicU64::new(0));
        tokio::spawn(VaultWriter { db, heads: HashMap::new(), transactions: transactions.clone() }.run(jobs));
        Self { inbox, transactions }
    }

    /// Asks for a call that shares its commit. `Ok` is durable.
    pub async fn share(&self, call: Shared, turn: Option<Turn>) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        self.inbox.send(Job::Shared(call, answer, turn)).await.map_err(|_| stopped())?;
        verdict.await.map_err(|_| stopped())?
    }

    /// Asks for a call with a transaction of its own; how many rows it removed, for those that count. `Ok` is durable.
    pub async fn alone(&self, call: Alone, turn: Option<Turn>) -> Result<u64, VaultError> {
        let (answer, verdict) = oneshot::channel();
        self.inbox.send(Job::Alone(call, answer, turn)).await.map_err(|_| stopped())?;
        verdict.await.map_err(|_| stopped())?
    }

    /// Transactions committed so far, each one fsync.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }
}

fn stopped() -> VaultError {
    VaultError::Unavailable("the vault's writer has stopped".into())
}

/// A call of a group, with whom to answer.
type Waiting = (Shared, oneshot::Sender<Verdict>, Option<Turn>);

struct VaultWriter {
    db: DatabaseConnection,
    /// Headers as they stand on disk, of the sessions seen so far. Nobody else writes this file.
    heads: HashMap<SessionId, Head>,
    transactions: Arc<AtomicU64>,
}

impl VaultWriter {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = jobs.recv().await;
        while let Some(job) = next.take() {
            match job {
                Job::Alone(call, answer, turn) => {
                    let done = self.write_alone(&call).await;
                    // A caller who left needs no answer.
                    let _ = answer.send(done);
                    drop(turn);
                }
                Job::Shared(call, answer, turn) => {
                    let mut bytes = call.weight();
                    let mut group = vec![(call, answer, turn)];
                    while group.len() < GROUP_CALLS && bytes < GROUP_BYTES && next.is_none() {
                        match jobs.try_recv() {
                            Ok(Job::Shared(call, answer, turn)) => {
                                bytes += call.weight();
                                group.push((call, answer, turn));
                            }
                            Ok(alone) => next = Some(alone),
                            Err(_) => break,
                        }
                    }
                    self.settle(group).await;
                }
            }
            if next.is_none() {
                next = jobs.recv().await;
            }
        }
        if let Err(error) = self.db.close().await {
            tracing::warn!(%error, "the vault's file did not close");
        }
    }

    /// Writes a group and answers it. When one call cannot be written, halving finds it and the others stand.
    async fn settle(&mut self, group: Vec<Waiting>) {
        let mut parts = vec![group];
        while let Some(mut part) = parts.pop() {
            match self.write(&part).await {
                Ok(verdicts) => {
                    for ((_, answer, turn), verdict) in part.into_iter().zip(verdicts) {
                        let _ = answer.send(verdict);
                        drop(turn);
                    }
                }
                Err(error) if part.len() > 1 && is_about_a_row(&error) => {
                    let later = part.split_off(part.len() / 2);
                    parts.extend([later, part]);
                }
                Err(error) => {
                    tracing::error!(%error, calls = part.len(), "vault commit failed");
                    for (_, answer, turn) in part {
                        let _ = answer.send(Err(unavailable(&error)));
                        drop(turn);
                    }
                }
            }
        }
    }

    async fn write(&mut self, group: &[Waiting]) -> Result<Vec<Verdict>, DbErr> {
        self.learn(group.iter().map(|(call, ..)| call.lease().session)).await?;
        let plan = group::plan(group.iter().map(|(call, ..)| call), &self.heads);
        if plan.writes {
            self.transact(WRITE, [plan.rows.to_string().into(), plan.sealed.into()]).await?;
            self.heads.extend(plan.heads);
        }
        Ok(plan.verdicts)
    }

    async fn write_alone(&mut self, call: &Alone) -> Result<u64, VaultError> {
        let done = match *call {
            Alone::Wipe(lease) => match self.admit(lease).await? {
                None => return Err(VaultError::Fenced),
                Some(_) => self.transact(WIPE, [id(lease.session)]).await,
            },
            Alone::Archive(lease, at) => match self.admit(lease).await? {
                None => return Ok(0),
                Some(_) => {
                    let values = [id(lease.session), lease.epoch.0.into(), at.0.into()];
                    self.transact(ARCHIVE, values).await
                }
            },
            Alone::Destroy(session) => self.transact(DESTROY, [id(session)]).await,
            Alone::DestroyTenant(tenant) => self.transact(DESTROY_TENANT, [tenant.uuid().into()]).await,
            Alone::Sweep { now, archived_before, limit } => {
                return self.sweep(now, archived_before, limit).await.map_err(|error| unavailable(&error));
            }
        };
        // Each of them changes headers; the next call reads them again.
        self.heads.clear();
        done.map(|()| 0).map_err(|error| unavailable(&error))
    }

    async fn sweep(&mut self, now: WallTime, archived_before: WallTime, limit: u32) -> Result<u64, DbErr> {
        let mut gone = 0;
        for (text, before) in [(SWEEP_RECORDS, now), (SWEEP_ARCHIVE, archived_before)] {
            let values = [before.0.into(), limit.into()];
            gone += self.db.execute_raw(statement(text, values)).await?.rows_affected();
            self.transactions.fetch_add(1, Ordering::Relaxed);
        }
        Ok(gone)
    }

    /// The header of a session, if it has one and the owner may act on it.
    async fn admit(&mut self, lease: Lease) -> Result<Option<&Head>, VaultError> {
        self.learn([lease.session]).await.map_err(|error| unavailable(&error))?;
        let standing = self.heads.get(&lease.session);
        standing.map_or(Ok(()), |standing| group::admit(lease, standing))?;
        Ok(standing)
    }

    /// Reads the headers that are not in memory yet.
    async fn learn(&mut self, sessions: impl IntoIterator<Item = SessionId>) -> Result<(), DbErr> {
        let unknown: Vec<_> =
            sessions.into_iter().filter(|session| !self.heads.contains_key(session)).map(hex_id).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for row in self.db.query_all_raw(statement(HEADS, [json!(unknown).to_string().into()])).await? {
            let writer: Option<String> = row.try_get("", "writer")?;
            let writer = writer.map(|text| serde_json::from_str(&text)).transpose();
            let head = Head {
                tenant: row.try_get::<Uuid>("", "tenant")?.into(),
                epoch: Epoch(row.try_get("", "epoch")?),
                writer: writer.map_err(|error| DbErr::Json(error.to_string()))?,
                clean: row.try_get("", "clean")?,
            };
            self.heads.insert(row.try_get::<Uuid>("", "session")?.into(), head);
        }
        Ok(())
    }

    async fn transact<const N: usize>(
        &mut self,
        text: &'static str,
        values: [Value; N],
    ) -> Result<(), DbErr> {
        match self.db.execute_raw(statement(text, values)).await {
            Ok(_) => {
                self.transactions.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                // The text stopped in the middle and the transaction may be open. There is none to roll back if it
                // was `BEGIN` or `COMMIT` itself that failed, which is no further trouble.
                let _ = self.db.execute_unprepared("ROLLBACK").await;
                self.heads.clear();
                Err(error)
            }
        }
    }
}

impl Shared {
    fn weight(&self) -> usize {
        match self {
            Self::Commit(_, _, batch) => batch.iter().map(Sealed::weight).sum(),
            Self::Open(_) | Self::Close(..) => 0,
        }
    }
}

impl Sealed {
    fn weight(&self) -> usize {
        match self {
            Self::Put { key, sealed, .. } => key.len() + sealed.len(),
            Self::Delete { key, .. } => key.len(),
        }
    }
}

/// Whether another group could fare better: SQLite's `ERROR`, `TOOBIG`, `CONSTRAINT` and `MISMATCH`. All else (a full
/// disk, a broken file) strikes every call alike.
fn is_about_a_row(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return false };
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xFF, 1 | 18 | 19 | 20))
}

/// A statement with its values. The text is constant, so SQLite compiles it once per connection.
pub fn statement<const N: usize>(text: &'static str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, text, values)
}

/// A session as a bound value.
pub fn id(session: SessionId) -> Value {
    session.uuid().into()
}

/// What the backend complains about; never a row's content.
pub fn unavailable(error: &DbErr) -> VaultError {
    VaultError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::ports::vault::Writer;
    use crate::storage::vault::{files, schema};

    fn lease() -> Lease {
        let at = WallTime(1_795_000_000_000);
        Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) }
    }

    fn put(kind: &'static str) -> Sealed {
        Sealed::Put { kind, key: vec![1], sealed: vec![2], expires_at: None }
    }

    #[tokio::test]
    async fn a_batch_the_file_refuses_fails_alone_and_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("vault.db");
        files::private_file(&file).expect("a file");
        let db = schema::writer(&file).await.expect("a schema");
        let writes = WriterHandle::spawn(db.clone());
        let leases: Vec<_> = (0..20).map(|_| lease()).collect();
        for &lease in &leases {
            writes.share(Shared::Open(lease), None).await.expect("opened");
        }
        let calls = leases.iter().enumerate().map(|(at, &lease)| {
            // The bound on kinds is checked before a batch comes here; the table checks it too.
            let batch = if at == 7 { vec![put("good"), put("")] } else { vec![put("good")] };
            let writer = Writer { engine: "sandbox".into(), version: "1".into(), format: 1 };
            writes.share(Shared::Commit(lease, writer, batch), None)
        });
        for (at, verdict) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(verdict.is_ok(), at != 7, "call {at}: {verdict:?}");
        }
        let rows = db.query_all_raw(statement("SELECT session FROM record", [])).await.expect("rows");
        let mut stored: Vec<Uuid> =
            rows.iter().map(|row| row.try_get("", "session").expect("an id")).collect();
        stored.sort();
        let mut expected: Vec<_> = leases.iter().map(|lease| lease.session.uuid()).collect();
        expected.remove(7);
        assert_eq!(stored, expected);
    }
}
