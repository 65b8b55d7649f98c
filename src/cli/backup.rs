//! `columba backup`: the store into a new file, while the server runs.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::Failure;
use super::screen::{Form, Screen};
use super::settings::{DataFlag, Settings};
use crate::app::{self, moving};

/// Why auth state is in no backup.
const LEFT_OUT: &str = "not in it: auth state (vault.db). An older state of it would use message keys a second time, and \
    recipients drop such messages without a word; after a restore without the vault every session is paired again";

/// Why bytes of media are in no backup.
const MEDIA_LEFT_OUT: &str =
    "not in it: files of messages (the folder media); copy that beside it, its files never change";

/// The store into a new file.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make. One that exists is not replaced.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    data: DataFlag,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// In which form to answer.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Human }
    }

    /// Makes it.
    pub fn run(&self) -> Result<(), Failure> {
        let screen = Screen::new(self.form());
        let config = self.settings.load()?.config;
        let bar = screen.progress(None, "backing up");
        let done = app::block_on(moving::back_up(&config, &self.data.data, &self.to, |_| {}));
        bar.finish_and_clear();
        let done = done?;
        let to = self.to.display().to_string();
        let rows: u64 = done.tables.iter().map(|(_, rows)| rows).sum();
        if screen.form == Form::Json {
            let tables: serde_json::Map<_, _> =
                done.tables.iter().map(|&(name, rows)| (name.to_owned(), rows.into())).collect();
            return screen.line(json!({
                "file": to, "rows": rows, "tables": tables, "waiting": done.waiting,
                "audit_head": done.audit, "left_out": ["auth state", "media"],
            }));
        }
        screen.line(format_args!("{rows} rows in {to}, checked; the audit log ends at {}", done.audit))?;
        screen.hint(LEFT_OUT);
        screen.hint(MEDIA_LEFT_OUT);
        screen.hint(format_args!(
            "when it is restored, the {} messages that wait in it become unknown: they may have been sent since",
            done.waiting
        ));
        screen.hint(format_args!(
            "next: keep it elsewhere; to restore it: columba migrate --from sqlite://{to} --to …"
        ));
        Ok(())
    }
}
