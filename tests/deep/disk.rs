//! Disks that are full, lie, or lose the end of a file. Never a 202 without its row; the server says what is wrong, and
//! goes on when it can.

use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command as Spawn};
use tokio::time::sleep;

use crate::support::clock::now;
use crate::support::load::{Client, Promises, text};
use crate::support::rig::{Rig, Watch};
use crate::{seed, size};

const PATIENCE: Duration = Duration::from_secs(120);
/// A frame of the log: its head and one page.
const FRAME: u64 = 24 + 4096;

/// One tenant with two sessions on a server whose disk is to fail.
struct Stage {
    rig: Rig,
    watch: Watch,
    sessions: [String; 2],
    promises: Promises,
    random: StdRng,
}

impl Stage {
    async fn set(dir: TempDir, seed: u64) -> Self {
        let rig = Rig::start_in(dir, &[]).await;
        let operator = rig.operator();
        operator.plan("ample", json!({"messages_per_minute": 60_000, "messages_per_month": 1_000_000})).await;
        let (_, api) = operator.tenant("Acme", "ample").await;
        let sessions = [api.connected("one").await, api.connected("two").await];
        let watch = Watch { api, whereabouts: rig.whereabouts.clone() };
        Self { rig, watch, sessions, promises: Promises::default(), random: StdRng::seed_from_u64(seed) }
    }

    /// Posts so many messages, each until it is promised.
    async fn promise(&mut self, count: u32) {
        let client = Client { watch: self.watch.clone(), promises: &self.promises };
        let (sessions, random) = (&self.sessions, &mut self.random);
        let work = async {
            for _ in 0..count {
                let to = format!("+1555130{:04}", random.random_range(0..50));
                let session = &sessions[random.random_range(0..2)];
                client.send(random, session, &text(&to)).await;
            }
        };
        self.rig.keep_up(work).await;
    }

    /// Posts, once each, until one is refused for want of the store, or `most` were not; how many were answered 503.
    async fn refused(&mut self, most: u32) -> u32 {
        let mut refused = 0;
        for _ in 0..most {
            let path = format!("/v1/sessions/{}/messages", self.sessions[0]);
            let headers = [("content-type", "application/json")];
            let mut message = text("+15551300001");
            message["text"]["body"] = json!(format!("canary-body {}", "x".repeat(3_000)));
            let reply =
                self.watch.now().attempt(Method::POST, &path, message.to_string().into(), &headers).await;
            match reply {
                Ok(reply) if reply.status == 202 => self.promises.note(&reply.body),
                Ok(reply) if reply.status == 503 => {
                    assert_eq!(reply.body["code"], "unavailable", "{}", reply.text);
                    refused += 1;
                    break;
                }
                Ok(reply) => panic!("{}: {}", reply.status, reply.text),
                Err(error) => panic!("{error}"),
            }
        }
        refused
    }

    /// All comes to its end, the server too, and the history is clean.
    async fn finish(mut self) -> String {
        self.rig.keep_up(self.watch.settled(PATIENCE)).await;
        let ended = self.rig.terminate().await;
        assert!(ended.success(), "{ended}\n{}", self.rig.logged());
        // Who cannot start says so by 69, who cannot go on by 70; nobody just falls over.
        for exit in &self.rig.exits {
            assert!(matches!(exit.code(), Some(69 | 70)), "{exit}\n{}", self.rig.logged());
        }
        assert_integrity(&self.rig.data()).await;
        self.rig.judge(&self.promises).await
    }
}

async fn assert_integrity(data: &Path) {
    for file in ["columba.db", "vault.db"] {
        let path = data.join(file);
        if !path.exists() {
            continue;
        }
        let db = Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
        let asked = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
        let row = db.query_one_raw(asked).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok", "{file}");
        db.close().await.unwrap();
    }
}

/// What this machine does not let us do is said aloud, and is an error where CI runs.
fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "cannot be skipped in CI: {what}");
    println!("SKIPPED: {what}");
}

// ---- no room --------------------------------------------------------------------------------------------------

/// A file system of its own, in memory, that is soon full.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs"])
            .arg(&at)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }

    /// Takes what is left but for `room` bytes.
    fn fill(&self, room: u64) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.0.join("ballast")).unwrap();
        // An error says that it is full: then the end is given back.
        while ballast.write_all(&[0; 64 * 1024]).is_ok() {}
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(room)).unwrap();
    }

    fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn disk_full_refuses_with_503_and_goes_on_when_there_is_room_again() {
    let dir = TempDir::new().unwrap();
    let Some(small) = Small::mount(dir.path().join("data")) else {
        return skip("a tmpfs cannot be mounted here: no test of a full disk");
    };
    let mut stage = Stage::set(dir, seed()).await;
    let times = size("COLUMBA_DEEP_FULL", 20);
    for time in 0..times {
        stage.promise(5).await;
        small.fill(stage.random.random_range(0..600_000));
        assert!(stage.refused(2_000).await > 0, "the disk never filled up");
        if time % 3 == 1 {
            stage.rig.kill().await;
            small.free();
            stage.rig.revive(&[]).await;
        } else {
            small.free();
        }
        stage.promise(5).await;
    }
    let log = stage.rig.logged();
    assert!(log.contains("the store is away") && log.contains("full"), "the log says why");
    let promised = stage.promises.count();
    let verdict = stage.finish().await;
    println!("full {times} times (seed {}), {promised} accepted\n{}", seed(), verdict.trim_end());
    drop(small);
}

