//! What the sandbox engine promises, over the network in process and over the one apart.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::message::{Letter, ReceiptKind, WaId};
use columba::domain::phone::Phone;
use columba::domain::session::{CloseReason, Epoch, Lease};
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::sandbox::{Sandbox as _, SandboxError, SandboxFault};
use columba::ports::transport::{LinkEvent, Probe as _, SendError, Transport as _, TransportError};
use columba::ports::vault::{Vault as _, VaultError};
use columba::transport::sandbox::Latency;
use futures_util::FutureExt as _;
use futures_util::stream::StreamExt as _;
use rstest::rstest;
use strum::IntoEnumIterator as _;
use tokio::time::Instant;

use super::sandbox_rig::{Face, Rig, TEXT, code, delivery, next, receipt, rest};

const ANYBODY: &str = "+15551230001";

fn closed(reason: CloseReason) -> LinkEvent {
    LinkEvent::Closed(reason)
}

#[rstest]
#[tokio::test]
async fn a_scan_pairs_and_the_next_link_logs_in(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let rig = Rig::start(face).await;
    let mut link = rig.open();
    let code = code(next(&mut link).await);
    assert_eq!(rig.engine.find_code(&code).await, Ok(Some(rig.lease.session)));
    assert_eq!(rig.engine.find_code("2@somebody-else").await, Ok(None));
    assert_eq!(rig.engine.scan("2@somebody-else").await, Err(SandboxError::NoSuchCode));

    assert_eq!(rig.engine.scan(&code).await, Ok(rig.lease.session));
    assert_eq!(next(&mut link).await, LinkEvent::Paired);
    assert!(rig.vault.get("device", &[b""]).await.unwrap()[0].is_some(), "told before it was kept");
    assert_eq!(rest(&mut link).await, [closed(CloseReason::RestartRequired)]);

    let (_link, owed) = rig.log_in().await;
    assert_eq!(owed, []);
    assert!(rig.engine.ping(rig.lease).await.is_ok());
    assert_eq!(rig.engine.scan(&code).await, Err(SandboxError::NoSuchCode), "a code works once");
}

#[rstest]
#[tokio::test]
async fn a_typed_code_pairs_as_well(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let rig = Rig::start(face).await;
    let phone = Phone::parse("+4915112345678").unwrap();
    assert_eq!(rig.engine.pairing_code(rig.lease, &phone).await, Err(TransportError::NoLink));
    let mut link = rig.open();
    code(next(&mut link).await);

    let typed = rig.engine.pairing_code(rig.lease, &phone).await.unwrap();
    assert_eq!(rig.engine.find_code(&typed.code.to_lowercase()).await, Ok(Some(rig.lease.session)));
    assert_eq!(rig.engine.scan(&typed.code).await, Ok(rig.lease.session));
    assert_eq!(rest(&mut link).await, [LinkEvent::Paired, closed(CloseReason::RestartRequired)]);

    let (_link, _) = rig.log_in().await;
    assert_eq!(rig.engine.pairing_code(rig.lease, &phone).await, Err(TransportError::NotPairing));
}

#[rstest]
#[tokio::test]
async fn a_typed_code_ends_after_160_seconds(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let rig = Rig::start(face).await;
    let mut link = rig.open();
    code(next(&mut link).await);
    let typed = rig.engine.pairing_code(rig.lease, &Phone::parse(ANYBODY).unwrap()).await.unwrap();
    let left = typed.expires_at.since(rig.clock.wall());
    assert!(left > Duration::from_secs(150) && left <= Duration::from_secs(160), "{left:?}");
    rig.clock.skip(Duration::from_secs(160));
    assert_eq!(rig.engine.scan(&typed.code).await, Err(SandboxError::NoSuchCode));
}

