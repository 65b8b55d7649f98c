//! `columba completions` and `columba man`: the command line, told to shells and to `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use super::screen::{Form, Screen};

/// A shell's completions.
#[derive(Debug, Args)]
pub struct Completions {
    /// For which shell.
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn run(&self, mut command: clap::Command) -> Result<(), Failure> {
        let mut script = vec![];
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        Screen::new(Form::Human).raw(String::from_utf8_lossy(&script))
    }
}

/// Manual pages.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for every command into this directory, instead of printing the first.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    /// Prints or writes them.
    pub fn run(&self, command: clap::Command) -> Result<(), Failure> {
        let failed = |what: &str, error: std::io::Error| {
            Failure::new(Exit::Output, "output", format!("cannot write {what}: {error}"))
        };
        match &self.out {
            Some(folder) => {
                let name = folder.display().to_string();
                std::fs::create_dir_all(folder).map_err(|error| failed(&name, error))?;
                clap_mangen::generate_to(command, folder).map_err(|error| failed(&name, error))
            }
            None => {
                let mut page = vec![];
                clap_mangen::Man::new(command)
                    .render(&mut page)
                    .map_err(|error| failed("the page", error))?;
                Screen::new(Form::Human).raw(String::from_utf8_lossy(&page))
            }
        }
    }
}
