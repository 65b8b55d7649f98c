//! The connection to the supervisor: frames out, and answers to questions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use columba_bridge_protocol::{MAX_FRAME, SessionKey, Up, VaultCall, VaultOutcome};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{mpsc, oneshot};

/// The way to the supervisor.
pub struct Wire {
    out: mpsc::Sender<Up>,
    asked: Mutex<HashMap<u64, oneshot::Sender<VaultOutcome>>>,
    last: AtomicU64,
}

impl Wire {
    /// Speaks into `out`.
    pub fn new(out: mpsc::Sender<Up>) -> Self {
        Self { out, asked: Mutex::default(), last: AtomicU64::new(0) }
    }

    /// Says something, in order; waits while the socket does.
    pub async fn say(&self, frame: Up) {
        // Without a reader the process ends within moments.
        let _ = self.out.send(frame).await;
    }

    /// A question to a session's vault. Never answers once the connection is gone: the process ends then.
    pub async fn ask(&self, session: &SessionKey, call: VaultCall) -> VaultOutcome {
        let (answer, answered) = oneshot::channel();
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer);
        self.say(Up::Vault { id, session: session.clone(), call }).await;
        match answered.await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }

    /// An answer came.
    pub fn answered(&self, id: u64, outcome: VaultOutcome) {
        let waiting = self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(outcome);
        }
    }
}

/// Lines of a stream.
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    searched: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads from here.
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![], searched: 0 }
    }

    /// The next line; `None` at the end, and when it is longer than a frame may be.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let found = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n');
            if let Some(at) = found.map(|at| self.searched + at) {
                let rest = self.buffer.split_off(at + 1);
                self.searched = 0;
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_FRAME {
                return None;
            }
            self.buffer.reserve(16 * 1024);
            if self.from.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}
