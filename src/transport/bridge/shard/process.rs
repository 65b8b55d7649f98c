//! A process that was started, and what leads to it.

use columba_bridge_protocol::Down;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::pipes::Connection;
use crate::meters;

/// A process that was started.
pub struct Process {
    /// Its number at the system, which is also that of its group.
    pub pid: u32,
    /// What its hello has to bring back.
    pub token: String,
    /// Its end is the supervisor's end.
    pub stdin: Option<ChildStdin>,
    /// Frames to it, once its hello was good.
    pub out: Option<mpsc::Sender<Down>>,
    /// Between its hello and the answer to it.
    pub connection: Option<Box<Connection>>,
    /// What reads and writes for it.
    pub tasks: Vec<JoinHandle<()>>,
    /// Whether it is gone.
    pub exited: bool,
    /// What is shown of it while it serves.
    pub shown: Option<meters::Bridge>,
}

impl Process {
    /// Closes all that leads to it.
    pub fn cut(&mut self) {
        self.shown = None;
        self.stdin = None;
        self.out = None;
        self.connection = None;
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}
