//! Columba's bridge to WhatsApp through whatsapp-rust 0.7.0. `bridges/protocol/README.md` says what it has to do.
//!
//! `boot` starts it and ends it, `bridge` reads what the supervisor says, a `session` is one link of one account, `vault` asks
//! for its state, `store` shows that to the library as its storage, `net` is the way to the server.
//!
//! The library is kept on a short leash: it never reconnects, mints no id of a message of ours, acknowledges an inbound
//! message only after the supervisor has it on disk, and writes to no socket once its vault is lost.

mod address;
mod boot;
mod bridge;
mod content;
mod killpoint;
mod media;
mod net;
mod outbox;
mod session;
mod store;
mod vault;
mod wire;

use std::process::ExitCode;

/// The exact version of the library behind this bridge.
pub const LIBRARY: &str = "0.7.0";
/// Version of the form of its records.
pub const VAULT_FORMAT: u32 = 1;

/// Runs until the supervisor says so, or is gone.
pub fn main() -> ExitCode {
    boot::main()
}
