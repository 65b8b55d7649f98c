//! What speaks for sessions: the sandbox, and whichever bridges the settings name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Failure;
use crate::config::bridges::{BridgeOptions, BridgesOptions};
use crate::domain::id::SessionId;
use crate::domain::message::Draft;
use crate::domain::session::Engine;
use crate::domain::time::{Jitter, Reading};
use crate::ports::abilities::Abilities;
use crate::ports::clock::Clock;
use crate::ports::installation::EngineView;
use crate::ports::media::MediaFiles;
use crate::ports::transport::Transport;
use crate::ports::vault::Writer;
use crate::transport::absent::Absent;
use crate::transport::bridge::{self, BridgeTransport, Program};
use crate::transport::sandbox::SandboxTransport;

/// Version of the form of records that each bridge writes.
const VAULT_FORMAT: u32 = 1;

/// Every engine this server has.
#[derive(Clone)]
pub struct Engines {
    sandbox: Arc<SandboxTransport>,
    bridges: Vec<(Engine, Arc<BridgeTransport>)>,
}

impl Engines {
    /// Proves dead what an earlier server left, whatever the settings name now, then gets the bridges ready. No process
    /// starts before a session opens.
    pub fn open(
        options: &BridgesOptions,
        data: &Path,
        sandbox: Arc<SandboxTransport>,
        files: &Arc<dyn MediaFiles>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let folder = data.join("bridges");
        let ghosts = bridge::lay(&folder.join("records"))
            .map_err(|error| Failure::Unavailable(format!("cannot start beside earlier bridges: {error}")))?;
        if ghosts > 0 {
            tracing::warn!(ghosts, "bridges of an earlier server were still there and were ended");
        }
        let mut bridges = vec![];
        for (engine, options) in [(Engine::Native, &options.native), (Engine::Baileys, &options.baileys)] {
            if options.is_set() {
                if options.endpoint.is_empty() {
                    tracing::warn!(
                        %engine,
                        "this engine speaks to WhatsApp itself, as an unofficial client: numbers can be restricted or banned at any \
                         time; its bridge has been tried against a test server only"
                    );
                }
                bridges.push((engine, start(engine, options, &folder, files, clock)?));
            }
        }
        Ok(Self { sandbox, bridges })
    }

    /// Names of what sessions can be made for.
    pub fn available(&self) -> Vec<Engine> {
        std::iter::once(Engine::Sandbox).chain(self.bridges.iter().map(|(engine, _)| *engine)).collect()
    }

    /// What an operator sees of each at `at`.
    pub fn views(&self, at: Reading) -> Vec<EngineView> {
        let sandbox = EngineView {
            engine: Engine::Sandbox,
            release: SandboxTransport::writer().version,
            experimental: false,
            checksum: None,
            capabilities: None,
            shards: None,
        };
        let bridges = self.bridges.iter().map(|(engine, bridge)| EngineView {
            engine: *engine,
            release: bridge.writer().version,
            experimental: *engine == Engine::Baileys,
            checksum: Some(bridge.checksum()),
            capabilities: bridge.capabilities(),
            shards: Some(bridge.shards(at)),
        });
        std::iter::once(sandbox).chain(bridges).collect()
    }

    /// What speaks for sessions of an engine, and how it signs their vaults.
    pub fn of(&self, engine: Engine) -> (Arc<dyn Transport>, Writer) {
        if engine == Engine::Sandbox {
            return (Arc::clone(&self.sandbox) as _, SandboxTransport::writer());
        }
        match self.bridges.iter().find(|(known, _)| *known == engine) {
            Some((_, bridge)) => (Arc::clone(bridge) as _, bridge.writer()),
            // It writes nothing, so nobody reads the version.
            None => (Arc::new(Absent), writer(engine, "absent")),
        }
    }

    /// Ends every bridge in good order.
    pub async fn close(&self) {
        for (_, bridge) in &self.bridges {
            bridge.close().await;
        }
    }
}

impl Abilities for Engines {
    fn sends(&self, session: SessionId, draft: &Draft) -> Option<bool> {
        self.bridges.iter().find_map(|(_, bridge)| bridge.sends(session, draft))
    }
}

fn writer(engine: Engine, version: &str) -> Writer {
    Writer { engine: engine.to_string(), version: version.to_owned(), format: VAULT_FORMAT }
}

fn start(
    engine: Engine,
    options: &BridgeOptions,
    folder: &Path,
    files: &Arc<dyn MediaFiles>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<BridgeTransport>, Failure> {
    let script = (!options.script.is_empty()).then(|| options.script.clone());
    let pinned = script.iter().map(|path| (PathBuf::from(path), options.script_sha256.clone()));
    let program = Program {
        path: PathBuf::from(&options.path),
        sha256: options.sha256.clone(),
        pinned: pinned.collect::<BTreeMap<_, _>>(),
        args: script.into_iter().collect(),
    };
    let options = bridge::BridgeOptions {
        program,
        writer: writer(engine, &options.version),
        shard_size: options.sessions_per_process,
        endpoint: (!options.endpoint.is_empty()).then(|| options.endpoint.clone()),
        runtime: folder.join("run"),
        records: folder.join("records"),
    };
    let draw = || Jitter::from_bits(rand::random());
    BridgeTransport::start(options, Arc::clone(files), Arc::clone(clock), draw)
        .map_err(|error| Failure::Usage(format!("key `bridges.{engine}.path`: {error}")))
}
