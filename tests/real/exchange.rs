//! One engine's session writes to the other's: two bridges, two libraries, one network.

use columba::ports::transport::Transport as _;
use rstest::rstest;

use crate::messages::inbound;
use crate::rig::{Bridge, Rig, Testbed, baileys_testbed, native_testbed};

const ALICE: &str = "+15551230001";
const BOB: &str = "+15551230002";

#[rstest]
#[case(native_testbed, baileys_testbed)]
#[case(baileys_testbed, native_testbed)]
#[tokio::test]
async fn sessions_of_two_engines_write_to_each_other(
    #[case] of_alice: fn() -> Bridge,
    #[case] of_bob: fn() -> Bridge,
) {
    let testbed = Testbed::start().await;
    let (alices, bobs) = (Rig::start(of_alice(), &testbed.url), Rig::start(of_bob(), &testbed.url));
    let (alice, mut to_alice) = alices.paired(&testbed, ALICE).await;
    let (bob, mut to_bob) = bobs.paired(&testbed, BOB).await;
    for round in 0..5 {
        let there = format!("question {round}: Grüße, 👋🏽");
        let work = alice.message(BOB, &there);
        assert_eq!(alices.engine.send(&work).await, Ok(()));
        let (delivery, wa_id, from, body) = inbound(&mut to_bob).await;
        assert_eq!((wa_id, from.as_str(), body), (work.wa_id.0, ALICE, there));
        bobs.engine.confirm(bob.lease, &delivery).await.unwrap();
        let back = format!("answer {round}");
        assert_eq!(bobs.engine.send(&bob.message(ALICE, &back)).await, Ok(()));
        let (delivery, _, from, body) = inbound(&mut to_alice).await;
        assert_eq!((from.as_str(), body), (BOB, back));
        alices.engine.confirm(alice.lease, &delivery).await.unwrap();
    }
}
