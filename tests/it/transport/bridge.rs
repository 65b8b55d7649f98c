//! Engines that are processes, with a scripted bridge: what the port promises, and what a bridge that breaks the rules
//! comes to. Time is real here: the processes are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use columba::app::clock::SystemClock;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Revoke, Target, Text};
use columba::domain::id::MessageId;
use columba::domain::message::{Category, Delivery, Draft, Letter, ReceiptKind, WaId};
use columba::domain::passkey::{Passkey, PasskeyStage};
use columba::domain::proxy::Proxy;
use columba::domain::session::{CloseReason, Engine, Epoch, Lease};
use columba::domain::time::{BootId, Jitter, Moment, WallTime};
use columba::meters::Exposition;
use columba::ports::clock::Clock;
use columba::ports::media::MediaFiles;
use columba::ports::transport::{LinkEvent, Probe as _, SendError, Transport as _, TransportError};
use columba::ports::vault::VaultError;
use columba::storage::media::MediaFolder;
use columba::transport::bridge::{BridgeTransport, ProgramError, StartError, lay};
use futures_util::future::join_all;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};

use super::bridge_rig::{LOST, Link, Rig, is_alive, lease, next, options, rest, sha256, until};
use crate::support::vault::MemoryVault;

const SOON: Duration = Duration::from_secs(10);
const PERSON: &str = "+15551230001";

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_session_pairs_then_logs_in_with_what_is_in_its_vault() {
    let rig = Rig::start("good");
    let mut link = rig.open();
    let LinkEvent::PairingCode { code, .. } = next(&mut link).await else { panic!("a code") };
    assert!(code.starts_with("2@scripted,ses_"), "{code}");
    assert_eq!(rest(&mut link).await, [LinkEvent::Paired, LinkEvent::Closed(CloseReason::RestartRequired)]);
    let mut link = rig.engine.open(Lease { epoch: Epoch(2), ..rig.lease }, rig.vault.clone(), None);
    assert_eq!(next(&mut link).await, LinkEvent::Connected);
    assert_eq!(next(&mut link).await, LinkEvent::OfflineSynced);
}

/// A link's end is heard by its session first, and a moment later by whoever knows on which process the session is. Many, so
/// that some of them open again in between.
#[tokio::test]
async fn sessions_that_open_again_the_moment_their_link_ends_are_reached() {
    let rig = Rig::start("good");
    let again = async |_| {
        let (lease, vault) = (lease(), Arc::<MemoryVault>::default());
        let first = rest(&mut rig.engine.open(lease, vault.clone(), None)).await;
        assert_eq!(first.last(), Some(&LinkEvent::Closed(CloseReason::RestartRequired)));
        let mut link = rig.engine.open(lease, vault, None);
        assert_eq!(next(&mut link).await, LinkEvent::Connected);
        rig.engine.ping(lease).await.is_ok()
    };
    let reached = join_all((0..100).map(again)).await;
    assert_eq!(reached.iter().filter(|reached| !**reached).count(), 0);
}

#[tokio::test]
async fn a_data_directory_that_was_named_from_here_is_found_by_a_bridge_that_works_elsewhere() {
    let here = std::env::current_dir().unwrap();
    let rig = Rig::with("good", |options| {
        let ups: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
        options.runtime = ups.join(options.runtime.strip_prefix("/").unwrap());
        assert!(options.runtime.is_relative());
    });
    assert!(matches!(next(&mut rig.open()).await, LinkEvent::PairingCode { .. }));
}

