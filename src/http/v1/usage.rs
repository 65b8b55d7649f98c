//! What the tenant has used of its month and of its sessions.

use std::num::NonZeroU32;
use std::time::Duration;

use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Serialize;

use crate::billing::period::{day_of, month_of};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::scope::TenantScope;
use crate::domain::time::{Period, WallTime};
use crate::domain::webhook::ENDPOINTS_MAX;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;
use crate::http::state::HttpState;
use crate::ports::store::StoreError;

const MINUTE: Duration = Duration::from_secs(60);
/// All endpoints that a tenant may have.
const ENDPOINTS: Page = Page { limit: ENDPOINTS_MAX, before: None };
/// Rows of days that are read together.
pub const DAYS_AT_ONCE: u32 = 500;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Usage")]
struct UsageRecord {
    /// The month it counts to.
    period: Period,
    messages: Messages,
    sessions: Sessions,
    /// Webhook endpoints.
    webhooks: Bounded,
    /// Keys that live, not counting test keys.
    seats: Bounded,
    minute: Minute,
    day: Day,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MinuteUsage")]
struct Minute {
    /// Send attempts of all sessions in the last 60 s.
    attempts: u64,
    /// Attempts the plan allows all of them together; null when it sets no sum.
    limit: Option<u32>,
}

#[derive(Default, Serialize, JsonSchema)]
#[schemars(rename = "DayUsage")]
struct Day {
    /// When the day began, on the operator's clocks.
    start: WallTime,
    /// When the next begins.
    end: WallTime,
    /// Messages of all sessions that reached the server since then, whenever they were accepted.
    sent: u64,
    /// Messages that failed for good.
    failed: u64,
    /// Messages that came in.
    received: u64,
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
#[schemars(rename = "BoundedUsage")]
struct Bounded {
    /// How many there are.
    used: u64,
    /// How many the plan allows; null when it sets no bound.
    limit: Option<u64>,
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
                    webhooks: Bounded { used: 1, limit: Some(8) },
                    seats: Bounded { used: 2, limit: None },
                    minute: Minute { attempts: 2, limit: None },
                    day: Day {
                        start: day_of(sample::NOW, Tz::UTC).start,
                        end: day_of(sample::NOW, Tz::UTC).end,
                        sent: 12,
                        failed: 0,
                        received: 7,
                    },
                },
            )
            .refusing(&[Code::NotFound]),
    ]
}

/// `GET /usage`.
pub async fn get(state: State, _: Query<Nothing>, tenant: Tenant<tenant::Read>) -> Answer {
    let snapshot = state.directory.snapshot();
    let plan = snapshot.plan_of(tenant.id()).ok_or_else(Refusal::not_found)?;
    let now = state.clock.wall();
    let period = month_of(now, state.issuer.zone);
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
        webhooks: Bounded {
            used: state.webhooks.list(tenant.scope(), ENDPOINTS).await?.rows.len() as u64,
            limit: Some(plan.webhooks_max.into()),
        },
        seats: Bounded {
            used: { snapshot.keys.values() }
                .filter(|key| key.tenant == tenant.id() && key.takes_seat(now))
                .count() as u64,
            limit: plan.seats_max.map(u64::from),
        },
        minute: Minute {
            attempts: state
                .messages
                .attempts_since(tenant.scope(), now - MINUTE)
                .await?
                .iter()
                .map(|(_, n)| n)
                .sum(),
            limit: plan.messages_per_minute_tenant.map(NonZeroU32::get),
        },
        day: day(&state, tenant.scope(), day_of(now, state.issuer.zone)).await?,
    })
}

/// All sessions of a day together.
async fn day(state: &HttpState, scope: TenantScope, day: Period) -> Result<Day, StoreError> {
    let mut sum = Day { start: day.start, end: day.end, ..Day::default() };
    let mut after = None;
    loop {
        let rows = state.messages.days(scope, day, after, DAYS_AT_ONCE).await?;
        for row in &rows {
            sum.sent += row.sent;
            sum.failed += row.failed;
            sum.received += row.received;
        }
        after = rows.last().map(|row| (row.day, row.session));
        if rows.len() < DAYS_AT_ONCE as usize {
            return Ok(sum);
        }
    }
}
