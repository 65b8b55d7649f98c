//! A testbed of one's own, an engine of real bridges, and one session on it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use columba::app::clock::SystemClock;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Delivery, WaId};
use columba::domain::proxy::Proxy;
use columba::domain::session::{CloseReason, Epoch, Lease};
use columba::domain::time::{Jitter, Moment, WallTime};
use columba::ports::outbox::Work;
use columba::ports::transport::{LinkEvent, Transport as _};
use columba::ports::vault::{Vault, Writer};
use columba::storage::media::MediaFolder;
use columba::transport::bridge::{BridgeOptions, BridgeTransport, Program};
use futures_util::stream::{BoxStream, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::support::vault::{MemoryVault, Records};

pub type Link = BoxStream<'static, LinkEvent>;

/// The longest any one event may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

fn named(variable: &str, otherwise: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(otherwise));
    assert!(path.exists(), "{} is not there; scripts/e2e-real.sh builds it", path.display());
    path.canonicalize().unwrap()
}

/// A WhatsApp-shaped server, as a process.
pub struct Testbed {
    process: Mutex<Child>,
    pub url: String,
    admin: String,
    http: reqwest::Client,
    data: TempDir,
}

impl Testbed {
    pub async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let free = "127.0.0.1:0";
        let (process, addresses) = Self::spawn(data.path(), free, free).await.expect("a testbed that starts");
        let text = |key: &str| addresses[key].as_str().unwrap().to_owned();
        Self {
            url: text("url"),
            admin: text("admin"),
            process: Mutex::new(process),
            http: reqwest::Client::new(),
            data,
        }
    }

    async fn spawn(data: &Path, listen: &str, admin: &str) -> Option<(Child, Value)> {
        let program = named("COLUMBA_TESTBED", "testbed/target/debug/columba-testbed");
        let mut process = Command::new(program)
            .args(["serve", "--json", "--listen", listen, "--admin", admin, "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("its addresses").unwrap()?;
        Some((process, serde_json::from_str(&line).unwrap()))
    }

    /// Its process.
    pub async fn pid(&self) -> u32 {
        self.process.lock().await.id().expect("it runs")
    }

    /// Starts it again on what it has on disk, at the same addresses, whenever somebody has killed it. Never ends.
    pub async fn tend(&self) -> std::convert::Infallible {
        let address = |url: &str| url.split('/').nth(2).unwrap().to_owned();
        let (listen, admin) = (address(&self.url), address(&self.admin));
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut process = self.process.lock().await;
            if process.try_wait().unwrap().is_some()
                && let Some((next, _)) = Self::spawn(self.data.path(), &listen, &admin).await
            {
                *process = next;
            }
        }
    }

    /// As [`post`](Self::post), to one that may be dead; `None` if it did not do it, or died before it said so.
    pub async fn try_post(&self, path: &str, body: Value) -> Option<Value> {
        let answer = self.http.post(format!("{}{path}", self.admin)).json(&body).send().await.ok()?;
        let is_done = answer.status().is_success();
        let text = answer.text().await.ok()?;
        is_done.then(|| serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.admin)).json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.admin)).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status}");
        answer.json().await.unwrap()
    }

    pub async fn account(&self, phone: &str) {
        self.post("/admin/accounts", json!({ "phone": phone, "name": "Somebody" })).await;
    }

    /// What a phone has in its chats, once it is so many.
    pub async fn chat(&self, phone: &str, count: usize) -> Vec<Value> {
        let phone = phone.trim_start_matches('+');
        let poll = async {
            loop {
                let list = self.get(&format!("/admin/messages?phone={phone}")).await;
                let list = list.as_array().unwrap().clone();
                if list.len() >= count {
                    return list;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("{count} messages at {phone}"))
    }
}

/// A bridge, and what its hello has to name.
pub struct Bridge {
    /// Its program, with what that runs.
    command: Vec<PathBuf>,
    /// The engine.
    pub engine: &'static str,
    version: &'static str,
    /// What it calls its one-time keys in the vault.
    pub prekeys: &'static str,
}

/// By way of a script that becomes the bridge: in an unoptimised build it takes seconds to hash forty megabytes.
pub fn program(bridge: &Bridge, folder: &Path) -> Program {
    let path = folder.join("bridge.sh");
    let command: Vec<_> = bridge.command.iter().map(|part| format!("'{}'", part.display())).collect();
    std::fs::write(&path, format!("#!/bin/sh\nexec {}\n", command.join(" "))).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let sha256 = hex::encode(Sha256::digest(std::fs::read(&path).unwrap()));
    Program { path, sha256, args: vec![], pinned: BTreeMap::new() }
}

fn of_native(program: PathBuf) -> Bridge {
    Bridge { command: vec![program], engine: "native", version: "0.7.0", prekeys: "prekey" }
}

/// The native bridge that takes the testbed's certificates.
pub fn native_testbed() -> Bridge {
    let otherwise = "target-native/debug/columba-bridge-native-testbed";
    of_native(named("COLUMBA_BRIDGE_NATIVE_TESTBED", otherwise))
}

/// The native bridge as it is shipped.
pub fn native() -> Bridge {
    of_native(named("COLUMBA_BRIDGE_NATIVE", "target-native/debug/columba-bridge-native"))
}

fn of_baileys(script: &str) -> Bridge {
    named("COLUMBA_BRIDGE_BAILEYS_MODULES", "bridges/baileys/node_modules");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges/baileys").join(script);
    Bridge {
        command: vec![PathBuf::from("/usr/bin/env"), PathBuf::from("node"), script],
        engine: "baileys",
        version: "7.0.0-rc14",
        prekeys: "pre_key",
    }
}

/// The Baileys bridge that takes the testbed's certificates.
pub fn baileys_testbed() -> Bridge {
    of_baileys("testbed.mjs")
}

/// The Baileys bridge as it is shipped.
pub fn baileys() -> Bridge {
    of_baileys("bridge.mjs")
}

/// An engine of bridges, spoken to through the supervisor's adapter.
pub struct Rig {
    pub engine: Arc<BridgeTransport>,
    folder: TempDir,
}

impl Rig {
    pub fn start(bridge: Bridge, endpoint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = program(&bridge, folder.path());
        Self::with(program, &bridge, folder, endpoint)
    }

    /// The Baileys bridge as it is pinned: the interpreter and the script that its seal names.
    pub fn sealed(endpoint: &str) -> Self {
        let bridge = baileys();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bridges/baileys");
        let seal = std::process::Command::new("node").arg("seal.mjs").current_dir(folder).output().unwrap();
        assert!(seal.status.success(), "{}", String::from_utf8_lossy(&seal.stderr));
        let printed = String::from_utf8(seal.stdout).unwrap();
        let said = |key: &str| {
            let start = format!("{key} = \"");
            let line =
                printed.lines().find_map(|line| line.strip_prefix(&start)).expect("what the seal names");
            line.trim_end_matches('"').to_owned()
        };
        let program = Program {
            path: PathBuf::from(said("path")),
            sha256: said("sha256"),
            args: vec![said("script")],
            pinned: BTreeMap::from([(PathBuf::from(said("script")), said("script_sha256"))]),
        };
        Self::with(program, &bridge, tempfile::tempdir().unwrap(), endpoint)
    }

    fn with(program: Program, bridge: &Bridge, folder: TempDir, endpoint: &str) -> Self {
        let options = BridgeOptions {
            program,
            writer: Writer {
                engine: bridge.engine.to_owned(),
                version: bridge.version.to_owned(),
                format: 1,
            },
            shard_size: 100,
            endpoint: Some(endpoint.to_owned()),
            runtime: folder.path().join("run"),
            records: folder.path().join("records"),
        };
        let files = Arc::new(MediaFolder::open(folder.path()).unwrap());
        let clock = Arc::new(SystemClock::new());
        let engine = BridgeTransport::start(options, files, clock, || Jitter::NONE).unwrap();
        Self { engine, folder }
    }

    /// Kills the processes of its bridges, as a machine that has no memory left does.
    pub fn kill_bridges(&self) {
        for record in std::fs::read_dir(self.folder.path().join("records")).unwrap() {
            let record = std::fs::read(record.unwrap().path()).unwrap();
            let record: Value = serde_json::from_slice(&record).unwrap();
            let pid = Pid::from_raw(i32::try_from(record["pid"].as_i64().unwrap()).unwrap()).unwrap();
            kill_process(pid, Signal::KILL).unwrap();
        }
    }

    /// A session that was never paired.
    pub fn session(&self) -> Session {
        let at = WallTime(0);
        let lease = Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(0) };
        Session { engine: Arc::clone(&self.engine), vault: Arc::default(), lease, proxy: None }
    }

    /// A session that was scanned by `phone`, is logged in, and has what its phone sends after that: it uses one-time keys up.
    pub async fn paired(&self, testbed: &Testbed, phone: &str) -> (Session, Link) {
        testbed.account(phone).await;
        let mut session = self.session();
        session.pair(testbed, phone).await;
        let link = session.log_in().await;
        session.has_the_phone_s_key().await;
        (session, link)
    }
}

