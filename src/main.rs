//! `columba`: see [`columba::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    columba::cli::run()
}
