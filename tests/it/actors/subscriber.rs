//! The feed's protocol and its queue, without a socket.

use std::time::Duration;

use columba::actors::hub::messages::{Filter, Resume, Subscribed};
use columba::actors::subscriber::framed::Framed;
use columba::actors::subscriber::machine::{CloseCode, HEARTBEAT, Input, Machine, Output};
use columba::actors::subscriber::messages::Frame;
use columba::actors::subscriber::outlet::Left;
use columba::actors::subscriber::queue::{Batch, Queue, ROOM};
use columba::domain::event::{Change, EventKind, StatusEvent};
use columba::domain::message::MessageStatus;
use columba::domain::session::SessionStatus;
use columba::domain::time::{Moment, WallTime};

const NOW: Moment = Moment(1_000_000);

fn session(number: u128) -> columba::domain::id::SessionId {
    uuid::Uuid::from_u128(number).into()
}

fn event(seq: u64, message: u128, status: MessageStatus) -> StatusEvent {
    let change = Change::Message(uuid::Uuid::from_u128(message).into(), status);
    let tenant = uuid::Uuid::from_u128(1).into();
    StatusEvent { tenant, seq, session: Some(session(1)), change, at: WallTime(0) }
}

fn client(granted: Option<Vec<u128>>) -> Machine {
    let granted = granted.map(|ids| ids.into_iter().map(session).collect());
    let (mut machine, hello) = Machine::new(granted, NOW);
    assert_eq!(texts(&hello), [r#"{"op":"hello","heartbeat_s":25}"#]);
    machine.on(NOW, Input::Written);
    machine
}

fn texts(outputs: &[Output]) -> Vec<&str> {
    let frames = |output| match output {
        &Output::Write(ref frames) | &Output::Close(ref frames, _) => frames.as_slice(),
        _ => &[],
    };
    outputs.iter().flat_map(frames).map(|text: &Framed| &**text).collect()
}

fn closed(outputs: &[Output]) -> Option<CloseCode> {
    outputs.iter().find_map(|output| match output {
        Output::Close(_, code) => Some(*code),
        _ => None,
    })
}

fn says(machine: &mut Machine, text: &str) -> Vec<Output> {
    machine.on(NOW, Input::Heard(Frame::Text(text.to_owned())))
}

fn answered(machine: &mut Machine, asked: bool, missed: Option<Vec<StatusEvent>>) -> Vec<Output> {
    let answer = Subscribed { epoch: "e1".to_owned(), seq: 7, missed };
    machine.on(NOW, Input::Subscribed { asked, answer })
}

#[test]
fn a_client_subscribes_and_gets_what_it_missed_before_what_comes() {
    let mut machine = client(None);
    let wish = format!(
        r#"{{"op":"subscribe","sessions":["{}"],"events":["msg","in"],"resume":{{"epoch":"e1","seq":5}}}}"#,
        session(1)
    );
    let filter =
        Filter { sessions: Some(vec![session(1)]), kinds: Some(vec![EventKind::Msg, EventKind::In]) };
    let resume = Resume { epoch: "e1".to_owned(), seq: 5 };
    assert_eq!(says(&mut machine, &wish), [Output::Subscribe(filter, Some(resume))]);
    let outputs = answered(&mut machine, true, Some(vec![event(6, 9, MessageStatus::Sent)]));
    let texts = texts(&outputs);
    assert_eq!(texts[0], r#"{"op":"ready","epoch":"e1","seq":7,"recovered":true}"#);
    assert!(texts[1].starts_with(r#"{"op":"event","q":6,"s":"ses_"#), "{texts:?}");
    assert!(!machine.wants_more(), "first these");
    machine.on(NOW, Input::Written);
    assert!(machine.wants_more(), "then what has come since");
}

#[test]
fn a_position_that_is_no_longer_kept_is_announced_and_one_never_given_is_not() {
    for (wish, asked, frames) in [
        (r#"{"op":"subscribe","resume":{"epoch":"old","seq":5}}"#, true, 2),
        (r#"{"op":"subscribe"}"#, false, 1),
    ] {
        let mut machine = client(None);
        says(&mut machine, wish);
        let outputs = answered(&mut machine, asked, None);
        let texts = texts(&outputs);
        assert_eq!(texts[0], r#"{"op":"ready","epoch":"e1","seq":7,"recovered":false}"#);
        assert_eq!(texts.len(), frames);
        assert_eq!(texts.get(1).is_some_and(|text| text.contains(r#""op":"resync""#)), asked);
    }
}

#[test]
fn what_is_not_the_protocol_closes_with_4010_and_says_so() {
    for text in [
        "",
        "{",
        "[]",
        r#"{"op":"shout"}"#,
        r#"{"op":"ping","x":1}"#,
        r#"{"op":"subscribe","sessions":["nope"]}"#,
        r#"{"op":"subscribe","events":["rain"]}"#,
        r#"{"op":"subscribe","resume":{"epoch":"e","seq":-1}}"#,
    ] {
        let outputs = says(&mut client(None), text);
        assert_eq!(closed(&outputs), Some(CloseCode::Protocol), "{text}");
        assert_eq!(texts(&outputs), [r#"{"op":"error","code":"malformed_frame"}"#], "{text}");
    }
    let outputs = client(None).on(NOW, Input::Heard(Frame::Other));
    assert_eq!(closed(&outputs), Some(CloseCode::Protocol));
}

#[test]
fn a_ticket_for_some_sessions_is_good_for_no_others() {
    let wish = |number| format!(r#"{{"op":"subscribe","sessions":["{}"]}}"#, session(number));
    assert_eq!(closed(&says(&mut client(Some(vec![1])), &wish(2))), Some(CloseCode::NotAllowed));
    let narrowed = says(&mut client(Some(vec![1, 2])), r#"{"op":"subscribe"}"#);
    let filter = Filter { sessions: Some(vec![session(1), session(2)]), kinds: None };
    assert_eq!(narrowed, [Output::Subscribe(filter, None)], "no wish means all that was granted");
}

#[test]
fn a_client_that_does_not_read_is_closed_after_ten_seconds() {
    let mut machine = client(None);
    says(&mut machine, r#"{"op":"subscribe"}"#);
    answered(&mut machine, false, None);
    machine.on(NOW, Input::Written);
    let frame = Framed::from("x");
    machine.on(NOW, Input::Left(Left { batch: Batch { missed: 0, frames: vec![frame] }, ..Left::default() }));
    assert!(!machine.wants_more(), "the queue is left alone while the socket is busy");
    let later = |secs| NOW + Duration::from_secs(secs);
    assert_eq!(closed(&machine.on(later(10), Input::Tick { authorized: true })), None);
    assert_eq!(closed(&machine.on(later(11), Input::Tick { authorized: true })), Some(CloseCode::TooSlow));
}

#[test]
fn silence_a_revoked_key_and_indecision_end_a_feed() {
    let tick = |secs, authorized| {
        let outputs = client(None).on(NOW + Duration::from_secs(secs), Input::Tick { authorized });
        closed(&outputs)
    };
    assert_eq!(tick(5, false), Some(CloseCode::BadAuth));
    assert_eq!(tick(31, true), Some(CloseCode::Protocol), "no subscribe");
    assert_eq!(tick(61, true), Some(CloseCode::Retry), "silence");
    let mut machine = client(None);
    assert_eq!(machine.on(NOW + HEARTBEAT, Input::Tick { authorized: true }), [Output::Ping]);
}

#[test]
fn a_process_that_goes_away_says_goodbye_after_what_waits() {
    let mut machine = client(None);
    says(&mut machine, r#"{"op":"subscribe"}"#);
    answered(&mut machine, false, None);
    machine.on(NOW, Input::Written);
    let batch = Batch { missed: 2, frames: vec!["x".into()] };
    let outputs = machine.on(NOW, Input::Left(Left { batch, resync: false, going_away: true }));
    assert_eq!(
        texts(&outputs),
        [r#"{"op":"lagged","missed":2}"#, "x", r#"{"op":"going_away","retry_ms":2000}"#]
    );
    assert_eq!(closed(&outputs), Some(CloseCode::GoingAway));
}

#[test]
fn a_full_queue_drops_the_same_things_earlier_state_first_and_counts_it() {
    let mut queue = Queue::default();
    for seq in 0..ROOM as u64 {
        queue.push(&event(seq, u128::from(seq), MessageStatus::Sent), seq.to_string().into());
    }
    queue.push(&event(5_000, 7, MessageStatus::Read), "new seven".into());
    queue.push(&event(5_001, 999_999, MessageStatus::Read), "stranger".into());
    let batch = queue.take();
    assert_eq!(batch.missed, 2);
    assert_eq!(batch.frames.len(), ROOM);
    assert!(!batch.frames.iter().any(|text| *text == "7" || *text == "0"), "seven's past, then the oldest");
    assert_eq!(&batch.frames[ROOM - 2..], ["new seven", "stranger"]);
    assert!(queue.is_empty());
}

#[test]
fn a_filter_admits_what_it_names() {
    let of_session =
        StatusEvent { change: Change::Session(SessionStatus::Connected), ..event(1, 1, MessageStatus::Sent) };
    let usage = StatusEvent { session: None, change: Change::Usage(80), ..of_session };
    let filter = |sessions: Option<Vec<u128>>, kinds: Option<Vec<EventKind>>| Filter {
        sessions: sessions.map(|ids| ids.into_iter().map(session).collect()),
        kinds,
    };
    assert!(filter(None, None).admits(&usage));
    assert!(filter(Some(vec![1]), None).admits(&of_session));
    assert!(!filter(Some(vec![2]), None).admits(&of_session));
    assert!(!filter(Some(vec![1]), None).admits(&usage));
    assert!(!filter(None, Some(vec![EventKind::Msg])).admits(&of_session));
}
