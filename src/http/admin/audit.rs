//! What operators did. Read only: nothing here can change an entry.

use crate::domain::audit::Action;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::listing::Listing;
use crate::ports::audit::{AuditFilter, AuditPage, Order};
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
            from: given.value::<WallTime>("from"),
            to: given.value::<WallTime>("to"),
        };
        let order = given.reads("order", |text| match text {
            "desc" => Ok(Order::Descending),
            "asc" => Ok(Order::Ascending),
            _ => Err("expected one of desc, asc".to_owned()),
        });
        let beyond = given.reads("cursor", |text| cursor::place(text).ok_or_else(not_a_cursor));
        Self { filter, page: AuditPage { limit: given.limit(), order: order.unwrap_or_default(), beyond } }
    }
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
