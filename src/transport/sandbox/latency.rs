//! How long the simulated network takes for what it does.

use std::time::Duration;

/// How long the simulated network takes for what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// From a frame to its ack or nack, and from a ping to its answer.
    pub ack: Duration,
    /// From a frame to the receipt "delivered".
    pub delivered: Duration,
    /// From a frame to the receipt "read".
    pub read: Duration,
    /// Life of the first code of a link that pairs.
    pub first_code: Duration,
    /// Life of each later one.
    pub next_code: Duration,
    /// Life of a code to be typed.
    pub typed_code: Duration,
    /// How long the number that locks keeps new chats out.
    pub lock: Duration,
}

impl Default for Latency {
    /// A good day: acked after 20 ms, delivered after 120 ms, read after 300 ms. Codes live as long as WhatsApp's.
    fn default() -> Self {
        Self {
            ack: Duration::from_millis(20),
            delivered: Duration::from_millis(120),
            read: Duration::from_millis(300),
            first_code: Duration::from_secs(60),
            next_code: Duration::from_secs(20),
            typed_code: Duration::from_secs(160),
            lock: Duration::from_secs(120),
        }
    }
}

impl Latency {
    /// No delay before acks and receipts; codes and locks as ever. For tests and load.
    pub fn none() -> Self {
        Self { ack: Duration::ZERO, delivered: Duration::ZERO, read: Duration::ZERO, ..Self::default() }
    }
}
