//! This process, as an operator looks at it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::engines::Engines;
use super::inspection::free_bytes;
use crate::config::{Setting, is_secret};
use crate::domain::time::WallTime;
use crate::ports::clock::Clock;
use crate::ports::installation::{BackupError, BackupView, EngineView, Installation, SettingView, StoreView};
use crate::storage::sql::backup::backup;
use crate::storage::sql::{Place, steps};

/// Where backups lie in the data directory.
const BACKUPS: &str = "backups";
/// How their names end.
const ENDING: &str = "db";

/// A server that runs.
pub struct RunningServer {
    pub(super) settings: Vec<Setting>,
    pub(super) engines: Engines,
    pub(super) place: Place,
    pub(super) data: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started_at: WallTime,
    /// Held while a backup is made.
    pub(super) backing_up: tokio::sync::Mutex<()>,
}

#[async_trait]
impl Installation for RunningServer {
    fn started_at(&self) -> WallTime {
        self.started_at
    }

    fn settings(&self) -> Vec<SettingView> {
        self.settings.iter().map(shown).collect()
    }

    fn engines(&self) -> Vec<EngineView> {
        self.engines.views(self.clock.read())
    }

    async fn store(&self) -> Result<StoreView, String> {
        let standing = steps::look(&self.place).await.map_err(|error| error.to_string())?;
        let (backend, bytes) = match &self.place {
            Place::File(path) => ("sqlite", size_of(path)),
            Place::Server(_) => ("postgres", None),
        };
        let newest = standing.steps.iter().rev().find(|step| step.taken);
        Ok(StoreView {
            backend,
            place: self.place.to_string(),
            bytes,
            schema: newest.map(|step| step.name.clone()).unwrap_or_default(),
            free_bytes: free_bytes(&self.data),
        })
    }

    async fn back_up(&self) -> Result<BackupView, BackupError> {
        let _alone = self.backing_up.try_lock().map_err(|_| BackupError::Busy)?;
        let at = self.clock.wall();
        let folder = self.data.join(BACKUPS);
        let failed = |error: &dyn std::fmt::Display| BackupError::Failed(error.to_string());
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(&error)),
            _ => {}
        }
        let name = at.utc().format("columba-%Y%m%dT%H%M%S%3fZ");
        let path = folder.join(format!("{name}.{ENDING}"));
        backup(&self.place, &path, at, |_| {}).await.map_err(|error| failed(&error))?;
        let bytes = fs::metadata(&path).map_err(|error| failed(&error))?.len();
        Ok(BackupView { path: path.display().to_string(), bytes, at })
    }

    async fn backups(&self) -> Result<Vec<BackupView>, BackupError> {
        list(&self.data.join(BACKUPS)).map_err(|error| BackupError::Failed(error.to_string()))
    }
}

/// A secret is set or it is not.
fn shown(setting: &Setting) -> SettingView {
    let value = match &setting.value {
        Value::String(text) if is_secret(&setting.key) && !text.is_empty() => "set".into(),
        Value::Array(all) if is_secret(&setting.key) && !all.is_empty() => "set".into(),
        value => value.clone(),
    };
    SettingView { key: setting.key.clone(), value, source: setting.source.to_string() }
}

/// With what SQLite keeps beside the file.
fn size_of(path: &Path) -> Option<u64> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        fs::metadata(name).map_or(0, |file| file.len())
    };
    Some(fs::metadata(path).ok()?.len() + beside("-wal"))
}

fn list(folder: &Path) -> io::Result<Vec<BackupView>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut found = vec![];
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let is_backup = path.extension().is_some_and(|ending| ending == ENDING)
            && !entry.file_name().to_string_lossy().starts_with('.');
        let file = entry.metadata()?;
        if is_backup && file.is_file() {
            let modified = file.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let at = WallTime(modified.as_millis() as i64);
            found.push(BackupView { path: path.display().to_string(), bytes: file.len(), at });
        }
    }
    found.sort_by(|one, other| other.path.cmp(&one.path));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn of_a_secret_only_whether_it_is_set_is_shown() {
        let show = |key: &str, value: Value| {
            shown(&Setting { key: key.to_owned(), value, source: Source::Default }).value
        };
        assert_eq!(show("billing.stripe.key", "***".into()), Value::from("set"));
        assert_eq!(show("billing.stripe.key", "".into()), Value::from(""));
        assert_eq!(show("billing.stripe.endpoint_secrets", vec!["***"].into()), Value::from("set"));
        assert_eq!(show("http.listen", "127.0.0.1:8080".into()), Value::from("127.0.0.1:8080"));
    }

    #[test]
    fn backups_are_listed_newest_first_and_drafts_are_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(list(&folder.path().join("absent")).expect("no folder is no error"), []);
        for name in ["columba-1.db", "columba-2.db", ".columba-3.db.7.part", ".x.db", "note.txt"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        let found = list(folder.path()).expect("a folder");
        let names: Vec<_> = found.iter().map(|one| one.path.rsplit('/').next().unwrap_or_default()).collect();
        assert_eq!(names, ["columba-2.db", "columba-1.db"]);
    }
}
