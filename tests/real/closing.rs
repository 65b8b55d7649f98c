//! Each way a link ends, and the reason the supervisor hears. Not one byte of credentials is lost by any of them.

use std::time::Duration;

use columba::domain::session::CloseReason as R;
use columba::ports::transport::{LinkEvent, Probe as _, Transport as _};
use rstest::rstest;
use serde_json::{Value, json};

use crate::rig::{Bridge, Rig, Testbed, baileys_testbed, native_testbed, rest};

const ALICE: &str = "+15551230001";
/// No record is gone.
const NOTHING: [(&str, Vec<u8>); 0] = [];

#[rstest]
#[case(json!({ "kind": "stream_error", "code": 515 }), R::RestartRequired)]
#[case(json!({ "kind": "stream_error", "code": 503 }), R::ServerUnavailable)]
#[case(json!({ "kind": "stream_error", "code": 429 }), R::Throttled)]
#[case(json!({ "kind": "stream_error", "code": 516 }), R::LoggedOut { code: 516 })]
#[case(json!({ "kind": "stream_error", "code": 401 }), R::LoggedOut { code: 401 })]
#[case(json!({ "kind": "replaced" }), R::Replaced)]
#[case(json!({ "kind": "device_removed" }), R::LoggedOut { code: 401 })]
#[case(json!({ "kind": "eof" }), R::TransportLost)]
#[case(json!({ "kind": "ws_close", "code": 1011 }), R::TransportLost)]
#[tokio::test]
async fn a_link_that_the_server_ends_is_closed_for_its_reason(
    #[case] failure: Value,
    #[case] reason: R,
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (mut session, mut link) = rig.paired(&testbed, ALICE).await;
    let mut failure = failure;
    (failure["phone"], failure["times"]) = (json!(ALICE), json!(1));
    let before = session.credentials();
    testbed.post("/admin/failures", failure).await;
    let heard = rest(&mut link).await;
    assert_eq!(heard.last(), Some(&LinkEvent::Closed(reason)));
    // What the supervisor makes of it is its own; the credentials are good as before.
    assert_eq!(before.lost_in(&session.credentials()), NOTHING);
    let _link = session.log_in().await;
}

#[rstest]
#[case(json!({ "reason": 401 }), R::LoggedOut { code: 401 })]
#[case(json!({ "reason": 403 }), R::LoggedOut { code: 403 })]
#[case(json!({ "reason": 406 }), R::LoggedOut { code: 406 })]
#[case(json!({ "reason": 405 }), R::ClientOutdated)]
#[case(json!({ "reason": 409 }), R::Replaced)]
#[case(json!({ "reason": 402 }), R::Unknown { code: 402 })]
#[case(json!({ "reason": 500 }), R::ServerUnavailable)]
#[case(json!({ "reason": 503 }), R::ServerUnavailable)]
#[case(json!({ "reason": 418 }), R::Unknown { code: 418 })]
#[tokio::test]
async fn a_login_that_the_server_refuses_is_closed_for_its_reason(
    #[case] failure: Value,
    #[case] reason: R,
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (mut session, link) = rig.paired(&testbed, ALICE).await;
    drop(link);
    let mut failure = failure;
    (failure["phone"], failure["times"], failure["kind"]) = (json!(ALICE), json!(1), json!("login_failure"));
    let before = session.credentials();
    testbed.post("/admin/failures", failure).await;
    let heard = rest(&mut session.open()).await;
    assert_eq!(heard.last(), Some(&LinkEvent::Closed(reason)));
    assert_eq!(before.lost_in(&session.credentials()), NOTHING);
    let _link = session.log_in().await;
}

#[rstest]
#[tokio::test]
async fn a_ban_ends_when_the_server_says(#[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (mut session, link) = rig.paired(&testbed, ALICE).await;
    drop(link);
    let ban = json!({ "phone": ALICE, "times": 1, "kind": "login_failure", "reason": 402, "code": 101, "expire": 3600 });
    testbed.post("/admin/failures", ban).await;
    let heard = rest(&mut session.open()).await;
    let Some(LinkEvent::Closed(R::Banned { until })) = heard.last() else { panic!("{heard:?}") };
    let now = crate::support::clock::now().0;
    let left = until.0 - now;
    assert!((3_500_000..=3_600_000).contains(&left), "{left} ms are left");
}

#[rstest]
#[tokio::test]
async fn a_half_open_socket_answers_no_ping(
    #[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (session, _link) = rig.paired(&testbed, ALICE).await;
    testbed.post("/admin/failures", json!({ "phone": ALICE, "kind": "half_open" })).await;
    let answer = tokio::time::timeout(Duration::from_secs(11), rig.engine.ping(session.lease)).await;
    assert!(answer.expect("an answer within the probe's patience").is_err());
}

#[rstest]
#[tokio::test]
async fn a_log_out_unlinks_the_device(#[values(native_testbed, baileys_testbed)] bridge: fn() -> Bridge) {
    let testbed = Testbed::start().await;
    let rig = Rig::start(bridge(), &testbed.url);
    let (session, mut link) = rig.paired(&testbed, ALICE).await;
    rig.engine.log_out(session.lease).await.unwrap();
    assert_eq!(rest(&mut link).await.last(), Some(&LinkEvent::Closed(R::TransportLost)));
    let accounts = testbed.get("/admin/accounts").await;
    assert_eq!(accounts[0]["companions"], json!([]), "{accounts}");
}
