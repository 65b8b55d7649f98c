//! Stop 8: one attempt on the wire. It runs in a task of its own: it outlives its actor, and settles what it sent.
//!
//! From: [`claim`](super::claim), through the session. To: [`settle`].

use std::{sync::Arc, time::Duration};

use super::{retry, settle};
use crate::domain::time::{Jitter, WallTime};
use crate::failpoint::{self, Point};
use crate::ports::clock::Clock;
use crate::ports::outbox::{Outbox, Outcome, Settlement, Work};
use crate::ports::transport::{SendError, Transport};

/// An attempt ends by then. Recovery by a later owner begins after it, so the two never meet.
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
pub async fn attempt(ports: Ports, work: Work, jitter: Jitter) -> End {
    let sent = tokio::time::timeout(DEADLINE, send(&*ports.transport, &work)).await;
    let answer = sent.unwrap_or(Err(SendError::NoAck));
    let wall = ports.clock.wall();
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

async fn send(transport: &dyn Transport, work: &Work) -> Result<(), SendError> {
    failpoint::hit(Point::SendBefore).await.map_err(|_| SendError::NoLink)?;
    let answer = transport.send(work).await;
    failpoint::hit(Point::SendAfter).await.map_err(|_| SendError::NoAck)?;
    answer
}
