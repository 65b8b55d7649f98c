//! The real program as a process of its own, on a free port in a folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::api::Api;
use super::postgres;

/// Bodies and numbers of tests begin like this, so that a log that holds one is found out.
pub const BODY_MARK: &str = "canary-body";
const NUMBER_MARK: &str = "+1555";
const PATIENCE: Duration = Duration::from_secs(30);

/// A server under test. To be ended with [`finish`](Self::finish) or [`kill`](Self::kill); one that is dropped is killed.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    dir: Arc<TempDir>,
    log: PathBuf,
}

/// A program of ours: as cargo built it with this test, or from the folder that `COLUMBA_BINARIES` names. Whoever runs tests
/// of two builds at once needs that, since cargo keeps one binary of a name.
pub fn program(name: &str) -> PathBuf {
    match (std::env::var_os("COLUMBA_BINARIES"), name) {
        (Some(folder), name) => Path::new(&folder).join(name),
        (None, "columba-check") => env!("CARGO_BIN_EXE_columba-check").into(),
        (None, _) => env!("CARGO_BIN_EXE_columba").into(),
    }
}

/// Starts `columba` with `arguments`; its standard output is left to the caller.
pub fn columba(arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(program("columba"))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The address that a process says it listens on.
pub async fn listening(child: &mut Child, log: &Path) -> String {
    let url = said_where(child).await;
    url.unwrap_or_else(|| panic!("did not start:\n{}", fs::read_to_string(log).unwrap()))
}

/// The address that a process says it listens on; `None` when it says nothing or ends before.
async fn said_where(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.ok()?.ok()??;
    let url = line.split(" listens on ").nth(1)?.to_owned();
    // What it says later must not block it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(url)
}

/// Where a server keeps what it knows, from one start to the next: a folder, and a database elsewhere if it has one.
#[derive(Clone)]
pub struct Home {
    dir: Arc<TempDir>,
    database: Option<String>,
}

impl Home {
    /// All of it in a new folder.
    pub fn in_files() -> Self {
        Self { dir: Arc::new(TempDir::new().unwrap()), database: None }
    }

    /// Rows in a new database of PostgreSQL.
    pub async fn on_postgres() -> Self {
        Self::at(postgres::database().await)
    }

    /// Rows in the database at this address.
    pub fn at(database: String) -> Self {
        Self { database: Some(database), ..Self::in_files() }
    }

    /// A server that lives here, with this in its environment.
    pub async fn start(&self, environment: &[(&str, &str)]) -> Server {
        let database = self.database.as_deref().map(|url| ("COLUMBA__DATABASE__URL", url));
        let environment: Vec<_> = environment.iter().copied().chain(database).collect();
        Server::start_in(Arc::clone(&self.dir), &environment).await
    }

    /// A process beside it that hands out the feed only. It logs into a file of its own.
    #[allow(dead_code, reason = "only some test binaries need it")]
    pub async fn feed(&self, environment: &[(&str, &str)]) -> Server {
        let database = self.database.as_deref().map(|url| ("COLUMBA__DATABASE__URL", url));
        let environment: Vec<_> = environment.iter().copied().chain(database).collect();
        Server::start_feed(Arc::clone(&self.dir), &environment).await
    }

    /// The folder.
    #[allow(dead_code, reason = "only some test binaries need it")]
    pub fn dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// The address of its database, if it has one elsewhere.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Server {
    /// A new server on a new folder.
    pub async fn start() -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), &[]).await
    }

    /// A server on a folder that may have been used before.
    pub async fn start_in(dir: Arc<TempDir>, environment: &[(&str, &str)]) -> Self {
        let log = dir.path().join("server.log");
        let started = Self::try_start_in(dir, environment).await;
        started.unwrap_or_else(|ended| panic!("{ended}:\n{}", fs::read_to_string(&log).unwrap()))
    }

    /// A process that hands out the feed only, beside a server on the same folder. It logs into a file of its own.
    #[allow(dead_code, reason = "only some test binaries need it")]
    pub async fn start_feed(dir: Arc<TempDir>, environment: &[(&str, &str)]) -> Self {
        let log = dir.path().join("feed.log");
        let started = Self::try_start(dir, &["--roles", "feed"], environment, &log).await;
        started.unwrap_or_else(|ended| panic!("{ended}:\n{}", fs::read_to_string(&log).unwrap()))
    }

    /// The same, with a server that may end before it says that it listens.
    pub async fn try_start_in(dir: Arc<TempDir>, environment: &[(&str, &str)]) -> Result<Self, ExitStatus> {
        let log = dir.path().join("server.log");
        Self::try_start(dir, &[], environment, &log).await
    }

    async fn try_start(
        dir: Arc<TempDir>,
        flags: &[&str],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self, ExitStatus> {
        let data = dir.path().join("data");
        let arguments = ["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let mut child = columba(&[&arguments, flags].concat(), environment, log);
        match said_where(&mut child).await {
            Some(url) => Ok(Self { child, url, dir, log: log.to_owned() }),
            None => {
                let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
                Err(ended.expect("it says where it listens, or it ends").unwrap())
            }
        }
    }

    /// Its process.
    #[allow(dead_code, reason = "tests/deep traces it")]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// Its folder, for the next server.
    pub fn dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// Calls with this token.
    pub fn api(&self, token: &str) -> Api {
        Api::new(&self.url, token)
    }

    /// Calls as the operator.
    pub fn operator(&self) -> Api {
        self.api(fs::read_to_string(self.dir.path().join("data/operator.token")).unwrap().trim())
    }

    /// Everything it has logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end and waits.
    pub async fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_raw(self.child.id().unwrap() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("drained in time").unwrap()
    }

    /// Ends it in good order, whatever has panicked because it was asked to.
    pub async fn end(mut self) -> ExitStatus {
        let status = self.terminate().await;
        assert_nothing_personal(&self.logged());
        status
    }

    /// Ends it in good order and fails if anything personal was logged or an actor died that was not told to.
    pub async fn finish(mut self) {
        let status = self.terminate().await;
        let log = self.logged();
        assert!(status.success(), "{status}\n{log}");
        for line in log.lines() {
            assert!(!line.contains("panicked"), "{line}");
            assert!(!line.contains(r#""panicking":true"#), "{line}");
        }
        assert_nothing_personal(&log);
    }
}

/// No body, no number, no key.
pub fn assert_nothing_personal(log: &str) {
    for line in log.lines() {
        for mark in [BODY_MARK, NUMBER_MARK, "col_live_", "col_test_", "col_op_"] {
            assert!(!line.contains(mark), "`{mark}` in a log line: {line}");
        }
    }
}