/// One session.
pub struct Session {
    engine: Arc<BridgeTransport>,
    pub vault: Arc<MemoryVault>,
    pub lease: Lease,
    /// What it connects through.
    pub proxy: Option<Proxy>,
}

/// What a session's vault holds that is never to be lost: the device, its one-time keys, its ratchets.
#[derive(Clone)]
pub struct Credentials(Records);

impl Credentials {
    /// Records that were here and are not there, or are there with nothing in them.
    pub fn lost_in(&self, later: &Self) -> Vec<(&'static str, Vec<u8>)> {
        let is_there = |at: &(&'static str, Vec<u8>)| later.0.get(at).is_some_and(|value| !value.is_empty());
        self.0.keys().filter(|at| !is_there(at)).cloned().collect()
    }
}

impl Session {
    /// What is in its vault by now, of what must stay.
    pub fn credentials(&self) -> Credentials {
        let (records, _) = self.vault.content();
        let stays = |kind: &str| {
            matches!(
                kind,
                "device" | "creds" | "identity" | "identity_key" | "session" | "prekey" | "pre_key"
            )
        };
        Credentials(records.into_iter().filter(|((kind, _), _)| stays(kind)).collect())
    }

    /// Resolves when the key of the account's app state, which its phone sends by itself, is in the vault.
    async fn has_the_phone_s_key(&self) {
        let is_there = || {
            let (records, _) = self.vault.content();
            records.keys().any(|(kind, _)| matches!(*kind, "synckey" | "app_state_sync_key"))
        };
        let came = async {
            while !is_there() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, came).await.expect("the phone's key");
    }

