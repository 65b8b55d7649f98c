//! Endpoints of all tenants, and how they do. What a tenant put into an address or a header is not shown: it may be a secret of
//! whoever receives.

use schemars::JsonSchema;
use serde::Serialize;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use super::sessions::words;
use crate::domain::id::{SessionId, TenantId, WebhookId};
use crate::domain::page::Page;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::domain::webhook::{EventFilter, EventPattern, Webhook, WebhookReason, WebhookStatus};
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Given, Parameters, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::webhook::{HealthRecord, health, origin};
use crate::ports::webhooks::EndpointFilter;

/// How an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, Display, EnumIter, IntoStaticStr, JsonSchema)]
#[strum(serialize_all = "snake_case")]
#[schemars(rename_all = "snake_case")]
enum WebhookState {
    /// It takes what it is sent.
    Active,
    /// It is sent events, and its last answers were failures.
    Failing,
    /// It is sent nothing.
    Disabled,
}

/// The query of `GET /webhooks`.
#[derive(Debug)]
pub struct Wanted {
    filter: EndpointFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let (status, failing) = match given.word("state", &words::<WebhookState>()) {
            None => (None, None),
            Some(WebhookState::Active) => (Some(WebhookStatus::Active), Some(false)),
            Some(WebhookState::Failing) => (Some(WebhookStatus::Active), Some(true)),
            Some(WebhookState::Disabled) => (Some(WebhookStatus::Disabled), None),
        };
        let filter = EndpointFilter { tenant: given.value("tenant"), status, failing };
        Self { filter, page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant only.", sample::tenant_id().to_string()),
            Parameter::new::<WebhookState>("state", "In this state only.", "failing"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FleetWebhook")]
struct EndpointRecord<'a> {
    id: WebhookId,
    tenant: TenantId,
    /// What its tenant is called; null for one that is being deleted.
    tenant_name: Option<&'a str>,
    /// Where its events go, without path and query.
    url: String,
    /// What its people call it.
    description: &'a str,
    /// Which events it is told of.
    #[schemars(with = "Vec<EventPattern>")]
    events: &'a EventFilter,
    /// On which sessions; none named means all.
    sessions: &'a [SessionId],
    status: WebhookStatus,
    /// Why it is disabled.
    reason: Option<WebhookReason>,
    /// Since when it has its status.
    since: WallTime,
    health: HealthRecord,
    created_at: WallTime,
}

fn record<'a>(webhook: &'a Webhook, tenant_name: Option<&'a str>, now: WallTime) -> EndpointRecord<'a> {
    EndpointRecord {
        id: webhook.id,
        tenant: webhook.tenant,
        tenant_name,
        url: origin(&webhook.url),
        description: &webhook.description,
        events: &webhook.events,
        sessions: &webhook.sessions,
        status: webhook.status,
        reason: webhook.reason,
        since: webhook.since,
        health: health(webhook, now),
        created_at: webhook.created_at,
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let webhook = sample::webhook();
    vec![
        get("/v1/admin/webhooks", list)
            .named("listFleetWebhooks", "List endpoints of all tenants")
            .about("Without what stands in their addresses and headers, which may be secrets of whoever receives.")
            .answering(200, "One page.", &Listing::whole(vec![record(&webhook, Some("Acme"), sample::NOW)])),
    ]
}

/// `GET /webhooks`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let now = state.clock.wall();
    let slice = state.webhooks.fleet(SystemScope, wanted.filter, wanted.page).await?;
    let snapshot = state.directory.snapshot();
    let name = |tenant| snapshot.tenants.get(&tenant).map(|tenant| &*tenant.name);
    ok(Listing::by_id(
        &slice,
        |webhook| webhook.id.uuid(),
        |webhook| record(webhook, name(webhook.tenant), now),
    ))
}
