//! The ring of recent events.

use columba::actors::hub::ring::{Entered, KEPT, Ring};
use columba::domain::event::{Change, MAX_BYTES, StatusEvent};
use columba::domain::message::MessageStatus;
use columba::domain::session::SessionStatus;
use columba::domain::time::WallTime;
use strum::IntoEnumIterator as _;

fn event(seq: u64) -> StatusEvent {
    StatusEvent {
        tenant: uuid::Uuid::from_u128(1).into(),
        seq,
        session: Some(uuid::Uuid::from_u128(2).into()),
        change: Change::Message(uuid::Uuid::from_u128(u128::MAX).into(), MessageStatus::Queued),
        at: WallTime(1_795_000_000_000),
    }
}

fn after(ring: &Ring, seq: u64) -> Option<Vec<u64>> {
    Some(ring.after(seq)?.map(|event| event.seq).collect())
}

#[test]
fn a_ring_answers_what_followed_a_position_or_that_it_no_longer_knows() {
    let mut ring = Ring::at(10);
    assert_eq!(after(&ring, 10), Some(vec![]));
    assert_eq!(after(&ring, 9), None, "before its memory");
    assert_eq!(after(&ring, 11), None, "never reached");
    for seq in 11..=13 {
        assert_eq!(ring.enter(event(seq)), Entered::InOrder);
    }
    assert_eq!(after(&ring, 10), Some(vec![11, 12, 13]));
    assert_eq!(after(&ring, 12), Some(vec![13]));
    assert_eq!(ring.enter(event(12)), Entered::Known);
    assert_eq!(ring.enter(event(15)), Entered::Hole { first: 14 });
    assert_eq!(ring.head(), 13);
}

#[test]
fn a_ring_keeps_a_thousand_events() {
    let mut ring = Ring::default();
    for seq in 1..=KEPT as u64 + 5 {
        ring.enter(event(seq));
    }
    assert_eq!(after(&ring, 5).map(|events| events.len()), Some(KEPT));
    assert_eq!(after(&ring, 4), None);
}

#[test]
fn a_hole_in_the_refill_restarts_the_run() {
    let mut ring = Ring::at(0);
    for seq in [1, 2, 7, 8] {
        ring.refill(event(seq));
    }
    assert_eq!(after(&ring, 6), Some(vec![7, 8]));
    assert_eq!(after(&ring, 2), None);
}

#[test]
fn no_event_is_longer_than_200_bytes() {
    for status in MessageStatus::iter() {
        let longest = StatusEvent {
            seq: u64::MAX,
            change: Change::Message(uuid::Uuid::from_u128(u128::MAX).into(), status),
            at: WallTime(i64::MAX),
            ..event(1)
        };
        let text = longest.encode();
        assert!(text.len() <= MAX_BYTES, "{} bytes: {text:?}", text.len());
    }
    for status in SessionStatus::iter() {
        let longest = StatusEvent { change: Change::Session(status), at: WallTime(i64::MAX), ..event(1) };
        let mut text = vec![];
        longest.write_for_fleet(u64::MAX, &mut text);
        assert!(text.len() <= MAX_BYTES, "{} bytes: {text:?}", text.len());
    }
}
