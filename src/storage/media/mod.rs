//! Bytes of media as files of a folder: `media/<tenant>/<two digits>/<file>`, all of them ids or made of one.
//!
//! What comes in is written under a random name in `media/incoming`, made durable, and only then given its own; what is in
//! that folder at a start is what a crash left, and is removed. Files are read-only and their owner's alone. All work on the
//! disk is done on threads that may wait.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::domain::id::{MediaId, TenantId};
use crate::ports::media::{FilesError, HEAD, Incoming, MediaFiles, Whole};

/// What is gathered before it is written.
const PIECE: usize = 256 * 1024;
const OWNER_ONLY_DIR: u32 = 0o700;
/// Nobody changes one in place, not even by mistake.
const READ_ONLY: u32 = 0o400;
const INCOMING: &str = "incoming";

/// [`MediaFiles`] over a folder.
#[derive(Debug, Clone)]
pub struct MediaFolder {
    root: PathBuf,
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            kind => Self::Broken(kind.to_string()),
        }
    }
}

/// Runs what waits for the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.unwrap_or_else(|_| Err(io::Error::other("the work panicked")))?)
}

impl MediaFolder {
    /// The folder `media` in the data directory, made if there is none. What an earlier process had not finished is removed.
    pub fn open(data: &Path) -> io::Result<Self> {
        // Bridges work in other directories.
        let root = std::path::absolute(data.join("media"))?;
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming)?;
        }
        private_dir(&incoming)?;
        Ok(Self { root })
    }

    fn tenant(&self, tenant: TenantId) -> PathBuf {
        self.root.join(tenant.to_string())
    }

    fn place(&self, tenant: TenantId, id: MediaId) -> PathBuf {
        // The last digits are random; the first ones are a time, and would be the same for many.
        let shelf = format!("{:02x}", id.uuid().as_bytes()[15]);
        self.tenant(tenant).join(shelf).join(id.to_string())
    }
}

/// Makes a folder and those above it.
fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY_DIR).create(path)
}

/// Makes a shelf, durably: a file on it is found again only if each folder on the way is.
fn private_shelf(shelf: &Path) -> io::Result<()> {
    if shelf.is_dir() {
        return Ok(());
    }
    private_dir(shelf)?;
    shelf.ancestors().skip(1).take(2).try_for_each(|folder| File::open(folder)?.sync_all())
}

#[async_trait]
impl MediaFiles for MediaFolder {
    async fn begin(&self, tenant: TenantId) -> Result<Box<dyn Incoming>, FilesError> {
        let draft = self.root.join(INCOMING).join(format!("{:032x}", rand::random::<u128>()));
        let leavings = Leavings(Some(draft.clone()));
        let file =
            on_disk(move || OpenOptions::new().write(true).create_new(true).mode(READ_ONLY).open(&draft));
        let sink = Sink { file: file.await?, hash: Sha256::new(), size: 0, head: vec![] };
        Ok(Box::new(Draft {
            folder: self.clone(),
            tenant,
            leavings,
            gathered: BytesMut::new(),
            sink: Some(sink),
        }))
    }

    async fn open(&self, tenant: TenantId, id: MediaId) -> Result<File, FilesError> {
        let place = self.place(tenant, id);
        on_disk(move || File::open(place)).await
    }

    async fn lend(&self, tenant: TenantId, id: MediaId, to: &Path) -> Result<(), FilesError> {
        let (place, to) = (self.place(tenant, id), to.to_owned());
        on_disk(move || match fs::hard_link(&place, &to) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                Err(error)
            }
            // Another disk, or one that knows no links.
            Err(_) => copy(&place, &to),
        })
        .await
    }

    async fn remove(&self, tenant: TenantId, id: MediaId) -> Result<(), FilesError> {
        let place = self.place(tenant, id);
        on_disk(move || match fs::remove_file(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    async fn has(&self, tenant: TenantId, id: MediaId) -> Result<bool, FilesError> {
        let place = self.place(tenant, id);
        on_disk(move || place.try_exists()).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, FilesError> {
        let root = self.root.clone();
        on_disk(move || names(&root)).await
    }

    async fn of(&self, tenant: TenantId) -> Result<Vec<MediaId>, FilesError> {
        let folder = self.tenant(tenant);
        on_disk(move || {
            let mut found = vec![];
            for shelf in fs::read_dir(folder)? {
                found.extend(names::<MediaId>(&shelf?.path())?);
            }
            Ok(found)
        })
        .await
    }
}

/// What in a folder has an id for its name; anything else is not ours.
fn names<T: std::str::FromStr>(folder: &Path) -> io::Result<Vec<T>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = OpenOptions::new().write(true).create_new(true).mode(READ_ONLY).open(to)?;
    io::copy(&mut from, &mut to).map(drop)
}

/// Removes what was not finished. Names without a file behind them are fine.
struct Leavings(Option<PathBuf>);

impl Drop for Leavings {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // What cannot be removed now is removed by the next start.
            let _ = fs::remove_file(path);
        }
    }
}

struct Sink {
    file: File,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
}

impl Sink {
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hash.update(piece);
        self.size += piece.len() as u64;
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&piece[..piece.len().min(missing)]);
        Ok(())
    }

    /// Whether `from` had no more than `most`.
    fn take_all(&mut self, mut from: File, mut most: u64) -> io::Result<bool> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = match from.read(&mut piece) {
                Ok(0) => return Ok(true),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if read as u64 > most {
                return Ok(false);
            }
            most -= read as u64;
            self.take(&piece[..read])?;
        }
    }
}

/// [`Incoming`] under a random name.
struct Draft {
    folder: MediaFolder,
    tenant: TenantId,
    leavings: Leavings,
    gathered: BytesMut,
    /// `None` after an error: what is there is not whole.
    sink: Option<Sink>,
}

impl Draft {
    /// Works on the file, once what was gathered is in it.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sink) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FilesError> {
        let not_whole = || FilesError::Broken("an earlier write failed".to_owned());
        let (gathered, mut sink) = (self.gathered.split(), self.sink.take().ok_or_else(not_whole)?);
        let done = on_disk(move || {
            sink.take(&gathered)?;
            Ok((work(&mut sink)?, sink))
        });
        let (answer, sink) = done.await?;
        self.sink = Some(sink);
        Ok(answer)
    }
}

#[async_trait]
impl Incoming for Draft {
    async fn write(&mut self, chunk: Bytes) -> Result<(), FilesError> {
        self.gathered.extend_from_slice(&chunk);
        if self.gathered.len() >= PIECE { self.with(|_| Ok(())).await } else { Ok(()) }
    }

    async fn fill(&mut self, from: File, most: u64) -> Result<bool, FilesError> {
        self.with(move |sink| sink.take_all(from, most)).await
    }

    async fn whole(&mut self) -> Result<Whole, FilesError> {
        self.with(|sink| {
            let sha256 = sink.hash.clone().finalize().into();
            Ok(Whole { size: sink.size, sha256, head: sink.head.clone() })
        })
        .await
    }

    async fn keep(mut self: Box<Self>, id: MediaId) -> Result<(), FilesError> {
        let place = self.folder.place(self.tenant, id);
        let draft = self.leavings.0.clone();
        self.with(move |sink| {
            sink.file.sync_all()?;
            let shelf = place.parent().ok_or(io::ErrorKind::NotFound)?;
            private_shelf(shelf)?;
            if let Some(draft) = draft {
                fs::rename(draft, &place)?;
            }
            File::open(shelf)?.sync_all()
        })
        .await?;
        self.leavings.0 = None;
        Ok(())
    }
}
