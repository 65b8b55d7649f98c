//! Facts for whoever looks into an installation: nothing is decided here, and nothing is made or changed.

use std::fs::{self, Metadata};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, major, minor, statvfs};

use super::backends;
use super::clock::SystemClock;
use super::data_dir::DataDir;
use crate::config::Config;
use crate::ports::store::StoreError;
pub use crate::storage::redis::survey::Survey;
pub use crate::storage::sql::Place as Database;
pub use crate::storage::sql::steps::{Standing, Step};
pub use crate::storage::sql::survey::Survey as PostgresSurvey;
use crate::storage::sql::{steps, survey};
use crate::storage::vault;
pub use crate::storage::vault::KeyFile;

/// Locks of all processes.
const LOCKS: &str = "/proc/locks";

/// A path that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Permission bits.
    pub mode: u32,
    /// Whether it belongs to whoever runs this.
    pub is_ours: bool,
    /// Whether whoever runs this may write into it.
    pub writable: bool,
}

/// Who works on a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// Somebody; its process id, if the system tells.
    Somebody(Option<u32>),
}

/// What lies at `path`; nothing when nothing does.
pub fn place(path: &Path) -> io::Result<Option<Place>> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Place {
        is_dir: found.is_dir(),
        mode: found.permissions().mode() & 0o777,
        is_ours: found.uid() == rustix::process::geteuid().as_raw(),
        writable: access(path, Access::WRITE_OK).is_ok(),
    }))
}

/// Who works on the data directory at `path`.
pub fn holder(path: &Path) -> Holder {
    if !DataDir::is_in_use(path) {
        return Holder::Nobody;
    }
    let lock = fs::metadata(path.join("lock"));
    Holder::Somebody(lock.ok().and_then(|lock| locked_by(&fs::read_to_string(LOCKS).ok()?, &lock)))
}

/// The process that `locks` names as the holder of a file: `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`.
fn locked_by(locks: &str, file: &Metadata) -> Option<u32> {
    let dev = file.dev();
    let at = format!("{:02x}:{:02x}:{}", major(dev), minor(dev), file.ino());
    let line = locks.lines().find(|line| line.split_whitespace().any(|word| word == at))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

/// Bytes that are free for us where `path` lies.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let room = statvfs(path).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Where the rows are kept.
pub fn database(config: &Config, data: &Path) -> Database {
    backends::database(config, data)
}

/// How a database, which has to exist, stands.
pub async fn standing(database: &Database) -> Result<Standing, StoreError> {
    steps::look(database).await
}

/// How the server of a database stands; nothing where it is a file.
pub async fn server(database: &Database) -> Result<Option<PostgresSurvey>, StoreError> {
    survey::look(database, &SystemClock::new()).await
}

/// The schema's steps that this program knows.
pub fn steps() -> Vec<String> {
    steps::all()
}

/// Where the key-encryption key is kept, and how it stands; the error says what is wrong with it.
pub fn key_file(config: &Config, data: &Path) -> (PathBuf, Result<KeyFile, String>) {
    let options = backends::vault_options(config, data);
    let found = vault::look(&options).map_err(|error| error.to_string());
    (options.key_file, found)
}

/// How Redis stands, where one is used; the error says why that cannot be told.
pub async fn redis(config: &Config) -> Option<Result<Survey, String>> {
    let address = match config.redis.address() {
        Ok(None) => return None,
        Ok(Some(address)) => address,
        Err(problem) => return Some(Err(problem)),
    };
    Some(crate::storage::redis::look(&address, &SystemClock::new()).await)
}

/// Whether somebody else listens at `address`, or why nobody could.
pub fn is_taken(address: SocketAddr) -> io::Result<bool> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_among_all_locks() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(holder(folder.path()), Holder::Nobody);
        let _held = DataDir::lock(folder.path()).expect("nobody has it");
        assert_eq!(holder(folder.path()), Holder::Somebody(Some(std::process::id())));
    }

    #[test]
    fn nothing_is_made_by_looking() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        assert_eq!(place(&data).expect("may be looked at"), None);
        assert_eq!(holder(&data), Holder::Nobody);
        assert!(!data.exists());
    }
}
