//! Files that messages carry: what is known of one, and what each kind of message takes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::EnumIter;

use super::content::{Content, Media};
use super::id::{MediaId, SessionId, TenantId};
use super::message::Direction;
use super::refusal::Refusal;
use super::time::WallTime;
use super::word::words;

/// Longest name of a file, in characters.
pub const FILE_NAME_MAX: usize = 255;
/// Longest line below a file, in characters.
pub const CAPTION_MAX: usize = 1_024;
/// Longest media type, in bytes (RFC 6838 allows 127 and a slash between).
pub const MIME_MAX: usize = 255;
/// Longest handle, in bytes.
pub const HANDLE_MAX: usize = 8 * 1024;

const MIB: u64 = 1024 * 1024;

words! {
    /// Where a file's bytes are.
    pub enum MediaState {
        /// Here.
        Stored,
        /// With the network: they are brought here when somebody asks for them.
        Remote,
    }
}

/// What an engine needs to bring a file here. Holds the file's key, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Handle(pub Vec<u8>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({} bytes)", self.0.len())
    }
}

/// What is known of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its id, which is also its name on disk.
    pub id: MediaId,
    /// Whose.
    pub tenant: TenantId,
    /// The session it came in on; none for one that was uploaded.
    pub session: Option<SessionId>,
    /// Uploaded, or come in.
    pub direction: Direction,
    /// Its media type. Of one that is stored its bytes were looked at; otherwise it is what the sender says.
    pub mime: String,
    /// Bytes; of one that is not stored, what the sender says.
    pub size: u64,
    /// SHA-256 of its bytes; none before they are stored.
    pub sha256: Option<[u8; 32]>,
    /// What it is called, at most [`FILE_NAME_MAX`] characters.
    pub file_name: Option<String>,
    /// Where its bytes are.
    pub state: MediaState,
    /// For one that came in: what brings it here.
    pub handle: Option<Handle>,
    /// When it was uploaded or came in.
    pub created_at: WallTime,
    /// The plan's retention counts from here: its creation, or later if messages use it.
    pub kept_from: WallTime,
}

/// Without name and handle.
impl fmt::Debug for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaFile")
            .field("id", &self.id)
            .field("mime", &self.mime)
            .field("size", &self.size)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl MediaFile {
    /// The record of a file that came in with a message on `session`: it lies with the network.
    pub fn announced(
        tenant: TenantId,
        session: SessionId,
        media: &Media,
        handle: Handle,
        at: WallTime,
    ) -> Self {
        Self {
            id: media.media,
            tenant,
            session: Some(session),
            direction: Direction::In,
            mime: media.mime.clone(),
            size: media.size,
            sha256: None,
            file_name: media.file_name.clone(),
            state: MediaState::Remote,
            handle: Some(handle),
            created_at: at,
            kept_from: at,
        }
    }
}

/// What the bytes of a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its media type.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

/// The kinds of messages that carry a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// What a message holds, if it is a file.
    pub fn of(content: &Content) -> Option<Self> {
        match content {
            Content::Image(_) => Some(Self::Image),
            Content::Video(_) => Some(Self::Video),
            Content::Audio(_) => Some(Self::Audio),
            Content::Document(_) => Some(Self::Document),
            Content::Sticker(_) => Some(Self::Sticker),
            _ => None,
        }
    }

    /// A message of this kind.
    pub fn holding(self, media: Media) -> Content {
        match self {
            Self::Image => Content::Image(media),
            Self::Video => Content::Video(media),
            Self::Audio => Content::Audio(media),
            Self::Document => Content::Document(media),
            Self::Sticker => Content::Sticker(media),
        }
    }

    /// Most bytes that WhatsApp takes, after the table of the Cloud API's media reference ("Supported media types"): an
    /// image 5 MB, a film or sound 16 MB, a document 100 MB, a sticker 500 KB (one that does not move: 100 KB).
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Image => 5 * MIB,
            Self::Video | Self::Audio => 16 * MIB,
            Self::Document => 100 * MIB,
            Self::Sticker => 500 * 1024,
        }
    }

    /// Media types that WhatsApp shows as this kind, after the same table; empty: any.
    pub fn mimes(self) -> &'static [&'static str] {
        match self {
            Self::Image => &["image/jpeg", "image/png"],
            Self::Video => &["video/mp4", "video/3gpp"],
            Self::Audio => &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"],
            Self::Document => &[],
            Self::Sticker => &["image/webp"],
        }
    }

    /// Whether a file of this media type can be sent as this kind.
    pub fn takes(self, mime: &str) -> bool {
        let mimes = self.mimes();
        mimes.is_empty() || mimes.contains(&essence(mime))
    }
}

/// A media type without its parameters.
pub fn essence(mime: &str) -> &str {
    mime.split(';').next().unwrap_or_default().trim()
}

/// Whether `text` has the form of a media type: `type/subtype`, parameters allowed, visible ASCII and spaces.
pub fn is_mime(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let plain = text.len() <= MIME_MAX && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    plain && essence(text).split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

impl Refusal {
    /// 409: the plan's room for files is used up.
    pub fn no_room_for_media(total: u64) -> Self {
        Self::conflict(format!(
            "the plan keeps {total} bytes of media at once (media_bytes_total), and this file would be beyond; delete some first"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_known_by_its_form() {
        for good in
            ["image/jpeg", "audio/ogg; codecs=opus", "application/vnd.ms-excel", "a/b", "image/svg+xml"]
        {
            assert!(is_mime(good), "{good}");
        }
        let long = format!("a/{}", "b".repeat(MIME_MAX));
        for bad in [
            "",
            "image",
            "/",
            "image/",
            "/jpeg",
            "image/jp eg",
            "image/jpeg\n",
            "im\u{e4}ge/png",
            "a/b;\0",
            &long,
        ] {
            assert!(!is_mime(bad), "{bad}");
        }
    }

    #[test]
    fn parameters_do_not_change_which_kind_takes_a_type() {
        assert!(MediaKind::Audio.takes("audio/ogg; codecs=opus"));
        assert!(!MediaKind::Image.takes("image/webp"));
        assert!(MediaKind::Sticker.takes("image/webp"));
        assert!(MediaKind::Document.takes("application/x-anything"));
    }
}
