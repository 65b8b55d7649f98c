//! What a bridge asks of a session's vault. The supervisor owns it: it seals, commits, fences and expires.

use serde::{Deserialize, Serialize};

use crate::secret::Blob;

/// A question. One session's are carried out in the order asked, each whole before the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum VaultCall {
    /// The first of every `open`: who wrote last, and how they left.
    Open,
    /// Values, in the order of the keys. What has expired is absent.
    Get {
        /// `[a-z_]{1,32}`.
        kind: String,
        /// Each at most 512 bytes; at most 10,000.
        keys: Vec<Blob>,
    },
    /// Applies a batch, all or nothing. Answered after it is on disk.
    Commit {
        /// At most 10,000 changes and 5 MiB; a value at most 4 MiB.
        changes: Vec<Change>,
    },
    /// Records of a kind whose keys begin with `prefix`, in order of their keys, beyond `after`.
    List {
        /// `[a-z_]{1,32}`.
        kind: String,
        /// May be empty.
        #[serde(default)]
        prefix: Blob,
        /// The last key of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Blob>,
        /// At most so many, 1 to 10,000; a page also ends at 5 MiB.
        limit: u32,
        /// With their values.
        #[serde(default)]
        values: bool,
    },
    /// Removes every record.
    Wipe,
    /// Marks an orderly close: all that was to be written is. The last call of a session.
    Close,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Change {
    /// Writes a record.
    Put {
        /// `[a-z_]{1,32}`.
        kind: String,
        /// At most 512 bytes.
        key: Blob,
        /// At most 4 MiB.
        value: Blob,
        /// Gone from then on, milliseconds since 1970. The vault sweeps; a bridge never lists to expire.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at_ms: Option<i64>,
    },
    /// Removes a record; absent is fine.
    Del {
        /// `[a-z_]{1,32}`.
        kind: String,
        /// At most 512 bytes.
        key: Blob,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum VaultAnswer {
    /// To `open`.
    Header(VaultHeader),
    /// To `get`.
    Values {
        /// One for each key, in their order.
        values: Vec<Option<Blob>>,
    },
    /// To `list`.
    Page {
        /// In order of their keys.
        records: Vec<Record>,
        /// Whether more follow.
        more: bool,
    },
    /// To `commit`, `wipe` and `close`: on disk.
    Done,
}

/// A record of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its key.
    pub key: Blob,
    /// Its value, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Blob>,
}

/// Who wrote last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultHeader {
    /// `null` for an empty vault.
    pub writer: Option<Writer>,
    /// Whether that one closed in an orderly way. A bridge of an older version refuses a vault that was not.
    pub clean: bool,
    /// The supervisor's wall clock, milliseconds since 1970: what expiry is judged by.
    pub now_ms: i64,
}

/// Who writes a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The engine's name.
    pub engine: String,
    /// The library's exact version.
    pub version: String,
    /// Version of the form of its records.
    pub format: u32,
}

/// Why a call was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum VaultError {
    /// Nothing is known to have happened. The bridge asks again, with pauses, for up to 30 s, and meanwhile the session
    /// stands: it answers neither its library nor WhatsApp.
    Unavailable,
    /// A newer owner exists: the session ends at once, and writes nothing more.
    Fenced,
    /// Records cannot be opened: the session ends.
    Sealed,
    /// Beyond a bound, or malformed. A mistake of the bridge's; asking again does not help.
    Invalid,
    /// No such session is open on this connection.
    NotOpen,
}
