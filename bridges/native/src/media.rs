//! Bodies of media: from a file to the media host, and from there into a file, in constant memory.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use columba_bridge_protocol as wire;
use serde::{Deserialize, Serialize};
use wacore::download::{DownloadWriter, MediaType};
use wacore::upload::{UploadSource, encrypt_media_streaming};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use whatsapp_rust::Client;
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::upload::UploadResponse;
use wire::{Attachment, Content, ErrorCode, Failure, MediaKind, Private};

use crate::content;

/// `O_NOFOLLOW`: a link in the folder leads nowhere.
const NO_FOLLOW: i32 = 0o400_000;

/// What it takes to fetch a file, as the supervisor keeps it for us.
#[derive(Serialize, Deserialize)]
struct Handle {
    kind: MediaKind,
    path: String,
    key: Vec<u8>,
    sha256: Vec<u8>,
    enc_sha256: Vec<u8>,
    size: u64,
}

/// A file in the media folder, by a name that leads nowhere else.
fn place(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !formed || !(1..=64).contains(&name.len()) {
        return Err(Failure::because(ErrorCode::Invalid, "name: 1 to 64 of A-Z, a-z, 0-9, _ and -"));
    }
    Ok(folder.join(name))
}

/// The ciphertext on its way out: a file without a name, so that nothing of it stays.
struct Sealed(File);

impl UploadSource for Sealed {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |data| data.len())
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        // A handle of its own by way of /proc: clones of a descriptor share their position.
        use std::os::fd::AsRawFd as _;
        let mut file = File::open(format!("/proc/self/fd/{}", self.0.as_raw_fd()))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }
}

/// Encrypts and uploads a file. Nothing was sent when it fails.
pub async fn upload(
    client: &Arc<Client>,
    folder: &Path,
    kind: MediaKind,
    file: &Attachment,
) -> Result<UploadResponse, Failure> {
    let name = file.name.as_deref().ok_or_else(|| Failure::because(ErrorCode::Invalid, "file: a name"))?;
    let (from, folder) = (place(folder, name)?, folder.to_owned());
    let media_type = content::media_type(kind);
    let seal = move || -> io::Result<_> {
        let plain = File::options().read(true).custom_flags(NO_FOLLOW).open(from)?;
        let sealed = unnamed(&folder)?;
        let info = encrypt_media_streaming(io::BufReader::new(plain), &sealed, media_type)
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok((sealed, info))
    };
    let sealed = tokio::task::spawn_blocking(seal).await;
    let (sealed, info) = match sealed {
        Ok(Ok(sealed)) => sealed,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::because(ErrorCode::NotFound, "file: not in the media folder"));
        }
        Ok(Err(error)) => {
            return Err(Failure::because(ErrorCode::NotSent, format!("file: {}", error.kind())));
        }
        Err(_) => return Err(Failure::of(ErrorCode::NotSent)),
    };
    client
        .upload_stream(Sealed(sealed), info, media_type)
        .await
        .map_err(|_| Failure::because(ErrorCode::NotSent, "the media host did not take the file"))
}

fn unnamed(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".sealed-{:016x}", rand::random::<u64>()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The message that carries an uploaded file.
pub fn message(
    kind: MediaKind,
    file: &Attachment,
    caption: Option<&Private>,
    upload: UploadResponse,
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    let caption = caption.map(|caption| caption.0.clone());
    let mime = Some(file.mime.clone());
    let context_info = context.map(MessageField::some).unwrap_or_default();
    let (url, direct_path) = (Some(upload.url), Some(upload.direct_path));
    let media_key = Some(upload.media_key.to_vec());
    let (file_sha256, file_enc_sha256) =
        (Some(upload.file_sha256.to_vec()), Some(upload.file_enc_sha256.to_vec()));
    let (file_length, media_key_timestamp) = (Some(upload.file_length), Some(upload.media_key_timestamp));
    let mut message = wa::Message::default();
    match kind {
        MediaKind::Image => {
            message.image_message = MessageField::some(wa::message::ImageMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype: mime,
                caption,
                context_info,
                ..Default::default()
            });
        }
        MediaKind::Video => {
            message.video_message = MessageField::some(wa::message::VideoMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype: mime,
                caption,
                seconds: file.seconds,
                streaming_sidecar: upload.streaming_sidecar,
                context_info,
                ..Default::default()
            });
        }
        MediaKind::Audio | MediaKind::Voice => {
            message.audio_message = MessageField::some(wa::message::AudioMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype: mime,
                seconds: file.seconds,
                ptt: Some(kind == MediaKind::Voice),
                streaming_sidecar: upload.streaming_sidecar,
                context_info,
                ..Default::default()
            });
        }
        MediaKind::Document => {
            message.document_message = MessageField::some(wa::message::DocumentMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype: mime,
                caption,
                file_name: file.file_name.as_ref().map(|name| name.0.clone()),
                context_info,
                ..Default::default()
            });
        }
        MediaKind::Sticker => {
            message.sticker_message = MessageField::some(wa::message::StickerMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype: mime,
                context_info,
                ..Default::default()
            });
        }
    }
    message
}

