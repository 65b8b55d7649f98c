//! What the tests share: a testbed with its admin API, and a client of whatsapp-rust beside it.

mod api;
mod peer;

pub use api::Bed;
pub use peer::{Peer, Store};

/// Numbers that no test shares with another.
pub fn phone(n: u64) -> u64 {
    5_511_900_000_000 + n
}
