//! Moving all rows of a store into another database, of either dialect.
//!
//! The source is read in one transaction that sees one state of the whole, table by table in the order of their keys, in
//! batches of a bounded size. The target notes with each batch how far it has come (`mark`), so that an interrupted copy
//! goes on where it stopped; until it is finished and found equal, no server opens the target.

pub(in crate::storage::sql) mod mark;
mod rows;
pub mod tables;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait as _};
use serde_json::Value as Json;
use thiserror::Error;

use self::mark::{Mark, Part};
pub use self::rows::Sum;
use self::tables::{TABLES, Table};
use super::dialect::{self, Fault};
use super::{Place, audit, backup, steps};
use crate::domain::audit::{Head, Misfit};
use crate::ports::store::StoreError;

/// Rows in one batch.
const BATCH: i64 = 500;

/// Why rows were not moved. Every text says which database it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CopyError {
    /// A database does not answer, or broke while it was at work. Begun again, a copy goes on.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody works on a database.
    #[error("{0}")]
    InUse(String),
    /// The source is no store of this version, or the target is not empty. Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// The target cannot hold a row of the source.
    #[error("{0}")]
    Row(String),
    /// What was written is not what was read.
    #[error("{0}")]
    Differs(String),
}

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which table is at work.
    pub table: &'static str,
    /// Rows that lie in the target, of all tables.
    pub rows: u64,
    /// Rows there are.
    pub of: u64,
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Each table with what it holds on both sides.
    pub tables: Vec<(&'static str, Sum)>,
    /// Rows that an earlier, interrupted run had moved.
    pub earlier: u64,
    /// The end of the audit log, walked through in the target.
    pub audit: Head,
}

impl Copied {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|(_, sum)| sum.rows).sum()
    }
}

/// Who may be at work on the source meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nobody: what is moved is all there will ever be in it.
    Nobody,
    /// A server: what it writes from now on is not moved.
    Server,
}

/// Moves every row of the store at `from` into the database at `to`, whose schema is made first. `to` has to be empty, or to
/// hold what an interrupted copy of the same state of `from` has brought. In `from` one thing is written, in the end, if nobody
/// is at work there and it is no backup: where its rows went, so that no server opens it any more.
pub async fn copy(
    from: &Place,
    to: &Place,
    beside: Beside,
    mut progress: impl FnMut(Progress),
) -> Result<Copied, CopyError> {
    check_source(from).await?;
    let source = open_source(from, beside).await?;
    steps::take(to, |_| {}).await.map_err(|error| away(to, &error))?;
    let target = open_alone(to).await?;
    let copier = Copier { from, to, beside, source: &source, target: &target };
    let moved = copier.run(&mut progress).await;
    for (place, db) in [(from, source), (to, target)] {
        if let Err(error) = db.close().await {
            tracing::warn!(%error, %place, "a database did not close cleanly");
        }
    }
    moved
}

/// Lets servers open a store that was moved elsewhere, as if it had not been; whether it had been. Right only where nothing was
/// served from its new place.
pub async fn take_back(place: &Place) -> Result<bool, CopyError> {
    check_source(place).await?;
    let db = open_alone(place).await?;
    let taken = mark::take_back(&db).await;
    if let Err(error) = db.close().await {
        tracing::warn!(%error, %place, "a database did not close cleanly");
    }
    taken.map_err(|fault| away(place, &fault.into()))
}

/// The source has to have taken every step of the schema, and no other.
pub(super) async fn check_source(from: &Place) -> Result<(), CopyError> {
    if let Place::File(path) = from
        && !path.is_file()
    {
        return Err(CopyError::Refused(format!("there is no database {from}")));
    }
    let standing = steps::look(from).await.map_err(|error| away(from, &error))?;
    match standing.steps.iter().find(|step| !(step.taken && step.known)) {
        None => Ok(()),
        Some(step) if step.known => Err(CopyError::Refused(format!(
            "{from} has not taken the step {} of the schema; let columba migrate take it first",
            step.name
        ))),
        Some(step) => Err(CopyError::Refused(format!(
            "{from} has taken {}, which this program does not know",
            step.name
        ))),
    }
}

async fn open_source(from: &Place, beside: Beside) -> Result<DatabaseConnection, CopyError> {
    match beside {
        Beside::Nobody => open_alone(from).await,
        Beside::Server => dialect::open_witness(from).await.map_err(|error| away(from, &error)),
    }
}

async fn open_alone(place: &Place) -> Result<DatabaseConnection, CopyError> {
    match dialect::open_alone(place).await {
        Ok(db) => Ok(db),
        Err(error) if dialect::is_taken(&error) => Err(CopyError::InUse(format!(
            "{place} is in use by another process; stop the server that works on it first"
        ))),
        Err(error) => Err(away(place, &error)),
    }
}

