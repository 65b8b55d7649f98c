//! A process under measurement.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts `program` and waits for a line of its standard output that has `mark` in it; the line.
    pub async fn start(mut command: Command, mark: &str, log: &Path) -> (Self, String) {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = tokio::time::timeout(PATIENCE, async {
            loop {
                let line = lines.next_line().await.expect("readable").expect("it says that it is up");
                if line.contains(mark) {
                    return line;
                }
            }
        });
        let line = line.await.unwrap_or_else(|_| panic!("{command:?} did not come up"));
        // What it says later must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        (Self(child), line)
    }

    fn pid(&self) -> u32 {
        self.0.id().expect("it runs")
    }

    /// User and system time it has used so far. The kernel counts in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let fields: Vec<&str> = stat[stat.rfind(')').expect("a name") + 2..].split(' ').collect();
        let ticks: u64 =
            [fields[11], fields[12]].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Asks it to end and waits until it has.
    pub async fn end(mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).expect("a pid");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("ours");
        let ended = tokio::time::timeout(PATIENCE, self.0.wait()).await;
        ended.expect("it ends in time").expect("it ended");
    }
}
