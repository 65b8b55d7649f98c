//! How a bridge starts.

use serde::{Deserialize, Deserializer, Serialize};

use crate::capability::Capability;

/// The one line a bridge reads from its standard input before anything else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The newest version the supervisor speaks.
    pub protocol: u32,
    /// Path of the unix socket to connect to.
    pub socket: String,
    /// Shows that it is this spawn that connects; to be said in the hello. Hidden by `Debug`.
    pub token: String,
    /// The supervisor's process. A bridge that is not its child (any more) ends.
    pub supervisor: u32,
}

impl std::fmt::Debug for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Boot {{ protocol: {}, socket: {}, token: … }}", self.protocol, self.socket)
    }
}

/// A bridge's first frame.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version it speaks, at most the one in [`Boot`].
    pub protocol: u32,
    /// As in [`Boot`].
    pub token: String,
    /// Its process.
    pub pid: u32,
    /// The engine's name: `native`, `baileys`, or a third one's.
    pub engine: String,
    /// The exact version of the library behind it.
    pub version: String,
    /// What was built: a commit, or a package's version.
    pub build: String,
    /// Version of the form of its records in the vault.
    pub vault_format: u32,
    /// What it can do; words this version does not know are left out when read.
    #[serde(deserialize_with = "known")]
    pub capabilities: Vec<Capability>,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("protocol", &self.protocol)
            .field("pid", &self.pid)
            .field("engine", &self.engine)
            .field("version", &self.version)
            .field("build", &self.build)
            .field("vault_format", &self.vault_format)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Capability>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    Ok(words.iter().filter_map(|word| word.parse().ok()).collect())
}

/// The supervisor's answer to a hello it likes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version that is spoken from here on.
    pub protocol: u32,
    /// Milliseconds between heartbeats.
    pub heartbeat_ms: u32,
    /// Unconfirmed events a session may have.
    pub window: u32,
    /// A folder for bodies of media, readable and writable by both, private to this bridge. It exists.
    pub media: String,
}

/// Why the supervisor closes the connection instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// Not a version the supervisor speaks.
    Protocol {
        /// The oldest it speaks.
        oldest: u32,
        /// The newest it speaks.
        newest: u32,
    },
    /// The token is not that of this spawn.
    Token,
    /// Not the process that was spawned.
    Process,
    /// Not the engine that was to be started.
    Engine {
        /// What was.
        expected: String,
    },
    /// Not the version that was to be started.
    Version {
        /// What was.
        expected: String,
    },
    /// Its records in the vault have a form the supervisor does not keep for this engine.
    VaultFormat {
        /// The one it keeps.
        expected: u32,
    },
    /// It says `testbed`, and this is no test.
    Testbed,
    /// What came was no hello.
    NoHello,
}
