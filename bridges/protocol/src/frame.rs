//! Frames: one JSON object a line. `t` says which.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::MAX_FRAME;
use crate::command::Command;
use crate::event::Event;
use crate::hello::{Hello, Refusal, Welcome};
use crate::reply::{Failure, Reply};
use crate::vault::{VaultAnswer, VaultCall, VaultError};

/// Whose, and as which owner. A bridge acts on the newest epoch it was told for a session and on no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// The session's id; opaque to a bridge.
    pub session: String,
    /// Counts its owners; a larger one is newer.
    pub epoch: i64,
}

/// From the supervisor to a bridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Down {
    /// The hello was good.
    Welcome(Welcome),
    /// It was not; the connection closes after this.
    Refused(Refusal),
    /// Something to do. Answered by exactly one [`Up::Reply`] with its id, or by the end of the connection.
    Command {
        /// Unique on this connection.
        id: u64,
        /// For whom; absent for what concerns the whole process.
        #[serde(flatten)]
        session: Option<SessionKey>,
        /// Milliseconds from now in which the answer is of use. Nothing is begun after that.
        deadline_ms: u32,
        /// What.
        #[serde(rename = "do")]
        command: Command,
    },
    /// These events are safe with the supervisor: forget them, and acknowledge to WhatsApp what was held back for them.
    /// Not answered. Numbers that are not open any more are ignored.
    Confirm {
        /// Whose.
        #[serde(flatten)]
        session: SessionKey,
        /// Which; in any order.
        seq: Vec<u64>,
    },
    /// The answer to [`Up::Vault`].
    Vault {
        /// Its id.
        id: u64,
        /// What came of it.
        #[serde(flatten)]
        answer: VaultOutcome,
    },
}

/// `ok` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultOutcome {
    /// Done, durably.
    Ok(VaultAnswer),
    /// Not done.
    Error(VaultError),
}

/// `ok` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyOutcome {
    /// Done.
    Ok(Reply),
    /// Not done.
    Error(Failure),
}

/// From a bridge to the supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Up {
    /// The first frame.
    Hello(Hello),
    /// What came of a command.
    Reply {
        /// The command's id.
        id: u64,
        /// What.
        #[serde(flatten)]
        outcome: ReplyOutcome,
    },
    /// Something happened on a session. Kept by the bridge until confirmed.
    Event {
        /// Whose.
        #[serde(flatten)]
        session: SessionKey,
        /// 1 for the first event of an open, then without gaps.
        seq: u64,
        /// What.
        event: Event,
    },
    /// A question to a session's vault. Answered in the order asked, one session at a time.
    Vault {
        /// Unique among the bridge's questions on this connection.
        id: u64,
        /// Whose vault.
        #[serde(flatten)]
        session: SessionKey,
        /// What.
        call: VaultCall,
    },
    /// A sign of life.
    Heartbeat(Heartbeat),
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heartbeat {
    /// KiB resident.
    pub rss_kib: u64,
    /// Milliseconds by which the bridge's own timer was late: how busy its loop is.
    pub lag_ms: u32,
    /// Sessions in each state; absent states have none.
    pub sessions: std::collections::BTreeMap<SessionState, u32>,
}

/// How a session stands within a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Opened, not logged in yet.
    Connecting,
    /// Shows codes.
    Pairing,
    /// Logged in.
    Connected,
    /// On its way out.
    Closing,
}

/// A frame that is none. Says where, never what: frames hold keys and bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    TooLong,
    /// Not what these types read.
    Malformed {
        /// Byte where reading failed.
        column: usize,
        /// `syntax`, `data` or `eof`.
        kind: &'static str,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a frame of more than {MAX_FRAME} bytes"),
            Self::Malformed { column, kind } => {
                write!(f, "a frame that cannot be read ({kind} at byte {column})")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// One frame as a line, its newline included.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn encode(frame: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut line = serde_json::to_vec(frame).map_err(|error| malformed(&error))?;
    line.push(b'\n');
    if line.len() > MAX_FRAME { Err(FrameError::TooLong) } else { Ok(line) }
}

/// Reads one line, with or without its newline.
///
/// # Errors
/// When it is too long or no such frame.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, FrameError> {
    if line.len() > MAX_FRAME {
        return Err(FrameError::TooLong);
    }
    serde_json::from_slice(line).map_err(|error| malformed(&error))
}

fn malformed(error: &serde_json::Error) -> FrameError {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "io",
        serde_json::error::Category::Syntax => "syntax",
        serde_json::error::Category::Data => "data",
        serde_json::error::Category::Eof => "eof",
    };
    FrameError::Malformed { column: error.column(), kind }
}
