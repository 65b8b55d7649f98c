//! The rate window of one session as it is now, and what waits behind it: the picture that says why a message does not go.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::owned;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{MessageReason, MessageStatus};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Moment, WallTime};
use crate::domain::window::{self, Window};
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;
use crate::ports::messages::Queue;

/// What is shown of the past.
const SHOWN: Duration = Duration::from_secs(60);
/// Attempts shown at most, the newest.
const ATTEMPTS: u32 = 10_000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RateWindow")]
struct WindowRecord {
    /// The server's clock.
    now: WallTime,
    /// How far `attempts` look back, in seconds.
    span_s: u64,
    /// Attempts allowed in any such span.
    cap: u32,
    /// When the attempts of the span were made, oldest first; the newest 10,000 of them.
    attempts: Vec<WallTime>,
    /// When the cap lets the next attempt go: now, or later. Pacing may add to it.
    next_slot_at: WallTime,
    queue: QueueRecord,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionQueue")]
struct QueueRecord {
    /// Messages that wait for their turn.
    queued: u64,
    /// Messages that a rule holds back.
    held: u64,
    /// Messages under way.
    sending: u64,
    /// The one that has waited longest.
    head: Option<HeadRecord>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueHead")]
struct HeadRecord {
    id: MessageId,
    /// `queued` or `held`.
    status: MessageStatus,
    /// The rule that holds it.
    reason: Option<MessageReason>,
    /// Not before then.
    until: Option<WallTime>,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let head =
        HeadRecord { id: sample::message_id(), status: MessageStatus::Queued, reason: None, until: None };
    let shown = WindowRecord {
        now: sample::NOW,
        span_s: SHOWN.as_secs(),
        cap: 20,
        attempts: vec![sample::NOW - Duration::from_secs(12), sample::NOW - Duration::from_secs(3)],
        next_slot_at: sample::NOW,
        queue: QueueRecord { queued: 1, held: 0, sending: 0, head: Some(head) },
    };
    vec![
        operation::get("/v1/sessions/{id}/window", get)
            .named("getWindow", "Get a session's rate window")
            .about("The last minute's attempts under the cap, and the queue behind it.")
            .answering(200, "As it is now.", &shown),
    ]
}

/// `GET /sessions/{id}/window`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<SessionId>,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    let caps = state.directory.snapshot().caps_of(tenant.id()).ok_or_else(Refusal::not_found)?;
    let cap = caps.on(session.engine).per_minute;
    let now = state.clock.wall();
    let since = now - window::SPAN;
    let attempts = state.messages.attempts_of(tenant.scope(), id, since, ATTEMPTS).await?;
    let queue = state.messages.queue(tenant.scope(), id, now).await?;
    ok(WindowRecord {
        now,
        span_s: SHOWN.as_secs(),
        cap: cap.get(),
        next_slot_at: next_slot(cap, &attempts, now),
        attempts: attempts.into_iter().filter(|attempt| now.since(*attempt) < SHOWN).collect(),
        queue: queue_record(queue),
    })
}

fn queue_record(Queue { queued, held, sending, head }: Queue) -> QueueRecord {
    let head = head.map(|head| HeadRecord {
        id: head.id,
        status: head.status,
        reason: head.reason,
        until: head.until,
    });
    QueueRecord { queued, held, sending, head }
}

/// What the rule of the cap says, on the wall clock.
fn next_slot(cap: NonZeroU32, attempts: &[WallTime], now: WallTime) -> WallTime {
    let moment = |wall: WallTime| Moment(wall.0.max(0) as u64);
    let moments = attempts.iter().filter(|attempt| **attempt <= now).map(|&attempt| moment(attempt));
    let opens = Window::replay(cap, moments.collect()).opens_at(moment(now));
    now + opens.since(moment(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_slot_is_now_until_the_cap_is_used_up_and_then_when_the_oldest_has_left() {
        let now = WallTime(1_795_000_000_000);
        let ago = |secs: u64| now - Duration::from_secs(secs);
        let cap = NonZeroU32::new(2).expect("not zero");
        for (attempts, wait) in [
            (vec![], 0),
            (vec![ago(1)], 0),
            (vec![ago(50), ago(1)], 11),
            (vec![ago(60), ago(50), ago(1)], 11),
            (vec![ago(61), ago(1)], 0),
        ] {
            assert_eq!(next_slot(cap, &attempts, now), now + Duration::from_secs(wait), "{attempts:?}");
        }
    }
}
