//! What the tenant has used of its month and of its sessions.

use serde::Serialize;

use crate::billing::period::month_of;
use crate::domain::refusal::Refusal;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::ports::outbox::Period;

#[derive(Serialize)]
struct UsageRecord {
    period: Period,
    messages: Messages,
    sessions: Sessions,
}

#[derive(Serialize)]
struct Messages {
    used: u64,
    held: u64,
    limit: u64,
    remaining: u64,
}

#[derive(Serialize)]
struct Sessions {
    used: u64,
    limit: u64,
}

/// `GET /usage`.
pub async fn get(state: State, _: Query<Nothing>, tenant: Tenant<tenant::Read>) -> Answer {
    let snapshot = state.directory.snapshot();
    let plan = snapshot.plan_of(tenant.id()).ok_or_else(Refusal::not_found)?;
    let period = month_of(state.clock.wall());
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
