//! The checks. Each is a sentence of the protocol's README.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use columba_bridge_protocol as wire;
use serde_json::json;
use tokio::time::Instant;
use wire::{
    Capability, CloseReason, Command, Down, ErrorCode, Event, Private, Refusal, ReplyOutcome, SessionKey, Up,
    VaultError,
};

use crate::peer::{Bridge, HEARTBEAT_MS, Outcome, Target};

type Check = fn(Target) -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! checks {
    ($($name:literal: $check:ident,)*) => {
        /// All of them, in the order of the README.
        pub const CHECKS: &[(&str, Check)] = &[$(($name, |target| Box::pin($check(target)))),*];
    };
}

checks! {
    "says hello with its token, an engine and a version": hello,
    "ends with 64 when the boot line cannot be read": rubbish_boot,
    "is not its own supervisor's child for long: another parent ends it": another_parent,
    "ends with 64 when it is refused": refused,
    "beats at the pace it was told": heartbeat,
    "answers what it does not know with unsupported, and ignores later fields": unknown,
    "a session that is not open has no link": no_link,
    "an open is answered at once, asks the vault first, and tells how it went within 30 s": open,
    "a newer owner closes the older, whose commands are fenced": newer,
    "a session whose vault is fenced ends, and writes nothing": fenced,
    "a session outlasts a vault that is away for three seconds": away,
    "close is legal in every state and marks the vault": close,
    "one session's end leaves the other alone": apart,
    "a drain closes everything and takes nothing new": drain,
    "ends with 0 within a second when told": shutdown,
    "ends within a second when the connection does": hung_up,
    "ends within a second when standard input does": input_ended,
    "ends on a frame that cannot be read": garbage,
    "ignores SIGTERM": sigterm,
}

const SECOND: Duration = Duration::from_secs(1);
/// A second, and what a busy machine adds to it.
const ENDS: Duration = Duration::from_millis(wire::END_MS as u64 + 1_000);
const FIRST: Duration = Duration::from_secs(30);

fn key(session: &str, epoch: i64) -> SessionKey {
    SessionKey { session: session.to_owned(), epoch }
}

fn require(fact: bool, what: impl Into<String>) -> Outcome {
    if fact { Ok(()) } else { Err(what.into()) }
}

fn refused_with(outcome: &ReplyOutcome, code: ErrorCode) -> Outcome {
    match outcome {
        ReplyOutcome::Error(failure) if failure.code == code => Ok(()),
        other => Err(format!("{code} was due, not {other:?}")),
    }
}

fn done(outcome: &ReplyOutcome) -> Outcome {
    match outcome {
        ReplyOutcome::Ok(wire::Reply::Done) => Ok(()),
        other => Err(format!("done was due, not {other:?}")),
    }
}

async fn hello(target: Target) -> Outcome {
    let bridge = target.start(|_| {}).await?.hello(&target).await?;
    let hello = &bridge.hello;
    require(hello.protocol == wire::PROTOCOL, format!("it speaks version {}", hello.protocol))?;
    require(Some(hello.pid) == bridge.pid(), "it names another process")?;
    require(!hello.engine.is_empty() && !hello.version.is_empty(), "engine or version is empty")?;
    require(!hello.capabilities.is_empty(), "it can do nothing")
}

async fn rubbish_boot(target: Target) -> Outcome {
    let started = target.start_with(|_| b"this is no boot line\n".to_vec()).await?;
    let status = started.exit(Duration::from_secs(5)).await?;
    require(status.code() == Some(64), format!("it ended with {status}"))
}

async fn another_parent(target: Target) -> Outcome {
    let started = target.start(|boot| boot.supervisor = 1).await?;
    let status = started.exit(Duration::from_secs(5)).await?;
    require(status.success(), format!("it ended with {status}"))
}

async fn refused(target: Target) -> Outcome {
    let mut bridge = target.start(|_| {}).await?.hello(&target).await?;
    bridge.say(&Down::Refused(Refusal::Version { expected: "0.0.0".to_owned() })).await?;
    let status = bridge.exit(ENDS).await?;
    require(status.code() == Some(64), format!("it ended with {status}"))
}

async fn heartbeat(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let begun = Instant::now();
    for _ in 0..5 {
        let beat = |frame: &Up| match frame {
            Up::Heartbeat(beat) => Some(beat.clone()),
            _ => None,
        };
        let beat = bridge.find("a heartbeat", 10 * SECOND, beat).await?;
        require(beat.rss_kib > 100, "it says that it has no memory")?;
    }
    let least = Duration::from_millis(u64::from(HEARTBEAT_MS) * 3);
    require(begun.elapsed() >= least, format!("five beats in {:?}", begun.elapsed()))
}

async fn unknown(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let levitate = json!({ "cmd": "levitate", "height": 3 });
    refused_with(&bridge.ask_json(None, levitate).await?, ErrorCode::Unsupported)?;
    let stats = bridge.ask_json(None, json!({ "cmd": "stats", "mood": "good" })).await?;
    require(matches!(stats, ReplyOutcome::Ok(wire::Reply::Stats(_))), format!("stats: {stats:?}"))
}

async fn no_link(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let absent = key("ses_absent", 1);
    for command in [Command::Ping, Command::Typing { chat: Private::from("+15551230001"), active: true }] {
        refused_with(&bridge.ask(Some(&absent), command).await?, ErrorCode::NoLink)?;
    }
    done(&bridge.ask(Some(&absent), Command::Close).await?)
}

