//! How a session stood, from now back.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::id::SessionId;
use crate::domain::refusal::Refusal;
use crate::domain::session::{Reason, SessionStatus, Spell};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Parameters, Query, not_a_cursor};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;

/// The query of `GET /sessions/{id}/timeline`.
#[derive(Debug)]
pub struct Wanted {
    limit: u32,
    beyond: Option<u64>,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let limit = given.limit();
        Self { limit, beyond: given.reads("cursor", |text| cursor::place(text).ok_or_else(not_a_cursor)) }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor_by_place(17)]
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Spell")]
struct SpellRecord {
    status: SessionStatus,
    reason: Option<Reason>,
    /// The network's number for the reason.
    reason_code: Option<u16>,
    /// When it began.
    since: WallTime,
    /// When it ended; null for the present one.
    until: Option<WallTime>,
}

fn record(spell: &Spell) -> SpellRecord {
    let Spell { status, reason, code, since, until, .. } = *spell;
    SpellRecord { status, reason, reason_code: code, since, until }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let session = sample::session(SessionStatus::Connected);
    vec![
        operation::get("/v1/sessions/{id}/timeline", list)
            .named("getTimeline", "List how a session stood")
            .about("Newest first, for 90 days. What came and went within milliseconds may be missing.")
            .answering(200, "One page.", &Listing::whole(vec![record(&session.present())])),
    ]
}

/// `GET /sessions/{id}/timeline`.
pub async fn list(
    state: State,
    Query(wanted): Query<Wanted>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<SessionId>,
) -> Answer {
    super::owned(&state, tenant.principal(), id).await?;
    let slice = state.sessions.spells(tenant.scope(), id, wanted.beyond, wanted.limit).await?;
    let slice = slice.ok_or_else(Refusal::not_found)?;
    let last = slice.rows.last().filter(|_| slice.has_more);
    let next_cursor = last.map(|spell| cursor::of_place(spell.place));
    ok(Listing { next_cursor, has_more: slice.has_more, data: slice.rows.iter().map(record).collect() })
}
