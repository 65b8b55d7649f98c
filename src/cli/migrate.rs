//! `columba migrate`: the schema's steps, without serving.

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::screen::{Form, Screen};
use super::settings::{DataFlag, Settings};
use crate::app::inspection::{Database, Step};
use crate::app::{self, inspection, migration};

/// The schema's steps.
#[derive(Debug, Args)]
pub struct Migrate {
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