fn away(place: &Place, error: &StoreError) -> CopyError {
    CopyError::Unavailable(format!("{place}: {error}"))
}

struct Copier<'a> {
    from: &'a Place,
    to: &'a Place,
    beside: Beside,
    source: &'a DatabaseConnection,
    target: &'a DatabaseConnection,
}

impl Copier<'_> {
    async fn run(&self, progress: &mut impl FnMut(Progress)) -> Result<Copied, CopyError> {
        let source = dialect::one_state(self.source).await.map_err(|fault| self.reading(fault))?;
        let mut mark = self.prepare(&source).await?;
        let of = count(&source).await.map_err(|fault| self.reading(fault))?;
        let earlier = mark.tables.values().map(|part| part.sum().map_or(0, |sum| sum.rows)).sum();
        let mut told = Told { rows: earlier, of, progress };
        for table in TABLES {
            self.table(&source, table, &mut mark, &mut told).await?;
        }
        let last = last_place(&source).await.map_err(|fault| self.reading(fault))?;
        let writing = |fault| self.writing("message", fault);
        dialect::go_on_behind(self.target, TABLES, last).await.map_err(writing)?;
        source.commit().await.map_err(|error| self.reading(error.into()))?;
        let tables = self.verify(&mark).await?;
        let audit = self.verify_audit().await?;
        let reading = |fault| self.reading(fault);
        if self.beside == Beside::Nobody && backup::Mark::read(self.source).await.map_err(reading)?.is_none()
        {
            mark::note_moved(self.source, self.to).await.map_err(reading)?;
        }
        Mark::remove(self.target).await.map_err(writing)?;
        Ok(Copied { tables, earlier, audit })
    }

    /// What an interrupted copy has brought, or a new mark in an empty target.
    async fn prepare(&self, source: &DatabaseTransaction) -> Result<Mark, CopyError> {
        if Mark::read(source).await.map_err(|fault| self.reading(fault))?.is_some() {
            let from = self.from;
            return Err(CopyError::Refused(format!(
                "{from} is itself an unfinished copy; finish that one first"
            )));
        }
        let looks = state(source).await.map_err(|fault| self.reading(fault))?;
        let found = Mark::read(self.target).await.map_err(|fault| self.writing("store_meta", fault))?;
        match found {
            Some(mark) if mark.source == looks => Ok(mark),
            Some(_) => Err(CopyError::Refused(format!(
                "{} holds an unfinished copy of another state or of another database; begin anew in an empty one",
                self.to
            ))),
            None => {
                for table in TABLES.iter().filter(|table| !table.seeded) {
                    let first = dialect::page(self.target, table, vec![], 1);
                    let first = self.target.query_one_raw(first).await;
                    if first.map_err(|error| self.writing(table.name, error.into()))?.is_some() {
                        return Err(CopyError::Refused(format!(
                            "{} is not empty: there are rows in the table {}; give an empty database",
                            self.to, table.name
                        )));
                    }
                }
                let mark = Mark { source: looks, tables: Default::default() };
                mark.write(self.target).await.map_err(|fault| self.writing("store_meta", fault))?;
                Ok(mark)
            }
        }
    }

    async fn table(
        &self,
        source: &DatabaseTransaction,
        table: &'static Table,
        mark: &mut Mark,
        told: &mut Told<'_, impl FnMut(Progress)>,
    ) -> Result<(), CopyError> {
        let mut part = mark.tables.get(table.name).cloned().unwrap_or_default();
        let mut sum = part.sum().map_err(|fault| self.reading(fault))?;
        while !part.done {
            let after = rows::key(table, &part.after).map_err(|fault| self.reading(fault))?;
            let read = read_page(source, table, after).await.map_err(|fault| self.reading(fault))?;
            let done = (read.len() as i64) < BATCH;
            let last = read.last().map(|row| row[..table.key].to_vec());
            let after = last.unwrap_or_else(|| part.after.clone());
            let read: Vec<_> = read.into_iter().filter(|row| is_kept(table, row)).collect();
            let before = sum.rows;
            read.iter().try_for_each(|row| sum.add(row)).map_err(|fault| self.reading(fault))?;
            part = Part::new(sum, after, done);
            mark.tables.insert(table.name.to_owned(), part.clone());
            self.write(table, read, mark).await.map_err(|fault| self.writing(table.name, fault))?;
            told.tell(table, sum.rows - before);
        }
        Ok(())
    }

    /// Rows, and how far that is, in one transaction.
    async fn write(&self, table: &Table, rows: Vec<Vec<Json>>, mark: &Mark) -> Result<(), Fault> {
        let batch = self.target.begin().await?;
        if !rows.is_empty() {
            let rows = serde_json::to_string(&rows).map_err(|_| Fault::unreadable("row"))?;
            batch.execute_raw(dialect::put(&batch, table, rows)).await?;
        }
        mark.write(&batch).await?;
        Ok(batch.commit().await?)
    }

    /// Reads the target back, in the way in which the source was read.
    async fn verify(&self, mark: &Mark) -> Result<Vec<(&'static str, Sum)>, CopyError> {
        let mut all = vec![];
        for table in TABLES {
            let writing = |fault| self.writing(table.name, fault);
            let found = sum_of(self.target, table).await.map_err(writing)?;
            let wanted = mark.tables.get(table.name).cloned().unwrap_or_default().sum().map_err(writing)?;
            if found != wanted {
                return Err(CopyError::Differs(format!(
                    "the table {} of {} has {} rows with the checksum {}, and {} has {} with {}; \
                     begin anew in an empty database",
                    table.name,
                    self.to,
                    found.rows,
                    found.digits(),
                    self.from,
                    wanted.rows,
                    wanted.digits()
                )));
            }
            all.push((table.name, found));
        }
        Ok(all)
    }

    async fn verify_audit(&self) -> Result<Head, CopyError> {
        let walked = audit::walk(self.target, vec![]).await;
        walked.map_err(|fault| self.writing("audit", fault))?.map_err(|Misfit { seq, why }| {
            CopyError::Differs(format!("the audit log of {} does not fit at entry {seq}: {why}", self.to))
        })
    }

    fn reading(&self, fault: Fault) -> CopyError {
        let (Fault::Down(text) | Fault::Row(text)) = fault;
        CopyError::Unavailable(format!("{} cannot be read: {text}", self.from))
    }

    fn writing(&self, table: &str, fault: Fault) -> CopyError {
        let to = self.to;
        match fault {
            Fault::Down(text) => CopyError::Unavailable(format!("{to}: {text}")),
            Fault::Row(text) => {
                CopyError::Row(format!("{to} cannot hold a row of the table {table}: {text}"))
            }
        }
    }
}

