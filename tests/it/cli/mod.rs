//! The command line as a program: what it prints, to whom, and how it ends.

mod commands;
mod document;
mod errors;
mod installation;
mod listening;
mod on_postgres;
mod proxy;
mod terminal;

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::server::{Server, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// What a command said, and how it ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Standard output, of a command that has to succeed.
    #[track_caller]
    fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The same, without its last line break.
    #[track_caller]
    fn word(self) -> String {
        self.good().trim_end().to_owned()
    }

    /// The same as JSON.
    #[track_caller]
    fn json(self) -> Value {
        let out = self.good();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// The program with `arguments`, with nothing in its environment but `environment`.
fn prepared(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program("columba"));
    command.args(arguments).env_clear().envs(environment.iter().copied()).kill_on_drop(true);
    command
}

/// Runs it to its end with `input` on its standard input.
async fn run_with(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ran {
    let mut command = prepared(arguments, environment);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that does not read it may be gone already.
    stdin.write_all(input.as_bytes()).await.unwrap_or(());
    drop(stdin);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let Output { status, stdout, stderr } = ended.expect("it ends by itself").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().expect("it was not killed"), out: text(stdout), err: text(stderr) }
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    run_with(arguments, environment, "").await
}

/// An operator at a server's machine, and an integrator with a key.
struct Desk {
    url: String,
    data: String,
    key: String,
}

impl Desk {
    /// A tenant with a key under a plan that paces nothing.
    async fn at(server: &Server) -> Self {
        let data = server.dir().path().join("data").to_str().unwrap().to_owned();
        let mut desk = Self { url: server.url.clone(), data, key: String::new() };
        let caps = ["--messages-per-minute", "600", "--messages-per-month", "1000", "--sessions-max", "9"];
        let plan = [&["plan", "create", "basic", "--pacing", "none"], &caps[..]].concat();
        desk.run(&plan).await.good();
        let tenant = desk.run(&["tenant", "create", "Acme", "--plan", "basic", "-q"]).await.word();
        desk.key = desk.run(&["key", "create", "--tenant", &tenant, "-q"]).await.word();
        desk
    }

    /// What tells the program where the server is and as whom to call.
    fn environment(&self) -> Vec<(&str, &str)> {
        let mut all = vec![("COLUMBA_URL", self.url.as_str()), ("COLUMBA_DATA", self.data.as_str())];
        if !self.key.is_empty() {
            all.push(("COLUMBA_KEY", self.key.as_str()));
        }
        all
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        run(arguments, &self.environment()).await
    }

    /// A session that is paired and connected.
    async fn connected(&self) -> String {
        let session = self.run(&["session", "create", "sales", "-q"]).await.word();
        let paired = self.run(&["session", "pair", &session, "--play-phone", "-q"]).await.word();
        assert_eq!(paired, session);
        session
    }
}
