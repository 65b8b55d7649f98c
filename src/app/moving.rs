//! Moving a store into another database, and putting one away, without serving it.

use std::collections::BTreeSet;
use std::path::Path;

use super::backends::database;
use super::data_dir::DataDir;
use super::exit::Failure;
use crate::config::Config;
use crate::domain::time::WallTime;
use crate::ports::clock::Clock as _;
use crate::storage::sql::Place;
use crate::storage::sql::backup::{self, Backup, Mark};
pub use crate::storage::sql::copy::Progress;
use crate::storage::sql::copy::{self, Beside, Copied, CopyError};

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The rows.
    pub copied: Copied,
    /// When the backup was taken that they came from, if they came from one.
    pub backup_of: Option<WallTime>,
}

/// Moves every row of the store at `from` into the empty database at `to`, while nobody works on either. `resume_queue`
/// is for a backup in which nothing waits that was sent since.
pub async fn run(
    from: &Place,
    to: &Place,
    resume_queue: bool,
    progress: impl FnMut(Progress),
) -> Result<Moved, Failure> {
    let _held = hold(&[from, to])?;
    let mark = backup::mark_of(from).await.map_err(failure)?;
    if resume_queue && mark.is_none() {
        return Err(Failure::Usage(format!("--resume-queue is for backups, and {from} is none")));
    }
    let copied = copy::copy(from, to, Beside::Nobody, progress).await.map_err(failure)?;
    if let (Some(mark), true) = (mark, resume_queue) {
        backup::resume_queue(to, mark).await.map_err(failure)?;
    }
    Ok(Moved { copied, backup_of: mark.as_ref().map(Mark::taken_at) })
}

/// Lets servers open a store that was moved elsewhere; whether it had been.
pub async fn take_back(place: &Place) -> Result<bool, Failure> {
    let _held = hold(&[place])?;
    copy::take_back(place).await.map_err(failure)
}

/// Puts the configured store away into a new file. A server may be at work on it.
pub async fn back_up(
    config: &Config,
    data: &Path,
    to: &Path,
    progress: impl FnMut(Progress),
) -> Result<Backup, Failure> {
    let at = super::clock::SystemClock::new().wall();
    backup::backup(&database(config, data), to, at, progress).await.map_err(failure)
}

/// Keeps servers off the data directories that files lie in, as far as they lie in some.
fn hold(places: &[&Place]) -> Result<Vec<DataDir>, Failure> {
    let folder = |place: &&Place| match place {
        Place::File(path) => path.parent().filter(|folder| folder.join("lock").is_file()).map(Path::to_owned),
        Place::Server(_) => None,
    };
    // Whoever locks one twice waits for themselves.
    let folders: BTreeSet<_> = places.iter().filter_map(folder).collect();
    folders.iter().map(|folder| DataDir::lock(folder)).collect()
}

fn failure(error: CopyError) -> Failure {
    match error {
        CopyError::Unavailable(text) => Failure::Unavailable(text),
        CopyError::InUse(text) => Failure::InUse(text),
        CopyError::Refused(text) | CopyError::Differs(text) => Failure::Refused(text),
        CopyError::Row(text) => Failure::Unfit(text),
    }
}
