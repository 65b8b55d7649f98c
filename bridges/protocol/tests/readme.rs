//! The specification and the types say the same: every example of the README is read, and written back unchanged.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure message")]

use std::collections::BTreeSet;

use columba_bridge_protocol::{
    Boot, Capability, CloseReason, Content, Down, ErrorCode, Event, FrameError, MAX_FRAME, ReplyOutcome, Up,
    decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strum::IntoEnumIterator as _;

const README: &str = include_str!("../README.md");

/// The fenced blocks of a kind, one example each.
fn examples(kind: &str) -> Vec<&'static str> {
    let fence = format!("```json {kind}\n");
    README.split(fence.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

fn reads_and_writes<T: DeserializeOwned + Serialize>(example: &str) {
    let frame: T = decode(example.as_bytes()).unwrap_or_else(|error| panic!("{error}: {example}"));
    let written = encode(&frame).unwrap();
    let (given, back): (Value, Value) =
        (serde_json::from_str(example).unwrap(), serde_json::from_slice(&written).unwrap());
    assert_eq!(back, given);
    assert_eq!(written.iter().filter(|&&byte| byte == b'\n').count(), 1, "one line");
}

#[test]
fn every_example_is_read_and_written_back() {
    examples("boot").into_iter().for_each(reads_and_writes::<Boot>);
    examples("up").into_iter().for_each(reads_and_writes::<Up>);
    examples("down").into_iter().for_each(reads_and_writes::<Down>);
    examples("content").into_iter().for_each(reads_and_writes::<Content>);
    let fences = README.matches("```json").count();
    let known: usize = ["boot", "up", "down", "content"].iter().map(|kind| examples(kind).len()).sum();
    assert_eq!(fences, known, "every example says what it is");
}

#[test]
fn every_word_has_its_row() {
    for reason in CloseReason::iter() {
        let word = serde_json::to_value(reason).unwrap();
        assert!(README.contains(&format!("| `{}` |", word.as_str().unwrap())), "{word} has no row");
    }
    for code in ErrorCode::iter().filter(|&code| code != ErrorCode::Unknown) {
        assert!(README.contains(&format!("| `{code}` |")), "{code} has no row");
    }
    let commands: BTreeSet<String> = examples("down")
        .iter()
        .map(|text| {
            serde_json::from_str::<Value>(text).unwrap()["do"]["cmd"].as_str().unwrap_or_default().to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect();
    for name in &commands {
        assert!(README.contains(&format!("| `{name}")), "{name} has no row");
    }
    assert_eq!(commands.len(), 15, "each command has an example: {commands:?}");
    let events: BTreeSet<String> = examples("up")
        .iter()
        .filter_map(|text| {
            let frame: Value = serde_json::from_str(text).unwrap();
            frame["event"]["event"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(events.len(), 11, "each event has an example: {events:?}");
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let hello =
        examples("up")[0].replace("\"text\"", "\"telepathy\"").replace("\"pid\"", "\"mood\":1,\"pid\"");
    let Ok(Up::Hello(hello)) = decode::<Up>(hello.as_bytes()) else { panic!("a hello") };
    assert!(
        !hello.capabilities.contains(&Capability::Text) && hello.capabilities.contains(&Capability::Media)
    );
    let event = r#"{"t":"event","session":"s","epoch":1,"seq":1,"event":{"event":"levitated","height":3}}"#;
    let Ok(Up::Event { event, .. }) = decode::<Up>(event.as_bytes()) else { panic!("an event") };
    assert_eq!(event, Event::Unknown);
    let reply = r#"{"t":"reply","id":1,"error":{"code":"bewitched"}}"#;
    let Ok(Up::Reply { outcome: ReplyOutcome::Error(failure), .. }) = decode::<Up>(reply.as_bytes()) else {
        panic!("a reply")
    };
    assert_eq!(failure.code, ErrorCode::Unknown);
}

#[test]
fn rubbish_is_named_by_its_place_and_never_shown() {
    let secret =
        r#"{"t":"event","session":"s","epoch":1,"seq":1,"event":{"event":"inbound","body":"SECRET"}}"#;
    let error = decode::<Up>(secret.as_bytes()).expect_err("fields are missing");
    assert!(!error.to_string().contains("SECRET"), "{error}");
    assert_eq!(decode::<Up>(&vec![b' '; MAX_FRAME + 1]), Err(FrameError::TooLong));
    for line in [&b""[..], b"{", b"null", b"[]", b"{\"t\":\"levitate\"}", b"\xff\xfe"] {
        assert!(decode::<Up>(line).is_err());
    }
}
