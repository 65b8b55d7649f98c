//! What the engines of sessions can send, as far as it is known.

use crate::domain::id::SessionId;
use crate::domain::message::Draft;

/// Asked before a message is accepted. Answers at once, from memory.
pub trait Abilities: Send + Sync {
    /// Whether what speaks for this session now can send such a message; `None` while it has not said, as when nothing speaks for
    /// it. Whose session it is is not looked at.
    fn sends(&self, session: SessionId, draft: &Draft) -> Option<bool>;
}
