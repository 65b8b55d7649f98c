//! A process under measurement, and what the system says about it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// A process; killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts a command and waits for a line of its standard output that has `mark` in it; what follows the mark. What it
    /// says on standard error is added to `log`.
    pub fn start(command: &mut Command, mark: &str, log: &Path) -> (Self, String) {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let found = lines.find_map(|line| {
            let line = line.expect("readable");
            line.split_once(mark).map(|(_, after)| after.trim().to_owned())
        });
        // What it says later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), found.unwrap_or_else(|| panic!("{command:?} ended before it said {mark:?}")))
    }

    /// User and system time that it, its children and those of them that have ended have used so far. The kernel counts in
    /// hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let own = fields(self.0.id()).expect("it still runs");
        let parent = self.0.id().to_string();
        let mut ticks: u64 = own[11..15].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            // One that ends just now is counted the next time, with those that have.
            if let Some(child) = pid.and_then(fields).filter(|child| child[1] == parent) {
                ticks += child[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum::<u64>();
            }
        }
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("KiB")
    }

    /// Asks it to end and waits until it has.
    pub fn end(mut self) {
        let pid = Pid::from_raw(self.0.id() as i32).expect("a pid");
        kill_process(pid, Signal::TERM).expect("it runs");
        self.0.wait().expect("it ended");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).expect("it still runs")
    }
}

/// What the kernel says of a process, from its state on; `None` when there is none.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit(") ").next()?.split(' ').map(str::to_owned).collect())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Lets this process, and those it starts, hold as many sockets as the system permits.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("allowed");
}
