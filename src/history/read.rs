//! Reading lines. What cannot be read is named by file and line and never shown: it may hold a number.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::record::{Kind, Record};

/// Longest line, in bytes. An inbound message of 4,096 characters stays below, at worst escaped twelvefold.
const LONGEST: u64 = 64 * 1024;

/// Why a history cannot be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// The file system refused.
    #[error("{file}: {error}")]
    Io {
        /// Which file.
        file: String,
        /// What it said.
        error: io::Error,
    },
    /// A line is no record.
    #[error("{file}:{line}: {complaint}")]
    Line {
        /// Which file.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        complaint: Complaint,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Complaint {
    /// Not JSON, or no object with a `kind`.
    #[error("expected a JSON object with a `kind`")]
    Form,
    /// Not one of ours.
    #[error("unknown kind `{0}`")]
    Kind(String),
    /// A field is missing, or holds what it may not.
    #[error("kind `{kind}`: {field}")]
    Field {
        /// Of which line.
        kind: &'static str,
        /// Which field, in words.
        field: String,
    },
    /// Longer than any record.
    #[error("longer than {LONGEST} bytes")]
    Long,
}

/// Reads a file to its end and tells `each` every record. A last line without its newline is a write that was cut off,
/// and was answered to nobody: it is passed over unless it can be read.
pub fn read_file(path: &Path, each: impl FnMut(Record)) -> Result<(), Unreadable> {
    let file = path.display().to_string();
    match File::open(path) {
        Ok(open) => read(&file, BufReader::with_capacity(1 << 20, open), each),
        Err(error) => Err(Unreadable::Io { file, error }),
    }
}

/// Reads lines to their end; `file` is what they are called in a complaint. Empty lines are passed over.
pub fn read(file: &str, mut lines: impl BufRead, mut each: impl FnMut(Record)) -> Result<(), Unreadable> {
    let failed = |error| Unreadable::Io { file: file.to_owned(), error };
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        if io::Read::take(&mut lines, LONGEST).read_until(b'\n', &mut text).map_err(failed)? == 0 {
            break;
        }
        let whole = text.last() == Some(&b'\n');
        let trimmed = text.trim_ascii();
        let read = match trimmed.is_empty() {
            true => continue,
            false if !whole && text.len() as u64 >= LONGEST => Err(Complaint::Long),
            false => parse(trimmed),
        };
        match read {
            Ok(record) => each(record),
            Err(Complaint::Form) if !whole => break,
            Err(complaint) => return Err(Unreadable::Line { file: file.to_owned(), line, complaint }),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

fn parse(line: &[u8]) -> Result<Record, Complaint> {
    let Tag { kind } = serde_json::from_slice(line).map_err(|_| Complaint::Form)?;
    let known: Kind = kind.parse().map_err(|_| Complaint::Kind(shown(&kind)))?;
    Ok(match known {
        Kind::Account => Record::Account(fields(known, line)?),
        Kind::Unlinked => Record::Unlinked(fields(known, line)?),
        Kind::Frame => Record::Frame(fields(known, line)?),
        Kind::Inbound => Record::Inbound(fields(known, line)?),
        Kind::Confirmed => Record::Confirmed(fields(known, line)?),
        Kind::AsOf => Record::AsOf(fields(known, line)?),
        Kind::Message => Record::Message(fields(known, line)?),
        Kind::Attempt => Record::Attempt(fields(known, line)?),
        Kind::Cap => Record::Cap(fields(known, line)?),
        Kind::Session => Record::Session(fields(known, line)?),
        Kind::Usage => Record::Usage(fields(known, line)?),
        Kind::Invoice => Record::Invoice(fields(known, line)?),
        Kind::CreditNote => Record::CreditNote(fields(known, line)?),
        Kind::Entry => Record::Entry(fields(known, line)?),
        Kind::Series => Record::Series(fields(known, line)?),
        Kind::Refusing => Record::Refusing(fields(known, line)?),
        Kind::Accepted => Record::Accepted(fields(known, line)?),
    })
}

fn fields<T: DeserializeOwned>(kind: Kind, line: &[u8]) -> Result<T, Complaint> {
    let mut json = serde_json::Deserializer::from_slice(line);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        // What serde says of a value quotes it; what it says of a missing field is its name.
        let missing = error.inner().to_string();
        let field = match missing.split(" at line ").next() {
            Some(text) if text.starts_with("missing field") => text.to_owned(),
            _ => format!("field `{path}` cannot be read"),
        };
        Complaint::Field { kind: kind.into(), field }
    })
}

/// A word of a line, if it looks like one.
fn shown(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    match word.len() <= 32 && word.chars().all(plain) {
        true => word.to_owned(),
        false => "…".to_owned(),
    }
}
