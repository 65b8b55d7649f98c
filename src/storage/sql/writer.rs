//! The one task that writes. It takes whatever queued while its last commit ran and writes that in one transaction,
//! so that a commit is shared by everybody who waits for one. No timer delays anything.
//!
//! A batch that the database refuses is rolled back and halved until the row to blame stands alone: that row fails,
//! its neighbours are written. When the database itself is away, everybody is told to ask again, and the connection
//! is replaced, so that no state an error of the disk left it in outlives that error.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use tokio::sync::{mpsc, oneshot};

use super::Place;
use super::book::Book;
use super::days::Calendar;
use super::desk::Desk;
use super::dialect::{self, Batch, Fault};
use super::flush::{News, flush};
use super::kept::Kept;
use super::line::Line;
use super::load::{Needs, load};
use crate::failpoint::{self, Point};
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::feed::FeedSink;
use crate::ports::store::StoreError;

/// Most jobs in one transaction.
const BATCH_MAX: usize = 256;

/// Most jobs that wait; beyond it callers wait before they may queue.
const QUEUE_MAX: usize = 2048;

/// A write that shares its statements with others: it names the rows it needs and decides on them.
pub(super) trait Command: Send + 'static {
    type Answer: Send + 'static;
    type Error: From<StoreError> + Send + 'static;

    fn needs(&self, needs: &mut Needs);

    /// Decides and changes the book. `Err` is an answer as well and leaves the book as it was.
    /// Called again when its batch has to be halved.
    fn decide(&self, book: &mut Book) -> Result<Self::Answer, Self::Error>;
}

/// A rare write, with statements of its own. `Err` inside is an answer, given before anything is written; a [`Fault`]
/// rolls the transaction back.
#[async_trait]
pub(super) trait Errand: Send + Sync + 'static {
    type Answer: Send + 'static;
    type Error: From<StoreError> + Send + 'static;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Self::Answer, Self::Error>, Fault>;
}

/// What the port implementations hold.
#[derive(Clone)]
pub(super) struct WriterHandle {
    queue: mpsc::Sender<Job>,
}

impl WriterHandle {
    /// One with no writer behind it: whatever it is asked it answers `Unavailable`.
    pub(super) fn closed() -> Self {
        Self { queue: mpsc::channel(1).0 }
    }

    /// Queues a command and waits until it is on disk.
    pub(super) async fn command<C: Command>(&self, command: C) -> Result<C::Answer, C::Error> {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Hot(Box::new(Filed { work: command, reply, outcome: None })), answer).await
    }

    /// Queues an errand and waits until it is on disk.
    pub(super) async fn errand<E: Errand>(&self, errand: E) -> Result<E::Answer, E::Error> {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Cold(Box::new(Filed { work: errand, reply, outcome: None })), answer).await
    }

    async fn queue<T, E: From<StoreError>>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E> {
        let closed = || E::from(StoreError::Unavailable("the store is closed".into()));
        self.queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Writes what has queued, then ends the writer. Later calls answer `Unavailable`.
    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.queue.send(Job::Close(done)).await.is_ok() {
            // An error means that another close was faster; then it is closed all the same.
            let _ = ended.await;
        }
    }
}

/// A job with its waiter and the outcome of its last try.
struct Filed<W, T, E> {
    work: W,
    reply: oneshot::Sender<Result<T, E>>,
    outcome: Option<Result<T, E>>,
}

impl<W, T, E: From<StoreError>> Filed<W, T, E> {
    /// Whoever waited may have left; the write stands.
    fn send(self, failure: Option<StoreError>) {
        let outcome = match failure {
            Some(error) => Err(error.into()),
            None => self.outcome.unwrap_or_else(|| Err(StoreError::Unavailable("never tried".into()).into())),
        };
        let _ = self.reply.send(outcome);
    }
}

trait Hot: Send {
    fn needs(&self, needs: &mut Needs);
    fn decide(&mut self, book: &mut Book);
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

impl<C: Command> Hot for Filed<C, C::Answer, C::Error> {
    fn needs(&self, needs: &mut Needs) {
        self.work.needs(needs);
    }

