//! A copy of the store into a new file, taken while a server may be at work on it; and what such a file says of itself.
//!
//! A backup is no store that goes on where another stopped: what waits in it may have been sent since, its feed has
//! given positions that it does not know, and its log of attempts has a hole. So it carries a mark, and whatever opens
//! it, or a database that it was moved into, first does what `errands::restored` does.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::copy::tables::TABLES;
use super::copy::{self, Beside, CopyError, Progress};
use super::dialect::{self, Fault};
use super::entities::store_meta;
use super::{Place, audit};
use crate::domain::audit::Head;
use crate::domain::time::WallTime;

/// Name of the mark among the facts about a store.
const NAME: &str = "backup";

/// What stands there once the store goes on. The writer may not delete there.
const SETTLED: &str = "settled";

const WAITING: &str = "SELECT count(*) FROM message WHERE status IN ('queued', 'held', 'sending')";
const HEADS: &str = "SELECT CAST(coalesce(sum(seq), 0) AS BIGINT) FROM feed_head";

/// What a backup says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was begun, in milliseconds since 1970: everything accepted before is in it.
    pub taken_at: i64,
    /// Whether what waits in it is to be sent: nothing of it was sent since.
    pub resume_queue: bool,
}

impl Mark {
    /// When it was begun.
    pub fn taken_at(&self) -> WallTime {
        WallTime(self.taken_at)
    }

    pub(super) async fn read(db: &impl ConnectionTrait) -> Result<Option<Self>, Fault> {
        let Some(text) = store_meta::get(db, NAME).await?.filter(|text| text != SETTLED) else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|_| Fault::unreadable("mark of a backup"))
    }

    pub(super) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), Fault> {
        let text = serde_json::to_string(self).map_err(|_| Fault::unreadable("mark of a backup"))?;
        store_meta::put(db, NAME, text).await
    }

    /// Says that it is a store again.
    pub(super) async fn settle(db: &impl ConnectionTrait) -> Result<(), Fault> {
        store_meta::change(db, NAME, SETTLED.to_owned()).await
    }
}

/// What was put away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Rows of each table.
    pub tables: Vec<(&'static str, u64)>,
    /// Messages that wait or are under way in it.
    pub waiting: u64,
    /// The end of its audit log, walked through.
    pub audit: Head,
}

/// How far a store had come; what was written later has come further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reached {
    last_place: i64,
    events: i64,
}

/// Copies the store at `from` into a new file at `to`, of mode 0600. It appears there whole, checked and on disk, or not at
/// all, and never in place of another. `at` is the present.
pub async fn backup(
    from: &Place,
    to: &Path,
    at: WallTime,
    progress: impl FnMut(Progress),
) -> Result<Backup, CopyError> {
    let refused = |text: String| CopyError::Refused(text);
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(refused(format!("{} exists already; give another name", to.display())));
    }
    let draft = Draft::beside(to).map_err(|error| unwritable(to, &error))?;
    let place = Place::File(draft.path.clone());
    let reached = look(from).await?;
    match from {
        Place::File(source) => vacuum(source, &draft.path).await?,
        Place::Server(_) => copy::copy(from, &place, Beside::Server, progress).await.map(drop)?,
    }
    let db = dialect::open_alone(&place).await.map_err(|error| CopyError::Unavailable(error.to_string()))?;
    let checked = check(&db, reached, at).await;
    db.close().await.map_err(|error| CopyError::Unavailable(format!("{}: {error}", to.display())))?;
    let done = checked?;
    draft.finish(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            refused(format!("{} exists already; give another name", to.display()))
        }
        _ => unwritable(to, &error),
    })?;
    Ok(done)
}

/// Whether the database at `place` is a backup, or was moved out of one, and no server has opened it since.
pub async fn mark_of(place: &Place) -> Result<Option<Mark>, CopyError> {
    copy::check_source(place).await?;
    let away = |text: String| CopyError::Unavailable(format!("{place}: {text}"));
    let db = dialect::open_witness(place).await.map_err(|error| away(error.to_string()))?;
    let mark = Mark::read(&db).await;
    db.close().await.unwrap_or(());
    mark.map_err(|(Fault::Down(text) | Fault::Row(text))| away(text))
}

