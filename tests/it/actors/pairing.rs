//! Codes that a person scans or types, on one thread with time paused.

use std::time::Duration;

use columba::domain::id::SessionId;
use columba::domain::message::MessageStatus;
use columba::domain::passkey::{Passkey, PasskeyStage};
use columba::domain::phone::Phone;
use columba::domain::session::{CloseReason, Desired, Reason, Session, SessionStatus};
use columba::ports::clock::Clock as _;
use columba::ports::supervisor::{PairingView, Supervisor as _, SupervisorError};
use columba::ports::transport::LinkEvent;

use super::fleet::{ANNA, Fleet};

impl Fleet {
    fn code(&self, code: &str) -> LinkEvent {
        let expires_at = self.clock.wall() + Duration::from_secs(20);
        LinkEvent::PairingCode { code: code.to_owned(), expires_at }
    }

    /// A session that shows its first code.
    async fn pairing(&mut self) -> Session {
        let session = self.row(false).await;
        self.network.opens_with(session.id, [self.code("first")]);
        self.registry.heed(&session).await.unwrap();
        self.birth().await;
        self.until(session.id, SessionStatus::Pairing).await;
        session
    }

    async fn shown(&self, session: SessionId) -> Option<PairingView> {
        self.registry.pairing(session).await.unwrap()
    }
}

#[actix::test]
async fn a_code_is_shown_and_replaced_by_the_next() {
    let mut fleet = Fleet::start().await;
    let session = fleet.pairing().await;
    let expires_at = fleet.clock.wall() + Duration::from_secs(20);
    let first = PairingView { code: "first".to_owned(), expires_at, attempt: 1, passkey: None };
    assert_eq!(fleet.shown(session.id).await, Some(first));
    fleet.pass(Duration::from_secs(20)).await;
    fleet.network.say(session.id, fleet.code("second"));
    fleet.pass(Duration::from_millis(1)).await;
    let second = fleet.shown(session.id).await.unwrap();
    assert_eq!((second.code.as_str(), second.attempt), ("second", 2));
    assert!(second.expires_at > expires_at);
    assert_eq!(fleet.shown(SessionId::mint(expires_at)).await, None, "a session that never ran");
    fleet.finish().await;
}

#[actix::test]
async fn nobody_who_scans_parks_the_session_after_three_minutes_and_a_start_shows_codes_again() {
    let mut fleet = Fleet::start().await;
    let session = fleet.pairing().await;
    let began = fleet.now();
    for _ in 0..8 {
        fleet.pass(Duration::from_secs(20)).await;
        fleet.network.say(session.id, fleet.code("another"));
    }
    fleet.until(session.id, SessionStatus::Parked).await;
    assert_eq!(fleet.now().since(began).as_secs(), 180, "further codes do not put it off");
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Parked, Some(Reason::PairingTimeout)));
    assert!(!fleet.has_link(session.id), "nothing is open");
    assert_eq!(fleet.shown(session.id).await, None);
    assert!(fleet.is_barren().await);
    assert!(!fleet.has_link(session.id), "and nothing is tried");

    fleet.network.opens_with(session.id, [fleet.code("fresh")]);
    fleet.want(session.id, Desired::Running).await;
    fleet.until(session.id, SessionStatus::Pairing).await;
    assert_eq!(fleet.shown(session.id).await.unwrap().attempt, 1);
    fleet.finish().await;
}

#[actix::test]
async fn a_person_who_scans_pairs_the_session_and_messages_may_be_queued() {
    let mut fleet = Fleet::start().await;
    let session = fleet.pairing().await;
    assert!(!fleet.look(session.id).await.paired);
    let paired_at = fleet.now();
    fleet.network.say(session.id, LinkEvent::Paired);
    fleet.network.hang_up(session.id, CloseReason::RestartRequired); // as the server does once after pairing
    fleet.until(session.id, SessionStatus::Reconnecting).await;
    fleet.until(session.id, SessionStatus::Connected).await;
    let waited = fleet.now().since(paired_at);
    assert!(waited < Duration::from_millis(10), "the new link is opened at once: {waited:?}");
    assert!(fleet.look(session.id).await.paired);
    assert_eq!(fleet.shown(session.id).await, None);
    let message = fleet.send(session.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Sent).await;
    fleet.pass(Duration::from_secs(200)).await;
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Connected, None), "the limit is forgotten");
    fleet.finish().await;
}

