//! Hands the hub of a process that only serves the feed what another process commits: from a stream while there is one,
//! and from the log whatever the stream has missed. A tenant's position tells what that is.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::arbiters::Placement;
use super::death::RootGuard;
use crate::domain::event::StatusEvent;
use crate::domain::id::TenantId;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::ports::directory::Directory;
use crate::ports::feed::{FeedLog, FeedSink, FeedStream, Heard};
use crate::ports::readiness::Readiness;
use crate::ports::store::StoreError;

/// What `/readyz` calls the store.
const PART: &str = "store";
/// Between two rounds.
const TICK: Duration = Duration::from_secs(1);
/// Every so many rounds the log is looked into while the stream is heard; otherwise in each.
const LOOK_EVERY: u32 = 3;
/// Events read beyond those that are missed: what is committed between two reads.
const SLACK: u64 = 1_000;
/// Events read at once at most.
const TAIL: u64 = 50_000;
/// The longest stretch of one tenant that is read; of a longer one the last event tells the hub that there is a hole.
const LONGEST: u64 = 10_000;

/// Every port that following needs.
#[expect(missing_docs, reason = "each field is its trait")]
pub struct Ports {
    pub log: Arc<dyn FeedLog>,
    pub directory: Arc<dyn Directory>,
    pub readiness: Arc<dyn Readiness>,
    pub hub: Arc<dyn FeedSink>,
    /// None where the log is all there is.
    pub stream: Option<Box<dyn FeedStream>>,
}

/// Events of one tenant that were not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// Whose.
    pub tenant: TenantId,
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// The newest position of each tenant that was handed over.
#[derive(Debug, Default)]
pub struct Positions(HashMap<TenantId, u64>);

impl Positions {
    /// Everything up to these positions is known.
    pub fn at(heads: impl IntoIterator<Item = (TenantId, u64)>) -> Self {
        Self(heads.into_iter().collect())
    }

    /// Notes that an event is handed over; whether it is a new one.
    pub fn pass(&mut self, event: &StatusEvent) -> bool {
        let known = self.0.entry(event.tenant).or_default();
        let is_new = event.seq > *known;
        *known = event.seq.max(*known);
        is_new
    }

    /// What lies between the known positions and these.
    pub fn missed(&self, heads: &[(TenantId, u64)]) -> Vec<Missed> {
        let missed = heads.iter().filter_map(|&(tenant, last)| {
            let known = self.0.get(&tenant).copied().unwrap_or_default();
            (last > known).then_some(Missed { tenant, first: known + 1, last })
        });
        missed.collect()
    }
}

/// What the two halves share: one listens, one looks.
struct Follower {
    log: Arc<dyn FeedLog>,
    directory: Arc<dyn Directory>,
    readiness: Arc<dyn Readiness>,
    hub: Arc<dyn FeedSink>,
    positions: Mutex<Positions>,
    /// Whether the stream is heard.
    heard: AtomicBool,
    /// It was begun anew.
    anew: Notify,
}

/// Follows from `heads` on, which is what the hub knows already.
pub fn launch(ports: Ports, heads: Vec<(TenantId, u64)>, placement: &Placement, root: RootGuard) {
    let Ports { log, directory, readiness, hub, stream } = ports;
    let positions = Mutex::new(Positions::at(heads));
    let (heard, anew) = (AtomicBool::new(false), Notify::new());
    let follower = Follower { log, directory, readiness, hub, positions, heard, anew };
    let work = async move {
        // Dropped when either half ends, which neither does of its own accord.
        let _root = root;
        match stream {
            Some(stream) => {
                select(pin!(follower.listen(stream)), pin!(follower.look())).await;
            }
            None => follower.look().await,
        }
    };
    placement.of("hub").spawn(work);
}

impl Follower {
    async fn listen(&self, mut stream: Box<dyn FeedStream>) {
        loop {
            match stream.next().await {
                Heard::Events(events) => self.hand_over(events),
                Heard::Anew => {
                    self.heard.store(true, Ordering::Relaxed);
                    self.anew.notify_one();
                }
                Heard::Away => self.heard.store(false, Ordering::Relaxed),
            }
        }
    }

    async fn look(&self) {
        let (mut round, mut behind) = (0_u32, false);
        loop {
            match select(pin!(sleep(TICK)), pin!(self.anew.notified())).await {
                Either::Left(_) => round = round.wrapping_add(1),
                Either::Right(_) => round = 0,
            }
            let done = self.round(round).await;
            self.readiness.note(PART, done.is_ok());
            match &done {
                Ok(()) if behind => tracing::info!("the store answers again"),
                Err(error) if !behind => {
                    tracing::warn!(%error, "the store is away; listeners stay, and hear what they missed once it is back");
                }
                _ => {}
            }
            behind = done.is_err();
        }
    }

    async fn round(&self, round: u32) -> Result<(), StoreError> {
        self.directory.refresh().await?;
        if round.is_multiple_of(LOOK_EVERY) || !self.heard.load(Ordering::Relaxed) {
            self.catch_up().await?;
        }
        Ok(())
    }

    /// Reads what was missed: in one go where it is the newest there is, then tenant by tenant.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let heads = self.log.heads(SystemScope).await?;
        let count: u64 = self.missed(&heads).iter().map(|missed| missed.last - missed.first + 1).sum();
        if count == 0 {
            return Ok(());
        }
        let newest = (count + SLACK).min(TAIL);
        self.hand_over(self.log.tail(SystemScope, newest as u32).await?);
        for Missed { tenant, first, last } in self.missed(&heads) {
            let first = if last - first < LONGEST { first } else { last };
            let scope = TenantScope::authenticated(tenant);
            self.hand_over(self.log.range(scope, first, last).await?);
        }
        Ok(())
    }

    fn positions(&self) -> MutexGuard<'_, Positions> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missed(&self, heads: &[(TenantId, u64)]) -> Vec<Missed> {
        self.positions().missed(heads)
    }

    /// The hub puts them in order, and reads what lies between them.
    fn hand_over(&self, mut events: Vec<StatusEvent>) {
        let mut positions = self.positions();
        events.retain(|event| positions.pass(event));
        drop(positions);
        if !events.is_empty() {
            self.hub.publish(events);
        }
    }
}
