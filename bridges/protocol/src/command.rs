//! What the supervisor asks of a bridge.

use serde::{Deserialize, Serialize};

use crate::content::{Content, MessageRef, Quote};
use crate::secret::{Blob, Private};

/// Names of the commands that concern the whole process: they come without `session` and `epoch`.
pub const PROCESS_COMMANDS: [&str; 3] = ["stats", "drain", "shutdown"];

/// Something to do. `to` and `chat` are addresses: `+` and digits for a person, `…@g.us` for a group, and, as far as a
/// bridge reported it so, `…@lid` for a person whose number is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
pub enum Command {
    /// Connects the session with the credentials in its vault, or begins to pair where there are none. Answered `done` as
    /// soon as it is begun; what becomes of it are events, the first within 30 s. Ends the session's older epochs.
    Open {
        /// `http://`, `https://` or `socks5://` address, credentials included, of what all of the session's traffic goes through, media
        /// and names too. Answered `invalid` where the bridge does not speak that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proxy: Option<Private>,
        /// Address of a server instead of WhatsApp's, for tests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
    },
    /// Closes the socket, writes what is pending into the vault, then reports `closed` with `requested`. Keeps credentials.
    Close,
    /// Unlinks the device at WhatsApp, as well as it can in the deadline, then closes. The vault is wiped by its owner.
    LogOut,
    /// A code to be typed into the phone of this number.
    PairCode {
        /// The account's own number.
        phone: Private,
    },
    /// Writes one message to the socket and is answered `sent`. That is not the server's ack: an `ack` event is.
    Send {
        /// Address of the chat.
        to: Private,
        /// The id it has on WhatsApp. A repeated id is sent again, not refused: the supervisor knows why.
        wa_id: String,
        /// What.
        content: Box<Content>,
        /// What it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Box<Quote>>,
    },
    /// Marks messages of a chat as read.
    MarkRead {
        /// Address of the chat.
        chat: Private,
        /// Which, all by one author.
        messages: Vec<MessageRef>,
    },
    /// Shows or stops showing that somebody types.
    Typing {
        /// Address of the chat.
        chat: Private,
        /// Whether.
        active: bool,
    },
    /// Whether numbers have accounts. At most 50.
    CheckNumber {
        /// Numbers with `+`.
        phones: Vec<Private>,
    },
    /// Groups the account is in.
    Groups,
    /// Contacts the bridge knows.
    Contacts {
        /// Beyond this one of the last page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Private>,
        /// At most so many, 1 to 500.
        limit: u32,
    },
    /// Brings an inbound file into the media folder, streamed. The supervisor removes it.
    FetchMedia {
        /// From the message's attachment.
        handle: Blob,
        /// Name of the file to be made, `[A-Za-z0-9_-]{1,64}`; a file that exists is refused.
        name: String,
        /// Gives up beyond so many bytes.
        max_bytes: u64,
    },
    /// A real request to WhatsApp and its response.
    Ping,
    /// Counters, of one session or, without one, of the process.
    Stats,
    /// Takes no `open` and no `send` any more, closes every session in good order, then answers.
    Drain,
    /// Answers, then ends with exit code 0 within a second. Sessions still open are cut off.
    Shutdown,
    /// Read only: a command this version does not know. To be answered `unsupported`.
    #[serde(other)]
    Unknown,
}
