//! Sessions: made, watched, told what to do. What is wanted is written first and survives every crash; then the
//! supervisor hears of it.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::owned;
use crate::domain::id::SessionId;
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::session::{
    Desired, Engine, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
use crate::domain::tenant::TenantStanding;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, accepted, created, done, ok, to_the_end};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Need, Tenant};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::sample;
use crate::http::render::session::record;

const LABEL: usize = 128;
const METADATA_KEYS: usize = 50;
const METADATA_BYTES: usize = 4 * 1024;

/// The engines of API.md. A server has those that its settings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EngineName {
    #[default]
    Sandbox,
    Native,
    Baileys,
    Cloud,
}

/// The body of `POST /sessions`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// What its people call it.
    #[schemars(length(min = 1, max = LABEL))]
    label: String,
    /// `sandbox` if it is left out.
    #[serde(default)]
    engine: Option<EngineName>,
    /// Whatever you keep with it: at most 50 strings, 4 KiB in all.
    #[serde(default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    metadata: Option<Map<String, Value>>,
}

impl Form for NewSession {}

impl NewSession {
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(1..=LABEL).contains(&self.label.chars().count()) || self.label.contains('\0') {
            let detail = format!("1 to {LABEL} characters, none of them NUL");
            faults.push(Fault::new("/label", "out_of_range", detail));
        }
        let empty = Map::new();
        let metadata = self.metadata.as_ref().unwrap_or(&empty);
        if metadata.len() > METADATA_KEYS {
            faults.push(Fault::new("/metadata", "out_of_range", format!("at most {METADATA_KEYS} keys")));
        }
        let plain = |(key, value): (&String, &Value)| {
            !key.contains('\0') && value.as_str().is_some_and(|text| !text.contains('\0'))
        };
        if !metadata.iter().all(plain) {
            let detail = "every value is a string, and nothing in it is NUL";
            faults.push(Fault::new("/metadata", "not_allowed", detail));
        }
        if serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len()) > METADATA_BYTES {
            let detail = format!("at most {METADATA_BYTES} bytes as JSON");
            faults.push(Fault::new("/metadata", "out_of_range", detail));
        }
        faults
    }

    fn engine(&self, available: &[Engine]) -> Result<Engine, Refusal> {
        let engine = match self.engine.unwrap_or_default() {
            EngineName::Sandbox => Some(Engine::Sandbox),
            EngineName::Native => Some(Engine::Native),
            EngineName::Baileys => Some(Engine::Baileys),
            EngineName::Cloud => None,
        };
        engine.filter(|engine| available.contains(engine)).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(ToString::to_string).collect();
            Refusal::unsupported(format!("this server has no such engine; it has {}", names.join(", ")))
        })
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/sessions", create)
            .named("createSession", "Make a session")
            .about("It is `stopped`: start it, then pair it.")
            .asking(json!({"label": "Front desk", "metadata": {"branch": "berlin"}}))
            .answering(201, "The session.", &record(&sample::session(SessionStatus::Stopped), sample::NOW))
            .refusing(&[Code::InvalidRequest, Code::Unsupported, Code::Conflict, Code::NotFound]),
        operation::get("/v1/sessions", list).named("listSessions", "List sessions").answering(
            200,
            "One page.",
            &Listing::whole(vec![record(&sample::session(SessionStatus::Connected), sample::NOW)]),
        ),
        operation::get("/v1/sessions/{id}", self::get).named("getSession", "Get a session").answering(
            200,
            "The session.",
            &record(&sample::session(SessionStatus::Connected), sample::NOW),
        ),
        operation::delete("/v1/sessions/{id}", self::delete)
            .named("deleteSession", "Delete a session")
            .about("Its credentials are destroyed, and what waits is canceled.")
            .answering_nothing(204, "It is gone."),
        post("/v1/sessions/{id}/start", start)
            .named("startSession", "Start a session")
            .about("It runs from every start of the server on, until it is stopped. Legal in every state.")
            .answering(202, "It will run.", &record(&sample::session(SessionStatus::Starting), sample::NOW)),
        post("/v1/sessions/{id}/stop", stop)
            .named("stopSession", "Stop a session")
            .about("Its credentials stay, and what waits goes on waiting. Legal in every state.")
            .answering(202, "It will rest.", &record(&sample::session(SessionStatus::Stopped), sample::NOW)),
        post("/v1/sessions/{id}/restart", restart)
            .named("restartSession", "Restart a session")
            .about("With the same credentials. Legal in every state.")
            .answering(
                202,
                "It starts anew.",
                &record(&sample::session(SessionStatus::Starting), sample::NOW),
            ),
        post("/v1/sessions/{id}/logout", logout)
            .named("logOutSession", "Log a session out")
            .about(
                "It gives up its credentials; to use it again, start it and pair it. Legal in every state.",
            )
            .answering(202, "It logs out.", &record(&sample::session(SessionStatus::LoggedOut), sample::NOW)),
        operation::delete("/v1/sessions/{id}/queue", clear_queue)
            .named("clearQueue", "Take back all that waits")
            .answering(200, "How many were taken back.", &Canceled { canceled: 3 }),
    ]
}

