//! Redis servers of a test's own, on free ports in a temporary folder: one, a pair, a cluster of three.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use columba::config::redis::{RedisAddress, RedisOptions};
use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, Cmd, FromRedisValue};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a process that cannot be awaited otherwise.
const LOOK: Duration = Duration::from_millis(10);

/// What sentinels call the server they watch.
pub const WATCHED: &str = "columba";

/// One server. Killed when it is dropped.
pub struct RedisServer {
    pub port: u16,
    dir: TempDir,
    extra: Vec<String>,
    /// The port of the server it watches, if it is a sentinel.
    watched: Option<u16>,
    child: Option<Child>,
}

/// A port nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    /// One that keeps nothing in files.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with more settings, such as `["--appendonly", "yes"]`.
    pub async fn start_with(extra: &[&str]) -> Self {
        let extra = extra.iter().map(ToString::to_string).collect();
        let dir = TempDir::new().unwrap();
        let mut server = Self { port: free_port(), dir, extra, watched: None, child: None };
        server.revive().await;
        server
    }

    /// A sentinel that knows a server, and the one that follows it, as [`WATCHED`].
    pub async fn sentinel_of(first: &Self) -> Self {
        let (dir, watched) = (TempDir::new().unwrap(), Some(first.port));
        let mut sentinel = Self { port: free_port(), dir, extra: vec![], watched, child: None };
        sentinel.revive().await;
        sentinel
            .until(&format!("SENTINEL MASTER {WATCHED}"), |told: &Vec<String>| {
                told.windows(2).any(|pair| pair == ["num-slaves", "1"])
            })
            .await;
        sentinel
    }

    /// Starts it on its port and its folder; waits until it answers.
    pub async fn revive(&mut self) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        match self.watched {
            // A sentinel writes what it learns into its file.
            Some(watched) => {
                let file = self.dir.path().join("sentinel.conf");
                let text = format!(
                    "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {WATCHED} 127.0.0.1 {watched} 1\n\
                     sentinel down-after-milliseconds {WATCHED} 500\nsentinel failover-timeout {WATCHED} 2000\n",
                    self.dir.path().display()
                );
                std::fs::write(&file, text).unwrap();
                command.arg(file).arg("--sentinel");
            }
            None => {
                command
                    .args(["--bind", "127.0.0.1", "--save", "", "--port", &port, "--dir"])
                    .arg(self.dir.path());
            }
        }
        command.args(&self.extra).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("cannot start redis-server ({error}); run: scripts/servers.sh redis-server")
        }));
        let answers = timeout(PATIENCE, async {
            while self.try_ask::<String>(&redis::cmd("PING")).await.is_err() {
                sleep(LOOK).await;
            }
        });
        answers.await.expect("it answers");
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        self.child.take().expect("it runs").kill().await.unwrap();
    }

    /// Stops it or lets it go on; its sockets stay open.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.as_ref().and_then(Child::id).expect("it runs");
        rustix::process::kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
    }

    /// It answers at another's port, which that has left.
    #[allow(dead_code, reason = "only outages need it")]
    pub async fn move_to(&mut self, port: u16) {
        self.ask::<()>(&format!("CONFIG SET port {port}")).await;
        self.port = port;
    }

    /// From its next start on it follows another.
    pub fn follow(&mut self, other: &Self) {
        let port = other.port.to_string();
        self.extra = ["--replicaof", "127.0.0.1", &port].map(ToOwned::to_owned).to_vec();
    }

    /// Waits until it has the data of the one it follows.
    pub async fn linked(&self) {
        self.until("INFO replication", |info: &String| info.contains("master_link_status:up")).await;
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.host())
    }

    /// Asks it on a connection of its own.
    pub async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> redis::RedisResult<T> {
        let client = Client::open(self.url()).unwrap();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        command.query_async(&mut connection).await
    }

    /// The same of one that answers: `ask("CONFIG SET maxmemory 1")`.
    pub async fn ask<T: FromRedisValue>(&self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        self.try_ask(&command).await.unwrap()
    }

    /// Asks until the answer is as wanted.
    pub async fn until<T: FromRedisValue>(&self, words: &str, wanted: impl Fn(&T) -> bool) {
        let found = timeout(PATIENCE, async {
            while !wanted(&self.ask(words).await) {
                sleep(LOOK).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{words} does not become what is wanted"));
    }
}

/// A server that takes writes, and one that follows it.
pub async fn pair() -> (RedisServer, RedisServer) {
    let first = RedisServer::start().await;
    let mut second = RedisServer::start().await;
    second.kill().await;
    second.follow(&first);
    second.revive().await;
    second.linked().await;
    (first, second)
}

/// Three that share the slots.
pub async fn cluster() -> Vec<RedisServer> {
    let mut servers = vec![];
    for _ in 0..3 {
        let bus = free_port().to_string();
        servers.push(RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus]).await);
    }
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(servers.iter().map(RedisServer::host)).arg("--cluster-yes");
    let made = timeout(PATIENCE, create.output()).await.expect("it ends").unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    for server in &servers {
        server.until("CLUSTER INFO", |info: &String| info.contains("cluster_state:ok")).await;
    }
    servers
}

/// A `redis.url` as the program reads it.
pub fn address(url: &str) -> RedisAddress {
    RedisOptions { url: url.to_owned(), sentinel_password: String::new() }.address().unwrap().unwrap()
}

/// `cluster://…` of all of them.
pub fn cluster_url(servers: &[RedisServer]) -> String {
    format!("cluster://{}", servers.iter().map(RedisServer::host).collect::<Vec<_>>().join(","))
}
