//! What a bridge answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::EnumIter;

use crate::secret::Private;

/// What a command brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or for `open` begun.
    Done,
    /// `send`: written to the socket.
    Sent,
    /// `pair_code`.
    PairCode {
        /// Eight characters, without a dash.
        code: Private,
        /// Milliseconds for which it is good.
        expires_in_ms: u32,
    },
    /// `ping`.
    Pong {
        /// Milliseconds it took.
        millis: u32,
    },
    /// `check_number`.
    Numbers {
        /// One for each asked, in their order.
        numbers: Vec<NumberCheck>,
    },
    /// `groups`.
    Groups {
        /// All of them.
        groups: Vec<Group>,
    },
    /// `contacts`.
    Contacts {
        /// A page.
        contacts: Vec<Contact>,
        /// Whether more follow.
        more: bool,
    },
    /// `fetch_media`.
    Media {
        /// Bytes written.
        size: u64,
    },
    /// `stats`.
    Stats(Stats),
}

/// Whether a number has an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberCheck {
    /// The number asked for.
    pub phone: Private,
    /// Whether it has one.
    pub exists: bool,
    /// Its address, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Private>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `…@g.us`.
    pub id: Private,
    /// Its name.
    pub subject: Private,
    /// How many are in it.
    pub participants: u32,
    /// Whether this account may change it.
    pub admin: bool,
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their address.
    pub address: Private,
    /// What they are called, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Private>,
}

/// Counters since the session was opened, or the process began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Each by its name; a bridge may count what it likes. `frames_in`, `frames_out`, `bytes_in`, `bytes_out`, `vault_calls`
    /// and `unconfirmed` are meant where they exist.
    pub counters: BTreeMap<String, u64>,
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The word to act on.
    pub code: ErrorCode,
    /// A sentence for an operator's log. Never a number, a name, a body or a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// For `refused`: WhatsApp's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_code: Option<u16>,
    /// For `refused` and `rate_limited`: until when, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

impl Failure {
    /// Only a word.
    pub fn of(code: ErrorCode) -> Self {
        Self { code, why: None, server_code: None, until_ms: None }
    }

    /// A word with a sentence.
    pub fn because(code: ErrorCode, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::of(code) }
    }
}

/// The words. Each says whether something may have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ErrorCode {
    /// The session is not open here under this epoch, or not logged in. Nothing was sent.
    NoLink,
    /// A newer epoch is open here. Nothing was sent.
    Fenced,
    /// The session is not waiting for a person.
    NotPairing,
    /// The engine cannot do this. Nothing was sent.
    Unsupported,
    /// An argument is not allowed; `why` names it. Nothing was sent.
    Invalid,
    /// The deadline had passed before it was begun. Nothing was sent.
    Late,
    /// The bridge is ending. Nothing was sent.
    Draining,
    /// There is no such recipient, message or file. Nothing was sent.
    NotFound,
    /// WhatsApp asks for patience.
    RateLimited,
    /// WhatsApp said no; `server_code` has its number.
    Refused,
    /// Beyond a bound; nothing was sent.
    TooLarge,
    /// It went wrong before anything was written to the socket.
    NotSent,
    /// It may have left: the socket broke, or the answer did not come.
    Uncertain,
    /// Read only: a word this version does not know; to be taken as `uncertain`.
    #[serde(other)]
    Unknown,
}
