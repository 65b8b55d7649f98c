//! Delivers webhooks: a courier an endpoint that has something to deliver, and one keeper above them.
//!
//! All work is in rows. A courier begins when its endpoint is rung, reads, sends, writes what became of it, and ends
//! when nothing is left to wait for; one that dies of a panic is begun anew, after a pause that grows, and so is the
//! keeper. Each endpoint has its own, and a tenant's endpoints share eight requests under way, so whoever answers slowly delays nobody else.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use self::bell::Bell;
use self::courier::Hints;
use super::arbiters::Placement;
use crate::domain::id::WebhookId;
use crate::domain::scope::SystemScope;
use crate::domain::time::{Jitter, Moment};
use crate::ports::clock::Clock;
use crate::ports::egress::Egress;
use crate::ports::sealer::Sealer;
use crate::ports::webhooks::Webhooks;
use crate::webhooks::payload::Records;

pub mod bell;
mod courier;
pub mod machine;

/// Rings that were lost are found out this late; also how often old rows are forgotten.
const ROUND: Duration = Duration::from_secs(60);
/// Events forgotten in one transaction.
const FORGOTTEN: u32 = 500;
/// After a first panic; each one after it waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Every port couriers need.
#[expect(missing_docs, reason = "each field is its trait")]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub webhooks: Arc<dyn Webhooks>,
    pub egress: Arc<dyn Egress>,
    pub sealer: Arc<dyn Sealer>,
    /// How records are shown.
    pub records: Records,
    /// A place for each request that may be under way, over all tenants.
    pub in_flight: Semaphore,
    /// A random number for spreads.
    pub draw: fn() -> Jitter,
}

/// What the rest of the program holds.
#[derive(Clone)]
pub struct CouriersHandle {
    stop: Arc<Notify>,
    ended: Arc<Semaphore>,
}

impl CouriersHandle {
    /// Begins nothing new, and waits until what is under way has ended and is written.
    pub async fn drain(&self) {
        self.stop.notify_one();
        // Closed when the keeper ends, which is what is waited for.
        let _ = self.ended.acquire().await;
    }
}

/// Starts the keeper on its own thread.
pub fn launch(ports: Ports, bell: Bell, placement: &Placement) -> CouriersHandle {
    let handle = CouriersHandle { stop: Arc::default(), ended: Arc::new(Semaphore::new(0)) };
    let (stop, ended) = (Arc::clone(&handle.stop), Arc::clone(&handle.ended));
    let ports = Arc::new(ports);
    placement.of("couriers").spawn(async move {
        loop {
            let (ports, bell) = (Arc::clone(&ports), bell.clone());
            let keeper = Keeper { ports, bell, couriers: HashMap::new(), tasks: JoinSet::new() };
            if AssertUnwindSafe(keeper.run(&stop)).catch_unwind().await.is_ok() {
                break;
            }
            // Its couriers went with it; the first round of the next one finds their work in the rows.
            tracing::error!("the keeper of couriers died; it begins anew");
            tokio::time::sleep(FIRST_PAUSE).await;
        }
        ended.close();
    });
    handle
}

/// One courier, and what happened to those before it.
struct Courier {
    hints: Arc<Hints>,
    begun: Moment,
    /// Panics in a row.
    deaths: u32,
}

struct Keeper {
    ports: Arc<Ports>,
    bell: Bell,
    couriers: HashMap<WebhookId, Courier>,
    tasks: JoinSet<(WebhookId, bool)>,
}

impl Keeper {
    async fn run(mut self, stop: &Notify) {
        let mut round = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            tokio::select! {
                rung = self.bell.next() => rung.into_iter().for_each(|id| self.ring(id)),
                Some(ended) = self.tasks.join_next() => if let Ok((id, died)) = ended {
                    self.ended(id, died);
                },
                () = &mut round => {
                    self.look_round().await;
                    round.set(tokio::time::sleep(ROUND));
                }
                () = stop.notified() => break,
            }
        }
        self.couriers.values().for_each(|courier| courier.hints.stop());
        while self.tasks.join_next().await.is_some() {}
    }

    fn ring(&mut self, id: WebhookId) {
        match self.couriers.get(&id) {
            Some(courier) => courier.hints.ring(),
            None => self.begin(id, 0),
        }
    }

    fn begin(&mut self, id: WebhookId, deaths: u32) {
        let hints = Arc::<Hints>::default();
        let pause = match deaths {
            0 => Duration::ZERO,
            some => FIRST_PAUSE.saturating_mul(1 << (some - 1).min(10)).min(LONGEST_PAUSE),
        };
        let begun = self.ports.clock.now() + pause;
        let work = {
            let (ports, hints) = (Arc::clone(&self.ports), Arc::clone(&hints));
            async move {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                courier::run(id, ports, hints).await;
            }
        };
        self.couriers.insert(id, Courier { hints, begun, deaths });
        self.tasks.spawn(async move { (id, AssertUnwindSafe(work).catch_unwind().await.is_err()) });
    }

    fn ended(&mut self, id: WebhookId, died: bool) {
        let Some(courier) = self.couriers.remove(&id) else { return };
        if died {
            let lived = self.ports.clock.now().since(courier.begun);
            let deaths = if lived > LONGEST_PAUSE { 1 } else { courier.deaths.saturating_add(1) };
            tracing::error!(webhook = %id, deaths, "a courier died; it begins anew");
            self.begin(id, deaths);
        } else if courier.hints.take_ring() {
            self.begin(id, 0);
        }
    }

    /// Finds what a lost ring left, and forgets what is old.
    async fn look_round(&mut self) {
        match self.ports.webhooks.waiting(SystemScope).await {
            Ok(waiting) => {
                let idle: Vec<_> = waiting.into_iter().filter(|id| !self.couriers.contains_key(id)).collect();
                idle.into_iter().for_each(|id| self.ring(id));
            }
            Err(error) => tracing::warn!(%error, "waiting webhooks cannot be read, the next round does it"),
        }
        loop {
            match self.ports.webhooks.forget(SystemScope, self.ports.clock.wall(), FORGOTTEN).await {
                Ok(count) if count >= u64::from(FORGOTTEN) => {}
                Ok(_) => return,
                Err(error) => {
                    return tracing::warn!(%error, "old webhook events are not forgotten, the next round does it");
                }
            }
        }
    }
}
