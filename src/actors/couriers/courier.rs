//! One endpoint's courier: the task around its machine. It alone calls ports for that endpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Ports;
use super::machine::{Effect, Input, Machine, ROOM};
use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::domain::webhook::{Attempt, Webhook, WebhookReason};
use crate::meters;
use crate::ports::egress::{EgressError, Post, Reply};
use crate::ports::webhooks::{Parcel, Settled, Work};
use crate::webhooks::confidential::{Confidential, place, seconds};
use crate::webhooks::payload::body;
use crate::webhooks::verdict::Answer;

/// Bytes of an answer's body that are logged.
const LOGGED_MAX: usize = 4 * 1024;
/// A write that failed is tried again after so long: an answer that was given must not be forgotten.
const WRITE_PAUSE: Duration = Duration::from_secs(1);
/// However far the next moment is, the wall clock is looked at this often: it may jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// What the keeper tells a courier.
#[derive(Default)]
pub(super) struct Hints {
    rung: AtomicBool,
    stop: AtomicBool,
    heard: Notify,
}

impl Hints {
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        self.heard.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.heard.notify_one();
    }

    /// Whether it was rung since it was asked last.
    pub(super) fn take_ring(&self) -> bool {
        self.rung.swap(false, Ordering::SeqCst)
    }

    async fn next(&self) -> Input {
        loop {
            if self.stop.swap(false, Ordering::SeqCst) {
                return Input::Stop;
            }
            if self.take_ring() {
                return Input::Rung;
            }
            self.heard.notified().await;
        }
    }
}

/// What was read with the work: the endpoint as it is, and what of it is sealed.
#[derive(Clone)]
struct Address {
    webhook: Arc<Webhook>,
    confidential: Arc<Confidential>,
}

/// A job's end.
enum Done {
    Fact(Input),
    Loaded(Box<Work>, Arc<Confidential>),
}

/// Delivers for one endpoint until there is nothing left to wait for.
pub(super) async fn run(id: WebhookId, ports: Arc<Ports>, hints: Arc<Hints>) {
    let mut machine = Machine::new(id);
    let mut jobs: JoinSet<Done> = JoinSet::new();
    let mut address: Option<Address> = None;
    let mut input = Input::Rung;
    loop {
        let now = ports.clock.wall();
        for effect in machine.on(now, (ports.draw)(), input) {
            match effect {
                Effect::Load(under_way) => {
                    jobs.spawn(load(Arc::clone(&ports), id, under_way, address.clone()));
                }
                Effect::Attempt(parcel) => {
                    // Work comes with its endpoint's address.
                    if let Some(address) = address.clone() {
                        jobs.spawn(attempt(Arc::clone(&ports), address, parcel));
                    }
                }
                Effect::Settle(settled) => drop(jobs.spawn(settle(Arc::clone(&ports), settled))),
                Effect::Bury(before) => drop(jobs.spawn(bury(Arc::clone(&ports), id, before))),
                Effect::Disable(reason) => disable(&ports, id, reason).await,
                Effect::End => return,
            }
        }
        let now = ports.clock.wall();
        let sleep = machine.wake_at(now).map(|at| at.since(now).min(LONGEST_SLEEP));
        let due = async {
            match sleep {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        input = tokio::select! {
            hint = hints.next() => hint,
            Some(done) = jobs.join_next() => match done {
                Ok(Done::Fact(fact)) => fact,
                Ok(Done::Loaded(work, confidential)) => {
                    address = Some(Address { webhook: Arc::new(work.webhook.clone()), confidential });
                    Input::Loaded(work)
                }
                // Its row is as it was: whoever begins anew finds it. So this courier may die of it.
                Err(died) if died.is_panic() => std::panic::resume_unwind(died.into_panic()),
                Err(_) => return,
            },
            () = due => Input::Due,
        };
    }
}

async fn load(ports: Arc<Ports>, id: WebhookId, under_way: Vec<DeliveryId>, known: Option<Address>) -> Done {
    let work = match ports.webhooks.work(SystemScope, id, ports.clock.wall(), &under_way, ROOM).await {
        Ok(Some(work)) => work,
        Ok(None) => return Done::Fact(Input::Closed),
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "a webhook's work cannot be read, trying again");
            return Done::Fact(Input::NotLoaded);
        }
    };
    // What is sealed is opened once: the same bytes hold the same secrets.
    if let Some(known) = known.filter(|known| known.webhook.sealed == work.webhook.sealed) {
        return Done::Loaded(Box::new(work), known.confidential);
    }
    let opened = ports.sealer.open(work.webhook.tenant, &place(id), &work.webhook.sealed).await;
    let opened = opened.map(|bytes| Confidential::from_bytes(&bytes));
    match opened {
        Ok(Some(confidential)) => Done::Loaded(Box::new(work), Arc::new(confidential)),
        Ok(None) => {
            tracing::error!(webhook = %id, "a webhook's secrets cannot be read");
            Done::Fact(Input::NotLoaded)
        }
        Err(error) => {
            tracing::error!(webhook = %id, %error, "a webhook's secrets cannot be opened, trying again");
            Done::Fact(Input::NotLoaded)
        }
    }
}

