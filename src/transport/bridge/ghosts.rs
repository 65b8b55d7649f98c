//! Bridges that an earlier supervisor left: known by records, proven dead before anything starts.
//!
//! A bridge gets the line it needs to connect only after its record is on disk. So one without a record cannot have
//! opened a socket to WhatsApp, and ends with its standard input.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// A process that was killed is looked at so often.
const LOOK: Duration = Duration::from_millis(10);
/// And so many times: for ten seconds.
const LOOKS: u32 = 1_000;

/// A bridge that could not be proven dead. Nothing may be opened then.
#[derive(Debug, Error)]
pub enum GhostError {
    /// The records cannot be read.
    #[error("the records of bridges in {0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It was killed and is still there.
    #[error("process {0}, a bridge of an earlier server, does not end; end it, then start again")]
    Alive(i32),
}

/// What identifies a process for good: pids come again, a pid with its start time and boot does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number, and that of its group.
    pid: i32,
    /// Clock ticks from boot to its start.
    started: u64,
    /// Of which boot.
    boot: String,
}

impl Record {
    /// Of a process that runs.
    pub fn of(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).map_err(|_| io::Error::other("no such number"))?;
        let started = started(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Self { pid, started, boot: boot()? })
    }

    /// Puts it on disk, in the folder of records.
    pub fn keep(&self, folder: &Path, name: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let (partial, whole) = (folder.join(format!("{name}.new")), path(folder, name));
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&partial, &whole)?;
        File::open(folder)?.sync_all()
    }
}

/// A shard's process is gone: its record may go.
pub fn forget(folder: &Path, name: &str) {
    let _ = fs::remove_file(path(folder, name));
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
}

/// Kills every bridge that an earlier supervisor left and waits until all are gone. How many there were.
///
/// Blocks, for ten seconds at most. A record that cannot be read names nobody: it was not whole when its writer died, so its
/// bridge never got the line it needs.
///
/// # Errors
/// When one does not die. Its record stays, and the next start tries again.
pub fn lay(folder: &Path) -> Result<u32, GhostError> {
    let unreadable = |error| GhostError::Unreadable(folder.to_owned(), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(unreadable(error)),
    };
    let boot = boot().map_err(unreadable)?;
    let mut count = 0;
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let text = fs::read(&path).map_err(unreadable)?;
        if let Ok(record) = serde_json::from_slice::<Record>(&text)
            && record.boot == boot
            && is_alive(&record)
        {
            end(&record)?;
            count += 1;
        }
        fs::remove_file(&path).map_err(unreadable)?;
    }
    Ok(count)
}

fn end(record: &Record) -> Result<(), GhostError> {
    for look in 0..LOOKS {
        if look.is_multiple_of(100) {
            kill(record.pid);
        }
        if !is_alive(record) {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    Err(GhostError::Alive(record.pid))
}

/// Kills a process and its group. One that is gone already is fine.
pub fn kill(pid: i32) {
    kill_group(pid);
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Kills what is left of a group.
pub fn kill_group(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// A zombie holds no socket any more.
fn is_alive(record: &Record) -> bool {
    stat(record.pid).is_some_and(|(state, started)| started == record.started && state != 'Z' && state != 'X')
}

fn started(pid: i32) -> Option<u64> {
    stat(pid).map(|(_, started)| started)
}

/// State and start time, as proc(5) has them: fields 3 and 22. The name before them is in brackets and may hold anything.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((fields.first()?.chars().next()?, fields.get(19)?.parse().ok()?))
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim().to_owned())
}