#[tokio::test]
async fn a_credential_that_cannot_be_kept_pairs_nothing() {
    let rig = Rig::start(Face::InProcess).await;
    let mut link = rig.open();
    let first = code(next(&mut link).await);
    rig.vault.fail(VaultError::Unavailable("disk away".to_owned()));
    rig.engine.scan(&first).await.unwrap();
    assert_eq!(rest(&mut link).await, [closed(CloseReason::TransportLost)]);
    assert_eq!(rest(&mut rig.open()).await, [closed(CloseReason::TransportLost)]);

    rig.vault.fail(None);
    drop(rig.connected().await);
}

#[tokio::test]
async fn what_the_vault_answers_decides_how_a_link_ends() {
    let rig = Rig::start(Face::InProcess).await;
    let table = [
        (VaultError::Fenced, CloseReason::Replaced),
        (VaultError::Sealed, CloseReason::Unknown { code: 0 }),
        (VaultError::TooLarge("value"), CloseReason::Unknown { code: 0 }),
    ];
    for (error, reason) in table {
        rig.vault.fail(error);
        assert_eq!(rest(&mut rig.open()).await, [closed(reason)]);
    }
}

#[rstest]
#[tokio::test]
async fn a_device_the_network_does_not_know_is_logged_out(
    #[values(Face::InProcess, Face::Remote)] face: Face,
) {
    let (rig, mut stranger) = (Rig::start(face).await, Rig::start(face).await);
    rig.pair().await;
    stranger.pair().await;
    stranger.vault = rig.vault.clone();
    assert_eq!(rest(&mut stranger.open()).await, [closed(CloseReason::LoggedOut { code: 401 })]);
}

#[rstest]
#[tokio::test]
async fn logging_out_voids_the_credential(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let rig = Rig::start(face).await;
    assert_eq!(rig.engine.log_out(rig.lease).await, Err(TransportError::NoLink));
    let mut link = rig.connected().await;
    assert_eq!(rig.engine.log_out(rig.lease).await, Ok(()));
    assert_eq!(rest(&mut link).await, [closed(CloseReason::LoggedOut { code: 401 })]);
    assert_eq!(rest(&mut rig.open()).await, [closed(CloseReason::LoggedOut { code: 401 })]);
}

