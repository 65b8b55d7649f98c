//! What the tenant has used of its month and of its sessions.

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;

use crate::billing::period::month_of;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::Period;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
struct UsageRecord {
    /// The month it counts to.
    period: Period,
    messages: Messages,
    sessions: Sessions,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageUsage")]
struct Messages {
    /// Messages that left, or may have.
    used: u64,
    /// Messages accepted that have not left yet.
    held: u64,
    /// Messages of the month.
    limit: u64,
    /// What is left.
    remaining: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionUsage")]
struct Sessions {
    /// Sessions there are.
    used: u64,
    /// Sessions the plan allows.
    limit: u64,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        operation::get("/v1/usage", self::get)
            .named("getUsage", "What of the month is used")
            .answering(
                200,
                "The month so far.",
                &UsageRecord {
                    period: month_of(sample::NOW, Tz::UTC),
                    messages: Messages { used: 120, held: 2, limit: 10_000, remaining: 9_878 },
                    sessions: Sessions { used: 1, limit: 3 },
                },
            )
            .refusing(&[Code::NotFound]),
    ]
}

/// `GET /usage`.
pub async fn get(state: State, _: Query<Nothing>, tenant: Tenant<tenant::Read>) -> Answer {
    let snapshot = state.directory.snapshot();
    let plan = snapshot.plan_of(tenant.id()).ok_or_else(Refusal::not_found)?;
    let period = month_of(state.clock.wall(), state.issuer.zone);
    let usage = state.messages.usage(tenant.scope(), period).await?;
    // Until the month's first message the plan says what the month will be given.
    let (used, held, limit) = usage
        .map_or((0, 0, plan.messages_per_month), |usage| (usage.used, usage.held, usage.allowance.limit));
    ok(UsageRecord {
        period,
        messages: Messages { used, held, limit, remaining: limit.saturating_sub(used.saturating_add(held)) },
        sessions: Sessions {
            used: state.sessions.count(tenant.scope()).await?,
            limit: plan.sessions_max.into(),
        },
    })
}