/// Media that came in, with what it takes to fetch them.
pub fn heard(base: &wa::Message) -> Option<Content> {
    macro_rules! media {
        ($field:ident, $kind:expr, $caption:expr, $name:expr, $seconds:expr) => {
            if let Some(found) = base.$field.as_option() {
                let handle = Handle {
                    kind: $kind(found),
                    path: found.direct_path.clone()?,
                    key: found.media_key.clone()?,
                    sha256: found.file_sha256.clone()?,
                    enc_sha256: found.file_enc_sha256.clone()?,
                    size: found.file_length.unwrap_or(0),
                };
                let mut file = content::attachment(
                    found.mimetype.as_ref(),
                    found.file_length,
                    serde_json::to_vec(&handle).ok()?,
                );
                file.file_name = $name(found);
                file.seconds = $seconds(found);
                return Some(Content::Media { media: handle.kind, file, caption: $caption(found) });
            }
        };
    }
    use wa::message as m;
    let none = |_: &m::StickerMessage| None;
    media!(
        image_message,
        |_: &m::ImageMessage| MediaKind::Image,
        |found: &m::ImageMessage| found.caption.clone().map(Private),
        |_: &m::ImageMessage| None,
        |_: &m::ImageMessage| None
    );
    media!(
        video_message,
        |_: &m::VideoMessage| MediaKind::Video,
        |found: &m::VideoMessage| found.caption.clone().map(Private),
        |_: &m::VideoMessage| None,
        |found: &m::VideoMessage| found.seconds
    );
    media!(
        audio_message,
        |found: &m::AudioMessage| if found.ptt == Some(true) { MediaKind::Voice } else { MediaKind::Audio },
        |_: &m::AudioMessage| None,
        |_: &m::AudioMessage| None,
        |found: &m::AudioMessage| found.seconds
    );
    media!(
        document_message,
        |_: &m::DocumentMessage| MediaKind::Document,
        |found: &m::DocumentMessage| found.caption.clone().map(Private),
        |found: &m::DocumentMessage| found.file_name.clone().map(Private),
        |_: &m::DocumentMessage| None
    );
    media!(
        sticker_message,
        |_: &m::StickerMessage| MediaKind::Sticker,
        none,
        none,
        |_: &m::StickerMessage| None
    );
    None
}

/// A file that gives up beyond a bound.
struct Bounded {
    file: File,
    left: u64,
    bound: u64,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let written = io::Write::write(&mut self.file, bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut self.file)
    }
}

impl io::Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DownloadWriter for Bounded {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.left = self.bound.saturating_sub(len);
        self.file.set_len(len)
    }
}

/// Fetches a file. A failed one leaves nothing behind.
pub async fn fetch(
    client: &Arc<Client>,
    folder: &Path,
    handle: &[u8],
    name: &str,
    max_bytes: u64,
) -> Result<u64, Failure> {
    let handle: Handle =
        serde_json::from_slice(handle).map_err(|_| Failure::because(ErrorCode::Invalid, "handle"))?;
    let to = place(folder, name)?;
    if handle.size > max_bytes {
        return Err(Failure::because(ErrorCode::TooLarge, "the file has more bytes than allowed"));
    }
    let media_type: MediaType = content::media_type(handle.kind);
    let params = DownloadParams::encrypted(
        handle.path,
        &handle.key,
        &handle.sha256,
        &handle.enc_sha256,
        handle.size,
        media_type,
    );
    let made = File::options().read(true).write(true).create_new(true).mode(0o600).open(&to);
    let file =
        made.map_err(|error| Failure::because(ErrorCode::Invalid, format!("name: {}", error.kind())))?;
    let writer = Bounded { file, left: max_bytes, bound: max_bytes };
    match client.download_from_params_to_writer(&params, writer).await {
        Ok(done) => Ok(done.file.metadata().map_or(0, |data| data.len())),
        Err(_) => {
            let _ = std::fs::remove_file(&to);
            Err(Failure::because(ErrorCode::NotFound, "the media host did not give the file"))
        }
    }
}
