//! The pinned program of an engine: what is started is what was hashed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

/// What a bridge gets of the server's environment.
const ENVIRONMENT: [&str; 6] = ["PATH", "LANG", "TZ", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A program and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    pub sha256: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Other files it runs, such as a script, each with its SHA-256.
    pub pinned: BTreeMap<PathBuf, String>,
}

/// Why it is not started.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// Cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// Not the one that was pinned.
    #[error("{path} is not the pinned program: its SHA-256 is {found}, expected {expected}")]
    Changed {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The system refused.
    #[error("{0} cannot be started: {1}")]
    NotRun(PathBuf, io::Error),
}

/// A started program.
pub struct Running {
    /// The process; dropping it kills it.
    pub child: Child,
    /// Its number, and that of its group.
    pub pid: u32,
    /// Its standard input, its first lifeline.
    pub stdin: ChildStdin,
    /// What it complains about.
    pub stderr: ChildStderr,
}

impl Program {
    /// Whether the files are the pinned ones. Reads them whole: not for a thread that serves others.
    ///
    /// # Errors
    /// Names the file, and what it is.
    pub fn check(&self) -> Result<(), ProgramError> {
        self.open().map(drop)
    }

    fn open(&self) -> Result<File, ProgramError> {
        for (path, expected) in &self.pinned {
            verified(path, expected)?;
        }
        verified(&self.path, &self.sha256)
    }

    /// Checks, then starts it in a group of its own. On a machine with `/proc` the very file that was hashed is started, not
    /// whatever bears its name by then. Blocks while it hashes.
    ///
    /// The parent-death signal is the bridge's own to set: what Rust offers to do between fork and exec is unsafe code. The thread
    /// that calls this has to live as long as the process, because that signal comes at its end.
    ///
    /// # Errors
    /// As [`check`](Self::check), and when the system refuses.
    pub fn start(&self) -> Result<Running, ProgramError> {
        let file = self.open()?;
        let held = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // A script is opened anew by its interpreter, when the descriptor is closed already.
        let is_script = starts_with_shebang(&file);
        let path = if held.exists() && !is_script { &held } else { &self.path };
        let mut command = Command::new(path);
        command
            .arg0(&self.path)
            .args(&self.args)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let refused = |error| ProgramError::NotRun(self.path.clone(), error);
        let mut child = command.spawn().map_err(refused)?;
        let lost = || refused(io::Error::other("it ended at once"));
        let pid = child.id().ok_or_else(lost)?;
        let stdin = child.stdin.take().ok_or_else(lost)?;
        let stderr = child.stderr.take().ok_or_else(lost)?;
        Ok(Running { child, pid, stdin, stderr })
    }
}

fn starts_with_shebang(mut file: &File) -> bool {
    use std::io::{Seek as _, SeekFrom};
    let mut head = [0; 2];
    file.seek(SeekFrom::Start(0)).is_ok() && file.read_exact(&mut head).is_ok() && head == *b"#!"
}

fn verified(path: &Path, expected: &str) -> Result<File, ProgramError> {
    let unreadable = |error| ProgramError::Unreadable(path.to_owned(), error);
    let mut file = File::open(path).map_err(unreadable)?;
    let found = digest(&mut file).map_err(unreadable)?;
    if found == expected {
        return Ok(file);
    }
    Err(ProgramError::Changed { path: path.to_owned(), found, expected: expected.to_owned() })
}

fn digest(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// How a process ended, for a log.
pub fn told(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}
