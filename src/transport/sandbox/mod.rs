//! The sandbox engine: a simulated WhatsApp network, and the adapter that speaks to it. With it the product runs with no
//! phone and no internet, and its tests can kill either side.
//!
//! **It proves our supervisor, not WhatsApp.** It plays what the supervisor has to survive, in the order and with the
//! numbers the real network uses; nothing here says how the real one would behave tomorrow.
//!
//! What it simulates:
//! - pairing by a scanned or a typed code, the 515 that follows, login with the device's token, and 401 for a token it
//!   does not know or knows no more;
//! - acks, nacks and silence by recipient (`recipients`), receipts that stay owed until confirmed, inbound messages
//!   likewise, and the offline queue that tells all of it again on the next link;
//! - one link per session, the newer replacing the older; a server that takes a message id once, however often it comes;
//! - every reason a link closes for, bans, locks, and a socket that is open and dead (`faults`);
//! - a log of every frame it received, also the refused ones, numbered without gaps across restarts (`journal`).
//!
//! What it does not: encryption, ratchets and key exchange; media, groups, presence, history sync; the shape of a real
//! frame (it never sees a body); the judgment of accounts by volume or content. A lock on new chats that is played by a
//! fault is announced, not enforced. A ban, and trouble on a link, is forgotten with the process; accounts, frames and
//! what is owed are not. Devices are trusted by token alone, and players of the sandbox are trusted altogether.
//!
//! It runs in process ([`Network`]) or in a process of its own ([`serve`], [`RemoteNetwork`]), so that what it owes
//! outlives a server that is killed. [`Wire`] is the seam between; [`SandboxTransport`] implements the ports over either.

mod adapter;
mod call;
mod codes;
mod device;
mod faults;
mod journal;
mod latency;
mod link;
mod member;
mod network;
mod recipients;
mod remote;
mod server;
mod wire;

pub use adapter::SandboxTransport;
pub use journal::{FILE_NAME, OpenError};
pub use latency::Latency;
pub use network::{Network, OpenLink};
pub use recipients::REFUSING;
pub use remote::{RemoteError, RemoteNetwork};
pub use server::{NetworkServer, ServeError, serve};
pub use wire::{Caller, DeviceToken, Hello, MAX_FRAMES, MAX_WA_ID, Outgoing, Wire, WireEvent};
