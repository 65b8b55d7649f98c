//! The plan as it binds now, and this minute.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::billing::period::month_of;
use crate::domain::id::SessionId;
use crate::domain::page::Page;
use crate::domain::plan::Plan;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::scope::TenantScope;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;
use crate::ports::store::StoreError;

const MINUTE: Duration = Duration::from_secs(60);
/// Sessions shown though they sent nothing this minute; those that did are all shown.
const IDLE: usize = 1_000;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Limits")]
struct LimitsRecord<'a> {
    /// Caps as they bind now; month and quota as this period was given them.
    plan: &'a Plan,
    /// The sum over all sessions; null when the plan sets none.
    tenant: Option<Minute>,
    /// Each session's minute, newest first.
    sessions: Vec<SessionMinute>,
}

/// The last 60 s.
#[derive(Serialize, JsonSchema)]
struct Minute {
    /// Send attempts allowed.
    cap: u64,
    /// Send attempts made.
    used: u64,
    /// What is left.
    remaining: u64,
}

#[derive(Serialize, JsonSchema)]
struct SessionMinute {
    session: SessionId,
    #[serde(flatten)]
    minute: Minute,
}

impl Minute {
    fn of(cap: u32, used: u64) -> Self {
        let cap = u64::from(cap);
        Self { cap, used, remaining: cap.saturating_sub(used) }
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        operation::get("/v1/limits", self::get)
            .named("getLimits", "What binds now")
            .about("The plan as it binds, and this minute of each session. Exceeding a cap refuses nothing: messages wait.")
            .answering(
                200,
                "The limits.",
                &LimitsRecord {
                    plan: &sample::plan(),
                    tenant: None,
                    sessions: vec![SessionMinute { session: sample::session_id(), minute: Minute::of(20, 3) }],
                },
            )
            .refusing(&[Code::NotFound]),
    ]
}

/// `GET /limits`.
pub async fn get(state: State, _: Query<Nothing>, tenant: Tenant<tenant::Read>) -> Answer {
    let now = state.clock.wall();
    let snapshot = state.directory.snapshot();
    let mut plan = snapshot.plan_of(tenant.id()).cloned().ok_or_else(Refusal::not_found)?;
    if let Some(usage) = state.messages.usage(tenant.scope(), month_of(now, state.issuer.zone)).await? {
        plan.messages_per_month = usage.allowance.limit;
        plan.quota = usage.allowance.quota;
    }
    let attempts: HashMap<_, _> =
        state.messages.attempts_since(tenant.scope(), now - MINUTE).await?.into_iter().collect();
    let sum = attempts.values().sum();
    let mut used: BTreeMap<SessionId, u64> =
        sessions(&state, tenant.scope()).await?.into_iter().map(|session| (session, 0)).collect();
    used.extend(attempts);
    let cap = plan.messages_per_minute.get();
    let minute = |(session, used)| SessionMinute { session, minute: Minute::of(cap, used) };
    ok(LimitsRecord {
        tenant: plan.messages_per_minute_tenant.map(|cap| Minute::of(cap.get(), sum)),
        sessions: used.into_iter().rev().map(minute).collect(),
        plan: &plan,
    })
}

/// The tenant's newest sessions.
async fn sessions(state: &State, scope: TenantScope) -> Result<Vec<SessionId>, StoreError> {
    let mut found = Vec::new();
    let mut page = Page { limit: 200, before: None };
    loop {
        let slice = state.sessions.list(scope, page).await?;
        found.extend(slice.rows.iter().map(|session| session.id));
        page.before = found.last().map(|id| id.uuid());
        if !slice.has_more || found.len() >= IDLE {
            return Ok(found);
        }
    }
}
