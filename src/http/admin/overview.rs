//! The whole at one glance: is the fleet well, and if not, what is wrong, whom it hurts, and what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use schemars::JsonSchema;
use serde::Serialize;
use strum::IntoEnumIterator as _;
use tokio::sync::Mutex;

use crate::domain::id::{SessionId, TenantId};
use crate::domain::message::MessageReason;
use crate::domain::refusal::Refusal;
use crate::domain::scope::SystemScope;
use crate::domain::session::{Engine, SessionStatus};
use crate::domain::tenant::TenantStatus;
use crate::domain::time::{Moment, WallTime};
use crate::http::answer::Answer;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Nothing, Query};
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::overview::history::{self, ByStatus, history};
use crate::overview::incident::{House, Incident, Kind, incidents};
use crate::overview::trouble::worst;
use crate::ports::directory::Snapshot;
use crate::ports::lookout::{Shifts, Sight};

/// For so long a look is good for everybody who asks.
const FRESH: Duration = Duration::from_secs(1);
/// For so long the past is.
const PAST_FRESH: Duration = Duration::from_secs(15);
/// Tenants with trouble that are named.
const WORST: usize = 10;
/// For so long a report of a pairing link is told.
const REPORTS: Duration = Duration::from_secs(24 * 3600);

/// What was last told of the whole, so that many who watch cost as much as one.
#[derive(Debug, Default)]
pub struct Glance {
    told: Mutex<Option<(Moment, String)>>,
    past: Mutex<Option<(Moment, Shifts)>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Overview")]
struct OverviewRecord {
    /// When this was so.
    at: WallTime,
    sessions: SessionsRecord,
    messages: MessagesRecord,
    webhooks: WebhooksRecord,
    transports: Vec<TransportRecord>,
    tenants: TenantsRecord,
    /// What is wrong, newest news first.
    incidents: Vec<IncidentRecord>,
    /// The tenants with most trouble, worst first.
    trouble: Vec<TroubleRecord>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewSessions")]
struct SessionsRecord {
    total: u64,
    /// Every status.
    by_status: ByStatus,
    /// Those whose account the network limits.
    restricted: u64,
    /// How they stood at each quarter of an hour of the last day, oldest first, as far back as that is known.
    history: Vec<PastRecord>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewPast")]
struct PastRecord {
    at: WallTime,
    /// A status that none had is left out.
    by_status: ByStatus,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewMessages")]
struct MessagesRecord {
    /// Those that reached the server within the last minute; null while this process does not know it.
    per_minute: Option<u64>,
    /// The same of each of the last 60 minutes, oldest first; null for what was before this process.
    per_minute_history: Vec<Option<u64>>,
    /// Those that wait for their turn.
    queued: u64,
    /// Those that a rule holds back.
    held: u64,
    /// By that rule.
    held_by_rule: BTreeMap<MessageReason, u64>,
    /// Of the last five minutes, 95 % were acked within so many milliseconds of their acceptance; null when none was.
    accept_to_sent_p95_ms: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewWebhooks")]
struct WebhooksRecord {
    /// Attempts of the last hour that were not taken, as far as this process has lived; null when it has just begun.
    failed_1h: Option<u64>,
    /// Attempts of the last hour.
    attempts_1h: Option<u64>,
    /// Endpoints that are disabled.
    disabled: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewTransport")]
struct TransportRecord {
    engine: Engine,
    /// Its exact version.
    release: String,
    /// Sessions that were made for it.
    sessions: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OverviewTenants")]
struct TenantsRecord {
    total: u64,
    /// By an operator; whoever has not paid is not among them.
    suspended: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Incident")]
struct IncidentRecord {
    kind: Kind,
    /// When there was last news of it.
    at: WallTime,
    /// Since when; null where nobody noted it.
    since: Option<WallTime>,
    /// Whom it concerns, if it is one.
    tenant: Option<TenantId>,
    /// Which session, if it is one.
    session: Option<SessionId>,
    /// How many sessions, endpoints or parts.
    count: u64,
    /// What happened, and what Columba does about it.
    text: String,
    /// What a person can do.
    next: &'static str,
}

impl From<Incident> for IncidentRecord {
    fn from(incident: Incident) -> Self {
        let Incident { kind, at, since, tenant, session, count, text, next } = incident;
        Self { kind, at, since, tenant, session, count, text, next }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantTrouble")]
struct TroubleRecord {
    tenant: TenantId,
    /// What the tenant is called; null for one that is being deleted.
    name: Option<String>,
    /// How much trouble, to sort by.
    score: u64,
    /// Sessions whose account the network limits.
    restricted: u64,
    /// Sessions that were logged out, and not by their people.
    logged_out: u64,
    /// Endpoints that are disabled or fail.
    failing_webhooks: u64,
    /// Messages that have failed since the day before.
    failed_messages: u64,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let by_status = ByStatus::from([(SessionStatus::Connected, 812)]);
    let shown = OverviewRecord {
        at: sample::NOW,
        sessions: SessionsRecord {
            total: 812,
            by_status: by_status.clone(),
            restricted: 0,
            history: vec![PastRecord { at: sample::NOW, by_status }],
        },
        messages: MessagesRecord {
            per_minute: Some(310),
            per_minute_history: vec![None, Some(305), Some(310)],
            queued: 41,
            held: 2,
            held_by_rule: BTreeMap::from([(MessageReason::FirstContact, 2)]),
            accept_to_sent_p95_ms: Some(840),
        },
        webhooks: WebhooksRecord { failed_1h: Some(3), attempts_1h: Some(5_120), disabled: 1 },
        transports: vec![TransportRecord {
            engine: Engine::Sandbox,
            release: "0.1.0".to_owned(),
            sessions: 812,
        }],
        tenants: TenantsRecord { total: 40, suspended: 1 },
        incidents: vec![IncidentRecord {
            kind: Kind::LoggedOut,
            at: sample::NOW,
            since: Some(sample::NOW),
            tenant: Some(sample::tenant_id()),
            session: Some(sample::session_id()),
            count: 1,
            text: "1 session of “Acme” is logged out: the phone unlinked it, or the network did. Nothing is retried."
                .to_owned(),
            next: "Pair it again; what is queued waits until it expires.",
        }],
        trouble: vec![TroubleRecord {
            tenant: sample::tenant_id(),
            name: Some("Acme".to_owned()),
            score: 5,
            restricted: 0,
            logged_out: 1,
            failing_webhooks: 0,
            failed_messages: 0,
        }],
    };
    vec![
        get("/v1/admin/overview", get_one)
            .named("getOverview", "The whole at one glance")
            .about("As it was at most a second ago. What this process does not know is null, never 0.")
            .answering(200, "The overview.", &shown),
    ]
}

/// `GET /overview`.
pub async fn get_one(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    // Whoever asks meanwhile waits for the same look.
    let mut told = state.glance.told.lock().await;
    let now = state.clock.now();
    if let Some((when, text)) = &*told
        && now.since(*when) < FRESH
    {
        return Ok(json(text.clone()));
    }
    let record = look(&state).await?;
    let text = serde_json::to_string(&record).map_err(|error| {
        tracing::error!(%error, "an overview cannot be written");
        Refusal::unavailable("the overview cannot be written")
    })?;
    *told = Some((now, text.clone()));
    Ok(json(text))
}

fn json(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text)
}

async fn look(state: &HttpState) -> Result<OverviewRecord, Problem> {
    let at = state.clock.wall();
    let sight = state.lookout.look(SystemScope, at).await?;
    let shifts = shifts(state, at).await?;
    let snapshot = state.directory.snapshot();
    let house = house(state, at);
    let recent = state.lately.read(at);
    let held: u64 = sight.held.values().sum();
    let by_status: ByStatus = SessionStatus::iter()
        .map(|status| (status, sight.census.sessions.get(&status).copied().unwrap_or_default()))
        .collect();
    let past = history(&by_status, &shifts, at);
    let engines = state.installation.engines();
    Ok(OverviewRecord {
        at,
        sessions: SessionsRecord {
            total: by_status.values().sum(),
            restricted: sight.restricted.iter().map(|limited| limited.sessions).sum(),
            history: past.into_iter().map(|(at, by_status)| PastRecord { at, by_status }).collect(),
            by_status,
        },
        messages: MessagesRecord {
            per_minute: recent.sent,
            per_minute_history: recent.sent_by_minute,
            queued: sight.census.waiting.saturating_sub(held + sight.sending),
            held,
            held_by_rule: sight.held.clone(),
            accept_to_sent_p95_ms: recent.latency_p95.map(|took| took.as_millis() as u64),
        },
        webhooks: WebhooksRecord {
            failed_1h: recent.not_taken,
            attempts_1h: recent.posted,
            disabled: sight.endpoints.iter().map(|endpoints| endpoints.disabled).sum(),
        },
        transports: engines
            .into_iter()
            .map(|view| TransportRecord {
                engine: view.engine,
                release: view.release,
                sessions: sight.engines.get(&view.engine).copied().unwrap_or_default(),
            })
            .collect(),
        tenants: tenants(&snapshot),
        incidents: incidents(&sight, &house, |tenant| name(&snapshot, tenant), at)
            .into_iter()
            .map(IncidentRecord::from)
            .collect(),
        trouble: trouble(&sight, &snapshot),
    })
}

fn tenants(snapshot: &Snapshot) -> TenantsRecord {
    let suspended = snapshot.tenants.values().filter(|tenant| tenant.status == TenantStatus::Suspended);
    TenantsRecord { total: snapshot.tenants.len() as u64, suspended: suspended.count() as u64 }
}

fn name(snapshot: &Snapshot, tenant: TenantId) -> Option<String> {
    snapshot.tenants.get(&tenant).map(|tenant| tenant.name.clone())
}

fn trouble(sight: &Sight, snapshot: &Snapshot) -> Vec<TroubleRecord> {
    let record = |(tenant, trouble): (TenantId, crate::overview::trouble::Trouble)| TroubleRecord {
        tenant,
        name: name(snapshot, tenant),
        score: trouble.score(),
        restricted: trouble.restricted,
        logged_out: trouble.logged_out,
        failing_webhooks: trouble.failing_webhooks,
        failed_messages: trouble.failed_messages,
    };
    worst(sight, WORST).into_iter().map(record).collect()
}

/// The last day's changes, read again now and then.
async fn shifts(state: &HttpState, at: WallTime) -> Result<Shifts, Problem> {
    let mut past = state.glance.past.lock().await;
    let now = state.clock.now();
    if let Some((when, shifts)) = &*past
        && now.since(*when) < PAST_FRESH
    {
        return Ok(shifts.clone());
    }
    let since = history::beginning(at - history::SPAN);
    let shifts = state.lookout.shifts(SystemScope, since, history::WIDTH).await?;
    *past = Some((now, shifts.clone()));
    Ok(shifts)
}

fn house(state: &HttpState, at: WallTime) -> House {
    let missing = |parts: Vec<(&'static str, bool)>| {
        parts.into_iter().filter(|(_, is_there)| !is_there).map(|(part, _)| part).collect()
    };
    let down = |view: &crate::ports::installation::EngineView| {
        let shards = view.shards.iter().flatten().filter(|shard| shard.state == "down").count() as u64;
        (shards > 0).then(|| (view.engine.to_string(), shards))
    };
    House {
        failing: missing(state.gate.report()),
        away: missing(state.gate.spares()),
        bridges: state.installation.engines().iter().filter_map(down).collect(),
        reports: state.pairing_links.reports(at - REPORTS),
        refused_notices: state.lately.read(at).refused_notices,
    }
}
