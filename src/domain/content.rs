//! What a message holds, kind by kind. `Debug` of all of it hides what people wrote: that belongs into rows and answers,
//! never into a log.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{MediaId, MessageId};
use super::message::WaId;

/// What a message holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text(Text),
    /// A picture: JPEG or PNG.
    Image(Media),
    /// A film: MP4.
    Video(Media),
    /// A sound; recorded on the spot when `voice` is set.
    Audio(Media),
    /// Any file.
    Document(Media),
    /// A sticker: WebP.
    Sticker(Media),
    /// A place.
    Location(Location),
    /// Contact cards.
    Contacts(Contacts),
    /// A sign put on a message, or taken from it.
    Reaction(Reaction),
    /// A question with answers to pick.
    Poll(Poll),
    /// New text for a message that left.
    Edit(Edit),
    /// A message that left is taken back for everybody.
    Revoke(Revoke),
    /// Inbound only: something that is none of these. That it came is all that is known of it.
    Other,
}

impl Content {
    /// The word under which the API files it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Video(_) => "video",
            Self::Audio(_) => "audio",
            Self::Document(_) => "document",
            Self::Sticker(_) => "sticker",
            Self::Location(_) => "location",
            Self::Contacts(_) => "contacts",
            Self::Reaction(_) => "reaction",
            Self::Poll(_) => "poll",
            Self::Edit(_) => "edit",
            Self::Revoke(_) => "revoke",
            Self::Other => "other",
        }
    }

    /// What its writer says in words: a text, or the line below a file. New words for an older message are not said now.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.body),
            other => other.media()?.caption.as_deref(),
        }
    }

    /// The file it carries.
    pub fn media(&self) -> Option<&Media> {
        match self {
            Self::Image(media)
            | Self::Video(media)
            | Self::Audio(media)
            | Self::Document(media)
            | Self::Sticker(media) => Some(media),
            _ => None,
        }
    }

    /// About how many bytes of it were chosen by whoever wrote it.
    pub fn weight(&self) -> usize {
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Text(text) => text.body.len(),
            Self::Image(media)
            | Self::Video(media)
            | Self::Audio(media)
            | Self::Document(media)
            | Self::Sticker(media) => media.mime.len() + of(&media.caption) + of(&media.file_name),
            Self::Location(place) => of(&place.name) + of(&place.address),
            Self::Contacts(contacts) => {
                contacts.cards.iter().map(|card| card.name.len() + card.vcard.len()).sum()
            }
            Self::Reaction(reaction) => reaction.emoji.len(),
            Self::Poll(poll) => poll.question.len() + poll.options.iter().map(String::len).sum::<usize>(),
            Self::Edit(edit) => edit.body.len(),
            Self::Revoke(_) | Self::Other => 0,
        }
    }

    /// The message it says something about, to be changed.
    pub fn target_mut(&mut self) -> Option<&mut Target> {
        match self {
            Self::Reaction(Reaction { target, .. })
            | Self::Edit(Edit { target, .. })
            | Self::Revoke(Revoke { target }) => Some(target),
            _ => None,
        }
    }

    /// The message it says something about.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Reaction(Reaction { target, .. })
            | Self::Edit(Edit { target, .. })
            | Self::Revoke(Revoke { target }) => Some(target),
            _ => None,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            other => f.write_str(other.kind()),
        }
    }
}

/// What people wrote is hidden from logs, kind by kind.
macro_rules! hidden {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

hidden!(Media, Location, Contacts, Card, Reaction, Poll, Edit, Revoke);

/// Plain text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// 1 to 4,096 characters, as WhatsApp allows.
    #[schemars(length(min = 1, max = 4_096))]
    pub body: String,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} chars)", self.body.chars().count())
    }
}

/// A message that another one is about. A tenant names it by `message`; what comes from the network has the network's id,
/// and `message` as well where the record of it is still kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its record here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// Its id on the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<WaId>,
}

/// A file in a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Media {
    /// Its record.
    pub media: MediaId,
    /// Its media type, such as `image/jpeg`.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// A line below it, at most 1,024 characters; not for sounds and stickers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// What a document is called, at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// How long it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Whether a sound is shown as recorded on the spot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub voice: bool,
}

/// A place.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north, -90 to 90.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
    /// What it is called, at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub name: Option<String>,
    /// Where it is, at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub address: Option<String>,
}

/// Its degrees are numbers: JSON holds nothing else.
impl Eq for Location {}

/// Contact cards.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// 1 to 20.
    #[schemars(length(min = 1, max = 20))]
    pub cards: Vec<Card>,
}

/// One contact card.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What is shown, 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// vCard 3.0, at most 8,192 bytes.
    #[schemars(length(min = 1, max = 8_192))]
    pub vcard: String,
}

/// A sign put on a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// On which.
    #[serde(flatten)]
    pub target: Target,
    /// One emoji; nothing takes the sign away.
    pub emoji: String,
}

/// A question with answers to pick.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub question: String,
    /// 2 to 12, no two alike, each of 1 to 100 characters.
    #[schemars(length(min = 2, max = 12))]
    pub options: Vec<String>,
    /// How many may be picked; any number if it is left out.
    #[serde(default, skip_serializing_if = "is_any")]
    pub selectable: u32,
}

fn is_any(selectable: &u32) -> bool {
    *selectable == 0
}

/// New text for a message that left.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// Which.
    #[serde(flatten)]
    pub target: Target,
    /// The new text, 1 to 4,096 characters.
    pub body: String,
}

/// A message that is taken back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revoke {
    /// Which.
    #[serde(flatten)]
    pub target: Target,
}