    fn decide(&mut self, book: &mut Book) {
        self.outcome = Some(self.work.decide(book));
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        self.send(failure);
    }
}

#[async_trait]
trait Cold: Send {
    async fn run(&mut self, desk: &mut Desk<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

#[async_trait]
impl<E: Errand> Cold for Filed<E, E::Answer, E::Error> {
    async fn run(&mut self, desk: &mut Desk<'_>) -> Result<(), Fault> {
        self.outcome = Some(self.work.run(desk).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        self.send(failure);
    }
}

enum Job {
    Hot(Box<dyn Hot>),
    Cold(Box<dyn Cold>),
    Close(oneshot::Sender<()>),
}

impl Job {
    fn is_hot(&self) -> bool {
        matches!(self, Self::Hot(_))
    }

    fn answer(self, failure: Option<StoreError>) {
        match self {
            Self::Hot(job) => job.answer(failure),
            Self::Cold(job) => job.answer(failure),
            Self::Close(_) => {}
        }
    }
}

/// The writer's own side.
pub(super) struct Writer {
    place: Place,
    /// Until it is held.
    db: Option<DatabaseConnection>,
    /// `None` at first, and after an error that may have left it unusable.
    line: Option<Line>,
    /// What need not be read again.
    kept: Kept,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn FeedSink>,
    queue: mpsc::Receiver<Job>,
    /// Whether the last batch found the database away.
    away: bool,
}

impl Writer {
    pub(super) fn new(
        place: Place,
        db: DatabaseConnection,
        clock: Arc<dyn Clock>,
        calendar: Calendar,
        sink: Arc<dyn FeedSink>,
    ) -> (Self, WriterHandle) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let kept = Kept::new(calendar);
        let writer = Self { place, db: Some(db), line: None, kept, clock, sink, queue, away: false };
        (writer, WriterHandle { queue: sender })
    }

    /// Until it is closed or every handle is gone.
    pub(super) async fn run(mut self) {
        let mut closers = vec![];
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let mut jobs = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Close(done) => {
                        // What has queued by now is still written; nothing new gets in.
                        self.queue.close();
                        closers.push(done);
                    }
                    job => jobs.push(job),
                }
            }
            self.write(jobs).await;
        }
        self.close().await;
        for done in closers {
            let _ = done.send(());
        }
    }