/// Lets the first server on the database at `place`, which was moved out of a backup, send what waits in it.
pub async fn resume_queue(place: &Place, mark: Mark) -> Result<(), CopyError> {
    let away = |text: String| CopyError::Unavailable(format!("{place}: {text}"));
    let db = dialect::open_alone(place).await.map_err(|error| away(error.to_string()))?;
    let written = Mark { resume_queue: true, ..mark }.write(&db).await;
    db.close().await.unwrap_or(());
    written.map_err(|(Fault::Down(text) | Fault::Row(text))| away(text))
}

async fn look(from: &Place) -> Result<Reached, CopyError> {
    copy::check_source(from).await?;
    let away = |text: String| CopyError::Unavailable(format!("{from}: {text}"));
    let db = dialect::open_witness(from).await.map_err(|error| away(error.to_string()))?;
    let reached = reached(&db).await;
    db.close().await.unwrap_or(());
    reached.map_err(|(Fault::Down(text) | Fault::Row(text))| away(text))
}

async fn reached(db: &impl ConnectionTrait) -> Result<Reached, Fault> {
    Ok(Reached { last_place: copy::last_place(db).await?, events: number(db, HEADS).await? })
}

async fn number(db: &impl ConnectionTrait, text: &'static str) -> Result<i64, Fault> {
    let rows = dialect::query(db, text, []).await?;
    Ok(rows.first().ok_or_else(|| Fault::unreadable("number"))?.try_get_by_index(0)?)
}

/// SQLite's own way: one state of the whole, without a word to the writer.
async fn vacuum(from: &Path, to: &Path) -> Result<(), CopyError> {
    let place = Place::File(from.to_owned());
    let away = |text: String| CopyError::Unavailable(format!("{place}: {text}"));
    let db = dialect::open_witness(&place).await.map_err(|error| away(error.to_string()))?;
    let to = to.to_str().map(str::to_owned);
    let to = to.ok_or_else(|| CopyError::Refused("the name of the backup has to be UTF-8".to_owned()))?;
    let copied = dialect::execute(&db, "VACUUM INTO $1", [to.into()]).await;
    db.close().await.unwrap_or(());
    copied.map(drop).map_err(|(Fault::Down(text) | Fault::Row(text))| away(text))
}

/// Says what it is, and looks whether it is whole.
async fn check(db: &DatabaseConnection, reached: Reached, at: WallTime) -> Result<Backup, CopyError> {
    let broken = |(Fault::Down(text) | Fault::Row(text))| {
        CopyError::Unavailable(format!("the backup cannot be read back: {text}"))
    };
    let differs = |text: String| CopyError::Differs(format!("the backup is of no use: {text}"));
    Mark { taken_at: at.0, resume_queue: false }.write(db).await.map_err(broken)?;
    for row in dialect::query(db, "PRAGMA integrity_check", []).await.map_err(broken)? {
        let said: String = row.try_get_by_index(0).map_err(|error| broken(error.into()))?;
        if said != "ok" {
            return Err(differs(said));
        }
    }
    let found = self::reached(db).await.map_err(broken)?;
    if found.last_place < reached.last_place || found.events < reached.events {
        return Err(differs(format!("it is older than its source was before: {found:?}, {reached:?}")));
    }
    let audit = audit::walk(db, vec![]).await.map_err(broken)?;
    let audit = audit.map_err(|misfit| {
        differs(format!("the audit log does not fit at entry {}: {}", misfit.seq, misfit.why))
    })?;
    let mut tables = vec![];
    for table in TABLES {
        tables.push((table.name, copy::count_of(db, table).await.map_err(broken)?));
    }
    let waiting = number(db, WAITING).await.map_err(broken)?.unsigned_abs();
    // One file, which can be looked at without making others beside it.
    dialect::query(db, "PRAGMA journal_mode = DELETE", []).await.map_err(broken)?;
    Ok(Backup { tables, waiting, audit })
}

/// A file beside the one it is to become. Gone when it is dropped before.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn beside(to: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(to.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(format!(".{}.part", std::process::id()));
        let path = to.with_file_name(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path })
    }

    /// A link, since a rename would replace what lies there.
    fn finish(&self, to: &Path) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        std::fs::hard_link(&self.path, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nobody looks for it; one that cannot be removed is in nobody's way either.
        for ending in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            std::fs::remove_file(path).unwrap_or(());
        }
    }
}

fn unwritable(to: &Path, error: &io::Error) -> CopyError {
    CopyError::Unavailable(format!("cannot write {}: {error}", to.display()))
}