    /// A new owner's link.
    pub fn open(&mut self) -> Link {
        self.lease.epoch.0 += 1;
        self.engine.open(self.lease, Arc::clone(&self.vault) as Arc<dyn Vault>, self.proxy.clone())
    }

    /// Shows a code, which the phone scans.
    pub async fn pair(&mut self, testbed: &Testbed, phone: &str) {
        let mut link = self.open();
        let LinkEvent::PairingCode { code, .. } = next(&mut link).await else { panic!("a code") };
        testbed.post("/admin/scan", json!({ "phone": phone, "qr": code })).await;
        assert_eq!(
            rest(&mut link).await,
            [LinkEvent::Paired, LinkEvent::Closed(CloseReason::RestartRequired)]
        );
    }

    /// A link that is connected and has told all it owed.
    pub async fn log_in(&mut self) -> Link {
        self.try_log_in().await.unwrap_or_else(|reason| panic!("closed: {reason:?}"))
    }

    /// As [`log_in`](Self::log_in), of a bridge that may be dead and has to be started first.
    pub async fn log_in_at_last(&mut self) -> Link {
        let logged_in = async {
            loop {
                match self.try_log_in().await {
                    Ok(link) => return link,
                    Err(CloseReason::TransportLost) => tokio::time::sleep(Duration::from_millis(200)).await,
                    Err(reason) => panic!("closed: {reason:?}"),
                }
            }
        };
        timeout(PATIENCE, logged_in).await.expect("a bridge that comes back")
    }

    async fn try_log_in(&mut self) -> Result<Link, CloseReason> {
        let mut link = self.open();
        let (mut connected, mut synced) = (false, false);
        while !(connected && synced) {
            match next(&mut link).await {
                LinkEvent::Connected => connected = true,
                LinkEvent::OfflineSynced => synced = true,
                LinkEvent::Closed(reason) => return Err(reason),
                _ => {}
            }
        }
        Ok(link)
    }

    /// A message under an id of ours.
    pub fn message(&self, to: &str, body: &str) -> Work {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        Work {
            lease: self.lease,
            message: MessageId::mint(WallTime(0)),
            number: 1,
            wa_id: WaId::mint(WallTime(1_795_000_000_000), COUNT.fetch_add(1, Ordering::Relaxed)),
            to: Chat::parse(to).unwrap(),
            content: Content::Text(Text { body: body.to_owned() }),
            reply_to: None,
            referred: None,
            delivery: Delivery::AtLeastOnce,
            claimed_at: Moment(0),
        }
    }
}

pub async fn next(link: &mut Link) -> LinkEvent {
    timeout(PATIENCE, link.next()).await.expect("an event").expect("a link that goes on")
}

/// What is left of a link that ends.
pub async fn rest(link: &mut Link) -> Vec<LinkEvent> {
    timeout(PATIENCE, link.collect()).await.expect("an end")
}

/// The next event that is wanted; the others are passed over.
pub async fn find<T>(link: &mut Link, wanted: impl Fn(LinkEvent) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(next(link).await) {
            return found;
        }
    }
}
