//! The data directory: one process at a time, for the owner's eyes only.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// A directory that is ours until this is dropped, or the process dies, however it dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if there is none (mode 0700) and locks it. Waits for nobody.
    pub fn lock(path: &Path) -> Result<Self, Failure> {
        Self::make(path)?;
        let unusable = |error| unusable(path, &error);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::InUse(format!(
                "the data directory {} is in use by another columba; stop that one, or give another with --data",
                path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Makes the directory if there is none (mode 0700), and locks nothing: for whoever writes no rows.
    pub fn make(path: &Path) -> Result<(), Failure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| unusable(path, &error))
    }

    /// Whether a process works on the directory at `path` now. Looks at its lock for a moment and makes nothing.
    pub fn is_in_use(path: &Path) -> bool {
        let lock = File::open(path.join("lock"));
        lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::Usage(format!("cannot use the data directory {path}: {error}; give another with --data"))
}