/// Who hears how far it is.
struct Told<'a, F> {
    rows: u64,
    of: u64,
    progress: &'a mut F,
}

impl<F: FnMut(Progress)> Told<'_, F> {
    fn tell(&mut self, table: &'static Table, more: u64) {
        self.rows += more;
        (self.progress)(Progress { table: table.name, rows: self.rows, of: self.of });
    }
}

/// Marks are not moved.
fn is_kept(table: &Table, row: &[Json]) -> bool {
    !(table.seeded && row.first().is_some_and(mark::is_mark))
}

async fn read_page(
    db: &impl ConnectionTrait,
    table: &Table,
    after: Vec<sea_orm::Value>,
) -> Result<Vec<Vec<Json>>, Fault> {
    let rows = db.query_all_raw(dialect::page(db, table, after, BATCH)).await?;
    rows.iter().map(|row| rows::read(row, table)).collect()
}

/// All rows of a table.
async fn sum_of(db: &impl ConnectionTrait, table: &Table) -> Result<Sum, Fault> {
    let (mut sum, mut after) = (Sum::default(), vec![]);
    loop {
        let read = read_page(db, table, after).await?;
        read.iter().filter(|row| is_kept(table, row)).try_for_each(|row| sum.add(row))?;
        match read.last() {
            Some(last) if read.len() as i64 == BATCH => after = rows::key(table, &last[..table.key])?,
            _ => return Ok(sum),
        }
    }
}

/// What a source looks like: whatever a server does changes one of these tables.
async fn state(db: &impl ConnectionTrait) -> Result<String, Fault> {
    let mut text = String::new();
    for table in TABLES.iter().filter(|table| ["store_meta", "session", "feed_head"].contains(&table.name)) {
        text += &sum_of(db, table).await?.digits();
    }
    Ok(text)
}

/// Rows of one table.
pub(super) async fn count_of(db: &impl ConnectionTrait, table: &Table) -> Result<u64, Fault> {
    let text = format!("SELECT count(*) FROM {}", table.name);
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), text)).await?;
    let count: i64 = row.ok_or_else(|| Fault::unreadable("count"))?.try_get_by_index(0)?;
    Ok(count.unsigned_abs())
}

/// Rows of all tables.
async fn count(db: &impl ConnectionTrait) -> Result<u64, Fault> {
    let mut all = 0;
    for table in TABLES {
        all += count_of(db, table).await?;
    }
    Ok(all)
}

/// The place of the message accepted last.
pub(super) async fn last_place(db: &impl ConnectionTrait) -> Result<i64, Fault> {
    let rows = dialect::query(db, dialect::LAST_ORD, []).await?;
    Ok(rows.first().map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0))
}
