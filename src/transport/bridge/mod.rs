//! Engines that are processes: the adapter that starts them, watches them, and speaks `bridges/protocol` to them.
//!
//! Each process is a *shard* of an engine's sessions, and its own fault domain: `shard/machine` decides when one is
//! started, killed and started again, `shard` performs it. `links` knows what is open and what is owed on it, `desk` answers
//! a bridge's questions to the vault, `words` translates, `media` lends files to it and takes them from it, `fleet` places
//! sessions, `board` shows how shards stand, and `suspects` sets apart those whose process keeps dying, and [`BridgeTransport`] is the port over all of them.
//!
//! Two sockets on one account end in `replaced`. So a bridge never outlives its supervisor (its connection and its
//! standard input end, its parent-death signal comes), a supervisor never starts one beside its own ghost (`ghosts`), a
//! session stays on its shard until that has let go of it, and a shard has no second process before the first is gone.

mod adapter;
mod asked;
mod board;
mod desk;
mod fleet;
mod ghosts;
mod lines;
mod links;
mod media;
mod program;
pub mod shard;
mod suspects;
mod words;

pub use adapter::{BridgeOptions, BridgeTransport, StartError};
pub use ghosts::{GhostError, lay};
pub use program::{Program, ProgramError};