#[tokio::test]
async fn sent_is_what_the_server_acked() {
    let mut rig = Rig::start("good");
    let mut link = rig.connected().await;
    let work = rig.message(PERSON, "hello");
    assert_eq!(rig.engine.send(&work).await, Ok(()));
    let LinkEvent::Receipt { delivery, wa_id, kind } = next(&mut link).await else { panic!("a receipt") };
    assert_eq!((wa_id, kind), (work.wa_id, ReceiptKind::Delivered));
    assert_eq!(rig.engine.confirm(rig.lease, &delivery).await, Ok(()));
    assert_eq!(rig.engine.confirm(rig.lease, &delivery).await, Ok(()), "idempotent");
    let locked = rig.message("+15551230463", "hello");
    let until = Some(WallTime(1_795_000_000_000));
    assert_eq!(rig.engine.send(&locked).await, Err(SendError::Nack { code: 463, until }));
    let silent = rig.message("+15551230408", "hello");
    let waited = tokio::time::timeout(Duration::from_millis(300), rig.engine.send(&silent)).await;
    assert!(waited.is_err(), "an answered command is no ack");
    assert!(rig.engine.ping(rig.lease).await.is_ok());
}

#[tokio::test]
async fn an_inbound_message_comes_again_until_it_is_confirmed() {
    let mut rig = Rig::start("good");
    let mut link = rig.connected().await;
    let work = rig.message(PERSON, "echo are you there?");
    rig.engine.send(&work).await.unwrap();
    let heard = async |link: &mut _| loop {
        if let LinkEvent::Inbound { delivery, letter, .. } = next(link).await {
            return (delivery, *letter);
        }
    };
    let (_, first) = heard(&mut link).await;
    let text = Content::Text(Text { body: "are you there?".to_owned() });
    let wa_id = WaId(format!("IN{}", work.wa_id.0));
    assert_eq!(first, Letter::from_person(wa_id, Chat::parse(PERSON).unwrap(), text));
    drop(link);
    rig.lease.epoch.0 += 1;
    let mut link = rig.open();
    let (delivery, again) = heard(&mut link).await;
    assert_eq!(again, first);
    rig.engine.confirm(rig.lease, &delivery).await.unwrap();
    until(SOON, "the bridge forgets it", || !rig.vault.content().0.keys().any(|(kind, _)| *kind == "owed"))
        .await;
    drop(link);
    rig.lease.epoch.0 += 1;
    let mut link = rig.connected().await;
    drop(rig.engine.ping(rig.lease).await);
    assert!(futures_util::FutureExt::now_or_never(next(&mut link)).is_none(), "nothing is owed any more");
}

#[rstest]
#[case("garbage")]
#[case("endless-line")]
#[case("flood")]
#[case("questions")]
#[case("gap")]
#[tokio::test]
async fn a_bridge_that_breaks_the_protocol_is_killed_and_its_sessions_hear_of_it(#[case] mode: &str) {
    let mut rig = Rig::start(mode);
    // A gap shows only once the session is logged in.
    let mut link = if mode == "gap" {
        rest(&mut rig.open()).await;
        rig.lease.epoch.0 += 1;
        rig.open()
    } else {
        rig.open()
    };
    let process = async {
        until(SOON, "a process", || rig.recorded(0).is_some()).await;
        rig.pid(0)
    };
    // The flood is taken up to the window; nobody confirms.
    let (heard, pid) = tokio::join!(rest(&mut link), process);
    assert_eq!(heard.last(), Some(&LOST));
    assert!(heard.len() <= 258, "{} events were let in", heard.len());
    until(SOON, "its end", || !is_alive(pid)).await;
}

#[rstest]
#[case("wrong-token")]
#[case("wrong-protocol")]
#[case("wrong-engine")]
#[case("testbed")]
#[case("dies-at-once")]
#[tokio::test]
async fn a_bridge_that_is_not_the_one_that_was_started_opens_nothing(#[case] mode: &str) {
    let rig = Rig::start(mode);
    assert_eq!(rest(&mut rig.open()).await, [LOST]);
    until(SOON, "its end", || rig.recorded(0).is_none_or(|pid| !is_alive(pid))).await;
    assert_eq!(rig.vault.content().1, 0, "its vault was not touched");
}

#[tokio::test]
async fn a_bridge_that_trusts_anybody_is_welcome_only_at_a_test_server() {
    let rig = Rig::with("testbed", |options| options.endpoint = Some("ws://127.0.0.1:1/ws/chat".to_owned()));
    assert!(matches!(next(&mut rig.open()).await, LinkEvent::PairingCode { .. }));
}

