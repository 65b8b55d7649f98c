//! The whole server with sessions of the native engine that write to each other through the testbed, and any of the three
//! kinds of processes killed meanwhile: the supervisor, a bridge, the testbed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strum::{Display, EnumIter, EnumString};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::rig::{Testbed, native_testbed, program};
use crate::support::load::{Client, Promises, text};
use crate::support::rig::{Rig, Watch};
use crate::support::server::BODY_MARK;

/// What one message, one login or one pairing may take with a process dead in between, on a machine that does other things.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Victim {
    Supervisor,
    Bridge,
    Testbed,
}

/// One session and its number.
pub struct Member {
    pub session: String,
    pub number: String,
}

/// Everything.
pub struct Stage {
    pub testbed: Testbed,
    pub server: Rig,
    pub cast: Cast,
    /// What a bridge looks at, see `bridges/native/src/killpoint.rs`.
    points: TempDir,
}

/// Those who write and are written to. Apart from the processes, so that one can be watched while the other is used.
pub struct Cast {
    pub watch: Watch,
    pub members: Vec<Member>,
    pub promises: Promises,
    /// Numbers that were written to by phones, and the ids: the testbed has said that it has them.
    pub written: Mutex<Vec<(String, String)>>,
}

impl Stage {
    /// A testbed, a server, and so many sessions that were never linked.
    pub async fn set(members: usize) -> Self {
        let testbed = Testbed::start().await;
        let (dir, points) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (path, sha256) = armed(dir.path(), points.path());
        let environment = [
            ("COLUMBA__BRIDGES__NATIVE__PATH", path.to_str().unwrap()),
            ("COLUMBA__BRIDGES__NATIVE__SHA256", &sha256),
            ("COLUMBA__BRIDGES__NATIVE__ENDPOINT", &testbed.url),
            ("COLUMBA__LOG__LEVEL", "info"),
        ];
        let server = Rig::start_in(dir, &environment).await;
        let operator = server.operator();
        let plan = json!({
            "first_contacts_per_day": 50, "sessions_max": members, "messages_per_minute": 60, "pacing": "human",
        });
        operator.plan("trial", plan).await;
        let (_, api) = operator.tenant("Trial", "trial").await;
        let mut cast = Cast {
            watch: Watch { api: api.clone(), whereabouts: server.whereabouts.clone() },
            members: vec![],
            promises: Promises::default(),
            written: Mutex::default(),
        };
        for at in 0..members {
            let number = format!("+1555140{at:04}");
            testbed.account(&number).await;
            let label = json!({"label": format!("session {at}"), "engine": "native"});
            let made = api.post("/v1/sessions", label).await.expect(201);
            cast.members.push(Member { session: made["id"].as_str().unwrap().to_owned(), number });
        }
        Self { testbed, server, cast, points }
    }

    /// Waits for what `work` makes of everything; whoever was killed meanwhile is started again.
    pub async fn keep_up<T>(&mut self, work: impl AsyncFnOnce(&Cast, &Testbed) -> T) -> T {
        let work = work(&self.cast, &self.testbed);
        tokio::select! {
            never = self.testbed.tend() => match never {},
            done = self.server.keep_up(work) => done,
        }
    }

    /// Links every session from this one on.
    pub async fn rehearse(&mut self, from: usize) {
        self.keep_up(async |cast, testbed| {
            for at in from..cast.members.len() {
                cast.link(testbed, at, async || {}).await;
            }
        })
        .await;
    }

    /// Every pair that writes to each other later has done so once.
    pub async fn greet(&mut self) {
        self.keep_up(async |cast, testbed| {
            // Other keys each time: the same request twice is one message.
            let mut random = StdRng::seed_from_u64(cast.promises.count() as u64);
            for at in 0..cast.members.len() {
                let to = (at + 1) % cast.members.len();
                cast.send(&mut random, at, to).await;
                cast.hear(testbed, to, at).await;
            }
        })
        .await;
    }

    /// The next bridge that passes this point, once the trap is set, kills that process.
    pub async fn trap(&self, point: &str, victim: Victim) -> Trap {
        let whom = match victim {
            Victim::Bridge => "self".to_owned(),
            Victim::Supervisor => self.server.pid().to_string(),
            Victim::Testbed => self.testbed.pid().await.to_string(),
        };
        Trap { file: self.points.path().join(point), whom }
    }

    /// A process of the stage as it is now.
    pub async fn pid(&self, victim: Victim) -> u32 {
        match victim {
            Victim::Supervisor => self.server.pid(),
            Victim::Testbed => self.testbed.pid().await,
            Victim::Bridge => children(self.server.pid())[0],
        }
    }
}

/// What kills a process that passes a point.
pub struct Trap {
    file: PathBuf,
    whom: String,
}

impl Trap {
    /// From now on.
    pub fn set(&self) {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, &self.whom).unwrap();
        std::fs::rename(draft, &self.file).unwrap();
    }

    /// Whether somebody came by.
    pub fn has_struck(&self) -> bool {
        !self.file.exists()
    }
}

