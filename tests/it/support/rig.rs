//! A server that dies and is brought back, over a network that does not.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use columba::domain::time::WallTime;

use super::api::{Api, Feed};
use super::clock::time;
use super::load::Promises;
use super::network::Network;
use super::server::{Server, program};

/// Longer than anybody waits for one event.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where the server is now. Every start takes a free port of its own.
#[derive(Clone, Default)]
pub struct Whereabouts(Arc<RwLock<String>>);

impl Whereabouts {
    /// `http://127.0.0.1:port` of the newest server, which may be dead.
    pub fn url(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn moved(&self, url: &str) {
        url.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Names the database of a server, if it is not in its folder.
pub const DATABASE: &str = "COLUMBA__DATABASE__URL";

/// Environment variables of a server.
pub type Environment = Vec<(String, String)>;

/// One server at a time on one data directory, and its network apart.
pub struct Rig {
    pub network: Network,
    pub whereabouts: Whereabouts,
    /// How servers ended that nobody killed.
    pub exits: Vec<ExitStatus>,
    /// Starts so far.
    pub starts: u32,
    dir: Arc<TempDir>,
    environment: Environment,
    server: Option<Server>,
}

impl Rig {
    /// A network and a server with this environment.
    pub async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_in(TempDir::new().unwrap(), environment).await
    }

    /// The same with the data in this folder.
    pub async fn start_in(dir: TempDir, environment: &[(&str, &str)]) -> Self {
        let network = Network::start(Duration::from_millis(20)).await;
        let url = ("COLUMBA__SANDBOX__URL", network.url.as_str());
        let environment = environment.iter().chain([&url]);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut rig = Self {
            network,
            whereabouts: Whereabouts::default(),
            exits: vec![],
            starts: 0,
            dir: Arc::new(dir),
            environment,
            server: None,
        };
        rig.revive(&[]).await;
        rig
    }

    /// Starts the server again, with this besides its environment, until it stays long enough to say where it is.
    pub async fn revive(&mut self, more: &[(&str, &str)]) {
        let more = more.to_vec();
        let mut extra = more.as_slice();
        loop {
            self.starts += 1;
            assert!(self.exits.len() < 20, "it does not stay up: {:?}\n{}", self.exits, self.logged());
            let fixed = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let environment: Vec<_> = fixed.chain(extra.iter().copied()).collect();
            match Server::try_start_in(Arc::clone(&self.dir), &environment).await {
                Ok(server) => {
                    self.whereabouts.moved(&server.url);
                    self.server = Some(server);
                    return;
                }
                Err(status) => {
                    self.exits.push(status);
                    extra = &[];
                }
            }
        }
    }

    /// A process beside the server that hands out the feed only.
    #[allow(dead_code, reason = "only some test binaries need it")]
    pub async fn feed(&self) -> Server {
        let environment = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Server::start_feed(Arc::clone(&self.dir), &environment.collect::<Vec<_>>()).await
    }

    /// Ends the server as a power cut would. Its port is dead until [`revive`](Self::revive).
    pub async fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill().await;
        }
    }

    /// Waits for `work`; a server that ends meanwhile is started again, as a service manager would.
    pub async fn keep_up<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let server = self.server.as_mut().expect("it was started");
            let status = tokio::select! {
                done = &mut work => return done,
                status = server.ended() => status,
            };
            self.server = None;
            self.exits.push(status);
            // What waits for this server, also within `work`, is to see the next one.
            let revived = self.revive(&[]);
            tokio::pin!(revived);
            tokio::select! {
                () = &mut revived => {}
                done = &mut work => {
                    revived.await;
                    return done;
                }
            }
        }
    }

    /// The server's process.
    #[allow(dead_code, reason = "tests/deep traces it")]
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("it was started").pid()
    }

    /// Ends the server in good order, and tells how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        let mut server = self.server.take().expect("it was started");
        server.terminate().await
    }

    /// Has the history judged, once the server has ended: its rows, the network's journal, and what was promised. Fails
    /// with the verdict if a promise was broken; answers it otherwise.
    pub async fn judge(&self, promises: &Promises) -> String {
        let accepted = self.dir.path().join("accepted.ndjson");
        promises.write(&accepted);
        let mut check = Command::new(program("columba-check"));
        check.arg(accepted).arg("--data").arg(self.data()).arg("--network").arg(self.network.data());
        if let Some((_, database)) = self.environment.iter().find(|(name, _)| name == DATABASE) {
            check.arg("--database").arg(database);
        }
        let judged = check.kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8(judged.stdout).unwrap() + &String::from_utf8(judged.stderr).unwrap();
        assert!(judged.status.success(), "{}\n{said}", judged.status);
        said
    }

    /// Calls as the operator.
    pub fn operator(&self) -> Api {
        self.server.as_ref().expect("it was started").operator()
    }

    /// The folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Everything its servers have logged.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap()
    }
}

