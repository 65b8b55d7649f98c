//! The media folder of a shard, from the supervisor's side: a file is lent to the bridge under a fresh name, or taken from it.
//! A bridge is not trusted with it: what it leaves there is opened without following links, has to be a plain file that
//! nothing else names, and of the size it said.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use columba_bridge_protocol as wire;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, unlinkat};

use crate::domain::content::{Content, Media};
use crate::domain::id::{MediaId, TenantId};
use crate::domain::media::{CAPTION_MAX, FILE_NAME_MAX, HANDLE_MAX, Handle, MediaKind, is_mime};
use crate::domain::time::WallTime;
use crate::ports::media::{FilesError, MediaFiles};
use crate::ports::transport::FetchError;

/// A name that nobody can have guessed, of the form that bridges take.
pub fn fresh(way: &str) -> String {
    format!("{way}_{:032x}", rand::random::<u128>())
}

/// A file in the folder; its name is removed when this is dropped, however the attempt that needed it ends. Whoever has it
/// open reads on.
pub struct Lent {
    path: PathBuf,
    /// Its name in the folder.
    pub name: String,
}

impl Lent {
    /// Lends a file to whoever reads `folder`.
    pub async fn to(
        folder: &Path,
        files: &dyn MediaFiles,
        tenant: TenantId,
        id: MediaId,
    ) -> Result<Self, FilesError> {
        let name = fresh("out");
        let path = folder.join(&name);
        // From here on it is removed, also if the lender is given up half way.
        let lent = Self { path, name };
        files.lend(tenant, id, &lent.path).await?;
        Ok(lent)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A name that a bridge was told to write to. Whatever is under it when this is dropped is removed.
pub struct Ordered {
    folder: PathBuf,
    /// Its name in the folder.
    pub name: String,
}

impl Ordered {
    /// A name in `folder` that does not exist.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, name: fresh("in") }
    }

    /// What the bridge wrote, which it says has `size` bytes: open, and without a name.
    pub async fn take(self, size: u64, most: u64) -> Result<File, FetchError> {
        if size > most {
            return Err(FetchError::TooLarge);
        }
        let taken = tokio::task::spawn_blocking(move || take(&self.folder, &self.name, size)).await;
        match taken {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a bridge left something else than the file it was asked for");
                Err(FetchError::Broken)
            }
            Err(_) => Err(FetchError::Broken),
        }
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.folder.join(&self.name));
    }
}

fn take(folder: &Path, name: &str, size: u64) -> io::Result<File> {
    let closed = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let folder = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | closed, Mode::empty())?;
    // A pipe is opened without waiting for whoever writes to it.
    let file = openat(&folder, name, OFlags::RDONLY | OFlags::NONBLOCK | closed, Mode::empty())?;
    let found = fstat(&file)?;
    unlinkat(folder.as_fd(), name, AtFlags::empty())?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("not a plain file"));
    }
    if found.st_nlink != 1 {
        return Err(io::Error::other("a file with another name"));
    }
    if u64::try_from(found.st_size) != Ok(size) {
        return Err(io::Error::other("not of the size that was said"));
    }
    Ok(File::from(file))
}

/// What is sent with a file, under the name by which it is lent.
pub fn sent(content: &Content, lent: &str) -> Option<wire::Content> {
    let media = match content {
        Content::Image(_) => wire::MediaKind::Image,
        Content::Video(_) => wire::MediaKind::Video,
        Content::Audio(audio) if audio.voice => wire::MediaKind::Voice,
        Content::Audio(_) => wire::MediaKind::Audio,
        Content::Document(_) => wire::MediaKind::Document,
        Content::Sticker(_) => wire::MediaKind::Sticker,
        _ => return None,
    };
    let held = content.media()?;
    let file = wire::Attachment {
        name: Some(lent.to_owned()),
        handle: None,
        mime: held.mime.clone(),
        size: held.size,
        file_name: held.file_name.clone().map(Into::into),
        seconds: held.seconds,
    };
    Some(wire::Content::Media { media, file, caption: held.caption.clone().map(Into::into) })
}

/// What came with a file, and what brings it here. Its words are a stranger's: what is too long is cut, a type that is none is
/// unknown. Without a handle, or with one that is none, all that is known is that something came.
pub fn heard(
    kind: wire::MediaKind,
    file: wire::Attachment,
    caption: Option<wire::Private>,
    at: WallTime,
) -> (Content, Option<Handle>) {
    let fits = |handle: &wire::Blob| (1..=HANDLE_MAX).contains(&handle.as_slice().len());
    let Some(handle) = file.handle.filter(fits) else { return (Content::Other, None) };
    let cut = |text: wire::Private, most: usize| {
        Some(text.0.chars().take(most).collect::<String>()).filter(|text| !text.is_empty())
    };
    let media = Media {
        media: MediaId::mint(at),
        mime: if is_mime(&file.mime) { file.mime } else { "application/octet-stream".to_owned() },
        size: file.size,
        caption: caption.and_then(|text| cut(text, CAPTION_MAX)),
        file_name: file.file_name.and_then(|text| cut(text, FILE_NAME_MAX)),
        seconds: file.seconds,
        voice: kind == wire::MediaKind::Voice,
    };
    let kind = match kind {
        wire::MediaKind::Image => MediaKind::Image,
        wire::MediaKind::Video => MediaKind::Video,
        wire::MediaKind::Audio | wire::MediaKind::Voice => MediaKind::Audio,
        wire::MediaKind::Document => MediaKind::Document,
        wire::MediaKind::Sticker => MediaKind::Sticker,
    };
    (kind.holding(media), Some(Handle(handle.as_slice().to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn only_the_plain_file_that_was_promised_is_taken_and_nothing_stays_behind() {
        type Leave = fn(&Path, &Path) -> io::Result<()>;
        let dir = tempfile::tempdir().expect("a folder");
        let secret = dir.path().join("secret");
        std::fs::write(&secret, b"secret").expect("a file");
        let left: [(&str, Leave, bool); 7] = [
            ("what was promised", |to, _| std::fs::write(to, b"123456"), true),
            ("one byte more", |to, _| std::fs::write(to, b"1234567"), false),
            ("one byte less", |to, _| std::fs::write(to, b"12345"), false),
            ("nothing", |_, _| Ok(()), false),
            ("a link to another file", |to, secret| symlink(secret, to), false),
            ("another name of another file", |to, secret| std::fs::hard_link(secret, to), false),
            ("a pipe", |to, _| Ok(rustix::fs::mknodat(CWD, to, FileType::Fifo, Mode::RUSR, 0)?), false),
        ];
        for (what, leave, good) in left {
            let folder = dir.path().join("media");
            std::fs::create_dir(&folder).expect("a folder");
            let ordered = Ordered::in_folder(folder.clone());
            leave(&folder.join(&ordered.name), &secret).expect(what);
            let taken = ordered.take(6, 6).await;
            assert_eq!(taken.is_ok(), good, "{what}");
            if let Ok(mut file) = taken {
                let mut text = String::new();
                file.read_to_string(&mut text).expect(what);
                assert_eq!(text, "123456");
            }
            std::fs::remove_dir(&folder).expect("it is empty");
        }
        assert_eq!(std::fs::read(&secret).expect("it is there"), b"secret");
    }
}
