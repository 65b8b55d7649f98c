//! The server itself: whether it is ready, what it runs on, how it was set, and its backups.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::audit::{Act, Action};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, ok, to_the_end};
use crate::http::extract::State;
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::query::{Nothing, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::ports::installation::{BackupError, BackupView, SettingView, StoreView};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "System")]
struct SystemRecord {
    /// What the program is.
    version: &'static str,
    /// When this process began.
    started_at: WallTime,
    /// How long ago that is, in seconds.
    uptime_s: u64,
    /// Whether more work should come here.
    ready: bool,
    /// Every check: `ok`, `failing`, or `degraded` for a part that is away and can be done without.
    checks: BTreeMap<&'static str, &'static str>,
    /// Where the rows are; null while they do not answer.
    store: Option<StoreView>,
    /// Which of several processes this is; null, since one process runs the sessions.
    node: Option<String>,
    /// Engines that sessions can be made for.
    engines: Vec<crate::domain::session::Engine>,
    /// Every setting with its source, by name. Of secrets only whether they are set.
    config: Vec<SettingView>,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let store = StoreView {
        backend: "sqlite",
        place: "/var/lib/columba/columba.db".to_owned(),
        bytes: Some(73_400_320),
        schema: "m20261201_000012_seats".to_owned(),
        free_bytes: Some(41_875_931_136),
    };
    let setting = SettingView {
        key: "http.listen".to_owned(),
        value: "127.0.0.1:8080".into(),
        source: "default".to_owned(),
    };
    let system = SystemRecord {
        version: env!("CARGO_PKG_VERSION"),
        started_at: sample::NOW,
        uptime_s: 86_400,
        ready: true,
        checks: BTreeMap::from([("accepting", "ok")]),
        store: Some(store),
        node: None,
        engines: vec![crate::domain::session::Engine::Sandbox],
        config: vec![setting],
    };
    let backup = || BackupView {
        path: "/var/lib/columba/backups/columba-20261122T100000000Z.db".to_owned(),
        bytes: 73_400_320,
        at: sample::NOW,
    };
    vec![
        get("/v1/admin/system", get_one)
            .named("getSystem", "The server itself")
            .answering(200, "As it is now.", &system),
        get("/v1/admin/backups", backups)
            .named("listBackups", "List backups in the data directory")
            .answering(200, "All of them, newest first.", &Listing::whole(vec![backup()])),
        post("/v1/admin/backups", back_up)
            .named("createBackup", "Make a backup of the store")
            .about(
                "Into `backups` in the data directory, while everything goes on; it is checked before this answers. Auth state \
                 and files of messages are not in it. Keep it elsewhere.",
            )
            .answering(201, "It is there.", &backup())
            .refusing(&[Code::Conflict]),
    ]
}

/// `GET /system`.
pub async fn get_one(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    let now = state.clock.wall();
    let report = state.gate.report();
    let needed = report.iter().map(|&(check, passes)| (check, if passes { "ok" } else { "failing" }));
    let spares = state.gate.spares();
    let spares = spares.iter().map(|&(part, is_there)| (part, if is_there { "ok" } else { "degraded" }));
    let store = state.installation.store().await;
    if let Err(error) = &store {
        tracing::warn!(error, "the store cannot be looked at");
    }
    let started_at = state.installation.started_at();
    ok(SystemRecord {
        version: env!("CARGO_PKG_VERSION"),
        started_at,
        uptime_s: now.since(started_at).as_secs(),
        ready: report.iter().all(|&(_, passes)| passes),
        checks: needed.chain(spares).collect(),
        store: store.ok(),
        node: None,
        engines: state.engines.to_vec(),
        config: state.installation.settings(),
    })
}

/// `GET /backups`.
pub async fn backups(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    ok(Listing::whole(state.installation.backups().await.map_err(problem)?))
}

/// `POST /backups`. Once begun it is ended, also if nobody waits for the answer.
pub async fn back_up(state: State, _: Query<Nothing>, operator: Operator<may::ManageSystem>) -> Answer {
    to_the_end(async move {
        let made = state.installation.back_up().await.map_err(problem)?;
        let act = Act::new(Action::StoreBackup, "store", made.at.utc().to_rfc3339());
        state.audit.record(operator.actor().clone(), act.after(&made)).await?;
        created(StatusCode::CREATED, false, made)
    })
    .await
}

fn problem(error: BackupError) -> Problem {
    match error {
        BackupError::Busy => Refusal::conflict("a backup is being made already; wait for it").into(),
        BackupError::Failed(error) => {
            tracing::error!(error, "a backup failed");
            Refusal::unavailable("the backup failed; the server's log says why").into()
        }
    }
}
