//! What a shard is asked, and what it tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use columba_bridge_protocol::{Capability, Command, SessionKey};
use tokio::sync::{mpsc, oneshot};

use crate::ports::transport::SendError;
use crate::ports::vault::Vault;
use crate::transport::bridge::links::{Answer, Item, LinkId};

/// What a shard is asked.
pub enum Order {
    /// Open a session.
    Open(Box<Opening>),
    /// Nobody listens to this link any more.
    Drop(SessionKey, LinkId),
    /// This event of this link is safe.
    Confirm(SessionKey, LinkId, u64),
    /// A command, and where its answer goes.
    Call {
        /// Whose.
        key: SessionKey,
        /// What.
        command: Command,
        /// How long the answer is of use.
        deadline_ms: u32,
        /// Where it goes.
        answer: oneshot::Sender<Answer>,
    },
    /// As [`Call`](Self::Call), for a message: its ack goes to `ack`, which is dropped when the link ends before it.
    Send {
        /// Whose.
        key: SessionKey,
        /// Its id.
        wa_id: String,
        /// What.
        command: Command,
        /// How long the answer is of use.
        deadline_ms: u32,
        /// Where the answer goes.
        answer: oneshot::Sender<Answer>,
        /// Where the ack goes.
        ack: oneshot::Sender<Result<(), SendError>>,
    },
    /// End.
    Stop,
}

/// A session to be opened.
pub struct Opening {
    /// Whose.
    pub key: SessionKey,
    /// Which of all openings.
    pub link: LinkId,
    /// `open`.
    pub command: Command,
    /// Its auth state.
    pub vault: Arc<dyn Vault>,
    /// Who listens.
    pub events: mpsc::UnboundedSender<Item>,
}

/// What a shard tells its engine.
pub enum Told {
    /// The bridge has let go of this link of a session, or is dead.
    Released(String, LinkId),
    /// The bridge died while it served, perhaps because of one of these sessions.
    Suspects(BTreeSet<String>),
    /// The bridge of this shard serves, and this is what it can do.
    Serves(usize, Vec<Capability>),
    /// The shard has no bridge any more.
    Ended(usize),
}