#[actix::test]
async fn a_code_to_be_typed_is_given_only_while_the_session_pairs() {
    let mut fleet = Fleet::start().await;
    let phone = Phone::parse(ANNA).unwrap();
    let idle = fleet.row(false).await;
    assert_eq!(fleet.registry.pairing_code(&idle, phone.clone()).await, Err(SupervisorError::NotPairing));
    let session = fleet.pairing().await;
    let code = fleet.registry.pairing_code(&session, phone.clone()).await.unwrap();
    assert_eq!(code.code, "ABCD-EFGH");
    let (connected, _) = fleet.connected().await;
    assert_eq!(fleet.registry.pairing_code(&connected, phone).await, Err(SupervisorError::NotPairing));
    fleet.finish().await;
}

#[actix::test]
async fn credentials_that_the_server_voids_are_put_away_and_a_person_pairs_again() {
    let mut fleet = Fleet::start().await;
    let (session, _) = fleet.connected().await;
    fleet.network.hang_up(session.id, CloseReason::LoggedOut { code: 401 });
    let waiting = fleet.queue(session.id, ANNA).await;
    fleet.becomes(waiting, MessageStatus::Canceled).await;
    fleet.until(session.id, SessionStatus::LoggedOut).await;
    let row = fleet.look(session.id).await;
    assert_eq!((row.paired, row.reason, row.reason_code), (false, Some(Reason::DeviceRemoved), Some(401)));
    assert_eq!(fleet.vaults.archived(), [session.id]);
    assert!(fleet.network.logged_out().is_empty(), "the server knows already");
    assert!(fleet.is_barren().await);
    assert!(!fleet.has_link(session.id), "no link with these credentials, ever");

    fleet.network.opens_with(session.id, [fleet.code("again")]);
    fleet.want(session.id, Desired::Running).await;
    fleet.until(session.id, SessionStatus::Pairing).await;
    fleet.network.say(session.id, LinkEvent::Paired);
    fleet.network.say(session.id, LinkEvent::Connected);
    fleet.until(session.id, SessionStatus::Connected).await;
    assert!(fleet.look(session.id).await.paired);
    fleet.finish().await;
}

#[actix::test]
async fn a_banned_account_is_left_alone_until_the_ban_ends() {
    let mut fleet = Fleet::start().await;
    let (session, _) = fleet.connected().await;
    let until = fleet.clock.wall() + Duration::from_secs(1_800);
    fleet.network.hang_up(session.id, CloseReason::Banned { until });
    fleet.until(session.id, SessionStatus::Parked).await;
    let banned_at = fleet.now();
    fleet.has_link(session.id); // what happened so far
    fleet.want(session.id, Desired::Running).await; // impatience changes nothing
    fleet.crash(session.id).await; // nor does a crash
    fleet.birth().await;
    fleet.pass(Duration::from_secs(1_700)).await;
    assert!(!fleet.has_link(session.id), "no connect is tried before it ends");
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Parked, Some(Reason::Banned)));
    fleet.until(session.id, SessionStatus::Connected).await;
    assert_eq!(fleet.now().since(banned_at).as_secs(), 1_800);
    fleet.finish().await;
}

#[actix::test]
async fn a_passkey_shows_as_the_reason_and_a_pairing_that_ends_at_it_parks_with_it() {
    let mut fleet = Fleet::start().await;
    let session = fleet.pairing().await;
    for (stage, code, reason) in [
        (PasskeyStage::Requested, None, Reason::PasskeyRequested),
        (PasskeyStage::Confirm, Some("ABCD-EFGH"), Reason::PasskeyConfirm),
        (PasskeyStage::Failed, None, Reason::PasskeyFailed),
    ] {
        let passkey = Passkey { stage, code: code.map(str::to_owned) };
        fleet.network.say(session.id, LinkEvent::Passkey(passkey.clone()));
        fleet.pass(Duration::from_millis(1)).await;
        assert_eq!(fleet.standing(session.id).await, (SessionStatus::Pairing, Some(reason)));
        assert_eq!(fleet.shown(session.id).await.unwrap().passkey, Some(passkey.clone()));
        fleet.network.say(session.id, fleet.code("another"));
        fleet.pass(Duration::from_millis(1)).await;
        let shown = fleet.shown(session.id).await.unwrap();
        assert_eq!((&*shown.code, shown.passkey), ("another", Some(passkey)), "a new code ends no stage");
    }
    fleet.until(session.id, SessionStatus::Parked).await;
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Parked, Some(Reason::PasskeyFailed)));

    fleet.network.opens_with(session.id, [fleet.code("fresh")]);
    fleet.want(session.id, Desired::Running).await;
    fleet.until(session.id, SessionStatus::Pairing).await;
    assert_eq!(fleet.standing(session.id).await, (SessionStatus::Pairing, None), "it begins anew");
    assert_eq!(fleet.shown(session.id).await.unwrap().passkey, None);
    fleet.finish().await;
}
