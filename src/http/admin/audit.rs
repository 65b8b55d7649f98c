//! What operators did. Read only: nothing here can change an entry.

use super::sessions::order;
use crate::domain::audit::{Action, Head};
use crate::domain::id::TenantId;
use crate::domain::page::Order;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::ports::audit::{AuditFilter, AuditPage};
use strum::IntoEnumIterator as _;

/// The query of `GET /audit`.
#[derive(Debug)]
pub struct Wanted {
    filter: AuditFilter,
    page: AuditPage,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let words = Action::iter().map(<&str>::from).collect::<Vec<_>>().join(", ");
        let filter = AuditFilter {
            actor: given.text("actor"),
            action: given.word::<Action>("action", &words).map(|action| action.to_string()),
            subject: given.text("subject"),
            tenant: given.value("tenant"),
            from: given.value::<WallTime>("from"),
            to: given.value::<WallTime>("to"),
        };
        let order = order(given);
        let beyond = given.reads("cursor", |text| cursor::place(text).ok_or_else(not_a_cursor));
        Self { filter, page: AuditPage { limit: given.limit(), order, beyond } }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<String>("actor", "By this operator: an id, or a name.", "root"),
            Parameter::new::<Action>("action", "Of this action only.", "key.create"),
            Parameter::new::<String>("subject", "On the subject with this id.", sample::key_id().to_string()),
            Parameter::new::<TenantId>(
                "tenant",
                "That are this tenant's business.",
                sample::tenant_id().to_string(),
            ),
            Parameter::new::<WallTime>("from", "Not before.", "2026-11-01T00:00:00.000Z"),
            Parameter::new::<WallTime>("to", "Before.", "2026-12-01T00:00:00.000Z"),
            Parameter::new::<Order>("order", "Newest first if it is left out.", "asc"),
            Parameter::limit(),
            Parameter::cursor_by_place(17),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let entry = sample::audit_entry();
    let head: Head = entry.head();
    vec![
        get("/v1/admin/audit", list)
            .named("listAudit", "List what operators did")
            .about("`before` and `after` are hashed as the very bytes of this answer. Nothing shortens the list.")
            .answering(200, "One page.", &Listing::whole(vec![entry])),
        get("/v1/admin/audit/head", self::head)
            .named("getAuditHead", "Number and hash of the last entry")
            .about("Keep it elsewhere: a list that was written anew does not pass through it.")
            .answering(200, "The end of the list; 0 and zeros when it is empty.", &head),
    ]
}

/// `GET /audit`: newest first, or with `order=asc` in the order of the chain.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let slice = state.audit.entries(SystemScope, wanted.filter, wanted.page).await?;
    let last = slice.rows.last().filter(|_| slice.has_more);
    let next_cursor = last.map(|entry| cursor::of_place(entry.seq));
    ok(Listing { next_cursor, has_more: slice.has_more, data: slice.rows })
}

/// `GET /audit/head`: number and hash of the last entry, to be kept elsewhere.
pub async fn head(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    ok(state.audit.head(SystemScope).await?)
}