async fn open(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let key = key("ses_1", 1);
    let begun = Instant::now();
    done(&bridge.open(&key).await?)?;
    require(begun.elapsed() < 5 * SECOND, "it waited before it answered")?;
    let (seq, _) = bridge.event(&key, FIRST).await?;
    require(seq == 1, format!("its first event has the number {seq}"))?;
    let calls = bridge.vaults.get("ses_1").map(|vault| vault.calls.clone()).unwrap_or_default();
    require(calls.first() == Some(&"open"), format!("its first call is {:?}", calls.first()))
}

async fn newer(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let (old, new) = (key("ses_1", 3), key("ses_1", 4));
    done(&bridge.open(&old).await?)?;
    done(&bridge.open(&new).await?)?;
    let events = bridge.until_closed(&old, FIRST).await?;
    let is_due = matches!(events.last(), Some(Event::Closed { .. }));
    require(is_due, format!("{:?}", events.last()))?;
    bridge.event(&new, FIRST).await?;
    refused_with(&bridge.ask(Some(&old), Command::Ping).await?, ErrorCode::Fenced)?;
    refused_with(&bridge.open(&old).await?, ErrorCode::Fenced)
}

async fn fenced(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let key = key("ses_1", 1);
    bridge.vaults.entry("ses_1".to_owned()).or_default().fails = Some(VaultError::Fenced);
    done(&bridge.open(&key).await?)?;
    let events = bridge.until_closed(&key, FIRST).await?;
    let Some(Event::Closed { reason, .. }) = events.last() else { return Err("no close".to_owned()) };
    require(*reason == CloseReason::Fenced, format!("it closed with {reason:?}"))?;
    let calls = &bridge.vaults["ses_1"].calls;
    require(!calls.contains(&"commit") && !calls.contains(&"wipe"), format!("it called {calls:?}"))
}

async fn away(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let key = key("ses_1", 1);
    bridge.vaults.entry("ses_1".to_owned()).or_default().fails = Some(VaultError::Unavailable);
    done(&bridge.open(&key).await?)?;
    let early = bridge.event(&key, 3 * SECOND).await;
    require(early.is_err(), format!("it did not wait: {early:?}"))?;
    let asked = bridge.vaults["ses_1"].calls.len();
    require((2..200).contains(&asked), format!("it asked {asked} times in three seconds"))?;
    bridge.vaults.entry("ses_1".to_owned()).or_default().fails = None;
    let (_, event) = bridge.event(&key, FIRST).await?;
    let lost = matches!(event, Event::Closed { reason: CloseReason::VaultLost | CloseReason::Fenced, .. });
    require(!lost, "it gave up on a vault that came back")
}

async fn close(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let key = key("ses_1", 1);
    done(&bridge.open(&key).await?)?;
    done(&bridge.ask(Some(&key), Command::Close).await?)?;
    bridge.until_closed(&key, FIRST).await?;
    done(&bridge.ask(Some(&key), Command::Close).await?)?;
    let last = bridge.vaults["ses_1"].calls.last().copied();
    require(last == Some("close"), format!("the last call to its vault is {last:?}"))
}

async fn apart(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let (one, other) = (key("ses_1", 1), key("ses_2", 1));
    bridge.vaults.entry("ses_1".to_owned()).or_default().fails = Some(VaultError::Fenced);
    done(&bridge.open(&one).await?)?;
    done(&bridge.open(&other).await?)?;
    bridge.until_closed(&one, FIRST).await?;
    bridge.event(&other, FIRST).await.map(drop)
}

async fn drain(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    let key_1 = key("ses_1", 1);
    done(&bridge.open(&key_1).await?)?;
    done(&bridge.ask(None, Command::Drain).await?)?;
    bridge.until_closed(&key_1, FIRST).await?;
    refused_with(&bridge.open(&key("ses_2", 1)).await?, ErrorCode::Draining)
}

async fn shutdown(target: Target) -> Outcome {
    let mut bridge = target.welcome().await?;
    done(&bridge.ask(None, Command::Shutdown).await?)?;
    let status = bridge.exit(ENDS).await?;
    require(status.code() == Some(0), format!("it ended with {status}"))
}

/// A bridge with a session that is open.
async fn busy(target: &Target) -> Outcome<Bridge> {
    let mut bridge = target.welcome().await?;
    let key = key("ses_1", 1);
    done(&bridge.open(&key).await?)?;
    bridge.event(&key, FIRST).await?;
    Ok(bridge)
}

async fn hung_up(target: Target) -> Outcome {
    let mut bridge = busy(&target).await?;
    bridge.hang_up();
    bridge.exit(ENDS).await.map(drop)
}

async fn input_ended(target: Target) -> Outcome {
    let mut bridge = busy(&target).await?;
    bridge.end_input();
    bridge.exit(ENDS).await.map(drop)
}

async fn garbage(target: Target) -> Outcome {
    let mut bridge = busy(&target).await?;
    bridge.say_raw(b"this is no frame\n").await?;
    bridge.exit(ENDS).await.map(drop)
}

async fn sigterm(target: Target) -> Outcome {
    let mut bridge = busy(&target).await?;
    let pid = bridge.pid().ok_or("it has ended")?.to_string();
    let killed = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    require(killed.is_ok_and(|status| status.success()), "the signal could not be sent")?;
    require(bridge.exit(SECOND).await.is_err(), "it ended")?;
    let has = bridge.hello.capabilities.contains(&Capability::Text);
    let stats = bridge.ask(None, Command::Stats).await?;
    require(has && matches!(stats, ReplyOutcome::Ok(_)), "it does not serve any more")
}