/// kill -9.
pub fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

/// The process of the server whose data are here, if it runs.
pub fn supervisor(data: &Path) -> Option<u32> {
    let ours = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("serve") && line.contains(data.to_str().unwrap())
    };
    children(std::process::id()).into_iter().find(ours)
}

/// The log of a stage that fails outlives it.
impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("columba-real-{:08x}.log", rand::random::<u32>()));
            let _ = std::fs::copy(self.server.data().with_file_name("server.log"), &kept);
            println!("the server's log is in {}", kept.display());
        }
    }
}

impl Cast {
    /// Links a session as a person does: whenever it shows a code that was not scanned yet, the phone scans it. `shown` is
    /// awaited before the first scan. How many scans the server knows of.
    pub async fn link(&self, testbed: &Testbed, at: usize, shown: impl AsyncFnOnce()) -> u32 {
        let Member { session, number } = &self.members[at];
        let (mut shown, mut last, mut scans) = (Some(shown), Value::Null, 0);
        let linked = async {
            loop {
                let api = self.watch.now();
                let path = format!("/v1/sessions/{session}");
                let record = api.attempt(reqwest::Method::GET, &path, "".into(), &[]).await;
                let status = record.map_or(Value::Null, |record| record.body["status"].clone());
                match status.as_str() {
                    Some("connected") => return,
                    Some(word @ ("stopped" | "parked" | "logged_out")) => {
                        if word == "logged_out" {
                            // The server died before it wrote the device down, and knows of no scan.
                            scans = 0;
                        }
                        let start = format!("{path}/start");
                        let _ = api.attempt(reqwest::Method::POST, &start, "".into(), &[]).await;
                    }
                    Some("pairing") => {
                        let code =
                            api.attempt(reqwest::Method::GET, &format!("{path}/qr"), "".into(), &[]).await;
                        let code = code.map_or(Value::Null, |code| code.body["code"].clone());
                        if code.is_string() && code != last {
                            if let Some(shown) = shown.take() {
                                shown().await;
                            }
                            let scan = json!({"phone": number, "qr": code});
                            scans += u32::from(testbed.try_post("/admin/scan", scan).await.is_some());
                            last = code;
                        }
                    }
                    _ => {}
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, linked).await.unwrap_or_else(|_| panic!("session {at} is not linked"));
        scans
    }

    /// One session writes to another, and the message is delivered.
    pub async fn send(&self, random: &mut StdRng, from: usize, to: usize) {
        let client = Client { watch: self.watch.clone(), promises: &self.promises };
        let message = text(&self.members[to].number);
        let promised = client.send(random, &self.members[from].session, &message).await.expect("a promise");
        let path = format!("/v1/messages/{}", promised["id"].as_str().unwrap());
        let arrived = |record: &Value| matches!(record["status"].as_str(), Some("delivered" | "read"));
        self.watch.until(&path, PATIENCE, arrived).await;
    }

    /// One session writes to another; it is promised.
    pub async fn promise(&self, random: &mut StdRng, from: usize, to: usize) {
        let client = Client { watch: self.watch.clone(), promises: &self.promises };
        client.send(random, &self.members[from].session, &text(&self.members[to].number)).await;
    }

    /// A phone writes to a session, and the server has it.
    pub async fn hear(&self, testbed: &Testbed, phone: usize, to: usize) {
        let Some(id) = self.write_in(testbed, phone, to).await else { return };
        let session = &self.members[to].session;
        let path = format!("/v1/messages?direction=in&session={session}&limit=200");
        let has = |list: &Value| {
            list["data"].as_array().is_some_and(|rows| rows.iter().any(|row| row["wa_id"] == id.as_str()))
        };
        self.watch.until(&path, PATIENCE, has).await;
    }

    /// A phone writes to a session. Its id, if the testbed has said that it has it.
    pub async fn write_in(&self, testbed: &Testbed, phone: usize, to: usize) -> Option<String> {
        let (phone, to) = (&self.members[phone].number, &self.members[to].number);
        let message = json!({"phone": phone, "to": to, "text": BODY_MARK});
        let made = testbed.try_post("/admin/messages", message).await?;
        let id = made["id"].as_str().unwrap().to_owned();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push((to.clone(), id.clone()));
        Some(id)
    }
}

/// A script that becomes the bridge, told where its points are: a bridge's environment is empty otherwise.
fn armed(folder: &Path, points: &Path) -> (PathBuf, String) {
    let bridge = program(&native_testbed(), folder).path;
    let path = folder.join("armed.sh");
    let script = format!(
        "#!/bin/sh\nexport COLUMBA_KILL_POINTS='{}'\nexec '{}'\n",
        points.display(),
        bridge.display()
    );
    std::fs::write(&path, &script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (path, hex::encode(Sha256::digest(script)))
}

/// Processes that this one started.
pub fn children(parent: u32) -> Vec<u32> {
    let mut found = vec![];
    for entry in std::fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of =
            stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if of == Some(parent) {
            found.push(pid);
        }
    }
    found
}
