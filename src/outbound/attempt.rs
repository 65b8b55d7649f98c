//! Stop 8: one attempt on the wire. It runs in a task of its own: it outlives its actor, and settles what it sent.
//!
//! From: [`claim`], through the session. To: [`settle`].

use std::{sync::Arc, time::Duration};

use super::{claim, retry, settle};
use crate::domain::id::MessageId;
use crate::domain::session::Lease;
use crate::domain::time::{Jitter, WallTime};
use crate::failpoint::{self, Point};
use crate::meters;
use crate::ports::clock::Clock;
use crate::ports::outbox::{Outbox, Outcome, Settlement, Work};
use crate::ports::transport::{SendError, Transport, patience};

/// A question to the network is over by then, and so is an attempt at what carries no file: recovery by a later owner begins
/// after it, so the two never meet. What carries one has [more time](patience).
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How an attempt ended, as far as the session's agenda is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is written, and the message no longer waits.
    Settled,
    /// It is written, and the message waits again until then.
    Again(WallTime),
    /// Nothing is known: a late ack or a receipt may tell.
    Open,
}

/// Everything an attempt needs.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its trait")]
pub struct Ports {
    pub outbox: Arc<dyn Outbox>,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
}

/// Sends `work` once and writes what became of it.
pub async fn attempt(ports: Ports, mut work: Work, jitter: Jitter) -> End {
    let sent = tokio::time::timeout(patience(&work.content), send(&ports, &mut work)).await;
    let answer = match sent.unwrap_or(Err(Unsent::Answer(SendError::NoAck))) {
        Err(Unsent::TooLate) => return take_back(&ports, work.lease, work.message, work.number).await,
        Err(Unsent::Answer(error)) => Err(error),
        Ok(()) => Ok(()),
    };
    let wall = ports.clock.wall();
    measure(&ports, &work, wall, &answer);
    let outcome = match retry::judge(work.number, answer, wall, jitter) {
        retry::Verdict::Settle(outcome) => outcome,
        retry::Verdict::Await => return End::Open,
    };
    let settlement = Settlement {
        tenant: work.lease.tenant,
        message: work.message,
        number: work.number,
        outcome,
        at: wall,
    };
    match settle::settle(&*ports.outbox, settlement).await {
        Ok(_) => match outcome {
            Outcome::Retry { not_before: until, .. } | Outcome::Held { until, .. } => End::Again(until),
            _ => End::Settled,
        },
        Err(error) => {
            tracing::error!(message = %work.message, %error, "settlement lost, recovery will decide");
            End::Open
        }
    }
}

fn measure(ports: &Ports, work: &Work, wall: WallTime, answer: &Result<(), SendError>) {
    let outcome = match answer {
        Ok(()) => "acked",
        Err(SendError::NoAck) => "no_ack",
        Err(SendError::NoLink) => "no_link",
        Err(_) => "refused",
    };
    meters::attempt(outcome, ports.clock.now().since(work.claimed_at));
    if answer.is_ok() {
        meters::sent(wall, wall.since(work.message.minted_at()));
    }
}

/// Why there is no ack.
enum Unsent {
    /// This is why.
    Answer(SendError),
    /// The claim has grown too old, on a thread that stood: it was not sent.
    TooLate,
}

impl From<SendError> for Unsent {
    fn from(error: SendError) -> Self {
        Self::Answer(error)
    }
}

async fn send(ports: &Ports, work: &mut Work) -> Result<(), Unsent> {
    failpoint::hit(Point::SendBefore).await.map_err(|_| SendError::NoLink)?;
    if let Some(id) = work.refers_to() {
        // Nothing was sent: it is tried again.
        let found = ports.outbox.referred(work.lease, id).await.map_err(|_| SendError::NoLink)?;
        // An answer goes without its quote; what says something about a message needs it.
        if found.is_none() && work.content.target().is_some() {
            return Err(SendError::Gone.into());
        }
        work.referred = found.map(Box::new);
    }
    // The session has looked as well, but this task may have waited for its thread since.
    if ports.clock.now().since(work.claimed_at) >= claim::KEEPS {
        return Err(Unsent::TooLate);
    }
    let answer = ports.transport.send(work).await;
    failpoint::hit(Point::SendAfter).await.map_err(|_| SendError::NoAck)?;
    Ok(answer?)
}

/// Undoes a claim that is not to be sent. Its slot in the log stays used.
pub async fn take_back(ports: &Ports, lease: Lease, message: MessageId, number: u32) -> End {
    match settle::give_back(&*ports.outbox, lease, message, number).await {
        Ok(()) => End::Again(ports.clock.wall()),
        Err(error) => {
            tracing::error!(%message, %error, "claim not given back, recovery will decide");
            End::Open
        }
    }
}
