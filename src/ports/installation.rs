//! What this process is made of: its engines, its settings, its store, its backups. For an operator who looks at it.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::domain::session::Engine;
use crate::domain::time::WallTime;

/// What speaks for sessions of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineView {
    /// Which.
    pub engine: Engine,
    /// Its exact version.
    pub release: String,
    /// Whether it is not recommended for what matters.
    pub experimental: bool,
    /// SHA-256 of its program; `None` for one that is a part of the server.
    pub checksum: Option<String>,
    /// What it said that it can do, once a process of it has said so.
    pub capabilities: Option<Vec<String>>,
    /// Its processes; `None` for one that is a part of the server.
    pub shards: Option<Vec<ShardView>>,
}

/// One process of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TransportShard")]
pub struct ShardView {
    /// Its name.
    pub id: String,
    /// `idle`: nobody needs it; `starting`; `up`; `down`: it died, and is started again; `leaving`.
    pub state: &'static str,
    /// Sessions that are on it.
    pub sessions: u64,
    /// Since when it serves; null while it does not.
    pub since: Option<WallTime>,
    /// How often it had to be started again.
    pub restarts: u64,
    /// Milliseconds since its last sign of life; null while there is none.
    pub last_beat_ms: Option<u64>,
    /// Its memory that is in RAM, as it says.
    pub resident_bytes: Option<u64>,
}

/// One setting as it binds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SystemSetting")]
pub struct SettingView {
    /// Its dotted name.
    pub key: String,
    /// What it is set to. Of a secret only whether it is: `set`, or empty.
    pub value: Value,
    /// Who said so: `default`, a file and its line, a variable, or a flag.
    pub source: String,
}

/// Where the rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SystemStore")]
pub struct StoreView {
    /// `sqlite` or `postgres`.
    pub backend: &'static str,
    /// The file, or the address without what is secret.
    pub place: String,
    /// Bytes that they take; null where that cannot be told.
    pub bytes: Option<u64>,
    /// The newest step of the schema.
    pub schema: String,
    /// Bytes that are free in the data directory.
    pub free_bytes: Option<u64>,
}

/// A backup in the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Backup")]
pub struct BackupView {
    /// Where it lies on the server.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it was made.
    pub at: WallTime,
}

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackupError {
    /// Another one is being made.
    #[error("a backup is being made already")]
    Busy,
    /// Disk or database; the text is for the log.
    #[error("{0}")]
    Failed(String),
}

/// Looks at the process it is in.
#[async_trait]
pub trait Installation: Send + Sync {
    /// When it began.
    fn started_at(&self) -> WallTime;

    /// Its settings, by their names.
    fn settings(&self) -> Vec<SettingView>;

    /// What it runs sessions with; sessions are counted by the caller.
    fn engines(&self) -> Vec<EngineView>;

    /// Where its rows are; the error is for the log.
    async fn store(&self) -> Result<StoreView, String>;

    /// Makes a backup of the store into a file of its own in the data directory, while everything goes on. It takes as long as
    /// the store is large.
    async fn back_up(&self) -> Result<BackupView, BackupError>;

    /// The backups there, newest first.
    async fn backups(&self) -> Result<Vec<BackupView>, BackupError>;
}
