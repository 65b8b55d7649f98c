//! The fleet: sessions of all tenants.

use crate::domain::id::TenantId;
use crate::domain::page::Page;
use crate::domain::scope::SystemScope;
use crate::domain::session::SessionStatus;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Given, Parameters, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::session::fleet_record;
use crate::ports::sessions::FleetFilter;

/// The query of `GET /sessions`.
#[derive(Debug)]
pub struct Wanted {
    filter: FleetFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let filter = FleetFilter {
            tenant: given.value("tenant"),
            status: given.word(
                "status",
                "stopped, starting, pairing, connected, reconnecting, parked, logged_out, quarantined",
            ),
        };
        Self { filter, page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant only.", sample::tenant_id().to_string()),
            Parameter::new::<SessionStatus>("status", "Of this status only.", "connected"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![get("/v1/admin/sessions", list).named("listFleet", "List sessions of all tenants").answering(
        200,
        "One page.",
        &Listing::whole(vec![fleet_record(&sample::session(SessionStatus::Connected), sample::NOW)]),
    )]
}

/// `GET /sessions`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let now = state.clock.wall();
    let slice = state.sessions.fleet(SystemScope, wanted.filter, wanted.page).await?;
    ok(Listing::by_id(&slice, |session| session.id.uuid(), |session| fleet_record(session, now)))
}
