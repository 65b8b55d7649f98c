//! What goes on between a shard and its process: the one connection, read and written, its complaints and its end.

use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStderr};
use tokio::sync::mpsc;
use wire::{Down, Hello, SessionKey, Up};

use super::machine::Breach;
use crate::transport::bridge::lines::{End, Lines};
use crate::transport::bridge::program;

/// A bridge that takes nothing for so long does not read.
const WRITE: Duration = Duration::from_secs(30);
/// Characters of a line of a bridge's standard error.
const COMPLAINT: usize = 400;

/// What comes from a process. The number tells processes of a shard apart: a late word of one that is gone is ignored.
pub enum Word {
    /// A frame.
    Frame(Box<Up>),
    /// It connected and said hello.
    Connected(Box<Connection>, Hello),
    /// It broke the rules.
    Broke(Breach),
    /// It is gone.
    Exited(String),
    /// It answered that this session is closed.
    Closed(SessionKey),
}

/// The one connection of a process.
pub struct Connection {
    /// Frames from it.
    pub lines: Lines<OwnedReadHalf>,
    /// Frames to it.
    pub write: OwnedWriteHalf,
}

/// Reports the end of the process.
pub async fn await_exit(mut child: Child, words: mpsc::Sender<(u64, Word)>, number: u64) {
    let status = program::told(child.wait().await);
    let _ = words.send((number, Word::Exited(status))).await;
}

/// The first connection's first frame has to be the hello; there is no second connection.
pub async fn accept(listener: UnixListener, words: mpsc::Sender<(u64, Word)>, number: u64) {
    let word = match listener.accept().await {
        Ok((stream, _)) => greet(stream).await,
        Err(error) => Word::Broke(Breach::Garbage(error.to_string())),
    };
    drop(listener);
    let _ = words.send((number, word)).await;
}

async fn greet(stream: UnixStream) -> Word {
    let (read, write) = stream.into_split();
    let mut lines = Lines::new(read);
    match lines.next().await {
        Ok(line) => match wire::decode(&line) {
            Ok(Up::Hello(hello)) => Word::Connected(Box::new(Connection { lines, write }), hello),
            Ok(_) => Word::Broke(Breach::Garbage("not a hello".to_owned())),
            Err(error) => Word::Broke(Breach::Garbage(error.to_string())),
        },
        Err(end) => Word::Broke(ended(end)),
    }
}

/// Reads frames to the end.
pub async fn read(mut lines: Lines<OwnedReadHalf>, words: mpsc::Sender<(u64, Word)>, number: u64) {
    loop {
        let word = match lines.next().await {
            Ok(line) => match wire::decode(&line) {
                Ok(frame) => Word::Frame(Box::new(frame)),
                Err(error) => Word::Broke(Breach::Garbage(error.to_string())),
            },
            Err(end) => Word::Broke(ended(end)),
        };
        let is_end = matches!(word, Word::Broke(_));
        if words.send((number, word)).await.is_err() || is_end {
            return;
        }
    }
}

fn ended(end: End) -> Breach {
    match end {
        End::Closed => Breach::Cut,
        End::TooLong => Breach::Garbage("a frame longer than allowed".to_owned()),
    }
}

/// Writes frames to the end.
pub async fn write(
    mut to: OwnedWriteHalf,
    mut frames: mpsc::Receiver<Down>,
    words: mpsc::Sender<(u64, Word)>,
    number: u64,
) {
    while let Some(frame) = frames.recv().await {
        let written = match wire::encode(&frame) {
            Ok(line) => tokio::time::timeout(WRITE, to.write_all(&line)).await,
            Err(error) => {
                tracing::error!(%error, "a frame was not sent");
                continue;
            }
        };
        let breach = match written {
            Ok(Ok(())) => continue,
            Ok(Err(_)) => Breach::Cut,
            Err(_) => Breach::Stalled,
        };
        let _ = words.send((number, Word::Broke(breach))).await;
        return;
    }
}

/// A bridge's standard error, a line at a time and cut: it must neither fill the log nor block for being unread.
pub async fn complaints(stderr: ChildStderr, shard: String) {
    let mut from = BufReader::new(stderr);
    let mut line = vec![];
    loop {
        line.clear();
        let mut part = (&mut from).take(COMPLAINT as u64);
        match part.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                tracing::debug!(shard, "{}", text.trim_end().escape_debug());
            }
        }
    }
}
