//! Pairing, and who is refused.

use columba::domain::phone::Phone;
use columba::domain::session::CloseReason;
use columba::ports::transport::{LinkEvent, Probe as _, Transport as _, TransportError};
use rstest::rstest;
use serde_json::json;

use crate::rig::{
    Bridge, PATIENCE, Rig, Testbed, baileys, baileys_testbed, native, native_testbed, next, rest,
};

const ALICE: &str = "+15551230001";

#[rstest]
#[tokio::test]
async fn a_phone_scans_a_code_and_the_session_is_logged_in(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let prekeys = bridge().prekeys;
    let (session, _link) = rig.paired(&testbed, ALICE).await;
    assert!(rig.engine.ping(session.lease).await.is_ok());
    let accounts = testbed.get("/admin/accounts").await;
    assert_eq!(accounts[0]["companions"].as_array().unwrap().len(), 1, "{accounts}");
    // The library makes them when the server says that it has none.
    let made_keys = || session.vault.content().0.keys().filter(|(kind, _)| *kind == prekeys).count();
    let made = async {
        while made_keys() < 100 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, made).await.expect("prekeys in the vault");
}

#[rstest]
#[tokio::test]
async fn a_phone_types_a_code_and_the_session_is_logged_in(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    testbed.account(ALICE).await;
    let mut session = rig.session();
    let mut link = session.open();
    assert!(matches!(next(&mut link).await, LinkEvent::PairingCode { .. }));
    let phone = Phone::parse(ALICE).unwrap();
    let code = rig.engine.pairing_code(session.lease, &phone).await.unwrap();
    assert_eq!(code.code.len(), 9, "ABCD-EFGH");
    testbed.post("/admin/code", json!({ "phone": ALICE, "code": code.code })).await;
    let heard = rest(&mut link).await;
    assert!(
        heard.ends_with(&[LinkEvent::Paired, LinkEvent::Closed(CloseReason::RestartRequired)]),
        "{heard:?}"
    );
    let _link = session.log_in().await;
    assert_eq!(rig.engine.pairing_code(session.lease, &phone).await, Err(TransportError::NotPairing));
}

#[rstest]
#[tokio::test]
async fn the_bridge_that_is_shipped_rejects_the_testbed(#[values(native, baileys)] bridge: fn() -> Bridge) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let mut session = rig.session();
    // Parked: not one more attempt against a server that is not WhatsApp.
    assert_eq!(rest(&mut session.open()).await, [LinkEvent::Closed(CloseReason::Unknown { code: 0 })]);
    let accounts = testbed.get("/admin/accounts").await;
    assert_eq!(accounts, json!([]));
}

/// It speaks: only what runs can find a server untrusted. In an unoptimised build the interpreter alone takes seconds to hash, so
/// that a link may be given up before the bridge is there.
#[tokio::test]
async fn a_sealed_bridge_is_started_by_the_checksums_that_its_seal_prints() {
    let testbed = Testbed::start().await;
    let rig = Rig::sealed(&testbed.url);
    let mut session = rig.session();
    let found = async {
        loop {
            match rest(&mut session.open()).await[..] {
                [LinkEvent::Closed(CloseReason::TransportLost)] => {}
                [LinkEvent::Closed(CloseReason::Unknown { code })] => return code,
                ref other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, found).await.expect("a bridge that is there"), 0);
}

#[rstest]
#[tokio::test]
async fn what_pairing_left_in_the_vault_is_enough_for_another_process(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (mut session, link) = rig.paired(&testbed, ALICE).await;
    drop(link);
    rig.engine.close().await;
    let next_rig = Rig::start(bridge(), &testbed.url);
    let mut moved = next_rig.session();
    moved.lease = session.lease;
    std::mem::swap(&mut moved.vault, &mut session.vault);
    let _link = moved.log_in().await;
    assert!(next_rig.engine.ping(moved.lease).await.is_ok());
}
