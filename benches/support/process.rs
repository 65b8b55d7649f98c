//! The real program as a process of its own, and what the system says about it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::http::Api;

/// Limits of the edge, and of the rate at which sessions start, that no load of a bench reaches.
const WIDE_OPEN: &[(&str, &str)] = &[
    ("COLUMBA__HTTP__EDGE_LIMIT__PER_SECOND", "1000000"),
    ("COLUMBA__HTTP__EDGE_LIMIT__BURST", "1000000"),
    ("COLUMBA__HTTP__MAX_CONNECTIONS", "40000"),
    ("COLUMBA__SESSIONS__BOOT_PER_SECOND", "10000"),
];

/// A process under measurement; killed when dropped.
pub struct Process {
    child: Child,
    /// `127.0.0.1:port`.
    pub address: String,
}

impl Process {
    /// Starts a command that says, as the first line it prints, where it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("it says where it listens");
        let address = line.trim().rsplit(['/', ' ']).next().expect("an address").to_owned();
        // What it says later must not block it.
        std::thread::spawn(move || std::io::copy(&mut out.by_ref(), &mut std::io::sink()));
        Self { child, address }
    }

    /// User and system time it has used so far.
    pub fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("a stat line").split(' ').collect();
        let ticks: u64 = [11, 12].iter().map(|&at: &usize| fields[at].parse::<u64>().expect("ticks")).sum();
        Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("KiB")
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it still runs")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The server on a new folder.
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Calls as the operator, who has a plan `bench` that bounds nothing.
    pub operator: Api,
    _dir: TempDir,
}

impl Server {
    /// Starts it.
    pub fn start() -> Self {
        let dir = TempDir::new().expect("a folder");
        let data = dir.path().join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_columba"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        command.envs(WIDE_OPEN.iter().copied());
        command.stderr(File::create(dir.path().join("server.log")).expect("a file"));
        let process = Process::start(&mut command);
        let token = fs::read_to_string(data.join("operator.token")).expect("the operator's token");
        let operator = Api::new(&process.address, token.trim());
        operator.plan("bench");
        Self { process, operator, _dir: dir }
    }
}

/// Lets this process, and those it starts, hold as many sockets as the system permits.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("allowed");
}
