//! What a Columba supervisor and a bridge say to each other. `README.md` beside this crate is the specification; these
//! are its types, and every example in it is read by them in a test.
//!
//! No runtime and no WhatsApp: a bridge in Rust shares this crate, one in another language writes the same JSON.

mod capability;
mod command;
mod content;
mod event;
mod frame;
mod hello;
mod reply;
mod secret;
mod vault;

pub use capability::Capability;
pub use command::{Command, PROCESS_COMMANDS};
pub use content::{Attachment, Card, Content, MediaKind, MessageRef, PollOption, Quote};
pub use event::{CloseReason, Event, Inbound, PasskeyStage, ReceiptKind, RestrictionKind};
pub use frame::{
    Down, FrameError, Heartbeat, ReplyOutcome, SessionKey, SessionState, Up, VaultOutcome, decode, encode,
};
pub use hello::{Boot, Hello, Refusal, Welcome};
pub use reply::{Contact, ErrorCode, Failure, Group, NumberCheck, Reply, Stats};
pub use secret::{Blob, Private};
pub use vault::{Change, Record, VaultAnswer, VaultCall, VaultError, VaultHeader, Writer};

/// The version of the protocol these types speak.
pub const PROTOCOL: u32 = 1;
/// Bytes of the longest frame, its newline included. Whoever reads a longer one closes the connection.
pub const MAX_FRAME: usize = 8 << 20;
/// Bytes of the longest value in the vault.
pub const MAX_VALUE: usize = 4 << 20;
/// Bytes of keys and values that one commit or one page may carry, so that it fits a frame as base64.
pub const MAX_BATCH_BYTES: usize = 5 << 20;
/// Changes in one commit, and keys in one question or page.
pub const MAX_BATCH_RECORDS: usize = 10_000;
/// Events of one session that may be unconfirmed; a bridge then stops reading that session's socket.
pub const WINDOW: u32 = 256;
/// Questions to a session's vault that may be unanswered at a time.
pub const VAULT_CALLS: usize = 32;
/// Milliseconds between two heartbeats.
pub const HEARTBEAT_MS: u32 = 5_000;
/// Milliseconds in which a bridge has to say hello after its start.
pub const HELLO_MS: u32 = 10_000;
/// Milliseconds in which a bridge has to be gone once its control connection is.
pub const END_MS: u32 = 1_000;
