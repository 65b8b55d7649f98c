//! `columba migrate`: the schema's steps, and moving a store into another database, without serving.

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::screen::{Form, Screen};
use super::settings::{DataFlag, Settings};
use crate::app::inspection::{Database, Step};
use crate::app::moving::{self, Progress};
use crate::app::{self, inspection, migration};

/// What stays where it is when rows are moved.
const STAYS: &str = "not moved, and needed as it lies in the data directory: auth state and keys (vault.db, vault.key, tenants/), \
    operator.token, the sandbox network's journal";

/// The schema's steps.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Move all rows of this database, sqlite://FILE or postgres://…, while no server works on it.
    #[arg(long, value_name = "URL", requires = "to", conflicts_with = "status")]
    from: Option<String>,
    /// Into this one, which is empty or holds what an interrupted move has brought.
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,
    /// Out of a backup: send what waits in it. Only if nothing was sent since it was taken; without this it becomes unknown.
    #[arg(long, requires = "from")]
    resume_queue: bool,
    /// Let servers open this database again, which was moved elsewhere. Only if nothing was served from its new place.
    #[arg(long, value_name = "URL", conflicts_with_all = ["from", "to", "status"])]
    take_back: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    data: DataFlag,
    /// Change nothing: say which steps were taken.
    #[arg(long)]
    status: bool,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    /// In which form to answer.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Human }
    }

    /// Takes the steps, or says which were taken.
    pub fn run(&self) -> Result<(), Failure> {
        let screen = Screen::new(self.form());
        if let (Some(from), Some(to)) = (&self.from, &self.to) {
            return self.move_rows(screen, from, to);
        }
        if let Some(place) = &self.take_back {
            return take_back(screen, place);
        }
        let config = self.settings.load()?.config;
        let database = inspection::database(&config, &self.data.data);
        let exists = match &database {
            Database::File(path) => path.exists(),
            Database::Server(_) => true,
        };
        let before = match exists {
            true => {
                app::block_on(inspection::standing(&database))
                    .map_err(|error| {
                        let detail = format!("cannot read the database {database}: {error}");
                        Failure::new(Exit::Unavailable, "unavailable", detail)
                            .next("columba doctor says more of what lies there")
                    })?
                    .steps
            }
            false => {
                inspection::steps().into_iter().map(|name| Step { name, taken: false, known: true }).collect()
            }
        };
        if self.status {
            return say(screen, &database.to_string(), &before);
        }
        if let Some(strange) = before.iter().find(|step| !step.known) {
            let detail = format!("{database} has taken {}, which this program does not know", strange.name);
            return Err(Failure::new(Exit::Unavailable, "newer_database", detail).next(
                "run the newer program it was made by, or go back to the copy made before that one ran",
            ));
        }
        let lacking = before.iter().filter(|step| !step.taken).count();
        let bar = screen.progress(Some(lacking as u64), "migrating");
        let took = |_: &str| bar.inc(1);
        app::block_on(migration::run(&config, &self.data.data, took)).map_err(|failure| {
            let failure = Failure::from(failure);
            if failure.exit == Exit::Later {
                return failure
                    .next("a running server has taken them at its start: columba migrate --status");
            }
            failure
        })?;
        bar.finish_and_clear();
        if screen.is_human() {
            return match lacking {
                0 => screen.line("nothing to do: every step was taken before"),
                1 => screen.line("took 1 step"),
                many => screen.line(format_args!("took {many} steps")),
            };
        }
        let after: Vec<Step> = before.into_iter().map(|step| Step { taken: true, ..step }).collect();
        say(screen, &database.to_string(), &after)
    }

    fn move_rows(&self, screen: Screen, from: &str, to: &str) -> Result<(), Failure> {
        let (from, to) = (named("--from", from)?, named("--to", to)?);
        if from == to {
            return Err(Failure::usage("--from and --to name the same database"));
        }
        let bar = screen.progress(Some(0), "moving");
        let told = |progress: Progress| {
            bar.set_length(progress.of);
            bar.set_position(progress.rows);
            bar.set_message(progress.table);
        };
        let moved = app::block_on(moving::run(&from, &to, self.resume_queue, told));
        bar.finish_and_clear();
        let moved = moved.map_err(|failure| {
            let again = matches!(failure, app::exit::Failure::Unavailable(_));
            let failure = Failure::from(failure);
            if again {
                failure.next("the same command once more; it goes on where it stopped")
            } else {
                failure
            }
        })?;
        let (copied, taken_at) = (&moved.copied, moved.backup_of.map(|at| json!(at)));
        if screen.form == Form::Json {
            let tables: serde_json::Map<_, _> = copied
                .tables
                .iter()
                .map(|(name, sum)| ((*name).to_owned(), json!({"rows": sum.rows, "checksum": sum.digits()})))
                .collect();
            return screen.line(json!({
                "from": from.to_string(), "to": to.to_string(), "rows": copied.rows(),
                "moved_before": copied.earlier, "tables": tables, "audit_head": copied.audit,
                "backup_of": taken_at, "resume_queue": self.resume_queue,
            }));
        }
        screen.line(format_args!(
            "moved {} rows from {from} to {to}; counts, checksums and the audit log agree",
            copied.rows()
        ))?;
        screen.hint(STAYS);
        if let Some(at) = taken_at.as_ref().and_then(serde_json::Value::as_str) {
            let queue = match self.resume_queue {
                true => "what waits in it is sent",
                false => "what waits in it becomes unknown, since it may have been sent meanwhile",
            };
            screen.hint(format_args!("{from} is a backup of {at}: at the first start {queue}"));
        }
        screen.hint(
            "next: set database.url to what --to names and start columba serve on the same data directory; \
             none starts on the old database any more (to undo this: columba migrate --take-back)",
        );
        Ok(())
    }
}

fn take_back(screen: Screen, place: &str) -> Result<(), Failure> {
    let place = named("--take-back", place)?;
    let had_moved = app::block_on(moving::take_back(&place))?;
    if screen.form == Form::Json {
        return screen.line(json!({"database": place.to_string(), "taken_back": had_moved}));
    }
    match had_moved {
        true => screen.line(format_args!("servers open {place} again; delete what it was moved to")),
        false => screen.line(format_args!("nothing to do: {place} was not moved")),
    }
}

fn named(flag: &str, url: &str) -> Result<Database, Failure> {
    let known = ["sqlite://", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty())) {
        return Ok(Database::named(url));
    }
    Err(Failure::usage(format!("{flag} has to be sqlite://FILE or postgres://USER@HOST/DATABASE")))
}

fn say(screen: Screen, database: &str, steps: &[Step]) -> Result<(), Failure> {
    if screen.form == Form::Json {
        return screen.line(json!({"database": database, "steps": steps}));
    }
    let word = |step: &Step| match (step.taken, step.known) {
        (_, false) => "unknown",
        (true, true) => "applied",
        (false, true) => "pending",
    };
    let rows = steps.iter().map(|step| vec![step.name.clone(), word(step).to_owned()]).collect();
    screen.table(&["STEP", "STATUS"], rows, "")?;
    if steps.iter().any(|step| !step.taken) {
        screen
            .hint("next: columba migrate takes what is pending, and so does the next start of columba serve");
    }
    Ok(())
}
