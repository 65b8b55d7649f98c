//! What sessions run on: engines, their releases, and the processes of those that have some.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::scope::SystemScope;
use crate::domain::session::Engine;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Nothing, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::ports::installation::{EngineView, ShardView};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Transport")]
struct TransportRecord {
    engine: Engine,
    /// Its exact version.
    release: String,
    /// Whether it is not recommended for what matters.
    experimental: bool,
    /// SHA-256 of its program; null for one that is a part of the server.
    checksum: Option<String>,
    /// `in_process`; `idle`: nobody needs it; `up`; `degraded`: some of its processes are down; `down`: all are.
    state: &'static str,
    /// Sessions that were made for it.
    sessions: u64,
    /// Its processes.
    shards: Vec<ShardView>,
    /// What it can do, as its last process said; none before the first.
    capabilities: Vec<String>,
    /// What linking a number to it risks.
    warning: Option<&'static str>,
}

fn record(view: EngineView, sessions: &BTreeMap<Engine, u64>) -> TransportRecord {
    TransportRecord {
        engine: view.engine,
        release: view.release,
        experimental: view.experimental,
        checksum: view.checksum,
        state: state_of(view.shards.as_deref()),
        sessions: sessions.get(&view.engine).copied().unwrap_or_default(),
        shards: view.shards.unwrap_or_default(),
        capabilities: view.capabilities.unwrap_or_default(),
        warning: view.engine.warning(),
    }
}

fn state_of(shards: Option<&[ShardView]>) -> &'static str {
    let Some(shards) = shards else { return "in_process" };
    let wanted = shards.iter().filter(|shard| shard.state != "idle").count();
    let down = shards.iter().filter(|shard| shard.state == "down").count();
    match (wanted, down) {
        (0, _) => "idle",
        (_, 0) => "up",
        (wanted, down) if wanted == down => "down",
        _ => "degraded",
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let shard = ShardView {
        id: "native-0".to_owned(),
        state: "up",
        sessions: 118,
        since: Some(crate::http::openapi::sample::NOW),
        restarts: 0,
        last_beat_ms: Some(1_204),
        resident_bytes: Some(91_226_112),
    };
    let shown = EngineView {
        engine: Engine::Native,
        release: "0.7.0".to_owned(),
        experimental: false,
        checksum: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
        capabilities: Some(vec!["pair_code".to_owned()]),
        shards: Some(vec![shard]),
    };
    let sessions = BTreeMap::from([(Engine::Native, 118)]);
    vec![get("/v1/admin/transports", list).named("listTransports", "List what sessions run on").answering(
        200,
        "Every engine of this server.",
        &Listing::whole(vec![record(shown, &sessions)]),
    )]
}

/// `GET /transports`.
pub async fn list(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    let sessions = state.lookout.engines(SystemScope).await?;
    let views = state.installation.engines().into_iter();
    ok(Listing::whole(views.map(|view| record(view, &sessions)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_as_well_as_its_processes() {
        let shards = |states: &[&'static str]| {
            let shard = |&state: &&'static str| ShardView {
                id: String::new(),
                state,
                sessions: 0,
                since: None,
                restarts: 0,
                last_beat_ms: None,
                resident_bytes: None,
            };
            states.iter().map(shard).collect::<Vec<_>>()
        };
        assert_eq!(state_of(None), "in_process");
        for (states, expected) in [
            (&[][..], "idle"),
            (&["idle", "idle"], "idle"),
            (&["idle", "up"], "up"),
            (&["starting"], "up"),
            (&["up", "down"], "degraded"),
            (&["down", "idle"], "down"),
        ] {
            assert_eq!(state_of(Some(&shards(states))), expected, "{states:?}");
        }
    }
}
