//! Small files that only their owner may read, and that are either the old ones or the new ones after a crash.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const OWNER_ONLY_FILE: u32 = 0o600;
const OWNER_ONLY_DIR: u32 = 0o700;

/// Makes a directory that only its owner may enter, durably. One that exists is narrowed to that.
pub fn private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(OWNER_ONLY_DIR).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY_DIR))
        }
        Err(error) => Err(error),
    }
}

/// Makes sure that a file exists and only its owner may read it.
pub fn private_file(path: &Path) -> io::Result<()> {
    // The mode binds at creation, so that there is no moment in which others could open it.
    let file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY_FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(OWNER_ONLY_FILE))
}

/// Writes a file of which a crash leaves the whole or nothing. Answers once it is durable.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(OWNER_ONLY_FILE).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_parent(path)
}

/// Removes a file durably; an absent one is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A new or removed name is durable only once its directory is.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
