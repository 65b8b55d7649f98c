//! Scripts that run within Redis, each as one step that nobody sees half done.

use std::sync::LazyLock;

use deadpool_redis::redis::{Cmd, Script as Hashed};

/// A script: sent by its hash, and in full to a server that does not know it.
pub struct Script {
    text: &'static str,
    hash: LazyLock<String>,
}

impl Script {
    /// A script of ours.
    pub const fn new(text: &'static str, hash: fn() -> String) -> Self {
        Self { text, hash: LazyLock::new(hash) }
    }

    /// Runs what the server remembers.
    pub fn by_hash(&self, call: &Call) -> Cmd {
        call.with("EVALSHA", &self.hash)
    }

    /// Runs this text, which the server then remembers.
    pub fn in_full(&self, call: &Call) -> Cmd {
        call.with("EVAL", self.text)
    }
}

/// What a server calls the script `text`.
pub fn hash(text: &str) -> String {
    Hashed::new(text).get_hash().to_owned()
}

/// Makes a [`Script`] of Lua files, one after the other.
macro_rules! script {
    ($($file:literal),+) => {{
        const TEXT: &str = concat!($(include_str!($file)),+);
        $crate::storage::redis::script::Script::new(TEXT, || $crate::storage::redis::script::hash(TEXT))
    }};
}
pub(super) use script;

/// What a script is called with.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Keys, all of one shard.
    pub keys: Vec<String>,
    /// Everything else.
    pub values: Vec<String>,
}

impl Call {
    fn with(&self, verb: &str, script: &str) -> Cmd {
        let mut command = Cmd::new();
        command.arg(verb).arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.values);
        command
    }
}
