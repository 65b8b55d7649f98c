//! What a connected session can be asked, or asked to do, beside sending.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::chat::Chat;
use crate::domain::message::WaId;
use crate::domain::phone::Phone;

/// Most numbers that one question asks for, as the bridge protocol has it.
pub const NUMBERS_MAX: usize = 50;
/// Most messages that one call marks as read.
pub const MARKS_MAX: usize = 100;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which groups is the account in? Answered by [`Answer::Groups`].
    Groups,
    /// Whom does the account know? Answered by [`Answer::Contacts`].
    Contacts {
        /// Behind this address, in the engine's order.
        after: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// Which of these have an account? At most [`NUMBERS_MAX`]; answered by [`Answer::Numbers`]. Nobody is told.
    Numbers(Vec<Phone>),
    /// Tell their writers that these were read. At most [`MARKS_MAX`]; answered by [`Answer::Done`].
    MarkRead {
        /// Where they are.
        chat: Chat,
        /// Which.
        messages: Vec<Mark>,
    },
    /// Show, or show no longer, that somebody types. Answered by [`Answer::Done`].
    Typing {
        /// To whom.
        chat: Chat,
        /// Whether somebody does.
        active: bool,
    },
}

/// A message that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its id on the network.
    pub wa_id: WaId,
    /// Who wrote it, in a group.
    pub author: Option<Chat>,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of them.
    Groups(Vec<Group>),
    /// A page.
    Contacts {
        /// Of whom.
        contacts: Vec<Acquaintance>,
        /// Whether more follow.
        more: bool,
    },
    /// One for each number, in their order: whether it has an account.
    Numbers(Vec<bool>),
    /// It was done.
    Done,
}

/// A group the account is in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its address.
    pub chat: Chat,
    /// What it is called.
    pub subject: String,
    /// How many are in it.
    pub participants: u32,
    /// Whether the account may change it.
    pub admin: bool,
}

/// Somebody the account knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Contact")]
pub struct Acquaintance {
    /// Their address.
    pub chat: Chat,
    /// What they are called, where that is known.
    pub name: Option<String>,
}

/// Names belong into answers, never into a log.
impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} participants)", self.participants)
    }
}

impl fmt::Debug for Acquaintance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acquaintance(…)")
    }
}