/// A number, what each try of one message is answered, and the receipts that follow.
type Row = (&'static str, &'static [Result<(), SendError>], &'static [ReceiptKind]);

const REFUSED: &[Result<(), SendError>] = &[nack(404)];
const THROTTLED: &[Result<(), SendError>] = &[nack(429), Ok(())];
const FAILED: &[Result<(), SendError>] = &[nack(503), nack(503), Ok(())];

const fn nack(code: u16) -> Result<(), SendError> {
    Err(SendError::Nack { code, until: None })
}

#[rstest]
#[tokio::test]
async fn every_recipient_behaves_as_promised(#[values(Face::InProcess, Face::Remote)] face: Face) {
    use ReceiptKind::{Delivered, Read};
    let mut rig = Rig::start(face).await;
    let mut link = rig.connected().await;
    let table: [Row; 5] = [
        (ANYBODY, &[Ok(())], &[Delivered, Read]),
        ("+15550000404", REFUSED, &[]),
        ("+15550000429", THROTTLED, &[Delivered, Read]),
        ("+15550000503", FAILED, &[Delivered, Read]),
        ("+15550000200", &[Ok(())], &[Delivered]),
    ];
    let mut sent: Vec<WaId> = vec![];
    for (to, answers, receipts) in table {
        let work = rig.message(to);
        for answer in answers {
            assert_eq!(rig.send(&work).await, *answer, "{to}");
            sent.push(work.wa_id.clone());
        }
        for kind in receipts {
            assert_eq!(receipt(&next(&mut link).await), (&work.wa_id, *kind), "{to}");
        }
    }
    // Were a receipt owed beyond the table, it would come before this one.
    let last = rig.message(ANYBODY);
    rig.send(&last).await.unwrap();
    assert_eq!(receipt(&next(&mut link).await), (&last.wa_id, Delivered));
    sent.push(last.wa_id);

    let logged: Vec<_> = rig.frames().await.into_iter().map(|frame| frame.wa_id).collect();
    assert_eq!(logged, sent, "every frame is logged, the refused ones too");
}

#[rstest]
#[tokio::test]
async fn a_locked_chat_opens_when_its_lock_ends(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let mut rig = Rig::start(face).await;
    let _link = rig.connected().await;
    let (work, other) = (rig.message("+15550000463"), rig.message("+15550000463"));
    let Err(SendError::Nack { code: 463, until: Some(until) }) = rig.send(&work).await else {
        panic!("expected a lock");
    };
    let lasts = until.since(rig.clock.wall());
    assert!(lasts > Duration::from_secs(110) && lasts <= Duration::from_secs(120), "{lasts:?}");
    rig.clock.skip(Duration::from_secs(60));
    let locked = Err(SendError::Nack { code: 463, until: Some(until) });
    assert_eq!(rig.send(&other).await, locked, "the lock does not move");
    rig.clock.skip(Duration::from_secs(60));
    assert_eq!(rig.send(&work).await, Ok(()));
    assert_eq!(rig.send(&other).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_ack_that_never_comes_is_waited_for_until_the_link_ends() {
    let mut rig = Rig::start(Face::InProcess).await;
    let mut link = rig.connected().await;
    let work = rig.message("+15550000408");
    let mut attempt = std::pin::pin!(rig.engine.send(&work));
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, &mut attempt).await.is_err(), "an answer came");
    assert_eq!(rig.frames().await.len(), 1);
    assert!(link.next().now_or_never().is_none(), "a receipt came");
    drop(link);
    assert_eq!(attempt.await, Err(SendError::NoAck));
}

#[rstest]
#[tokio::test]
async fn a_copy_is_logged_and_acked_and_brings_no_second_receipt(
    #[values(Face::InProcess, Face::Remote)] face: Face,
) {
    let mut rig = Rig::start(face).await;
    let mut link = rig.connected().await;
    let (work, after) = (rig.message(ANYBODY), rig.message("+15550000200"));
    for work in [&work, &work, &after] {
        assert_eq!(rig.send(work).await, Ok(()));
    }
    let told = [next(&mut link).await, next(&mut link).await, next(&mut link).await];
    let mut told: Vec<_> = told.iter().map(receipt).collect();
    told.sort_by_key(|(wa_id, kind)| ((*wa_id).clone(), *kind == ReceiptKind::Read));
    let (once, then) = (&work.wa_id, &after.wa_id);
    use ReceiptKind::{Delivered, Read};
    assert_eq!(told, [(once, Delivered), (once, Read), (then, Delivered)]);
    assert_eq!(rig.frames().await.len(), 3);
    drop(link);

    let rig = rig.restart_network().await;
    let (_link, owed) = rig.log_in().await;
    assert_eq!(owed.len(), 3, "the same receipts are owed after a restart");
}

#[rstest]
#[tokio::test]
async fn receipts_come_again_until_they_are_confirmed(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let mut rig = Rig::start(face).await;
    let mut link = rig.connected().await;
    let work = rig.message(ANYBODY);
    rig.send(&work).await.unwrap();
    let (first, second) = (next(&mut link).await, next(&mut link).await);
    drop(link);

    let rig = rig.restart_network().await;
    let (link, owed) = rig.log_in().await;
    assert_eq!(owed, [first.clone(), second.clone()]);
    rig.confirm(&first).await;
    rig.confirm(&first).await;
    drop(link);

    let rig = rig.restart_network().await;
    let (link, owed) = rig.log_in().await;
    assert_eq!(owed, std::slice::from_ref(&second));
    rig.confirm(&second).await;
    drop(link);

    let rig = rig.restart_network().await;
    assert_eq!(rig.log_in().await.1, []);
}

#[rstest]
#[tokio::test]
async fn a_message_waits_for_the_session_and_comes_again_until_confirmed(
    #[values(Face::InProcess, Face::Remote)] face: Face,
) {
    let rig = Rig::start(face).await;
    let from = Chat::parse(ANYBODY).unwrap();
    let write = |rig: &Rig, text: &str| {
        let (engine, from, text) = (rig.engine.clone(), from.clone(), text.to_owned());
        let session = rig.lease.session;
        async move { engine.write(session, written(from, &text)).await }
    };
    assert_eq!(write(&rig, "too early").await, Err(SandboxError::NotPaired));
    rig.pair().await;
    let away = write(&rig, "while away").await.unwrap();

    let (mut link, owed) = rig.log_in().await;
    let here = write(&rig, "while here").await.unwrap();
    let live = next(&mut link).await;
    let said = |event: &LinkEvent| match event.clone() {
        LinkEvent::Inbound { letter, .. } => {
            (letter.wa_id, letter.chat, letter.content.said().unwrap().to_owned())
        }
        other => panic!("expected a message, not {other:?}"),
    };
    assert_eq!(owed.iter().map(said).collect::<Vec<_>>(), [(away, from.clone(), "while away".to_owned())]);
    assert_eq!(said(&live), (here, from.clone(), "while here".to_owned()));
    rig.confirm(&live).await;
    drop(link);

    let rig = rig.restart_network().await;
    assert_eq!(rig.log_in().await.1, owed);
    let another = write(&rig, "after a restart").await.unwrap();
    let (_link, both) = rig.log_in().await;
    assert_eq!(both.len(), 2);
    assert_eq!(said(&both[1]).0, another);
    assert_ne!(delivery(&both[0]), delivery(&both[1]));
}

#[rstest]
#[tokio::test]
async fn frames_are_numbered_without_gaps_across_restarts(
    #[values(Face::InProcess, Face::Remote)] face: Face,
) {
    let mut rig = Rig::start(face).await;
    let mut sent = vec![];
    rig.pair().await;
    for epoch in 1..=3 {
        rig.lease.epoch = Epoch(epoch);
        let (link, _) = rig.log_in().await;
        for to in [ANYBODY, "+15550000404"] {
            let work = rig.message(to);
            let _ = rig.send(&work).await;
            sent.push((sent.len() as u64 + 1, work.wa_id, Epoch(epoch), work.to));
        }
        drop(link);
        rig = rig.restart_network().await;
    }
    let seen = |frames: Vec<columba::ports::sandbox::Frame>| {
        frames.into_iter().map(|f| (f.seq, f.wa_id, f.epoch, f.to)).collect::<Vec<_>>()
    };
    let session = rig.lease.session;
    assert_eq!(seen(rig.frames().await), sent);
    assert_eq!(seen(rig.engine.frames(session, 2, 3).await.unwrap()), sent[2..5]);
    assert_eq!(seen(rig.engine.frames(session, 6, 3).await.unwrap()), []);
    let nobody = columba::domain::id::SessionId::mint(WallTime(0));
    assert_eq!(rig.engine.frames(nobody, 0, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn the_journal_shows_frames_by_the_names_of_the_api_and_no_bodies() {
    let mut rig = Rig::start(Face::InProcess).await;
    let _link = rig.connected().await;
    let work = rig.message(ANYBODY);
    rig.send(&work).await.unwrap();
    let journal = rig.journal();
    assert!(!journal.contains(TEXT), "a body is in the journal");
    let mut lines = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let frame = lines.rfind(|line| line["kind"] == "frame").unwrap();
    assert_eq!(
        frame,
        serde_json::json!({
            "kind": "frame", "seq": 1, "at": rig.frames().await[0].at, "session": rig.lease.session,
            "wa_id": work.wa_id, "to": ANYBODY, "epoch": 1,
        })
    );
}

#[rstest]
#[tokio::test]
async fn every_fault_shows_as_its_reason(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let rig = Rig::start(face).await;
    let session = rig.lease.session;
    assert_eq!(rig.engine.fault(session, SandboxFault::Throttled).await, Err(SandboxError::NoLink));
    assert_eq!(rig.engine.fault(session, SandboxFault::DeviceRemoved).await, Err(SandboxError::NotPaired));
    for fault in SandboxFault::iter() {
        let rig = Rig::start(face).await;
        let mut link = rig.connected().await;
        assert_eq!(rig.engine.fault(rig.lease.session, fault).await, Ok(()), "{fault}");
        let close = match fault {
            SandboxFault::RestartRequired => CloseReason::RestartRequired,
            SandboxFault::TransportLost => CloseReason::TransportLost,
            SandboxFault::ServerUnavailable => CloseReason::ServerUnavailable,
            SandboxFault::Malformed => CloseReason::Malformed,
            SandboxFault::Throttled => CloseReason::Throttled,
            SandboxFault::Replaced => CloseReason::Replaced,
            SandboxFault::ClientOutdated => CloseReason::ClientOutdated,
            SandboxFault::Unknown => CloseReason::Unknown { code: 599 },
            SandboxFault::DeviceRemoved => CloseReason::LoggedOut { code: 401 },
            SandboxFault::Banned => {
                let heard = rest(&mut link).await;
                let [LinkEvent::Closed(CloseReason::Banned { until })] = heard[..] else {
                    panic!("expected a ban, not {heard:?}");
                };
                let again = rest(&mut rig.open()).await;
                assert_eq!(again, [closed(CloseReason::Banned { until })]);
                rig.clock.skip(Duration::from_secs(60));
                drop(rig.log_in().await);
                continue;
            }
            SandboxFault::Timelock => {
                let LinkEvent::Timelocked { until } = next(&mut link).await else { panic!("no lock") };
                let lasts = until.since(rig.clock.wall());
                assert!(lasts > Duration::from_secs(50) && lasts <= Duration::from_secs(60), "{lasts:?}");
                continue;
            }
            SandboxFault::NewChats => {
                let LinkEvent::NewChatsUsedUp { until } = next(&mut link).await else { panic!("no bound") };
                assert!(until > rig.clock.wall());
                continue;
            }
            // Played elsewhere, or shown by what does not happen (its own test): the link stays.
            SandboxFault::Hang | SandboxFault::Panic | SandboxFault::Exit | SandboxFault::Never => {
                assert!(rig.engine.ping(rig.lease).await.is_ok(), "{fault}");
                continue;
            }
            SandboxFault::HalfOpen => continue,
        };
        assert_eq!(rest(&mut link).await, [closed(close)], "{fault}");
        assert_eq!(rig.engine.ping(rig.lease).await, Err(TransportError::NoLink), "{fault}");
        let again = next(&mut rig.open()).await;
        match fault {
            SandboxFault::DeviceRemoved => assert_eq!(again, closed(close)),
            _ => assert_eq!(again, LinkEvent::Connected, "{fault}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_answers_nothing_until_it_is_opened_again() {
    let mut rig = Rig::start(Face::InProcess).await;
    let mut link = rig.connected().await;
    rig.engine.fault(rig.lease.session, SandboxFault::HalfOpen).await.unwrap();
    let asked = Instant::now();
    assert_eq!(rig.engine.ping(rig.lease).await, Err(TransportError::NoLink));
    assert_eq!(asked.elapsed(), Duration::from_secs(10), "a ping gives up, it is not refused");

    let lost = rig.message(ANYBODY);
    let mut attempt = std::pin::pin!(rig.engine.send(&lost));
    assert!(tokio::time::timeout(Duration::from_secs(60), &mut attempt).await.is_err(), "an answer came");
    let from = Chat::parse(ANYBODY).unwrap();
    rig.engine.write(rig.lease.session, written(from, "unheard")).await.unwrap();
    assert!(link.next().now_or_never().is_none(), "something was heard");
    assert_eq!(rig.frames().await, [], "something arrived");

    let (_link, owed) = rig.log_in().await;
    assert_eq!(attempt.await, Err(SendError::NoAck));
    assert_eq!(owed.len(), 1, "what was not heard is owed");
    assert!(rig.engine.ping(rig.lease).await.is_ok());
}

#[rstest]
#[tokio::test]
async fn a_second_link_replaces_the_first(#[values(Face::InProcess, Face::Remote)] face: Face) {
    let mut rig = Rig::start(face).await;
    let mut first = rig.connected().await;
    let stale = rig.lease;
    rig.lease.epoch = Epoch(2);
    let (_second, _) = rig.log_in().await;
    assert_eq!(rest(&mut first).await, [closed(CloseReason::Replaced)]);
    let work = rig.message(ANYBODY);
    let late = columba::ports::outbox::Work { lease: stale, ..work.clone() };
    assert_eq!(rig.send(&late).await, Err(SendError::NoLink), "an older owner has no link");
    drop(first);
    assert_eq!(rig.send(&work).await, Ok(()), "the end of the first is not the end of the second");
}

#[tokio::test]
async fn a_dropped_link_is_closed_at_once() {
    let mut rig = Rig::start(Face::InProcess).await;
    let link = rig.connected().await;
    drop(link);
    let work = rig.message(ANYBODY);
    assert_eq!(rig.send(&work).await, Err(SendError::NoLink));
    assert_eq!(rig.frames().await, []);
}

#[tokio::test]
async fn one_sessions_link_is_no_others() {
    let mut rig = Rig::start(Face::InProcess).await;
    let _link = rig.connected().await;
    let mut work = rig.message(ANYBODY);
    work.lease = Lease { session: columba::domain::id::SessionId::mint(WallTime(0)), ..work.lease };
    assert_eq!(rig.send(&work).await, Err(SendError::NoLink));
}

#[tokio::test(start_paused = true)]
async fn codes_are_renewed_and_the_old_ones_end() {
    let rig = Rig::start(Face::InProcess).await;
    let mut link = rig.open();
    let begun = Instant::now();
    let mut shown: Vec<String> = vec![];
    for wanted in [0, 60, 80, 100] {
        let Some(LinkEvent::PairingCode { code, expires_at }) = link.next().await else { panic!("no code") };
        let at = begun.elapsed().as_secs();
        assert_eq!(at, wanted);
        let life = expires_at.since(rig.clock.wall()).as_secs();
        assert_eq!(life, if wanted == 0 { 60 } else { 20 });
        assert!(!shown.contains(&code));
        shown.push(code);
    }
    let [old @ .., current] = &shown[..] else { panic!("no codes") };
    for code in old {
        assert_eq!(rig.engine.scan(code).await, Err(SandboxError::NoSuchCode));
    }
    assert_eq!(rig.engine.find_code(current).await, Ok(Some(rig.lease.session)));
    drop(link);
    assert_eq!(rig.engine.find_code(current).await, Ok(None), "nobody shows it any more");
}

#[tokio::test(start_paused = true)]
async fn acks_and_receipts_take_the_time_of_a_good_day() {
    let mut rig = Rig::with(Face::InProcess, Latency::default()).await;
    let mut link = rig.connected().await;
    let work = rig.message(ANYBODY);
    let begun = Instant::now();
    rig.send(&work).await.unwrap();
    let mut times = vec![begun.elapsed()];
    for _ in 0..2 {
        receipt(&next(&mut link).await);
        times.push(begun.elapsed());
    }
    let wanted = [20, 120, 300].map(Duration::from_millis);
    for (took, wanted) in times.iter().zip(wanted) {
        assert!(*took >= wanted && *took <= wanted + Duration::from_millis(2), "{took:?} for {wanted:?}");
    }
}

/// A letter from one person.
fn written(from: Chat, body: &str) -> Letter {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let wa_id = WaId::mint(WallTime(1_795_000_000_000), COUNT.fetch_add(1, Ordering::Relaxed));
    Letter::from_person(wa_id, from, Content::Text(Text { body: body.to_owned() }))
}
