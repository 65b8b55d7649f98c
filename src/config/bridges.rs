//! Section `bridges`: engines that are processes.

use serde::Deserialize;

/// Most sessions on one process: what one death takes with it.
const SESSIONS: std::ops::RangeInclusive<usize> = 1..=250;

/// Section `bridges`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgesOptions {
    /// whatsapp-rust.
    pub native: BridgeOptions,
    /// Baileys.
    pub baileys: BridgeOptions,
}

/// One engine's program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeOptions {
    /// The program; empty when this server does not have the engine.
    pub path: String,
    /// SHA-256 of the program's file, 64 hex digits.
    pub sha256: String,
    /// What the program runs, if it is an interpreter; empty when it is not.
    pub script: String,
    /// SHA-256 of the script.
    pub script_sha256: String,
    /// The exact version of the library that its hello has to name.
    pub version: String,
    /// Most sessions on one process.
    pub sessions_per_process: usize,
    /// Address of a test server; empty is WhatsApp itself.
    pub endpoint: String,
}

impl BridgesOptions {
    /// What types cannot say: the key, what was given, what is allowed.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        self.native.check(&NATIVE)?;
        self.baileys.check(&BAILEYS)
    }
}

/// Names of an engine's keys.
struct Keys {
    path: &'static str,
    sha256: &'static str,
    script_sha256: &'static str,
    version: &'static str,
    sessions: &'static str,
    endpoint: &'static str,
}

macro_rules! keys {
    ($engine:literal) => {
        Keys {
            path: concat!("bridges.", $engine, ".path"),
            sha256: concat!("bridges.", $engine, ".sha256"),
            script_sha256: concat!("bridges.", $engine, ".script_sha256"),
            version: concat!("bridges.", $engine, ".version"),
            sessions: concat!("bridges.", $engine, ".sessions_per_process"),
            endpoint: concat!("bridges.", $engine, ".endpoint"),
        }
    };
}

const NATIVE: Keys = keys!("native");
const BAILEYS: Keys = keys!("baileys");

impl BridgeOptions {
    /// Whether this server has the engine.
    pub fn is_set(&self) -> bool {
        !self.path.is_empty()
    }

    fn check(&self, keys: &Keys) -> Result<(), (&'static str, String)> {
        if !SESSIONS.contains(&self.sessions_per_process) {
            return Err((keys.sessions, format!("{} is not between 1 and 250", self.sessions_per_process)));
        }
        if !self.is_set() {
            return Ok(());
        }
        if !self.path.starts_with('/') {
            return Err((
                keys.path,
                format!("`{}` is no absolute path; give one, so that it is always the same file", self.path),
            ));
        }
        let is_digest = |text: &str| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let advice = "64 lower-case hex digits, as sha256sum prints them";
        if !is_digest(&self.sha256) {
            return Err((keys.sha256, format!("`{}` is no checksum; give {advice}", self.sha256)));
        }
        if !self.script.is_empty() && !is_digest(&self.script_sha256) {
            return Err((
                keys.script_sha256,
                format!("`{}` is no checksum; give {advice}", self.script_sha256),
            ));
        }
        if self.version.is_empty() {
            return Err((
                keys.version,
                "is empty; give the version that the bridge's hello names, such as 0.7.0".to_owned(),
            ));
        }
        self.check_endpoint(keys)
    }

    fn check_endpoint(&self, keys: &Keys) -> Result<(), (&'static str, String)> {
        let endpoint = &self.endpoint;
        if endpoint.is_empty() {
            return Ok(());
        }
        if !endpoint.starts_with("ws://") && !endpoint.starts_with("wss://") {
            let problem = format!(
                "`{endpoint}` is no ws:// or wss:// address of a test server; leave it empty for WhatsApp itself"
            );
            return Err((keys.endpoint, problem));
        }
        Ok(())
    }
}