/// `POST /sessions`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewSession>,
    tenant: Tenant<tenant::Configure>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    match body.faults() {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let engine = body.engine(&state.engines)?;
    tenant.principal().reach(engine)?;
    let snapshot = state.directory.snapshot();
    match snapshot.standing_of(tenant.id()) {
        TenantStanding::Active => {}
        TenantStanding::Grace => return Err(Refusal::no_new_sessions().into()),
        TenantStanding::Stopped => return Err(Refusal::payment_due().into()),
    }
    let caps = snapshot.caps_of(tenant.id()).ok_or_else(Refusal::not_found)?;
    let now = state.clock.wall();
    let session = fresh(&tenant, body, engine, now);
    let made = state.sessions.create(tenant.scope(), session, caps, idempotent.0).await?;
    let replayed = made.is_replayed();
    created(StatusCode::CREATED, replayed, record(&made.into_inner(), now))
}

fn fresh(tenant: &Tenant<tenant::Configure>, body: NewSession, engine: Engine, now: WallTime) -> Session {
    Session {
        id: SessionId::mint(now),
        tenant: tenant.id(),
        label: body.label,
        engine,
        metadata: body.metadata.unwrap_or_default(),
        desired: Desired::Stopped,
        status: SessionStatus::Stopped,
        reason: None,
        reason_code: None,
        since: now,
        paired: false,
        standing: Standing::default(),
        proxy: false,
        supervision: Supervision::default(),
        counters: SessionCounters::default(),
        created_at: now,
    }
}

/// `GET /sessions`.
pub async fn list(state: State, Query(page): Query<Page>, tenant: Tenant<tenant::Read>) -> Answer {
    let now = state.clock.wall();
    let slice = state.sessions.list(tenant.scope(), page).await?;
    ok(Listing::by_id(&slice, |session| session.id.uuid(), |session| record(session, now)))
}

/// `GET /sessions/{id}`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<SessionId>,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    ok(record(&session, state.clock.wall()))
}

/// `POST /sessions/{id}/start`.
pub async fn start(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
) -> Answer {
    want(state, tenant, id, Desired::Running).await
}

/// `POST /sessions/{id}/stop`.
pub async fn stop(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
) -> Answer {
    want(state, tenant, id, Desired::Stopped).await
}

/// `POST /sessions/{id}/logout`.
pub async fn logout(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Destroy>,
    Id(id): Id<SessionId>,
) -> Answer {
    want(state, tenant, id, Desired::LoggedOut).await
}

async fn want<N: Need>(state: State, tenant: Tenant<N>, id: SessionId, desired: Desired) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    to_the_end(async move {
        let session = state.sessions.set_desired(tenant.scope(), id, desired).await?;
        let session = session.ok_or_else(Refusal::not_found)?;
        state.supervisor.heed(&session).await?;
        accepted(record(&session, state.clock.wall()))
    })
    .await
}

/// `POST /sessions/{id}/restart`: a new incarnation with the same credentials.
pub async fn restart(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    to_the_end(async move {
        let session = state.sessions.set_desired(tenant.scope(), id, Desired::Running).await?;
        let session = session.ok_or_else(Refusal::not_found)?;
        state.supervisor.restart(&session).await?;
        accepted(record(&session, state.clock.wall()))
    })
    .await
}

/// `DELETE /sessions/{id}`. The row goes last: until then the call can be repeated, and no credentials are left behind.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Destroy>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    to_the_end(async move {
        let session = state.sessions.set_desired(tenant.scope(), id, Desired::Stopped).await?;
        let session = session.ok_or_else(Refusal::not_found)?;
        state.supervisor.remove(&session).await?;
        if !state.sessions.delete(tenant.scope(), id, state.clock.wall()).await? {
            return Err(Refusal::not_found().into());
        }
        // A start may have slipped in before the row was gone; now none can.
        state.supervisor.remove(&session).await?;
        done()
    })
    .await
}

#[derive(Serialize, JsonSchema)]
struct Canceled {
    /// How many messages were taken back.
    canceled: u64,
}

/// `DELETE /sessions/{id}/queue`.
pub async fn clear_queue(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<SessionId>,
) -> Answer {
    let canceled = state.messages.cancel_all(tenant.scope(), id, state.clock.wall()).await?;
    ok(Canceled { canceled })
}
