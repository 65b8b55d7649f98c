//! An engine of scripted bridges (`tests/bridges/scripted.py`): real processes that speak the protocol and misbehave when told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use columba::app::clock::SystemClock;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Delivery, WaId};
use columba::domain::session::{CloseReason, Epoch, Lease};
use columba::domain::time::{Jitter, Moment, WallTime};
use columba::ports::outbox::Work;
use columba::ports::transport::{LinkEvent, Transport as _};
use columba::ports::vault::Writer;
use columba::storage::media::MediaFolder;
use columba::transport::bridge::{BridgeOptions, BridgeTransport, Program};
use futures_util::stream::{BoxStream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::vault::MemoryVault;

pub type Link = BoxStream<'static, LinkEvent>;

/// Where the scripted bridge is.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridges/scripted.py")
}

pub fn sha256(path: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(path).unwrap()))
}

/// Python, wherever it is.
fn python() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|dir| dir.join("python3")).find(|file| file.exists());
    found.expect("python3, which `make test` wants").canonicalize().unwrap()
}

pub fn options(folder: &Path, mode: &str) -> BridgeOptions {
    let (program, script) = (python(), script());
    let args = ["-B", "-I", &script.display().to_string(), mode].map(str::to_owned).to_vec();
    let pinned = BTreeMap::from([(script.clone(), sha256(&script))]);
    BridgeOptions {
        program: Program { sha256: sha256(&program), path: program, args, pinned },
        writer: Writer { engine: "scripted".to_owned(), version: "1.0.0".to_owned(), format: 1 },
        shard_size: 100,
        endpoint: None,
        runtime: folder.join("run"),
        records: folder.join("records"),
    }
}

/// An engine, and one session on it.
pub struct Rig {
    pub folder: TempDir,
    pub engine: Arc<BridgeTransport>,
    /// What tenants have uploaded.
    pub files: Arc<MediaFolder>,
    pub vault: Arc<MemoryVault>,
    pub lease: Lease,
    messages: u32,
}

impl Rig {
    pub fn start(mode: &str) -> Self {
        Self::with(mode, |_| {})
    }

    pub fn with(mode: &str, change: impl FnOnce(&mut BridgeOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path(), mode);
        change(&mut options);
        let clock = Arc::new(SystemClock::new());
        let files = Arc::new(MediaFolder::open(folder.path()).unwrap());
        let engine = BridgeTransport::start(options, files.clone(), clock, || Jitter::NONE).unwrap();
        Self { folder, engine, files, vault: Arc::default(), lease: lease(), messages: 0 }
    }

    pub fn open(&self) -> Link {
        self.engine.open(self.lease, self.vault.clone(), None)
    }

    /// Opens until the session is logged in, which takes two links for a new one.
    pub async fn connected(&mut self) -> Link {
        loop {
            let mut link = self.open();
            match next(&mut link).await {
                LinkEvent::Connected => {
                    assert_eq!(next(&mut link).await, LinkEvent::OfflineSynced);
                    return link;
                }
                _ => {
                    rest(&mut link).await;
                }
            }
            self.lease.epoch.0 += 1;
        }
    }

    pub fn message(&mut self, to: &str, body: &str) -> Work {
        self.messages += 1;
        Work {
            lease: self.lease,
            message: MessageId::mint(WallTime(0)),
            number: 1,
            wa_id: WaId::mint(WallTime(0), self.messages),
            to: Chat::parse(to).unwrap(),
            content: Content::Text(Text { body: body.to_owned() }),
            reply_to: None,
            referred: None,
            delivery: Delivery::AtLeastOnce,
            claimed_at: Moment(0),
        }
    }

    /// The process of a shard, as it was recorded.
    pub fn pid(&self, shard: usize) -> i32 {
        self.recorded(shard).expect("a record")
    }

    pub fn recorded(&self, shard: usize) -> Option<i32> {
        let text = std::fs::read(self.folder.path().join(format!("records/scripted-{shard}.json"))).ok()?;
        let record: serde_json::Value = serde_json::from_slice(&text).ok()?;
        i32::try_from(record["pid"].as_i64()?).ok()
    }
}

pub fn lease() -> Lease {
    let at = WallTime(0);
    Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) }
}

pub async fn next(link: &mut Link) -> LinkEvent {
    timeout(Duration::from_secs(40), link.next()).await.expect("an event").expect("a link that goes on")
}

/// What is left of a link that ends.
pub async fn rest(link: &mut Link) -> Vec<LinkEvent> {
    timeout(Duration::from_secs(40), link.collect()).await.expect("an end")
}

pub const LOST: LinkEvent = LinkEvent::Closed(CloseReason::TransportLost);

/// Whether a process is there and no zombie.
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !matches!(rest.trim().chars().next(), Some('Z' | 'X')))
}

/// Awaits a fact that nobody announces; fails after `limit`.
pub async fn until(limit: Duration, what: &str, fact: impl Fn() -> bool) {
    let poll = async {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(limit, poll).await.unwrap_or_else(|_| panic!("{what}: not within {limit:?}"));
}
