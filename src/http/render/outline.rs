//! A message in outline, as an operator sees it: whose, with whom and how it fared, and nothing of what it says.

use schemars::JsonSchema;
use serde::Serialize;

use super::message::{self, MessageRecord};
use crate::domain::id::TenantId;
use crate::domain::message::{Message, MessageStatus, Times};
use crate::domain::time::WallTime;

/// A message in outline.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MessageOutline")]
pub struct Outline<'a> {
    /// The object named by `type` is not there, and `redacted` is true.
    #[serde(flatten)]
    pub message: MessageRecord<'a>,
    /// Whose it is.
    pub tenant: TenantId,
    /// What its tenant is called; null for one that is being deleted.
    pub tenant_name: Option<&'a str>,
}

/// A message in outline, with where it has been.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MessageLife")]
pub struct Life<'a> {
    /// The message.
    #[serde(flatten)]
    pub outline: Outline<'a>,
    /// Its way, from the first stop on.
    pub life: Vec<Stop>,
}

/// Where a message was.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "MessageStop")]
pub struct Stop {
    /// `accepted`: on disk, and answered with 202; `attempted`: handed to the network for the first time; else the status
    /// that it reached.
    pub stop: &'static str,
    /// When it was reached first.
    pub at: WallTime,
    /// Milliseconds since the stop before; null for the first.
    pub ms: Option<u64>,
}

/// Without what it says.
pub fn outline<'a>(message: &'a Message, tenant_name: Option<&'a str>) -> Outline<'a> {
    Outline { message: message::outline(message), tenant: message.tenant, tenant_name }
}

/// The stops that times tell of, in their order.
pub fn stops(times: &Times) -> Vec<Stop> {
    let mut reached: Vec<_> = times.iter().collect();
    // Two that came within one millisecond stand in the order of the route.
    reached.sort_by_key(|(status, at)| (**at, rank(status)));
    let mut before: Option<WallTime> = None;
    let stop = |(status, &at): (&&'static str, &WallTime)| {
        let ms = before.map(|before| at.since(before).as_millis() as u64);
        before = Some(at);
        Stop { stop: word(status), at, ms }
    };
    reached.into_iter().map(stop).collect()
}

fn word(status: &'static str) -> &'static str {
    match status.parse() {
        Ok(MessageStatus::Queued) => "accepted",
        Ok(MessageStatus::Sending) => "attempted",
        _ => status,
    }
}

fn rank(status: &str) -> u8 {
    use MessageStatus as S;
    match status.parse() {
        Ok(S::Queued | S::Received) => 0,
        Ok(S::Held) => 1,
        Ok(S::Sending) => 2,
        Ok(S::Sent) => 3,
        Ok(S::Delivered) => 4,
        Ok(S::Read) => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_told_in_order_with_the_time_between_its_stops() {
        let times = Times::from([
            ("delivered", WallTime(1_900)),
            ("sent", WallTime(1_250)),
            ("queued", WallTime(1_000)),
            ("sending", WallTime(1_000)),
            ("read", WallTime(1_900)),
        ]);
        let told: Vec<_> = stops(&times).into_iter().map(|stop| (stop.stop, stop.ms)).collect();
        let expected = [
            ("accepted", None),
            ("attempted", Some(0)),
            ("sent", Some(250)),
            ("delivered", Some(650)),
            ("read", Some(0)),
        ];
        assert_eq!(told, expected);
        assert_eq!(stops(&Times::new()), []);
    }
}