    async fn close(&mut self) {
        let Ok(line) = self.line().await else { return };
        if let Err(fault) = line.take_leave().await {
            tracing::warn!(?fault, "the log could not be copied back; the next start does it");
        }
        if let Err(error) = line.close().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// Writes jobs in order of arrival: all of a kind at once, or halved for as long as a row among them is refused.
    async fn write(&mut self, jobs: Vec<Job>) {
        let mut piles = alike(jobs);
        piles.reverse();
        while let Some(mut jobs) = piles.pop() {
            let begun = self.clock.now();
            match self.attempt(&mut jobs).await {
                Ok(News { events, posted }) => {
                    if std::mem::take(&mut self.away) {
                        tracing::info!("the store takes writes again");
                    }
                    meters::committed(jobs.len(), self.clock.now().since(begun));
                    if !events.is_empty() {
                        self.sink.publish(events);
                    }
                    if !posted.is_empty() {
                        self.sink.posted(&posted.into_iter().collect::<Vec<_>>());
                    }
                    answer(jobs, None);
                }
                Err(Fault::Down(text)) => {
                    meters::store_failed(true);
                    // Once an outage, however many ask meanwhile.
                    if !std::mem::replace(&mut self.away, true) {
                        tracing::error!(%text, "the store is away; nothing is accepted and nothing sent until it is back");
                    }
                    answer(jobs, Some(&StoreError::Unavailable(text)));
                }
                Err(Fault::Row(text)) if jobs.len() == 1 => {
                    meters::store_failed(false);
                    tracing::error!(%text, "row refused");
                    answer(jobs, Some(&StoreError::Poisoned(text)));
                }
                Err(Fault::Row(_)) => {
                    let second = jobs.split_off(jobs.len() / 2);
                    piles.push(second);
                    piles.push(jobs);
                }
            }
        }
    }

    /// The connection, a new one if need be.
    async fn line(&mut self) -> Result<Line, Fault> {
        if let Some(line) = self.line.take() {
            return Ok(line);
        }
        let db = match self.db.take() {
            Some(db) => db,
            None => {
                dialect::open_writer(&self.place).await.map_err(|error| Fault::Down(error.to_string()))?
            }
        };
        Line::hold(db).await
    }

    /// One transaction, unless the database does not answer: then it may stand or not, and the connection goes.
    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<News, Fault> {
        let is_hot = jobs.iter().all(Job::is_hot);
        let Some(patience) = dialect::patience(&self.place, is_hot) else { return self.transact(jobs).await };
        match tokio::time::timeout(patience, self.transact(jobs)).await {
            Ok(result) => result,
            Err(_) => {
                self.kept.forget();
                Err(Fault::Down(format!("the database did not answer within {patience:?}")))
            }
        }
    }

    /// One transaction. An error has rolled it back, and nothing that was kept is believed after one.
    async fn transact(&mut self, jobs: &mut [Job]) -> Result<News, Fault> {
        let line = self.line().await?;
        let is_hot = jobs.iter().all(Job::is_hot);
        let (result, usable) =
            if is_hot { self.batch(&line, jobs).await } else { self.errands(&line, jobs).await };
        if !is_hot || result.is_err() {
            self.kept.forget();
        }
        if usable {
            self.line = Some(line);
        } else if let Err(error) = line.close().await {
            tracing::warn!(%error, "a broken connection did not close cleanly");
        }
        result
    }

    /// Commands share one book. What became of it, and whether the connection may be used again.
    async fn batch(&mut self, line: &Line, jobs: &mut [Job]) -> (Result<News, Fault>, bool) {
        let mut needs = Needs::default();
        for job in jobs.iter() {
            if let Job::Hot(job) = job {
                job.needs(&mut needs);
            }
        }
        // Read before the transaction begins: nobody else writes.
        let mut book = match load(&line.conn, needs, &mut self.kept).await {
            Ok(book) => book,
            Err(fault) => {
                let usable = matches!(fault, Fault::Row(_));
                return (Err(fault), usable);
            }
        };
        for job in jobs.iter_mut() {
            if let Job::Hot(job) = job {
                job.decide(&mut book);
            }
        }
        if let Err(tripped) = failpoint::hit(Point::CommitBefore).await {
            return (Err(tripped.into()), false);
        }
        let at = self.clock.wall();
        match flush(&line.conn, book, &mut self.kept, at, Batch::Alone).await {
            Ok(news) => committed(news).await,
            Err(fault) => undone(line, fault).await,
        }
    }

    /// Errands write by statements of their own, one after the other.
    async fn errands(&mut self, line: &Line, jobs: &mut [Job]) -> (Result<News, Fault>, bool) {
        if let Err(fault) = line.begin().await {
            return (Err(fault), false);
        }
        let mut desk = Desk::new(&line.conn, self.kept.calendar(), self.clock.wall());
        for job in jobs.iter_mut() {
            if let Job::Cold(job) = job
                && let Err(fault) = job.run(&mut desk).await
            {
                return undone(line, fault).await;
            }
        }
        let news = desk.news();
        if let Err(tripped) = failpoint::hit(Point::CommitBefore).await {
            return undone(line, tripped.into()).await;
        }
        match line.commit().await {
            Ok(()) => committed(news).await,
            Err(fault) => (Err(fault), false),
        }
    }
}

/// It is on disk; its callers hear of it next.
async fn committed<T>(news: T) -> (Result<T, Fault>, bool) {
    match failpoint::hit(Point::CommitAfter).await {
        Ok(()) => (Ok(news), true),
        Err(tripped) => (Err(tripped.into()), false),
    }
}

/// Rolls back. After an error of the disk, or when there is nothing to roll back, the connection is not trusted.
async fn undone<T>(line: &Line, fault: Fault) -> (Result<T, Fault>, bool) {
    let undone = line.rollback().await.is_ok();
    let usable = undone && matches!(fault, Fault::Row(_));
    (Err(fault), usable)
}

/// Splits jobs where commands and errands meet.
fn alike(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let mut piles: Vec<Vec<Job>> = vec![];
    for job in jobs {
        match piles.last_mut() {
            Some(pile) if pile.last().is_some_and(|last| last.is_hot() == job.is_hot()) => pile.push(job),
            _ => piles.push(vec![job]),
        }
    }
    piles
}

fn answer(jobs: Vec<Job>, failure: Option<&StoreError>) {
    for job in jobs {
        job.answer(failure.cloned());
    }
}
