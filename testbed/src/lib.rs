//! A WhatsApp-shaped server on loopback.
//!
//! Unmodified client libraries link to it, log in, exchange end-to-end encrypted messages and fail as they are told to.
//! It proves the supervisor and its bridges; it does not show how WhatsApp itself behaves. README has the admin API.
//!
//! A socket (`socket`) is opened by a Noise handshake (`noise`), then either linked (`pairing`, `pair_code`) or
//! logged in (`login`). Every stanza is one turn (`world`): what it writes is on disk before anybody hears of it.

mod accounts;
mod admin;
mod clock;
mod error;
mod failures;
mod forgeries;
mod frame_log;
mod groups;
mod iq;
mod keys;
mod login;
mod media;
mod noise;
mod offline;
mod pair_code;
mod pairing;
mod phone;
mod ratchets;
mod receipts;
mod relay;
mod restriction;
mod seal;
mod seat;
mod socket;
mod stanza;
mod store;
mod testbed;
mod usync;
mod world;

pub use error::{Error, Result};
pub use failures::{Failure, Rule};
pub use frame_log::Frame;
pub use seat::Seat;
pub use testbed::{Settings, Testbed};
