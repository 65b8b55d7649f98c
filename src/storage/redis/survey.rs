//! How a server stands, read from what `INFO` says: managed ones forbid `CONFIG`.

use std::time::Duration;

/// How a server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// `7.0.15`.
    pub version: String,
    /// What it does when its memory is full.
    pub policy: String,
    /// Whether it writes every change to a file; what is lost without it is rebuilt.
    pub appends: bool,
    /// How long one command takes, if that was measured.
    pub latency: Option<Duration>,
}

/// The oldest major version: `SET` with `XX`, `GET` and `KEEPTTL`, and scripts that may ask the server how it stands.
const OLDEST: u32 = 7;

impl Survey {
    /// Reads the answer to `INFO`.
    pub fn read(info: &str) -> Self {
        let value = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        Self {
            version: value("redis_version"),
            policy: value("maxmemory_policy"),
            appends: value("aof_enabled") == "1",
            latency: None,
        }
    }

    /// Why it cannot be used, and what to do about that.
    pub fn objection(&self) -> Option<String> {
        let major = self.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < OLDEST) {
            return Some(format!("its version is {:?}; {OLDEST}.0 or newer is needed", self.version));
        }
        if self.policy != "noeviction" {
            return Some(format!(
                "its maxmemory-policy is {:?}, by which it drops keys that are in use; set it to noeviction",
                self.policy
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str =
        "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";

    #[test]
    fn a_server_that_is_old_or_evicts_is_objected_to_with_what_to_do() {
        let good = Survey::read(INFO);
        assert_eq!((good.version.as_str(), good.appends, good.objection()), ("7.0.15", true, None));
        for (from, to, words) in [
            ("7.0.15", "6.2.1", "7.0 or newer"),
            ("redis_version", "other", "7.0 or newer"),
            ("noeviction", "allkeys-lru", "set it to noeviction"),
        ] {
            let objection = Survey::read(&INFO.replace(from, to)).objection().expect("unfit");
            assert!(objection.contains(words), "{objection}");
        }
    }
}
