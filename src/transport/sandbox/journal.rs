//! What the network must not forget when its process is killed: one line of JSON per fact, appended and never rewritten.
//!
//! A line is written before its fact is answered to anyone. It is not fsynced: a dead process does not lose the page
//! cache, and a simulated network need not outlive its machine. The file is also the log of frames for programs
//! outside: a line of kind `frame` has exactly the fields of [`Frame`] beside its kind.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::chat::Chat;
use crate::domain::content::Content;
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, WaId};
use crate::domain::time::WallTime;
use crate::ports::sandbox::Frame;

/// Name of the file in the network's directory.
pub const FILE_NAME: &str = "network.ndjson";

/// One fact.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Record {
    /// A device was paired; what an older one was owed is forgotten.
    Account {
        at: WallTime,
        session: SessionId,
        /// SHA-256 of its token, in hex. The token itself is kept by its owner alone.
        token_sha256: String,
    },
    /// The device was removed, and what it was owed with it.
    Unlinked { at: WallTime, session: SessionId },
    /// A frame was received. What it was answered and what is owed for it follows from the frames before.
    Frame(Frame),
    /// A correspondent wrote.
    Inbound(Written),
    /// A delivery is no longer owed.
    Confirmed { session: SessionId, delivery: String },
}

/// A message that was written to a session, or on another device of its account.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) at: WallTime,
    pub(super) session: SessionId,
    pub(super) number: u64,
    pub(super) wa_id: WaId,
    /// Who wrote; the chat itself, but for the next two.
    pub(super) from: Chat,
    /// Where, if that is not who wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chat: Option<Chat>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) own: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quoted: Option<WaId>,
    pub(super) content: Content,
}

impl Written {
    pub(super) fn new(at: WallTime, session: SessionId, number: u64, letter: &Letter) -> Self {
        let Letter { wa_id, chat, author, own, content, quoted } = letter.clone();
        let (from, chat) = match author {
            Some(author) => (author, Some(chat)),
            None => (chat, None),
        };
        Self { at, session, number, wa_id, from, chat, own, quoted, content }
    }

    pub(super) fn letter(self) -> Letter {
        let Self { wa_id, from, chat, own, quoted, content, .. } = self;
        let (chat, author) = match chat {
            Some(chat) => (chat, Some(from)),
            None => (from, None),
        };
        Letter { wa_id, chat, author, own, content, quoted }
    }
}

/// Why a network's directory cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("cannot use the sandbox network's directory: {0}")]
    Io(#[from] io::Error),
    /// Another network has it open.
    #[error("another sandbox network has this directory open")]
    InUse,
    /// A line before the last cannot be read: this is no torn write, and going on would renumber frames.
    #[error("line {line} of {FILE_NAME} cannot be read; restore the file, or move it away to begin anew")]
    Corrupt {
        /// Counted from 1.
        line: u64,
    },
}

/// Where in the file a line begins, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset(pub(super) u64);

/// The file, held exclusively.
#[derive(Debug)]
pub(super) struct Journal {
    file: Arc<File>,
    end: u64,
    /// An append failed, and half a line may stand behind `end`.
    torn: bool,
    line: Vec<u8>,
}

impl Journal {
    /// Opens or creates the file and tells `each` every fact in it, in order. A torn last line is cut off: whatever
    /// it was to say was answered to nobody.
    pub(super) fn open(dir: &Path, mut each: impl FnMut(Record, Offset)) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(dir.join(FILE_NAME))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let end = replay(&file, &mut each)?;
        if end < file.metadata()?.len() {
            tracing::warn!(bytes = file.metadata()?.len() - end, "cut a torn line off the sandbox journal");
            file.set_len(end)?;
        }
        Ok(Self { file: Arc::new(file), end, torn: false, line: Vec::new() })
    }

    /// Appends one fact; where it begins. After an error nothing of it stays.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<Offset> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        self.line.push(b'\n');
        if self.torn {
            self.file.set_len(self.end)?;
        }
        self.torn = true;
        (&*self.file).write_all(&self.line)?;
        self.torn = false;
        let offset = Offset(self.end);
        self.end += self.line.len() as u64;
        Ok(offset)
    }

    /// For reading frames without the network's lock.
    pub(super) fn reader(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

/// Where the last whole line ends.
fn replay(file: &File, each: &mut impl FnMut(Record, Offset)) -> Result<u64, OpenError> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut offset, mut number) = (Vec::new(), 0, 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)? as u64;
        if line.last() != Some(&b'\n') {
            return Ok(offset);
        }
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(record) => each(record, Offset(offset)),
            Err(_) => return Err(OpenError::Corrupt { line: number }),
        }
        offset += read;
    }
}

/// Reads the frame whose line begins at `offset`.
pub(super) fn read_frame(file: &File, offset: Offset) -> io::Result<Frame> {
    /// Longer than any frame: its only part of free length is an id of at most 128 bytes, at worst escaped sixfold.
    const ENOUGH: usize = 1024 + 512;
    let mut buffer = [0; ENOUGH];
    let read = file.read_at(&mut buffer, offset.0)?;
    let line = buffer[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice(line)? {
        Record::Frame(frame) => Ok(frame),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no frame begins here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlinked(at: i64) -> Record {
        Record::Unlinked { at: WallTime(at), session: SessionId::mint(WallTime(0)) }
    }

    fn reopen(dir: &Path) -> Result<(Journal, Vec<Offset>), OpenError> {
        let mut offsets = vec![];
        let journal = Journal::open(dir, |_, offset| offsets.push(offset))?;
        Ok((journal, offsets))
    }

    #[test]
    fn a_torn_last_line_is_cut_and_appending_goes_on_behind_the_whole_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = reopen(dir.path()).unwrap();
        let first = journal.append(&unlinked(1)).unwrap();
        let torn = journal.append(&unlinked(2)).unwrap();
        drop(journal);
        let file = OpenOptions::new().write(true).open(dir.path().join(FILE_NAME)).unwrap();
        file.set_len(torn.0 + 17).unwrap();

        let (mut journal, offsets) = reopen(dir.path()).unwrap();
        assert_eq!(offsets, [first]);
        assert_eq!(journal.append(&unlinked(3)).unwrap(), torn);
        drop(journal);
        assert_eq!(reopen(dir.path()).unwrap().1, [first, torn]);
    }

    #[test]
    fn a_broken_line_before_the_last_is_refused_by_number() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = reopen(dir.path()).unwrap();
        journal.append(&unlinked(1)).unwrap();
        (&*journal.file).write_all(b"rubbish\n").unwrap();
        drop(journal);
        assert!(matches!(reopen(dir.path()), Err(OpenError::Corrupt { line: 2 })));
    }

    #[test]
    fn a_second_network_in_one_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = reopen(dir.path()).unwrap();
        assert!(matches!(reopen(dir.path()), Err(OpenError::InUse)));
        drop(first);
        assert!(reopen(dir.path()).is_ok());
    }

    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("network");
        let _journal = reopen(&dir).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join(FILE_NAME))), (0o700, 0o600));
    }
}
