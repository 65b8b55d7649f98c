//! Judges what happened on a stage: by the testbed's frame log and what its phones read, by the server's own records, and by
//! the checker of histories. What it knows of WhatsApp is the testbed's reading of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::rig::Testbed;
use crate::stage::{Cast, PATIENCE, Stage};
use crate::support::server::{assert_nothing_personal, program};

/// What was judged, in numbers.
#[derive(Debug)]
#[expect(dead_code, reason = "printed")]
pub struct Verdict {
    promised: usize,
    received: usize,
    frames: usize,
    logins: u64,
    /// Messages that ended `unknown`: nobody can say whether they left.
    pub unknown: usize,
}

/// What piled up while links broke leaves at a human sender's pace.
const BACKLOG: Duration = Duration::from_secs(900);

/// Waits until nothing is under way, ends the server, and panics if a promise was broken. `links` is how often phones have
/// scanned a code.
pub async fn judge(stage: &mut Stage, links: usize) -> Verdict {
    let (received, unknown) = stage
        .keep_up(async |cast, testbed| {
            cast.watch.settled(BACKLOG).await;
            let received = arrived(cast).await;
            let out = rows(cast, "direction=out").await;
            let lost: Vec<_> = out
                .iter()
                .filter(|row| {
                    !matches!(row["status"].as_str(), Some("sent" | "delivered" | "read" | "unknown"))
                })
                .collect();
            assert!(lost.is_empty(), "accepted and not sent: {lost:?}");
            let unknown = out.iter().filter(|row| row["status"] == "unknown").count();
            sockets(testbed).await;
            accounts(testbed, links).await;
            (received, unknown)
        })
        .await;
    let testbed = &stage.testbed;
    let frames = frames(testbed).await;
    decrypted(&frames);
    let linked = frames.iter().filter(|frame| frame["dir"] == "event" && frame["tag"] == "paired").count();
    assert_eq!(linked, links, "linked anew");
    let sockets = testbed.get("/admin/sockets").await;
    let logins =
        sockets["devices"].as_array().unwrap().iter().map(|one| one["logins"].as_u64().unwrap()).sum();
    let ended = stage.server.terminate().await;
    assert!(ended.success(), "{ended}");
    assert_nothing_personal(&stage.server.logged());
    let promised = stage.cast.promises.count();
    // Who sends nothing has a history that is nothing.
    if promised > 0 {
        history(stage).await;
    }
    Verdict { promised, received, frames: frames.len(), logins, unknown }
}

/// All rows of a list.
async fn rows(cast: &Cast, filter: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (vec![], String::new());
    loop {
        let page =
            cast.watch.now().get(&format!("/v1/messages?{filter}&limit=200{cursor}")).await.expect(200);
        all.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// What was sent by one session, or written by a phone, is with the session it was for, exactly once.
async fn arrived(cast: &Cast) -> usize {
    let out = rows(cast, "direction=out").await;
    let session_of: BTreeMap<&str, &str> =
        cast.members.iter().map(|member| (member.number.as_str(), member.session.as_str())).collect();
    let mut owed: BTreeSet<(String, String)> = BTreeSet::new();
    for row in out.iter().filter(|row| row["status"] != "unknown") {
        let session = session_of[row["to"].as_str().unwrap()];
        owed.insert((session.to_owned(), row["wa_id"].as_str().unwrap().to_owned()));
    }
    for (number, id) in cast.written.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        owed.insert((session_of[number.as_str()].to_owned(), id.clone()));
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let inbound = rows(cast, "direction=in").await;
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for row in &inbound {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            *counts.entry((text("session"), text("wa_id"))).or_default() += 1;
        }
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "came in twice: {twice:?}");
        let missing: Vec<_> = owed.iter().filter(|one| !counts.contains_key(*one)).collect();
        if missing.is_empty() {
            return counts.len();
        }
        assert!(tokio::time::Instant::now() < deadline, "never came in: {missing:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Never two sockets of one device at once.
async fn sockets(testbed: &Testbed) {
    let sockets = testbed.get("/admin/sockets").await;
    for device in sockets["devices"].as_array().unwrap() {
        assert!(device["peak"].as_u64().unwrap() <= 1, "two sockets of one account at once: {sockets}");
    }
}

/// Nobody was linked more often than a phone has scanned.
async fn accounts(testbed: &Testbed, links: usize) {
    let accounts = testbed.get("/admin/accounts").await;
    let companions = accounts.as_array().unwrap().iter();
    let companions: usize = companions.map(|one| one["companions"].as_array().unwrap().len()).sum();
    assert_eq!(companions, links, "{accounts}");
}

async fn frames(testbed: &Testbed) -> Vec<Value> {
    let (mut all, mut after) = (vec![], 0);
    loop {
        let page = testbed.get(&format!("/admin/frames?after={after}&limit=10000")).await;
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { return all };
        after = last["n"].as_i64().unwrap();
        all.extend(page);
    }
}

/// No phone met a message that it could not read, and no companion asked for one again.
fn decrypted(frames: &[Value]) {
    let trouble = |frame: &&Value| {
        let (dir, tag) = (frame["dir"].as_str(), frame["tag"].as_str());
        dir == Some("phone") && matches!(tag, Some("undecryptable" | "retry"))
            || dir == Some("in") && tag == Some("receipt") && frame["type"] == "retry"
    };
    let trouble: Vec<_> = frames.iter().filter(trouble).collect();
    assert!(trouble.is_empty(), "could not be decrypted: {trouble:?}");
}

/// The rows against what was promised, by the checker of histories.
async fn history(stage: &Stage) {
    let folder = tempfile::tempdir().unwrap();
    let accepted = folder.path().join("accepted.ndjson");
    stage.cast.promises.write(&accepted);
    let mut check = Command::new(program("columba-check"));
    check.arg(accepted).arg("--data").arg(stage.server.data());
    let judged = check.kill_on_drop(true).output().await.unwrap();
    let said =
        String::from_utf8_lossy(&judged.stdout).into_owned() + &String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{}\n{said}", judged.status);
}
