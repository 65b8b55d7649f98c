//! What an attempt's answer means for its message. Pure; codes as whatsapp clients report them.

use std::time::Duration;

use crate::domain::message::MessageReason;
use crate::domain::time::{Jitter, WallTime};
use crate::ports::outbox::Outcome;
use crate::ports::transport::SendError;

/// So many refusals that might pass end a message.
pub const ATTEMPTS: u32 = 5;
/// A lock whose end the server does not name.
const LOCK: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(60);

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write this.
    Settle(Outcome),
    /// It may have left: wait for a late ack or a receipt.
    Await,
}

/// Judges the answer to attempt `number`, from 1.
pub fn judge(number: u32, answer: Result<(), SendError>, wall: WallTime, jitter: Jitter) -> Verdict {
    use MessageReason as R;
    let again = |reason, first| Outcome::Retry { not_before: wall + back_off(number, first, jitter), reason };
    Verdict::Settle(match answer {
        Ok(()) => Outcome::Sent,
        Err(SendError::NoAck) => return Verdict::Await,
        // Nothing was sent: this is no refusal, and the number of tries has no bound but the message's own end.
        Err(SendError::NoLink) => {
            Outcome::Retry { not_before: wall + Duration::from_secs(1), reason: R::LinkLost }
        }
        Err(SendError::Unsupported) => Outcome::Failed(R::Unsupported),
        Err(SendError::Gone) => Outcome::Failed(R::Refused),
        Err(SendError::NoFile) => Outcome::Failed(R::MediaGone),
        Err(SendError::Nack { code, until }) => match code {
            463 | 475 => Outcome::Held { until: until.unwrap_or(wall + LOCK), reason: R::Timelock },
            404 => Outcome::Failed(R::NotOnWhatsapp),
            421 | 429 | 500 | 503 if number >= ATTEMPTS => Outcome::Dead,
            429 => again(R::Throttled, Duration::from_secs(5)),
            421 | 500 | 503 => again(R::ServerUnavailable, Duration::from_secs(1)),
            // 400, 479, 487, 491, and any code we do not know: the same bytes would be refused again.
            _ => Outcome::Failed(R::Refused),
        },
    })
}

/// `first`, doubled with each attempt, at most a minute, moved by up to a fifth either way.
fn back_off(number: u32, first: Duration, jitter: Jitter) -> Duration {
    let doubled = first.saturating_mul(1 << number.saturating_sub(1).min(16));
    jitter.spread(doubled.min(LONGEST), 0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_000_000);

    fn judged(number: u32, answer: Result<(), SendError>) -> Verdict {
        judge(number, answer, NOW, Jitter::NONE)
    }

    fn nack(code: u16) -> Result<(), SendError> {
        Err(SendError::Nack { code, until: None })
    }

    #[test]
    fn each_answer_has_its_outcome() {
        use MessageReason as R;
        let after = |secs| NOW + Duration::from_secs(secs);
        let retry = |secs, reason| Outcome::Retry { not_before: after(secs), reason };
        for (number, answer, outcome) in [
            (1, Ok(()), Outcome::Sent),
            (1, nack(463), Outcome::Held { until: after(3600), reason: R::Timelock }),
            (9, nack(475), Outcome::Held { until: after(3600), reason: R::Timelock }),
            (1, nack(404), Outcome::Failed(R::NotOnWhatsapp)),
            (1, nack(400), Outcome::Failed(R::Refused)),
            (1, nack(491), Outcome::Failed(R::Refused)),
            (1, nack(599), Outcome::Failed(R::Refused)),
            (1, nack(429), retry(5, R::Throttled)),
            (2, nack(429), retry(10, R::Throttled)),
            (1, nack(503), retry(1, R::ServerUnavailable)),
            (4, nack(500), retry(8, R::ServerUnavailable)),
            (5, nack(421), Outcome::Dead),
            (6, nack(429), Outcome::Dead),
            (40, Err(SendError::NoLink), retry(1, R::LinkLost)),
            (1, Err(SendError::Unsupported), Outcome::Failed(R::Unsupported)),
            (1, Err(SendError::Gone), Outcome::Failed(R::Refused)),
            (1, Err(SendError::NoFile), Outcome::Failed(R::MediaGone)),
        ] {
            assert_eq!(judged(number, answer), Verdict::Settle(outcome), "{answer:?} to attempt {number}");
        }
        assert_eq!(judged(1, Err(SendError::NoAck)), Verdict::Await);
    }

    #[test]
    fn a_lock_lasts_as_long_as_the_server_says() {
        let until = NOW + Duration::from_secs(120);
        let answer = judged(1, Err(SendError::Nack { code: 463, until: Some(until) }));
        assert_eq!(answer, Verdict::Settle(Outcome::Held { until, reason: MessageReason::Timelock }));
    }
}
