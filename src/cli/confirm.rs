//! Commands that destroy ask first: on a terminal they wait for an answer, elsewhere they need `--yes`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;

use super::exit::{Exit, Failure};

/// Whether to ask.
#[derive(Debug, Clone, Copy, Args)]
pub struct Confirm {
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Confirm {
    /// Returns if it may be done. `what` is a whole sentence that says what will be gone.
    pub fn ask(self, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(
                Failure::usage(what).next("nobody can be asked here: add --yes if that is what you want")
            );
        }
        eprint!("{what} Go on? [y/N] ");
        io::stderr().flush().unwrap_or(());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).unwrap_or(0);
        if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return Ok(());
        }
        Err(Failure::new(Exit::Usage, "declined", "nothing was changed"))
    }
}
