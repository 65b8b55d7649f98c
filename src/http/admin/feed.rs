//! The feed of all tenants: how each session stands, live, for whoever watches the fleet.

use actix_web::web;

use crate::domain::id::{OperatorId, TenantId};
use crate::http::answer::Answer;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Nothing, Query};
use crate::http::openapi::operation::{Operation, post};
use crate::http::state::FeedState;
use crate::http::v1::feed::{TicketRecord, issued};
use crate::ports::tickets::{Grant, Holder};

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/admin/feed/tickets", ticket)
            .named("createFleetTicket", "Make a ticket for the feed of all tenants")
            .about(
                "It opens `GET /v1/feed` once, within 30 s. Told are `session` events of all tenants, with `n`, whose it is, and \
                 without `id`. It cannot be resumed: whoever comes back is told `resync` and reads what there is.",
            )
            .answering(201, "The ticket.", &TicketRecord::example()),
    ]
}

/// `POST /feed/tickets`.
pub async fn ticket(
    state: State,
    feed: web::Data<FeedState>,
    _: Query<Nothing>,
    operator: Operator,
) -> Answer {
    let operator = operator.actor().id.unwrap_or(OperatorId::ROOT);
    let holder = Holder::Operator(operator);
    issued(&state, &feed, Grant { tenant: TenantId::FLEET, holder, sessions: None }).await
}
