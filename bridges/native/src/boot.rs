//! From the boot line to the end. This process must not outlive its supervisor by a second.

use std::io::{BufRead as _, Read as _};
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::time::Duration;

use columba_bridge_protocol as wire;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use wire::{Boot, Capability, Down, Hello, Up};

use crate::bridge::Bridge;
use crate::wire::{Lines, Wire};
use crate::{LIBRARY, VAULT_FORMAT};

/// The boot line or the supervisor's answer cannot be used.
const USAGE: i32 = 64;
/// Frames that wait for the socket.
const OUTGOING: usize = 1024;

/// What this engine can do.
fn capabilities() -> Vec<Capability> {
    use Capability as C;
    let mut all = vec![
        C::PairQr,
        C::PairCode,
        C::Passkey,
        C::HoldInbound,
        C::CallerIds,
        C::Text,
        C::Media,
        C::Reaction,
        C::Edit,
        C::Revoke,
        C::Reply,
        C::Poll,
        C::Location,
        C::Contacts,
        C::MarkRead,
        C::Typing,
        C::CheckNumber,
        C::Groups,
        C::ContactList,
        C::Restriction,
        C::Proxy,
        C::Endpoint,
    ];
    if cfg!(feature = "testbed") {
        all.push(C::Testbed);
    }
    all
}

pub fn main() -> ExitCode {
    let Some(boot) = boot() else { return ExitCode::from(USAGE as u8) };
    // Set before looking: a supervisor that died in between is seen by the look.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(boot.supervisor) {
        return ExitCode::SUCCESS;
    }
    std::thread::spawn(lifeline);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    let code = runtime.block_on(serve(boot));
    // Not a return: sessions are cut off, and nothing more is written.
    exit(code)
}

fn boot() -> Option<Boot> {
    let mut line = vec![];
    let mut stdin = std::io::stdin().lock();
    (&mut stdin).take(64 * 1024).read_until(b'\n', &mut line).ok()?;
    wire::decode(&line).ok()
}

/// The end of standard input is the supervisor's end. A thread of its own: it must see that also when the loop is stuck.
fn lifeline() {
    let mut rest = [0; 4096];
    while !matches!(std::io::stdin().lock().read(&mut rest), Ok(0) | Err(_)) {}
    exit(0)
}

async fn serve(boot: Boot) -> i32 {
    // Heard and not heeded: the supervisor says what is to be done.
    let _heard = signal(SignalKind::terminate());
    let Ok(stream) = UnixStream::connect(&boot.socket).await else { return USAGE };
    let (read, mut write) = stream.into_split();
    let mut lines = Lines::new(read);
    let hello = Hello {
        protocol: wire::PROTOCOL,
        token: boot.token,
        pid: std::process::id(),
        engine: "native".to_owned(),
        version: LIBRARY.to_owned(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
        vault_format: VAULT_FORMAT,
        capabilities: capabilities(),
    };
    let Ok(line) = wire::encode(&Up::Hello(hello)) else { return USAGE };
    if write.write_all(&line).await.is_err() {
        return 0;
    }
    let welcome = match lines.next().await.as_deref().map(wire::decode) {
        Some(Ok(Down::Welcome(welcome))) => welcome,
        Some(_) => return USAGE,
        None => return 0,
    };
    let (out, frames) = mpsc::channel(OUTGOING);
    tokio::spawn(write_frames(write, frames));
    let wire = Arc::new(Wire::new(out));
    let bridge = Arc::new(Bridge::new(Arc::clone(&wire), welcome.media.into(), welcome.window));
    tokio::spawn(beat(Arc::clone(&bridge), wire, Duration::from_millis(welcome.heartbeat_ms.into())));
    while let Some(line) = lines.next().await {
        match wire::decode(&line) {
            Ok(frame) => {
                if bridge.hear(frame).await {
                    // The answer to `shutdown` is on its way; it has a moment to leave.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    return 0;
                }
            }
            // It cannot be read: nothing after it can be trusted either.
            Err(error) => {
                eprintln!("the supervisor sent {error}");
                return USAGE;
            }
        }
    }
    0
}

async fn write_frames(mut write: tokio::net::unix::OwnedWriteHalf, mut frames: mpsc::Receiver<Up>) {
    while let Some(frame) = frames.recv().await {
        match wire::encode(&frame) {
            Ok(line) => {
                if write.write_all(&line).await.is_err() {
                    exit(0);
                }
            }
            Err(error) => eprintln!("a frame was not sent: {error}"),
        }
    }
}

/// From the loop that does the work, so that a bridge that is stuck does not beat.
async fn beat(bridge: Arc<Bridge>, wire: Arc<Wire>, every: Duration) {
    let mut due = tokio::time::Instant::now();
    loop {
        let lag = due.elapsed();
        let heartbeat =
            wire::Heartbeat { rss_kib: rss_kib(), lag_ms: lag.as_millis() as u32, sessions: bridge.states() };
        wire.say(Up::Heartbeat(heartbeat)).await;
        due = tokio::time::Instant::now() + every;
        tokio::time::sleep_until(due).await;
    }
}

fn rss_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64 / 1024
}
