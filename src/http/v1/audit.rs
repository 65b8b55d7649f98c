//! What operators did to the tenant, or on its behalf.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::audit::{Action, Entry, Subject};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::query::{Given, Parameters, Query, not_a_cursor};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;

/// An entry as the tenant sees it: without its place among those of others, and from where it was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantAuditEntry")]
struct EntryRecord<'a> {
    /// When, by the server's clock.
    at: WallTime,
    /// Who: an operator's name, or the id of one of your keys, or `system`.
    actor: &'a str,
    /// What was done.
    #[schemars(with = "Action")]
    action: &'a str,
    /// On what.
    subject: &'a Subject,
    /// How it was.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    before: Option<&'a RawValue>,
    /// How it was then; of a look, its reason and its end.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    after: Option<&'a RawValue>,
}

/// What a row that somebody spoiled holds is shown to nobody here.
fn raw(text: Option<&str>) -> Option<&RawValue> {
    text.and_then(|text| serde_json::from_str(text).ok())
}

fn record(entry: &Entry) -> EntryRecord<'_> {
    EntryRecord {
        at: entry.at,
        actor: &entry.actor.name,
        action: &entry.action,
        subject: &entry.subject,
        before: raw(entry.before.as_deref()),
        after: raw(entry.after.as_deref()),
    }
}

/// The query of `GET /audit`.
#[derive(Debug)]
pub struct Wanted {
    limit: u32,
    beyond: Option<u64>,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let beyond = given.reads("cursor", |text| cursor::place(text).ok_or_else(not_a_cursor));
        Self { limit: given.limit(), beyond }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor_by_place(17)]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let entry = sample::audit_entry();
    vec![
        get("/v1/audit", list)
            .named("listOwnAudit", "List what operators did to you")
            .about(
                "Also what they did on your behalf, and when they looked at your messages, and why. Newest first. What was \
                 done before the server knew of this list is not in it.",
            )
            .answering(200, "One page.", &Listing::whole(vec![record(&entry)])),
    ]
}

/// `GET /audit`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, tenant: Tenant<tenant::Read>) -> Answer {
    let slice = state.audit.of_tenant(tenant.scope(), wanted.limit, wanted.beyond).await?;
    let last = slice.rows.last().filter(|_| slice.has_more);
    let next_cursor = last.map(|entry| cursor::of_place(entry.seq));
    ok(Listing { next_cursor, has_more: slice.has_more, data: slice.rows.iter().map(record).collect() })
}