/// A tenant's view of a server that may die meanwhile: awaits a fact, whichever server it is that makes it true.
#[derive(Clone)]
pub struct Watch {
    pub api: Api,
    pub whereabouts: Whereabouts,
}

impl Watch {
    /// Looks at the record under `path` again with every event until it is as `wanted` says; how long that took.
    pub async fn until(&self, path: &str, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Duration {
        let begun = Instant::now();
        let found = timeout(patience, async {
            while self.look(path, &wanted).await.is_none() {
                // The server is down; there is nothing to be told by.
                sleep(Duration::from_millis(50)).await;
            }
        });
        if found.await.is_err() {
            let last = self.now().get(path).await;
            panic!("{path} is not as wanted after {patience:?}: {}", last.text);
        }
        begun.elapsed()
    }

    /// `None` when the server went away.
    async fn look(&self, path: &str, wanted: &impl Fn(&Value) -> bool) -> Option<()> {
        let api = self.now();
        let bearer = format!("Bearer {}", api.token());
        let mut feed = Feed::open(api.url(), &[("authorization", &bearer)]).await.ok()?;
        feed.patience = PATIENCE;
        // A record of messages changes with messages, and one of sessions with sessions.
        let kinds: &[&str] = if path.starts_with("/v1/messages") { &["msg", "in"] } else { &["session"] };
        feed.try_say(&json!({"op": "subscribe", "events": kinds}).to_string()).await.ok()?;
        // From `ready` on nothing happens that it does not tell.
        while feed.frame().await.ok()?["op"] != "ready" {}
        loop {
            let reply = api.attempt(reqwest::Method::GET, path, "".into(), &[]).await.ok()?;
            if reply.status == 200 && wanted(&reply.body) {
                return Some(());
            }
            if reply.status.is_server_error() || reply.status == 408 {
                return None;
            }
            feed.frame().await.ok()?;
            // Many come at once: one look for all of them.
            let together = Instant::now() + Duration::from_millis(250);
            while let Ok(next) = timeout_at(together, feed.frame()).await {
                next.ok()?;
            }
        }
    }

    /// Calls to the server as it is now.
    pub fn now(&self) -> Api {
        self.api.at_url(&self.whereabouts.url())
    }

    /// Waits until none of a tenant's messages waits or is under way.
    pub async fn settled(&self, patience: Duration) {
        for status in ["queued", "held", "sending"] {
            let path = format!("/v1/messages?status={status}&direction=out&limit=1");
            self.until(&path, patience, |list| list["data"].as_array().is_some_and(Vec::is_empty)).await;
        }
        // One may have gone back while another status was looked at.
        for status in ["queued", "held", "sending"] {
            let path = format!("/v1/messages?status={status}&direction=out&limit=1");
            self.until(&path, patience, |list| list["data"].as_array().is_some_and(Vec::is_empty)).await;
        }
    }

    /// Waits until every session of a tenant has connected after `start`: until its turn comes, the record of a session
    /// says what it was when the server was killed.
    pub async fn online(&self, start: WallTime, patience: Duration) {
        let anew = |session: &Value| session["status"] == "connected" && time(&session["since"]) >= start;
        let all = |list: &Value| list["data"].as_array().is_some_and(|sessions| sessions.iter().all(anew));
        self.until("/v1/sessions?limit=200", patience, all).await;
    }
}
