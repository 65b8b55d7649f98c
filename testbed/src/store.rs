//! The file everything lies in. It is written in WAL mode without an fsync per commit: a commit is in the kernel's
//! page cache when it returns, so it survives the death of this process, though not that of the machine. That is what
//! a test tool needs.

use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (
  phone INTEGER PRIMARY KEY, lid INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, private BLOB NOT NULL, public BLOB NOT NULL,
  registration INTEGER NOT NULL, signed_prekey BLOB NOT NULL, next_device INTEGER NOT NULL, app_key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS device (
  phone INTEGER NOT NULL, device INTEGER NOT NULL, noise BLOB NOT NULL, registration BLOB NOT NULL, identity BLOB NOT NULL,
  skey_id BLOB NOT NULL, skey BLOB NOT NULL, skey_signature BLOB NOT NULL, signed_identity BLOB NOT NULL,
  platform TEXT NOT NULL, paired_at INTEGER NOT NULL, greeted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (phone, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prekey (
  phone INTEGER NOT NULL, device INTEGER NOT NULL, id INTEGER NOT NULL, public BLOB NOT NULL,
  PRIMARY KEY (phone, device, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, phone INTEGER NOT NULL, device INTEGER NOT NULL,
  class TEXT NOT NULL, id TEXT NOT NULL, stanza BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pending_of ON pending (phone, device, id);
CREATE TABLE IF NOT EXISTS frame (
  n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, conn INTEGER NOT NULL, phone INTEGER, device INTEGER,
  dir TEXT NOT NULL, tag TEXT NOT NULL, id TEXT, class TEXT, type TEXT, peer TEXT, detail TEXT);
CREATE TABLE IF NOT EXISTS socket (
  phone INTEGER NOT NULL, device INTEGER NOT NULL, logins INTEGER NOT NULL, peak INTEGER NOT NULL,
  PRIMARY KEY (phone, device)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ratchet (
  phone INTEGER NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY (phone, kind, address)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chat (
  n INTEGER PRIMARY KEY AUTOINCREMENT, phone INTEGER NOT NULL, peer TEXT NOT NULL, author TEXT NOT NULL, id TEXT NOT NULL,
  from_me INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS chat_of ON chat (phone, id);
CREATE INDEX IF NOT EXISTS chat_with ON chat (peer);
CREATE TABLE IF NOT EXISTS grp (
  id TEXT PRIMARY KEY, subject TEXT NOT NULL, owner INTEGER NOT NULL, at INTEGER NOT NULL, lid INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member (
  grp TEXT NOT NULL, phone INTEGER NOT NULL, admin INTEGER NOT NULL, PRIMARY KEY (grp, phone)) WITHOUT ROWID;
";

/// Takes the directory for this testbed alone; `None` while another has it.
pub(crate) fn take(directory: &Path) -> Result<Option<File>> {
    std::fs::create_dir_all(directory)?;
    let lock = File::create(directory.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Opens or makes the database in `directory`.
pub(crate) fn open(directory: &Path) -> Result<Connection> {
    let db = Connection::open(directory.join("testbed.db"))?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "normal")?;
    db.set_prepared_statement_cache_capacity(128);
    db.execute_batch(SCHEMA)?;
    Ok(db)
}

/// A value kept under a name.
pub(crate) fn meta(db: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let mut find = db.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    Ok(find.query_row([name], |row| row.get(0)).optional()?)
}

/// Keeps a value under a name.
pub(crate) fn set_meta(db: &Connection, name: &str, value: &[u8]) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?.execute(params![name, value])?;
    Ok(())
}
