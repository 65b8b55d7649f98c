//! The sandbox network as a process of its own: it outlives the servers that speak to it.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Child;

use super::server::{assert_nothing_personal, columba, listening};

/// A network under test. One that is dropped is killed.
pub struct Network {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    folder: TempDir,
}

impl Network {
    /// A new network that acks after this long.
    pub async fn start(ack: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, url) = Self::serve(&folder, "127.0.0.1:0", ack).await;
        Self { child, url, folder }
    }

    async fn serve(folder: &TempDir, listen: &str, ack: Duration) -> (Child, String) {
        let (log, data) = (Self::log(folder), folder.path().join("network"));
        let arguments = ["sandbox-net", "--data", data.to_str().unwrap(), "--listen", listen];
        let ack = ack.as_millis().to_string();
        let mut child = columba(&arguments, &[("COLUMBA__SANDBOX__ACK_MS", &ack)], &log);
        let url = listening(&mut child, &log).await;
        (child, url)
    }

    fn log(folder: &TempDir) -> PathBuf {
        folder.path().join("network.log")
    }

    /// Where it keeps its journal.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("network")
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Brings it back where it was, with what it had written down.
    pub async fn revive(&mut self, ack: Duration) {
        let listen = self.url.strip_prefix("http://").unwrap().to_owned();
        (self.child, _) = Self::serve(&self.folder, &listen, ack).await;
    }

    /// Fails if anything personal was logged.
    pub fn finish(self) {
        assert_nothing_personal(&std::fs::read_to_string(Self::log(&self.folder)).unwrap());
    }
}