#[rstest]
#[case("late-hello", Duration::from_secs(9), Duration::from_secs(14))]
#[case("no-heartbeat", Duration::from_secs(14), Duration::from_secs(20))]
#[tokio::test]
async fn a_bridge_that_says_nothing_is_killed(
    #[case] mode: &str,
    #[case] least: Duration,
    #[case] most: Duration,
) {
    let rig = Rig::start(mode);
    let mut link = rig.open();
    let begun = tokio::time::Instant::now();
    let ends = async {
        // The pairing of the one that only does not beat ends by itself; what is watched is the process.
        while next(&mut link).await != LOST {
            if mode == "no-heartbeat" {
                break;
            }
        }
        until(SOON + SOON, "its end", || rig.recorded(0).is_none()).await;
    };
    tokio::time::timeout(most, ends).await.expect("killed in time");
    assert!(begun.elapsed() >= least, "it had its time: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_bridge_that_does_not_read_is_killed() {
    let mut rig = Rig::start("good");
    let mut link = rig.connected().await;
    let pid = rig.pid(0);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    let long = "x".repeat(4_000);
    let many: Vec<_> = (0..3_000).map(|_| rig.message(PERSON, &long)).collect();
    let sent = join_all(many.iter().map(|work| rig.engine.send(work))).await;
    assert!(
        sent.iter().all(|answer| matches!(answer, Err(SendError::NoAck | SendError::NoLink))),
        "none was acked"
    );
    assert_eq!(rest(&mut link).await, [LOST]);
    until(SOON, "its end", || !is_alive(pid)).await;
}

#[tokio::test]
async fn what_a_dying_bridge_took_may_have_left_and_the_next_one_serves() {
    let mut rig = Rig::start("good");
    let mut link = rig.connected().await;
    let pid = rig.pid(0);
    let fatal = rig.message("+15551230666", "hello");
    assert_eq!(rig.engine.send(&fatal).await, Err(SendError::NoAck));
    assert_eq!(rest(&mut link).await, [LOST]);
    drop(link);
    rig.lease.epoch.0 += 1;
    let _link = rig.connected().await;
    assert_ne!(rig.pid(0), pid);
    let work = rig.message(PERSON, "hello");
    assert_eq!(rig.engine.send(&work).await, Ok(()));
}

/// A session of its own beside the rig's, logged in.
async fn neighbour(rig: &Rig) -> (Lease, Arc<MemoryVault>, Link) {
    let (first, vault) = (lease(), Arc::<MemoryVault>::default());
    rest(&mut rig.engine.open(first, vault.clone(), None)).await;
    let second = Lease { epoch: Epoch(2), ..first };
    let mut link = rig.engine.open(second, vault.clone(), None);
    assert_eq!(next(&mut link).await, LinkEvent::Connected);
    assert_eq!(next(&mut link).await, LinkEvent::OfflineSynced);
    (second, vault, link)
}

#[tokio::test]
async fn a_session_that_opens_again_before_its_bridge_has_let_go_waits_for_that_and_disturbs_nobody() {
    let mut rig = Rig::start("closes-slowly");
    let link = rig.connected().await;
    let (other, _, mut others_link) = neighbour(&rig).await;
    let pid = rig.pid(0);
    // As after a failed probe: the same owner lets go of its link and, a second later, wants another.
    drop(link);
    let mut given_up = rig.open();
    assert!(futures_util::FutureExt::now_or_never(next(&mut given_up)).is_none());
    drop(given_up);
    let mut link = rig.open();
    assert_eq!(next(&mut link).await, LinkEvent::Connected);
    assert_eq!(next(&mut link).await, LinkEvent::OfflineSynced);
    assert!(rig.engine.ping(rig.lease).await.is_ok());
    assert!(rig.engine.ping(other).await.is_ok());
    assert!(
        futures_util::FutureExt::now_or_never(next(&mut others_link)).is_none(),
        "it heard nothing of that"
    );
    assert_eq!(rig.pid(0), pid, "the same process");
}

#[tokio::test]
async fn a_link_that_is_dropped_late_takes_no_later_one_of_the_same_owner_along() {
    let mut rig = Rig::start("good");
    let first = rig.connected().await;
    // An actor drops what it has canceled when it is polled again; by then it may have another link.
    let mut second = rig.open();
    assert_eq!(next(&mut second).await, LinkEvent::Connected);
    drop(first);
    assert_eq!(next(&mut second).await, LinkEvent::OfflineSynced);
    assert!(rig.engine.ping(rig.lease).await.is_ok());
    let work = rig.message(PERSON, "hello");
    assert_eq!(rig.engine.send(&work).await, Ok(()));
    let LinkEvent::Receipt { delivery, .. } = next(&mut second).await else { panic!("a receipt") };
    drop(second);
    let mut third = rig.open();
    assert_eq!(next(&mut third).await, LinkEvent::Connected);
    // What a link delivered is confirmed to that link, and to no other that counts from one again.
    assert_eq!(rig.engine.confirm(rig.lease, &delivery).await, Ok(()));
    assert_eq!(next(&mut third).await, LinkEvent::OfflineSynced);
    assert!(rig.engine.ping(rig.lease).await.is_ok());
}

#[tokio::test]
async fn a_bridge_that_does_not_close_a_session_is_killed() {
    let mut rig = Rig::start("never-closes");
    let link = rig.connected().await;
    let pid = rig.pid(0);
    drop(link);
    let mut link = rig.open();
    assert_eq!(rest(&mut link).await, [LOST]);
    until(SOON, "its end", || !is_alive(pid)).await;
    drop(link);
    let _link = rig.connected().await;
}

#[tokio::test]
async fn a_session_that_kills_its_bridge_twice_is_set_apart_and_its_neighbours_hear_nothing_of_the_third_time()
 {
    let mut rig = Rig::start("good");
    let (mut other, others_vault, mut others_link) = neighbour(&rig).await;
    for death in 1..=3 {
        let mut link = rig.connected().await;
        let apart = rig.engine.shard_of(rig.lease.session);
        assert_eq!(apart, Some(usize::from(death == 3)), "death {death}");
        let fatal = rig.message("+15551230666", "hello");
        assert_eq!(rig.engine.send(&fatal).await, Err(SendError::NoAck));
        assert_eq!(rest(&mut link).await, [LOST]);
        drop(link);
        if death == 3 {
            break;
        }
        assert_eq!(rest(&mut others_link).await, [LOST], "death {death} takes the neighbour along");
        drop(others_link);
        let released = || [rig.lease, other].iter().all(|lease| rig.engine.shard_of(lease.session).is_none());
        until(SOON, "both let go of", released).await;
        rig.lease.epoch.0 += 1;
        other.epoch.0 += 1;
        others_link = rig.engine.open(other, others_vault.clone(), None);
        assert_eq!(next(&mut others_link).await, LinkEvent::Connected);
        assert_eq!(next(&mut others_link).await, LinkEvent::OfflineSynced);
        assert_eq!(rig.engine.shard_of(other.session), Some(0));
    }
    assert!(rig.engine.ping(other).await.is_ok());
    assert!(futures_util::FutureExt::now_or_never(next(&mut others_link)).is_none(), "it goes on");
}

#[tokio::test]
async fn a_bridge_is_counted_under_its_engine_while_it_serves() {
    let shown = Exposition::install().unwrap();
    let has = |line: &str| shown.text().lines().any(|shown| shown.starts_with(line));
    // An engine of its own: the other tests of this process are counted as well.
    let mut rig = Rig::with("good", |options| {
        options.writer.engine = "counted".to_owned();
        options.program.args.push("counted".to_owned());
    });
    let mut link = rig.connected().await;
    let connected =
        |count| format!(r#"columba_bridge_sessions{{engine="counted",state="connected"}} {count}"#);
    until(SOON, "a heartbeat", || has(&connected(1))).await;
    assert!(has(r#"columba_bridge_processes{engine="counted"} 1"#));
    assert!(has(r#"columba_bridge_vault_commits_total{engine="counted"} 1"#), "what was paired");
    assert!(has(r#"columba_bridge_loop_lag_seconds_count{engine="counted"}"#));
    assert!(!has(r#"columba_bridge_resident_bytes{engine="counted"} 0"#));
    let fatal = rig.message("+15551230666", "hello");
    assert_eq!(rig.engine.send(&fatal).await, Err(SendError::NoAck));
    assert_eq!(rest(&mut link).await, [LOST]);
    assert!(has(r#"columba_bridge_deaths_total{engine="counted",cause="gone"} 1"#), "{}", shown.text());
    for family in ["processes", "resident_bytes"] {
        assert!(has(&format!(r#"columba_bridge_{family}{{engine="counted"}} 0"#)), "{}", shown.text());
    }
    assert!(has(&connected(0)));
}

#[tokio::test]
async fn a_dead_shard_leaves_its_neighbours_alone() {
    let mut rig = Rig::with("good", |options| options.shard_size = 1);
    let mut link = rig.connected().await;
    let other = lease();
    let neighbour_vault: Arc<MemoryVault> = Arc::default();
    let mut pairing = rig.engine.open(other, neighbour_vault.clone(), None);
    rest(&mut pairing).await;
    let other = columba::domain::session::Lease { epoch: Epoch(2), ..other };
    let mut neighbour = rig.engine.open(other, neighbour_vault, None);
    assert_eq!(next(&mut neighbour).await, LinkEvent::Connected);
    assert_ne!(rig.pid(0), rig.pid(1), "one session, one process");
    kill(rig.pid(0));
    assert_eq!(rest(&mut link).await, [LOST]);
    assert!(rig.engine.ping(other).await.is_ok());
    assert_eq!(next(&mut neighbour).await, LinkEvent::OfflineSynced, "and goes on");
}

#[tokio::test]
async fn an_owner_that_is_not_the_newest_has_no_link() {
    let mut rig = Rig::start("good");
    let mut old = rig.connected().await;
    let work = rig.message(PERSON, "hello");
    let older = rig.lease;
    rig.lease.epoch.0 += 1;
    let mut link = rig.open();
    assert_eq!(next(&mut link).await, LinkEvent::Connected);
    assert_eq!(rest(&mut old).await, [LOST], "a newer open closes the older one");
    assert_eq!(rig.engine.send(&work).await, Err(SendError::NoLink));
    assert_eq!(rig.engine.ping(older).await, Err(TransportError::NoLink));
    let unknown = lease();
    assert_eq!(rig.engine.ping(unknown).await, Err(TransportError::NoLink));
}

#[tokio::test]
async fn a_fenced_session_ends_and_its_bridge_goes_on() {
    let rig = Rig::start("good");
    rig.vault.fail(VaultError::Fenced);
    assert_eq!(rest(&mut rig.open()).await, [LOST]);
    let mut other = rig.engine.open(lease(), Arc::<MemoryVault>::default(), None);
    assert!(matches!(next(&mut other).await, LinkEvent::PairingCode { .. }));
}

#[tokio::test]
async fn a_session_of_which_nothing_is_heard_is_lost_after_half_a_minute() {
    let rig = Rig::start("silent-session");
    let begun = tokio::time::Instant::now();
    assert_eq!(rest(&mut rig.open()).await, [LOST]);
    assert!(begun.elapsed() >= Duration::from_secs(29), "{:?}", begun.elapsed());
}

#[rstest]
#[case("good", Duration::from_secs(4))]
#[case("clings", Duration::from_secs(9))]
#[case("forks", Duration::from_secs(4))]
#[tokio::test]
async fn a_server_that_ends_leaves_no_process(#[case] mode: &str, #[case] limit: Duration) {
    let mut rig = Rig::start(mode);
    let mut link = rig.connected().await;
    let pid = rig.pid(0);
    let child = rig.folder.path().join("run/scripted/scripted-0.sock.child");
    let child = (mode == "forks").then(|| fs::read_to_string(child).unwrap().parse::<i32>().unwrap());
    assert!(child.is_none_or(is_alive));
    tokio::time::timeout(limit, rig.engine.close()).await.expect("an end in time");
    assert!(!is_alive(pid) && rig.recorded(0).is_none());
    until(SOON, "the end of what it left", || child.is_none_or(|child| !is_alive(child))).await;
    assert_eq!(rest(&mut link).await, [LOST]);
    assert_eq!(rest(&mut rig.open()).await, [LOST], "nothing opens any more");
}

#[tokio::test]
async fn a_bridge_does_not_outlive_a_server_that_drops_it() {
    let mut rig = Rig::start("good");
    let link = rig.connected().await;
    let pid = rig.pid(0);
    drop(link);
    let Rig { engine, folder, .. } = rig;
    drop(engine);
    until(Duration::from_secs(2), "its end", || !is_alive(pid)).await;
    drop(folder);
}

#[tokio::test]
async fn only_the_pinned_program_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn columba::ports::clock::Clock> = Arc::new(columba::app::clock::SystemClock::new());
    let copy = folder.path().join("scripted.py");
    fs::copy(super::bridge_rig::script(), &copy).unwrap();
    let mut given = options(folder.path(), "good");
    given.program.args[2] = copy.display().to_string();
    given.program.pinned = BTreeMap::from([(copy.clone(), sha256(&copy))]);
    let files: Arc<dyn MediaFiles> = Arc::new(MediaFolder::open(folder.path()).unwrap());
    let start =
        |given| BridgeTransport::start(given, Arc::clone(&files), Arc::clone(&clock), || Jitter::NONE);
    let engine = start(given.clone()).unwrap();
    // Changed after the server has looked: looked at again before each start.
    fs::write(&copy, "import os\nos.system('touch /tmp/never')\n").unwrap();
    let mut link = engine.open(lease(), Arc::<MemoryVault>::default(), None);
    assert_eq!(rest(&mut link).await, [LOST]);
    assert!(!folder.path().join("records/scripted-0.json").exists(), "nothing was started");
    let refused = start(given).err().expect("a refusal");
    assert!(matches!(refused, StartError::Program(ProgramError::Changed { .. })), "{refused}");
    assert!(refused.to_string().contains(&sha256(&copy)), "says what it found: {refused}");
}

#[tokio::test]
async fn a_ghost_is_proven_dead_and_nobody_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    assert_eq!(lay(&records).unwrap(), 0, "no folder, no ghosts");
    fs::create_dir(&records).unwrap();
    let start = || Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
    let (mut ghost, mut bystander) = (start(), start());
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let started = |pid| {
        stat(pid).rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse::<u64>().unwrap()
    };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let record = |name: &str, pid: u32, started: u64, boot: &str| {
        let record = serde_json::json!({ "pid": pid, "started": started, "boot": boot.trim() });
        fs::write(records.join(name), record.to_string()).unwrap();
    };
    record("native-0.json", ghost.id(), started(ghost.id()), &boot);
    // The same number, but another process, or another boot.
    record("native-1.json", bystander.id(), started(bystander.id()) + 1, &boot);
    record("native-2.json", bystander.id(), started(bystander.id()), "another boot");
    fs::write(records.join("native-3.json"), "{\"pid\":").unwrap();
    assert_eq!(lay(&records).unwrap(), 1);
    assert!(!is_alive(ghost.id().cast_signed()));
    assert!(is_alive(bystander.id().cast_signed()));
    assert_eq!(fs::read_dir(&records).unwrap().count(), 0);
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    ghost.wait().unwrap();
}

#[tokio::test]
async fn a_proxy_reaches_the_bridge_that_takes_one_and_no_session_is_opened_without_at_one_that_does_not() {
    let url = "socks5://somebody:hunter2@127.0.0.1:1";
    let proxy = || Some(Proxy::parse(url, Engine::Native).unwrap());
    let rig = Rig::start("proxied");
    let mut link = rig.engine.open(rig.lease, rig.vault.clone(), proxy());
    let LinkEvent::PairingCode { code, .. } = next(&mut link).await else { panic!("a code") };
    assert!(code.ends_with(url), "{code}");
    let rig = Rig::start("good");
    let mut link = rig.engine.open(rig.lease, rig.vault.clone(), proxy());
    assert_eq!(rest(&mut link).await, [LinkEvent::Closed(CloseReason::ProxyFailed)]);
    until(SOON, "it is nobody's session", || rig.engine.shard_of(rig.lease.session).is_none()).await;
    assert!(matches!(next(&mut rig.open()).await, LinkEvent::PairingCode { .. }), "without a proxy it opens");
}

#[tokio::test]
async fn stages_of_a_passkey_come_as_what_they_are() {
    let rig = Rig::start("passkey");
    let mut link = rig.open();
    assert!(matches!(next(&mut link).await, LinkEvent::PairingCode { .. }));
    let heard =
        |stage, code: Option<&str>| LinkEvent::Passkey(Passkey { stage, code: code.map(str::to_owned) });
    assert_eq!(next(&mut link).await, heard(PasskeyStage::Requested, None));
    assert_eq!(next(&mut link).await, heard(PasskeyStage::Confirm, Some("ABCD-EFGH")));
    assert_eq!(next(&mut link).await, heard(PasskeyStage::Confirm, None), "what is no code is left out");
    assert_eq!(next(&mut link).await, heard(PasskeyStage::Failed, None));
}

#[tokio::test]
async fn what_an_engine_can_send_is_known_while_its_bridge_serves_the_session() {
    let mut rig = Rig::start("good");
    let draft = |content| Draft {
        to: Chat::parse(PERSON).unwrap(),
        content,
        reply_to: None,
        category: Category::Transactional,
        send_at: None,
        expires_at: WallTime(i64::MAX),
        delivery: Delivery::AtLeastOnce,
        client_ref: None,
    };
    let text = draft(Content::Text(Text { body: "hello".to_owned() }));
    let answer = Draft { reply_to: Some(MessageId::mint(WallTime(0))), ..text.clone() };
    let revoke = draft(Content::Revoke(Revoke { target: Target { message: None, wa_id: None } }));
    let session = rig.lease.session;
    let sends = |rig: &Rig| [&text, &answer, &revoke].map(|draft| rig.engine.sends(session, draft));
    assert_eq!(sends(&rig), [None; 3], "nobody has said anything");
    let link = rig.connected().await;
    assert_eq!(sends(&rig), [Some(true), Some(false), Some(false)]);
    assert_eq!(rig.engine.sends(lease().session, &revoke), None, "a session that is not on it");
    kill(rig.pid(0));
    until(SOON, "its end is known", || sends(&rig) == [None; 3]).await;
    drop(link);
}

/// A clock that can be set forward.
struct Forward(SystemClock, AtomicU64);

impl Clock for Forward {
    fn now(&self) -> Moment {
        self.0.now() + Duration::from_secs(self.1.load(Ordering::Relaxed))
    }

    fn wall(&self) -> WallTime {
        self.0.wall()
    }

    fn boot(&self) -> BootId {
        self.0.boot()
    }
}

#[tokio::test]
async fn a_process_that_nobody_is_on_any_more_ends_and_the_next_session_gets_another() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Forward(SystemClock::new(), AtomicU64::new(0)));
    let files = Arc::new(MediaFolder::open(folder.path()).unwrap());
    let options = options(folder.path(), "good");
    let engine = BridgeTransport::start(options, files, clock.clone(), || Jitter::NONE).unwrap();
    let record = folder.path().join("records/scripted-0.json");
    let vault = Arc::<MemoryVault>::default();
    let mut link = engine.open(lease(), vault.clone(), None);
    next(&mut link).await;
    assert!(record.exists());
    rest(&mut link).await;
    // A minute passes at once; what notices it is the next sign of life.
    clock.1.store(61, Ordering::Relaxed);
    until(SOON, "the process has ended", || !record.exists()).await;
    let mut link = engine.open(lease(), vault, None);
    next(&mut link).await;
    assert!(record.exists(), "another one");
    engine.close().await;
}
