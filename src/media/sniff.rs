//! What a file is: its first bytes say it, and what its owner says counts where they do not.

use strum::IntoEnumIterator as _;

use crate::domain::media::{MediaKind, essence};

/// What nobody knows.
pub const UNKNOWN: &str = "application/octet-stream";

/// The bytes of a file are not of the type it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAsDeclared;

/// The media type of a file, by its first bytes and what is said of it. A type that WhatsApp shows has to be seen in the
/// bytes; of others, such as plain text, nothing can be seen.
pub fn mime_of(head: &[u8], declared: Option<&str>) -> Result<String, NotAsDeclared> {
    let declared = declared.filter(|declared| essence(declared) != UNKNOWN);
    let mime = match (seen_in(head), declared) {
        (Some(seen), Some(declared)) if is_a_kind_of(seen, declared) => declared,
        (Some(seen), _) => seen,
        (None, Some(declared)) if is_shown(declared) => return Err(NotAsDeclared),
        (None, Some(declared)) => declared,
        (None, None) => UNKNOWN,
    };
    Ok(mime.to_owned())
}

/// Whether WhatsApp shows files of this type as something else than documents.
fn is_shown(mime: &str) -> bool {
    MediaKind::iter().any(|kind| kind.mimes().contains(&essence(mime)))
}

/// The type that the bytes show, by the name that WhatsApp has for it.
fn seen_in(head: &[u8]) -> Option<&'static str> {
    match infer::get(head).map(|seen| seen.mime_type()) {
        Some("audio/m4a") => Some("audio/mp4"),
        Some("audio/opus") => Some("audio/ogg; codecs=opus"),
        Some("video/x-m4v") => Some("video/mp4"),
        Some(seen) => Some(seen),
        None if head.get(4..10) == Some(b"ftyp3g") => Some("video/3gpp"),
        // A frame of MPEG audio without a tag before it: eleven bits of sync, and a layer.
        None if head.len() > 2 && head[0] == 0xFF && head[1] & 0xE0 == 0xE0 && head[1] & 0x06 != 0 => {
            Some("audio/mpeg")
        }
        None => None,
    }
}

/// Whether what is declared may well be what was seen, and says more: many formats are a container of another, and bytes
/// show only that.
fn is_a_kind_of(seen: &str, declared: &str) -> bool {
    let said = essence(declared);
    match seen {
        _ if seen == said => true,
        "application/zip" | "application/x-ole-storage" | "text/xml" | "text/html" => {
            said.starts_with("application/") || said == "image/svg+xml"
        }
        "video/mp4" => matches!(said, "audio/mp4" | "video/3gpp"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide_and_what_is_declared_counts_where_they_cannot() {
        let jpeg: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F'];
        let png: &[u8] = &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
        let mp4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0";
        let zip: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
        let opus = [&b"OggS"[..], &[0; 24], b"OpusHead", &[0; 16]].concat();
        let text: &[u8] = b"date,amount\n2026-11-30,12\n";
        let office = "application/vnd.oasis.opendocument.text";
        for (head, declared, mime) in [
            (jpeg, Some("image/jpeg"), Ok("image/jpeg")),
            (jpeg, Some("image/png"), Ok("image/jpeg")),
            (jpeg, Some("application/octet-stream"), Ok("image/jpeg")),
            (jpeg, None, Ok("image/jpeg")),
            (png, Some("text/html"), Ok("image/png")),
            (mp4, Some("video/mp4"), Ok("video/mp4")),
            (mp4, Some("audio/mp4"), Ok("audio/mp4")),
            (mp4, Some("image/jpeg"), Ok("video/mp4")),
            (&opus, Some("audio/ogg"), Ok("audio/ogg; codecs=opus")),
            (&opus, Some("audio/ogg; codecs=opus"), Ok("audio/ogg; codecs=opus")),
            (zip, Some(office), Ok(office)),
            (zip, Some("image/jpeg"), Ok("application/zip")),
            (text, Some("text/csv"), Ok("text/csv")),
            (text, Some("text/csv; charset=utf-8"), Ok("text/csv; charset=utf-8")),
            (text, None, Ok(UNKNOWN)),
            (text, Some("image/jpeg"), Err(NotAsDeclared)),
            (text, Some("video/mp4"), Err(NotAsDeclared)),
            (text, Some("audio/ogg; codecs=opus"), Err(NotAsDeclared)),
            (b"", Some("image/webp"), Err(NotAsDeclared)),
            (&[0xFF, 0xF3, 0x40, 0xC0], Some("audio/mpeg"), Ok("audio/mpeg")),
            (b"\0\0\0\x18ftyp3gp4\0\0\x02\0", Some("video/3gpp"), Ok("video/3gpp")),
        ] {
            assert_eq!(mime_of(head, declared), mime.map(str::to_owned), "{head:?} {declared:?}");
        }
    }
}
