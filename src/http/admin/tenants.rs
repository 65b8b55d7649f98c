//! Tenants: made, changed, suspended, removed. The row is written first; then their sessions hear of it.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{NAME, wrong_name};
use crate::billing::office::Issuer;
use crate::billing::period::month_of;
use crate::domain::id::TenantId;
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::session::Session;
use crate::domain::tenant::{Tenant, TenantStanding, TenantStatus};
use crate::http::answer::{Answer, created, done, ok, to_the_end};
use crate::http::desk::decide;
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::{Listing, cut};
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::ports::directory::TenantPatch;
use crate::ports::ledger::{Books, Matter};
use crate::ports::sessions::{FleetFilter, FleetPage};
use crate::ports::store::StoreError;

/// The body of `POST /tenants`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// What you call them.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// Code of their plan.
    plan: String,
}

impl Form for NewTenant {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/admin/tenants", create)
            .named("createTenant", "Make a tenant")
            .asking(json!({"name": "Acme", "plan": "starter"}))
            .answering(201, "The tenant.", &sample::tenant(TenantStatus::Active))
            .refusing(&[Code::InvalidRequest]),
        operation::get("/v1/admin/tenants", list).named("listTenants", "List tenants").answering(
            200,
            "One page.",
            &Listing::whole(vec![ListedTenant {
                tenant: &sample::tenant(TenantStatus::Active),
                usage: UsedRecord { used: 812, limit: 10_000 },
            }]),
        ),
        operation::get("/v1/admin/tenants/{id}", self::get).named("getTenant", "Get a tenant").answering(
            200,
            "The tenant.",
            &sample::tenant(TenantStatus::Active),
        ),
        operation::patch("/v1/admin/tenants/{id}", self::patch)
            .named("updateTenant", "Change a tenant")
            .about(
                "A new plan's caps and quota bind at once. A dearer one is paid from now on, a cheaper one from the next \
                 period on: PATCH …/subscription says when it begins.",
            )
            .asking(json!({"plan": "starter"}))
            .answering(200, "The tenant.", &sample::tenant(TenantStatus::Active))
            .refusing(&[Code::InvalidRequest]),
        operation::delete("/v1/admin/tenants/{id}", self::delete)
            .named("deleteTenant", "Delete a tenant")
            .about("With sessions, credentials, messages and keys.")
            .answering_nothing(204, "It is gone."),
        post("/v1/admin/tenants/{id}/suspend", suspend)
            .named("suspendTenant", "Suspend a tenant")
            .about("Every call of theirs answers 403 and their sessions stop; their data stays.")
            .answering(200, "The tenant.", &sample::tenant(TenantStatus::Suspended)),
        post("/v1/admin/tenants/{id}/resume", resume)
            .named("resumeTenant", "Resume a tenant")
            .about("What was wanted of their sessions is done again.")
            .answering(200, "The tenant.", &sample::tenant(TenantStatus::Active)),
    ]
}

