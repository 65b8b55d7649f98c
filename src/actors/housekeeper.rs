//! Work by the clock that belongs to no session: expiry, forgotten wakes, retention, files that are kept no longer, other
//! processes' news, last uses of keys, tenants' books.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::prelude::*;

use super::arbiters::Placement;
use super::standing;
use crate::domain::id::TenantId;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::media;
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::key_use::KeyUse;
use crate::ports::ledger::{ByTheClock, Ledger};
use crate::ports::sessions::Sessions;
use crate::ports::signals::Signals;
use crate::ports::store::StoreError;
use crate::ports::supervisor::Supervisor;
use crate::ports::sweep::Sweep;
use crate::ports::vault::Vaults;

/// Rows dealt with in one call, so that a sweep never holds the writer for long.
const BATCH: u32 = 500;
/// Expiry and news.
const TICK: Duration = Duration::from_secs(1);
/// Every so many ticks: wakes that were lost.
const RING_EVERY: u64 = 5;
/// Every so many ticks: rows that nobody will come back to, and retention.
const TIDY_EVERY: u64 = 30;
/// Every so many ticks: when keys were last used.
const NOTE_EVERY: u64 = 60;

/// Every so many ticks: messages that plans keep no longer.
const ERASE_EVERY: u64 = 600;

/// Every port the sweeps need.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its trait or rule")]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub sweep: Arc<dyn Sweep>,
    pub directory: Arc<dyn Directory>,
    pub key_use: Arc<dyn KeyUse>,
    pub signals: Arc<dyn Signals>,
    pub vaults: Arc<dyn Vaults>,
    pub media: media::Ports,
    pub ledger: Arc<dyn Ledger>,
    pub by_the_clock: ByTheClock,
    pub sessions: Arc<dyn Sessions>,
    pub supervisor: Arc<dyn Supervisor>,
}

/// Does the rounds. All its work is in rows: a round that fails is made up by the next.
pub struct Housekeeper {
    ports: Ports,
    round: u64,
    /// Whether the last round could not do all it had to.
    behind: bool,
    /// Tenants that may send nothing, as their sessions were told last. At first as the boot finds them.
    stopped: Arc<HashSet<TenantId>>,
}

impl Housekeeper {
    /// Starts on its own thread.
    pub fn launch(ports: Ports, placement: &Placement) {
        let stopped = Arc::new(standing::stopped(&ports.directory.snapshot()));
        let keeper = move |_: &mut _| Self { ports, round: 0, behind: false, stopped };
        Self::start_in_arbiter(placement.of("housekeeper"), keeper);
    }

    /// One-shot and re-armed after the round: a slow store makes rounds rarer, never simultaneous.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(TICK, |keeper, ctx| {
            keeper.round += 1;
            let work = round(keeper.ports.clone(), keeper.round, Arc::clone(&keeper.stopped));
            // In a task of its own: a panic in there ends the round, not the keeper.
            let task = actix::spawn(work);
            ctx.spawn(task.into_actor(keeper).map(|done, keeper, ctx| {
                match done {
                    Ok((stopped, done)) => {
                        keeper.stopped = stopped;
                        keeper.note(&done);
                    }
                    Err(panic) => tracing::error!(%panic, "a round of the housekeeper panicked"),
                }
                keeper.arm(ctx);
            }));
        });
    }

    /// Says that rounds fail, and that they do not any more: once an outage, which has many rounds.
    fn note(&mut self, done: &Result<(), Failed>) {
        match done {
            Ok(()) if self.behind => tracing::info!("the housekeeper makes up for rounds that failed"),
            Err(Failed { what, error }) if !self.behind => {
                tracing::warn!(what, error, "the housekeeper cannot do its round; later ones make up for it");
            }
            _ => {}
        }
        self.behind = done.is_err();
    }
}

impl Actor for Housekeeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.arm(ctx);
    }
}

/// What could not be done, and why.
#[derive(Debug)]
struct Failed {
    what: &'static str,
    error: String,
}

impl Failed {
    fn of(what: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |error| Self { what, error: error.to_string() }
    }
}

/// Tries all of a round: which tenants are stopped as their sessions know it, and the first part that failed.
async fn round(
    ports: Ports,
    round: u64,
    mut stopped: Arc<HashSet<TenantId>>,
) -> (Arc<HashSet<TenantId>>, Result<(), Failed>) {
    let wall = ports.clock.wall();
    let sweep = &ports.sweep;
    let mut parts = vec![
        ports.directory.refresh().await.map_err(Failed::of("refresh")),
        until_done("expire", || sweep.expire(SystemScope, wall, BATCH)).await,
        standing::keep_books(&*ports.ledger, &ports.by_the_clock, wall)
            .await
            .map(drop)
            .map_err(Failed::of("books")),
    ];
    let now = standing::stopped(&ports.directory.snapshot());
    if now != *stopped {
        match standing::tell(&ports, &stopped, &now).await {
            Ok(()) => stopped = Arc::new(now),
            Err(error) => parts.push(Err(Failed::of("standing")(error))),
        }
    }
    if round.is_multiple_of(RING_EVERY) {
        let due = sweep.due(SystemScope, wall).await.map_err(Failed::of("due"));
        parts.push(due.map(|sessions| sessions.into_iter().for_each(|session| ports.signals.wake(session))));
    }
    if round.is_multiple_of(NOTE_EVERY) {
        let noted = note_key_use(&*ports.key_use, &*ports.directory).await;
        parts.push(noted.map_err(Failed::of("note key use")));
    }
    if round.is_multiple_of(TIDY_EVERY) {
        parts.push(until_done("abandon", || sweep.abandon(SystemScope, wall, BATCH)).await);
        parts.push(until_done("release", || sweep.release(SystemScope, wall, BATCH)).await);
        parts.push(until_done("forget", || sweep.forget(SystemScope, wall, BATCH)).await);
        if let Err(error) = ports.vaults.sweep(SystemScope, wall).await {
            parts.push(Err(Failed { what: "vault", error: error.to_string() }));
        }
    }
    if round.is_multiple_of(ERASE_EVERY) {
        parts.push(erase(&ports, wall).await);
        let records = &ports.media.records;
        parts.push(until_done("expire media", || records.expire(SystemScope, wall, BATCH)).await);
    }
    if round.is_multiple_of(TIDY_EVERY) {
        parts.push(until_done("remove media", || ports.media.remove_gone(BATCH)).await);
    }
    (stopped, parts.into_iter().collect())
}

/// Erases in small pieces, so that others write in between.
async fn erase(ports: &Ports, wall: WallTime) -> Result<(), Failed> {
    let erase = async || {
        let erased = ports.sweep.erase(SystemScope, wall, BATCH).await?;
        meters::erased(erased);
        Ok(erased)
    };
    until_done("erase", erase).await
}

/// Writes when keys were last used. What cannot be written now is written the next time.
pub async fn note_key_use(key_use: &dyn KeyUse, directory: &dyn Directory) -> Result<(), StoreError> {
    let marks = key_use.unwritten();
    directory.note_use(SystemScope, marks.clone()).await?;
    key_use.written(&marks);
    Ok(())
}

/// Repeats a bounded sweep while it finds full batches.
async fn until_done<F>(what: &'static str, mut sweep: impl FnMut() -> F) -> Result<(), Failed>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    while sweep().await.map_err(Failed::of(what))? >= u64::from(BATCH) {}
    Ok(())
}
