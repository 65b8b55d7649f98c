//! A file in a message that is to be sent, as it came: `{media, caption?, file_name?, voice?, seconds?}`. Whether the file is
//! there and can be sent so is found out later (`media::attach`).

use schemars::JsonSchema;
use serde::Deserialize;

use super::media::file_name;
use crate::domain::content::{Content, Media};
use crate::domain::id::MediaId;
use crate::domain::media::{CAPTION_MAX, FILE_NAME_MAX, MediaKind};
use crate::domain::refusal::Fault;

/// Longest sound or film, in seconds: a day.
const SECONDS_MAX: u32 = 24 * 3600;

/// A file in a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The file, as `POST /v1/media` named it.
    media: MediaId,
    /// A line below it; not for sounds and stickers.
    #[serde(default)]
    #[schemars(length(min = 1, max = CAPTION_MAX))]
    caption: Option<String>,
    /// What a document is called, if not as it was uploaded.
    #[serde(default)]
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    file_name: Option<String>,
    /// Whether a sound is shown as recorded on the spot; wants `audio/ogg; codecs=opus`.
    #[serde(default)]
    voice: Option<bool>,
    /// How long a sound or film plays.
    #[serde(default)]
    #[schemars(range(min = 0, max = SECONDS_MAX))]
    seconds: Option<u32>,
}

impl Attachment {
    /// The content of a message of this kind, with what is wrong with it.
    pub fn check(self, kind: MediaKind) -> (Content, Vec<Fault>) {
        let Self { media, caption, file_name: name, voice, seconds } = self;
        // What the file itself says is not known yet.
        let held = Media {
            media,
            mime: String::new(),
            size: 0,
            caption,
            file_name: name,
            seconds,
            voice: voice.unwrap_or_default(),
        };
        let content = kind.holding(held.clone());
        let mut faults = vec![];
        let mut fault = |field: &str, code, detail: String| {
            faults.push(Fault::new(format!("/{}/{field}", content.kind()), code, detail));
        };
        let plays = matches!(kind, MediaKind::Audio | MediaKind::Video);
        let speaks = !matches!(kind, MediaKind::Audio | MediaKind::Sticker);
        for (field, given, allowed) in [
            ("caption", held.caption.is_some(), speaks),
            ("file_name", held.file_name.is_some(), kind == MediaKind::Document),
            ("voice", voice.is_some(), kind == MediaKind::Audio),
            ("seconds", seconds.is_some(), plays),
        ] {
            if given && !allowed {
                fault(field, "not_allowed", "this kind of message has none".to_owned());
            }
        }
        if let Some(caption) = &held.caption
            && (!(1..=CAPTION_MAX).contains(&caption.chars().count()) || caption.contains('\0'))
        {
            fault("caption", "out_of_range", format!("1 to {CAPTION_MAX} characters, none of them NUL"));
        }
        if let Some(Err(detail)) = held.file_name.as_deref().map(file_name) {
            fault("file_name", "not_allowed", detail);
        }
        if seconds.is_some_and(|seconds| seconds > SECONDS_MAX) {
            fault("seconds", "out_of_range", format!("0 to {SECONDS_MAX}"));
        }
        (content, faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use strum::IntoEnumIterator as _;

    /// Pointers of what is wrong with a file that says this besides.
    fn wrong(kind: MediaKind, field: &str, value: &Value) -> Vec<String> {
        let body = json!({"media": "med_019a2b3c4d5e7f808192a3b4c5d6e7f8", field: value});
        let file: Attachment = serde_json::from_value(body).expect("readable");
        file.check(kind).1.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn each_kind_takes_what_whatsapp_shows_with_it_and_nothing_else() {
        use MediaKind as K;
        for (field, value, takers) in [
            ("caption", json!("look"), vec![K::Image, K::Video, K::Document]),
            ("file_name", json!("a.pdf"), vec![K::Document]),
            ("voice", json!(false), vec![K::Audio]),
            ("seconds", json!(7), vec![K::Audio, K::Video]),
        ] {
            for kind in K::iter() {
                assert_eq!(wrong(kind, field, &value).is_empty(), takers.contains(&kind), "{field} {kind:?}");
            }
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_said_at_its_field() {
        for (field, value) in [
            ("caption", json!("")),
            ("caption", json!("ä".repeat(CAPTION_MAX + 1))),
            ("caption", json!("a\0b")),
            ("file_name", json!("")),
            ("file_name", json!("../../etc/passwd")),
            ("file_name", json!("a\nb")),
            ("file_name", json!("x".repeat(FILE_NAME_MAX + 1))),
        ] {
            assert_eq!(wrong(MediaKind::Document, field, &value), [format!("/document/{field}")], "{value}");
        }
        let most = json!(SECONDS_MAX + 1);
        assert_eq!(wrong(MediaKind::Audio, "seconds", &most), ["/audio/seconds"]);
    }
}