async fn attempt(ports: Arc<Ports>, address: Address, parcel: Box<Parcel>) -> Done {
    // Closed never: the semaphore lives as long as the ports.
    let _place = ports.in_flight.acquire().await;
    let (begun, at) = (ports.clock.now(), ports.clock.wall());
    let reply = match body(&parcel.event, ports.records) {
        Ok(body) => ports.egress.post(post(&address, &parcel, at, body)).await,
        Err(error) => {
            tracing::error!(event = %parcel.event.id, %error, "an event cannot be written as JSON");
            Err(EgressError::ConnectionBroken)
        }
    };
    let took = ports.clock.now().since(begun);
    let answer = Answer::of(&reply);
    meters::posted(at, answer == Answer::Taken);
    if answer != Answer::Taken {
        let status = reply.as_ref().ok().map(|reply| reply.status);
        let error = reply.as_ref().err().map(EgressError::to_string);
        tracing::debug!(webhook = %address.webhook.id, delivery = %parcel.delivery, status, error, "not taken");
    }
    let record = logged(address.webhook.url.clone(), at, took, reply);
    Done::Fact(Input::Answered(parcel.delivery, record, answer))
}

/// The request: custom headers first, ours after them, so that none of ours can be replaced.
fn post(address: &Address, parcel: &Parcel, at: WallTime, body: Vec<u8>) -> Post {
    let event = parcel.event.id;
    let own = BTreeMap::from([
        ("content-type", "application/json".to_owned()),
        ("user-agent", concat!("columba/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("webhook-id", event.to_string()),
        ("webhook-timestamp", seconds(at).to_string()),
        ("webhook-signature", address.confidential.sign(event, at, &body)),
    ]);
    let custom = address.confidential.headers().iter();
    let custom = custom.filter(|(name, _)| !own.contains_key(name.as_str()));
    let custom = custom.map(|(name, value)| (name.clone(), value.clone()));
    let headers: Vec<_> =
        custom.chain(own.iter().map(|(&name, value)| (name.to_owned(), value.clone()))).collect();
    Post { url: address.webhook.url.clone(), headers, body: Bytes::from(body) }
}

fn logged(url: String, at: WallTime, took: Duration, reply: Result<Reply, EgressError>) -> Attempt {
    let (status, error, body) = match reply {
        Ok(reply) => (Some(reply.status), None, reply.body),
        Err(error) => (None, Some(error.to_string()), vec![]),
    };
    let body = String::from_utf8_lossy(&body[..body.len().min(LOGGED_MAX)]).replace('\0', "\u{fffd}");
    Attempt { number: 0, at, duration_ms: took.as_millis() as u64, url, status, error, body }
}

async fn settle(ports: Arc<Ports>, settled: Box<Settled>) -> Done {
    let delivery = settled.delivery;
    loop {
        match ports.webhooks.settle(SystemScope, (*settled).clone()).await {
            Ok(()) => return Done::Fact(Input::Settled(delivery)),
            Err(error) => {
                tracing::warn!(%delivery, %error, "an attempt's outcome is not written, trying again");
                tokio::time::sleep(WRITE_PAUSE).await;
            }
        }
    }
}

async fn bury(ports: Arc<Ports>, id: WebhookId, before: WallTime) -> Done {
    match ports.webhooks.bury(SystemScope, id, before, ports.clock.wall()).await {
        Ok(count) => tracing::info!(webhook = %id, count, "gave up deliveries that were too old"),
        Err(error) => {
            tracing::warn!(webhook = %id, %error, "old deliveries are not given up, trying again");
            tokio::time::sleep(WRITE_PAUSE).await;
        }
    }
    Done::Fact(Input::Buried)
}

async fn disable(ports: &Ports, id: WebhookId, reason: WebhookReason) {
    tracing::warn!(webhook = %id, %reason, "webhook disabled");
    while let Err(error) = ports.webhooks.disable(SystemScope, id, reason, ports.clock.wall()).await {
        tracing::warn!(webhook = %id, %error, "a webhook is not disabled, trying again");
        tokio::time::sleep(WRITE_PAUSE).await;
    }
}
