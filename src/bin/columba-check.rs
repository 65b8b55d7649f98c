//! `columba-check`: judges a history against the promises; see [`columba::history`].

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use columba::app::clock::SystemClock;
use columba::app::data_dir::DataDir;
use columba::domain::chat::Chat;
use columba::history::History;
use columba::history::check::{Terms, check};
use columba::history::read::read_file;
use columba::history::record::{AsOf, Record, Refusing};
use columba::history::verdict::{Invariant, Verdict};
use columba::ports::clock::Clock as _;
use columba::storage::sql::{self, Place};
use columba::transport::sandbox::{FILE_NAME, REFUSING};
use strum::IntoEnumIterator as _;

/// Judges what happened against what was promised: nothing lost, nothing doubled, never over the cap.
///
/// Reads lines of JSON (the sandbox network's journal, printed rows, `accepted` lines of clients), or the rows of a data
/// directory and its network's journal. Changes nothing, and may run beside a server. What it reads holds numbers; what it
/// says does not.
///
/// Exit codes: 0 every promise that could be judged was kept; 1 one was broken; 64 bad usage, something that cannot be
/// read, or nothing to judge.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// Files of lines of JSON.
    #[arg(value_name = "FILE", required_unless_present_any = ["data", "network"])]
    files: Vec<PathBuf>,
    /// Read the rows of this data directory, and the journal of the sandbox network in it.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The database, if it does not lie in the data directory: a file, or postgres://user:password@host:port/name.
    #[arg(long, value_name = "FILE_OR_URL", requires = "data")]
    database: Option<String>,
    /// The directory of a sandbox network that runs as a process of its own.
    #[arg(long, value_name = "DIR")]
    network: Option<PathBuf>,
    /// By how many seconds wall clocks may differ, or were set while the history went on.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    slack: u64,
    /// Print the verdict as JSON.
    #[arg(long, conflicts_with = "print")]
    json: bool,
    /// Judge nothing: print the history as lines of JSON, to be kept and judged later. They hold numbers, no bodies.
    #[arg(long)]
    print: bool,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            let code = if asked.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
            // A closed pipe is no reason to fail while failing.
            asked.print().unwrap_or(());
            return code;
        }
    };
    match run(&cli) {
        Ok(code) => code,
        Err(complaint) => {
            eprintln!("columba-check: {complaint}");
            ExitCode::from(64)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, String> {
    if cli.print {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut written = Ok(());
        gather(cli, |record| {
            if written.is_ok() {
                written = serde_json::to_writer(&mut out, &record).map_err(io::Error::from);
                written =
                    written.as_ref().map_or_else(|error| Err(error.kind().into()), |()| out.write_all(b"\n"));
            }
        })?;
        let written = written.and_then(|()| out.flush());
        return written.map(|()| ExitCode::SUCCESS).map_err(|error| format!("cannot print: {error}"));
    }
    let mut history = History::default();
    gather(cli, |record| history.add(record))?;
    let verdict = check(&history, Terms { slack: Duration::from_secs(cli.slack) });
    drop(history);
    if verdict.is_empty() {
        return Err("nothing to judge: the history holds neither messages nor frames".to_owned());
    }
    match cli.json {
        true => println!("{}", serde_json::to_string(&verdict).map_err(|error| error.to_string())?),
        false => say(&verdict),
    }
    Ok(if verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Journals are read before rows: what a frame belongs to has been a row since before it was sent.
fn gather(cli: &Cli, mut each: impl FnMut(Record)) -> Result<(), String> {
    REFUSING.into_iter().for_each(|to| each(Record::Refusing(Refusing { to: Chat::stored(to.to_owned()) })));
    if cli.data.as_deref().is_some_and(DataDir::is_in_use) {
        each(Record::AsOf(AsOf { at: SystemClock::new().wall() }));
    }
    for file in cli.files.iter().chain(&journal(cli)) {
        read_file(file, &mut each).map_err(|error| error.to_string())?;
    }
    if let Some(data) = &cli.data {
        let database = cli.database.as_deref().map(Place::named);
        let database = database.unwrap_or_else(|| Place::File(data.join("columba.db")));
        let rows = columba::app::block_on(sql::history::rows(&database, each));
        rows.map_err(|error| format!("{database}: {error}"))?;
    }
    Ok(())
}

/// The network's journal: the one that was named, or the one in the data directory if there is one.
fn journal(cli: &Cli) -> Option<PathBuf> {
    let own = |data: &PathBuf| Some(data.join("sandbox").join(FILE_NAME)).filter(|path| path.exists());
    let named = |network: &Path| network.join(FILE_NAME);
    cli.network.as_deref().map(named).or_else(|| cli.data.as_ref().and_then(own))
}

fn say(verdict: &Verdict) {
    let counts = &verdict.counts;
    println!(
        "looked at {} accepted, {} messages, {} attempts, {} frames ({} again), {} inbound",
        counts.accepted, counts.messages, counts.attempts, counts.frames, counts.repeats, counts.inbound
    );
    println!(
        "          {} windows of sessions, {} of tenants, {} at the receiver; {} under no known cap",
        counts.windows, counts.tenant_windows, counts.frame_windows, counts.uncapped
    );
    println!(
        "          {} chats, {} owners, {} months, {} invoices",
        counts.chats, counts.owners, counts.months, counts.invoices
    );
    let names = |wanted: bool| {
        let all = Invariant::iter().filter(|one| verdict.judged.contains(one) == wanted);
        all.map(<&str>::from).collect::<Vec<_>>().join(" ")
    };
    println!("judged    {}", names(true));
    match names(false).as_str() {
        "" => {}
        none => println!("nothing to judge by for {none}"),
    }
    for violation in &verdict.violations {
        println!("{violation}");
    }
    match verdict.violations.len() {
        0 => println!("clean"),
        1 => println!("1 violation"),
        many => println!("{many} violations"),
    }
}