/// `POST /tenants`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewTenant>,
    operator: Operator<may::ManageTenants>,
) -> Answer {
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    if let Some(fault) = wrong_name(&body.name) {
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let now = state.clock.wall();
    let tenant = Tenant {
        id: TenantId::mint(now),
        name: body.name,
        plan: body.plan,
        status: TenantStatus::Active,
        standing: TenantStanding::Active,
        created_at: now,
    };
    let made = operator.signs(&state.directory).create_tenant(tenant, idempotent.0).await?;
    created(StatusCode::CREATED, made.is_replayed(), made.into_inner())
}

/// The query of `GET /tenants`.
#[derive(Debug)]
pub struct Wanted {
    sought: Option<String>,
    status: Option<TenantStatus>,
    plan: Option<String>,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let sought = given.reads("q", |text| {
            let fits = (1..=NAME).contains(&text.chars().count());
            fits.then(|| text.to_ascii_lowercase()).ok_or_else(|| format!("expected 1 to {NAME} characters"))
        });
        let status = given.word("status", "active, suspended");
        Self { sought, status, plan: given.text("plan"), page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<String>(
                "q",
                "With this in the name, whatever the case of A to Z, or with this id.",
                "acme",
            ),
            Parameter::new::<TenantStatus>("status", "Of this status only.", "suspended"),
            Parameter::new::<String>("plan", "Under the plan with this code only.", "starter"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

impl Wanted {
    fn fits(&self, tenant: &Tenant) -> bool {
        let is_sought =
            |text: &String| tenant.name.to_ascii_lowercase().contains(text) || tenant.id.to_string() == *text;
        self.sought.as_ref().is_none_or(is_sought)
            && self.status.is_none_or(|status| tenant.status == status)
            && self.plan.as_ref().is_none_or(|plan| tenant.plan == *plan)
    }
}

/// A tenant in the list.
#[derive(Serialize, JsonSchema)]
struct ListedTenant<'a> {
    #[serde(flatten)]
    tenant: &'a Tenant,
    /// This month's messages.
    usage: UsedRecord,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantUsage")]
struct UsedRecord {
    /// Those that count, and those that wait and have a place.
    used: u64,
    /// Those that the month has.
    limit: u64,
}

/// `GET /tenants`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let snapshot = state.directory.snapshot();
    let all = snapshot.tenants.values().filter(|tenant| wanted.fits(tenant));
    let slice = cut(all, |tenant| tenant.id.uuid(), wanted.page);
    let month = month_of(state.clock.wall(), state.issuer.zone).start;
    let ids: Vec<TenantId> = slice.rows.iter().map(|tenant| tenant.id).collect();
    let used = state.lookout.usage(SystemScope, month, &ids).await?;
    let usage = |tenant: TenantId| match used.get(&tenant) {
        Some(month) => UsedRecord { used: month.used, limit: month.limit },
        // Nothing was sent: the month will have what the plan gives.
        None => {
            UsedRecord { used: 0, limit: snapshot.plan_of(tenant).map_or(0, |plan| plan.messages_per_month) }
        }
    };
    ok(Listing::by_id(
        &slice,
        |tenant| tenant.id.uuid(),
        |&tenant| ListedTenant { tenant, usage: usage(tenant.id) },
    ))
}

/// `GET /tenants/{id}`.
pub async fn get(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<TenantId>) -> Answer {
    ok(state.directory.snapshot().tenants.get(&id).ok_or_else(Refusal::not_found)?)
}

/// The body of `PATCH /tenants/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TenantChange")]
pub struct Change {
    /// What you call them.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    name: Option<String>,
    /// Code of their plan.
    #[serde(default)]
    plan: Option<String>,
}

impl Form for Change {}

/// `PATCH /tenants/{id}`. A new plan's caps bind at once.
pub async fn patch(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Change>,
    operator: Operator<may::ManageTenants>,
    Id(id): Id<TenantId>,
) -> Answer {
    if !state.directory.snapshot().tenants.contains_key(&id) {
        return Err(Refusal::not_found().into());
    }
    if let Some(fault) = body.name.as_deref().and_then(wrong_name) {
        return Err(Refusal::invalid(vec![fault]).into());
    }
    let patch = TenantPatch { name: body.name, plan: body.plan, status: None };
    to_the_end(async move {
        let given = patch.plan.clone();
        let tenant = operator.signs(&state.directory).patch_tenant(id, patch, state.clock.wall()).await?;
        if let Some(code) = given {
            // The caps bind already. Whoever asks again after a failure here gives the same plan, and pays once.
            let rule = move |issuer: &Issuer, books: &Books, now| issuer.give(books, &code, now);
            decide(&state, operator.actor(), id, Matter::default(), rule).await?;
        }
        state.signals.wake_tenant(id);
        ok(tenant)
    })
    .await
}

/// `POST /tenants/{id}/suspend`: every call of theirs answers 403, and their sessions stop.
pub async fn suspend(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageTenants>,
    Id(id): Id<TenantId>,
) -> Answer {
    put_status(state, operator, id, TenantStatus::Suspended).await
}

/// `POST /tenants/{id}/resume`: what is wanted of their sessions has stayed, and is done again.
pub async fn resume(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageTenants>,
    Id(id): Id<TenantId>,
) -> Answer {
    put_status(state, operator, id, TenantStatus::Active).await
}

async fn put_status(
    state: State,
    operator: Operator<may::ManageTenants>,
    id: TenantId,
    status: TenantStatus,
) -> Answer {
    let patch = TenantPatch { status: Some(status), ..TenantPatch::default() };
    to_the_end(async move {
        let tenant = operator.signs(&state.directory).patch_tenant(id, patch, state.clock.wall()).await?;
        for session in sessions(&state, id).await? {
            // The row is written: a session that does not hear of it now does at its next start.
            if let Err(error) = state.supervisor.heed(&session).await {
                tracing::warn!(%error, session = %session.id, "session did not hear of its tenant's new status");
            }
        }
        ok(tenant)
    })
    .await
}

/// `DELETE /tenants/{id}`. Suspended first, so that nothing starts meanwhile; the row goes last, so that the call can
/// be repeated.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::Afresh<may::ManageTenants>>,
    Id(id): Id<TenantId>,
) -> Answer {
    to_the_end(async move {
        let directory = operator.signs(&state.directory);
        let now = state.clock.wall();
        let patch = TenantPatch { status: Some(TenantStatus::Suspended), ..TenantPatch::default() };
        directory.patch_tenant(id, patch, now).await?;
        for session in sessions(&state, id).await? {
            state.supervisor.remove(&session).await?;
        }
        state.supervisor.forget_tenant(id).await?;
        directory.delete_tenant(id, now).await?;
        done()
    })
    .await
}

/// Every session of a tenant.
async fn sessions(state: &State, tenant: TenantId) -> Result<Vec<Session>, StoreError> {
    let filter = FleetFilter { tenant: Some(tenant), ..FleetFilter::default() };
    let mut all: Vec<Session> = Vec::new();
    let mut page = FleetPage::newest(200);
    loop {
        let slice = state.sessions.fleet(SystemScope, filter.clone(), page.clone()).await?;
        all.extend(slice.rows);
        match all.last().filter(|_| slice.has_more) {
            Some(last) => page = page.after(last),
            None => return Ok(all),
        }
    }
}