// ---- a disk that cannot write ---------------------------------------------------------------------------------

/// Makes every `nth` fsync of a process fail until it is dropped.
async fn fail_fsync(pid: u32, nth: u32) -> Option<Child> {
    let inject = format!("inject=fdatasync,fsync:error=EIO:when={nth}+{nth}");
    let mut strace = Spawn::new("strace");
    strace.args([
        "-f",
        "-q",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        &inject,
        "-o",
        "/dev/null",
        "-p",
        &pid.to_string(),
    ]);
    strace.kill_on_drop(true).spawn().ok()
}

#[tokio::test]
async fn disk_that_fails_to_sync_refuses_with_503_and_no_202_is_without_its_row() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("there is no strace here (apt-get install strace): no test of failing fsyncs");
    }
    let mut stage = Stage::set(TempDir::new().unwrap(), seed()).await;
    let times = size("COLUMBA_DEEP_EIO", 20);
    let mut refused = 0;
    for time in 0..times {
        let nth = stage.random.random_range(2..5);
        let mut strace = fail_fsync(stage.rig.pid(), nth).await.expect("it was there a moment ago");
        // Until it is attached nothing fails.
        for _ in 0..40 {
            refused += stage.refused(5).await;
        }
        stage.promise(5).await;
        match time % 3 {
            1 => {
                stage.rig.kill().await;
                strace.kill().await.unwrap();
                stage.rig.revive(&[]).await;
            }
            _ => {
                let pid = rustix::process::Pid::from_raw(strace.id().unwrap() as i32).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
                strace.wait().await.unwrap();
            }
        }
        stage.promise(5).await;
    }
    assert!(refused > 0, "no fsync failed");
    assert!(stage.rig.logged().contains("the store is away"), "the log says why");
    let promised = stage.promises.count();
    let verdict = stage.finish().await;
    println!(
        "fsync failed under {times} loads (seed {}), {refused} refused, {promised} accepted\n{}",
        seed(),
        verdict.trim_end()
    );
}

// ---- a log without its end ------------------------------------------------------------------------------------

/// What becomes of the end of the log, behind what was promised.
fn tear(wal: &Path, promised: u64, random: &mut StdRng) -> &'static str {
    let mut file = OpenOptions::new().read(true).write(true).open(wal).unwrap();
    let length = file.metadata().unwrap().len();
    let mut rubbish = vec![0; random.random_range(1..3 * FRAME as usize)];
    random.fill(&mut rubbish[..]);
    match random.random_range(0..4) {
        0 => {
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(&rubbish).unwrap();
            "rubbish behind it"
        }
        1 => {
            // Half a frame that was valid once.
            let mut frame = vec![0; (FRAME / 2) as usize];
            file.read_exact_at(&mut frame, length.saturating_sub(FRAME)).unwrap();
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(&frame).unwrap();
            "half a frame behind it"
        }
        2 => {
            file.set_len(random.random_range(promised..=length)).unwrap();
            "cut"
        }
        _ => {
            let from = random.random_range(promised..=length);
            let end = (length - from).min(rubbish.len() as u64) as usize;
            file.write_all_at(&rubbish[..end], from).unwrap();
            "garbled"
        }
    }
}

#[tokio::test]
async fn disk_log_without_its_end_keeps_what_was_promised_before() {
    let mut stage = Stage::set(TempDir::new().unwrap(), seed()).await;
    let wal = stage.rig.data().join("columba.db-wal");
    let times = size("COLUMBA_DEEP_TORN", 20);
    let mut ways = std::collections::BTreeMap::new();
    for _ in 0..times {
        stage.promise(10).await;
        stage.rig.keep_up(stage.watch.settled(PATIENCE)).await;
        quiet(&wal).await;
        let promised = fs::metadata(&wal).unwrap().len();
        // Behind here the log is torn: nobody is promised anything, and nothing may leave for the network.
        for _ in 0..stage.random.random_range(0..6) {
            let mut later = text("+15551300001");
            later["send_at"] = json!(now() + Duration::from_secs(3_600));
            later["expires_at"] = json!(now() + Duration::from_secs(3_700));
            let session = stage.sessions[0].clone();
            stage.watch.now().post(&format!("/v1/sessions/{session}/messages"), later).await.expect(202);
        }
        stage.rig.kill().await;
        *ways.entry(tear(&wal, promised, &mut stage.random)).or_insert(0) += 1;
        stage.rig.revive(&[]).await;
        for session in &stage.sessions {
            let canceled = stage.watch.now().delete(&format!("/v1/sessions/{session}/queue")).await;
            assert_eq!(canceled.status, 200, "{}", canceled.text);
        }
    }
    let promised = stage.promises.count();
    let verdict = stage.finish().await;
    println!("torn {times} times (seed {}): {ways:?}, {promised} accepted\n{}", seed(), verdict.trim_end());
}

/// Waits until nothing more is written: receipts come a moment after a message was sent.
async fn quiet(wal: &Path) {
    let stamp = || fs::metadata(wal).map(|meta| (meta.len(), meta.modified().unwrap())).unwrap();
    let mut before = stamp();
    loop {
        sleep(Duration::from_secs(1)).await;
        let after = stamp();
        if after == before {
            return;
        }
        before = after;
    }
}
