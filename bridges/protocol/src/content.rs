//! What a message holds, in both directions.

use serde::{Deserialize, Serialize};

use crate::secret::{Blob, Private};

/// What a message holds. A bridge answers `unsupported` for a kind it has no capability for, and reports an inbound kind
/// that is not here as `other`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text {
        /// At most 65,536 characters.
        body: Private,
    },
    /// An image, a video, a voice note, a document or a sticker.
    Media {
        /// Which of them.
        media: MediaKind,
        /// Where its bytes are.
        file: Attachment,
        /// A line below it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<Private>,
    },
    /// A sign put on a message; an empty one takes it away.
    Reaction {
        /// On which message.
        target: MessageRef,
        /// One emoji, or nothing.
        emoji: Private,
    },
    /// New text for a message of one's own.
    Edit {
        /// Which.
        target: MessageRef,
        /// The new text.
        body: Private,
    },
    /// Takes a message back for everybody.
    Revoke {
        /// Which.
        target: MessageRef,
    },
    /// A question with answers to pick.
    Poll {
        /// The question.
        question: Private,
        /// Two to twelve answers.
        options: Vec<PollOption>,
        /// How many may be picked; 0 is any number.
        selectable: u32,
    },
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What it is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Private>,
        /// Where it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Private>,
    },
    /// Contact cards.
    Contacts {
        /// Each as a vCard 3.0.
        cards: Vec<Card>,
    },
    /// Inbound only: a kind this protocol does not carry. Nothing of it is told but its name.
    #[serde(other)]
    Other,
}

/// One contact card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What is shown.
    pub name: Private,
    /// vCard 3.0.
    pub vcard: Private,
}

/// An answer of a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollOption {
    /// Its text.
    pub name: Private,
}

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// JPEG or PNG.
    Image,
    /// MP4.
    Video,
    /// Ogg Opus or another sound.
    Audio,
    /// A sound that is shown as recorded on the spot.
    Voice,
    /// Anything.
    Document,
    /// WebP.
    Sticker,
}

/// A file. Outbound it lies in the media folder; inbound it lies at WhatsApp until `fetch_media` brings it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Outbound: a file's name in the media folder, `[A-Za-z0-9_-]{1,64}`; the supervisor removes it after the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Inbound: what `fetch_media` needs; opaque to the supervisor, at most 8 KiB. Holds the key of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Blob>,
    /// Its media type, such as `image/jpeg`.
    pub mime: String,
    /// Bytes of the plain file.
    pub size: u64,
    /// What a document is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<Private>,
    /// Seconds it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// Its id on WhatsApp.
    pub wa_id: String,
    /// Whether this account wrote it.
    pub from_me: bool,
    /// Who wrote it, in a group; an address as in `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Private>,
}

/// What an answer quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Which message.
    #[serde(flatten)]
    pub message: MessageRef,
    /// Its text as shown in the quote; may be empty.
    #[serde(default)]
    pub body: Private,
}
