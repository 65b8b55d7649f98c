//! `columba-bridge-conformance [--testbed URL ADMIN] -- PROGRAM [ARGUMENTS] [-- OTHER [ARGUMENTS]]`: runs every check of the protocol against a bridge and
//! prints a line for each. Exit code 0 when all passed, 1 when one did not, 64 when it was called wrongly.
//!
//! Without `--testbed` it needs no network at all: bridges that can be pointed elsewhere are pointed at an address where nobody
//! listens. With it, the addresses that `columba-testbed` printed, a bridge also has to pair two sessions and to carry every
//! kind of content it says it can between them; with another program the second session is on that one.

mod checks;
mod network;
mod peer;

use std::process::ExitCode;

use crate::checks::CHECKS;
use crate::peer::{Outcome, Target};

/// An address where nobody listens: port 9 is `discard`.
const NOWHERE: &str = "ws://127.0.0.1:9/ws/chat";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((target, other, admin)) = called(&arguments) else {
        eprintln!(
            "usage: columba-bridge-conformance [--testbed URL ADMIN] -- PROGRAM [ARGUMENTS] [-- OTHER [ARGUMENTS]]"
        );
        return ExitCode::from(64);
    };
    let mut tally = Tally::default();
    match admin {
        None => {
            for (name, check) in CHECKS {
                tally.note(name, check(target.clone()).await);
            }
        }
        Some(admin) => network::run(&target, other.as_ref(), &admin, &mut tally).await,
    }
    println!("{} of {} passed", tally.passed, tally.passed + tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What came of the checks so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    fn note(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(why) => {
                self.failed += 1;
                println!("FAILED  {name}: {why}");
            }
        }
    }
}

/// What is checked, its counterpart, and the testbed's admin address.
fn called(arguments: &[String]) -> Option<(Target, Option<Target>, Option<String>)> {
    let mut parts = arguments.split(|argument| argument == "--");
    let (endpoint, admin) = match parts.next()? {
        [] => (NOWHERE.to_owned(), None),
        [flag, url, admin] if flag == "--testbed" => (url.clone(), Some(admin.clone())),
        _ => return None,
    };
    let target = |command: &[String]| {
        let (program, rest) = command.split_first()?;
        Some(Target { program: program.clone(), arguments: rest.to_vec(), endpoint: endpoint.clone() })
    };
    let first = target(parts.next()?)?;
    let other = match parts.next() {
        Some(command) if admin.is_some() => Some(target(command)?),
        Some(_) => return None,
        None => None,
    };
    parts.next().is_none().then_some((first, other, admin))
}
